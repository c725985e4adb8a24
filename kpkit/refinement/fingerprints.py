"""Poses known again wherever they turn up: refining a refined pose once more makes it worse."""

from __future__ import annotations

import numpy as np

from kpkit.core.instances import Instances
from kpkit.core.seeds import mixed

DECIMALS = 2
"""Places that results files keep of coordinates (data/results.py)."""


def fingerprints(poses: Instances) -> np.ndarray:
    """(N,) uint64, equal for poses of one picture with equal places to DECIMALS, whatever their scores."""
    places = np.round(poses.keypoints[:, :, :2], DECIMALS) * 10**DECIMALS
    columns = np.concatenate([poses.image_id[:, None], np.rint(places).reshape(len(poses), -1)], axis=1)
    words = columns.astype(np.int64).view(np.uint64)
    found = np.zeros(len(poses), np.uint64)
    for column in words.T:  # splitmix64, fed word by word
        found = mixed(found ^ column)
    return found
