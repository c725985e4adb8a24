"""Training examples nobody labelled: hard negatives."""
