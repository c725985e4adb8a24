"""Who stands near whom: the neighbours whose keypoints a pose may take for its own (PoseFix, section 4.2)."""

from __future__ import annotations

import numpy as np

from kpkit.core.boxes import pair_iou
from kpkit.core.instances import Instances, picture_pairs

NEAR = 0.1
"""Overlap (IoU) of boxes from which two people are neighbours (official code)."""


def neighbours(people: Instances) -> np.ndarray:
    """Neighbours of everyone: people of the same picture whose boxes overlap by NEAR; crowds are nobody's.

    Args:
        people: N labels.

    Returns:
        (N, M) int64 rows of each one's neighbours, rising, then -1; M is the most that anyone has.
    """
    a, b = picture_pairs(people.image_id, people.image_id)
    a, b = a[a != b], b[a != b]
    near = (pair_iou(people.box[a], people.box[b]) >= NEAR) & ~people.crowd[b]
    a, b = a[near], b[near]
    count = np.bincount(a, minlength=len(people))
    found = np.full((len(people), int(count.max(initial=0))), -1)
    found[a, np.arange(len(a)) - np.repeat(np.cumsum(count) - count, count)] = b
    return found
