"""The score a pose is ranked by: its box's score times how sure its keypoints are."""

from __future__ import annotations

import numpy as np

from kpkit.core.instances import Instances


def rescore(instances: Instances, floor: float = 0.0) -> Instances:
    """Multiply box scores with the mean keypoint score over a floor.

    Args:
        instances: poses whose ``score`` is the box's and whose third keypoint value is the keypoint's score.
        floor: 0 counts every keypoint (CPN, MSPN); above 0, only keypoints that score more than it (HRNet:
            0.2), and a pose without any such keypoint scores 0.

    Returns:
        The same rows with the new scores. Running it twice multiplies twice.
    """
    points = instances.keypoints[:, :, 2]
    counted = points > floor if floor > 0 else np.ones(points.shape, bool)
    number = counted.sum(axis=1)
    total = np.where(counted, points, 0.0).sum(axis=1)
    mean = np.divide(total, number, out=np.zeros(len(instances)), where=number > 0)
    return instances.with_(score=instances.score * mean)
