"""Labels made by teachers: which detections count as people, which keypoints are kept."""
