"""From crops to finished poses: heatmaps, flip test, rescoring, OKS-NMS."""
