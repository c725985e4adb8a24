"""Keypoints to heatmaps and back: codecs, targets, flip, blend, decoding."""
