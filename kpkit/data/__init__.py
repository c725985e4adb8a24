"""Files to Instances and back, pictures, crops, augmentation, mixtures, the generated world."""
