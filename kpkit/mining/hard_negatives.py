"""Confident detections on nobody, to be trained to empty heatmaps (CCM section 4.3)."""

from __future__ import annotations

import numpy as np

from kpkit.core.instances import Instances

THRESHOLDS = (0.5, 0.7, 0.9)
"""Scores the CCM paper counts hard negatives at."""


def mine_hard_negatives(detections: Instances, people: Instances, min_score: float = 0.5) -> Instances:
    """Detections of at least ``min_score`` that do not overlap any annotated person.

    Args:
        detections: boxes with scores.
        people: every annotated person of the same pictures, also those without keypoints and crowd regions
            (a detection on any of them is no negative).
        min_score: score floor.

    Returns:
        the negatives with source ``"H"``, in canonical order; all keypoints unlabelled. Detections on
        pictures without any annotated person are kept: nobody is there.
    """
    kept = detections[detections.score >= min_score].sorted_by_image()
    free = ~touches_anyone(kept, people)
    negatives = kept[free]
    return negatives.with_(source=np.full(len(negatives), "H"), keypoints=np.zeros_like(negatives.keypoints))


def touches_anyone(boxes: Instances, people: Instances) -> np.ndarray:
    """(N,) bool: the box overlaps a person's box in the same picture."""
    touched = np.zeros(len(boxes), dtype=bool)
    order = np.argsort(people.image_id, kind="stable")
    ids = people.image_id[order]
    begin = np.searchsorted(ids, boxes.image_id, side="left")
    end = np.searchsorted(ids, boxes.image_id, side="right")
    # one step per person rank within a picture, all pictures at once
    for rank in range(int((end - begin).max(initial=0))):
        rows = np.flatnonzero(begin + rank < end)
        person = people.box[order[begin[rows] + rank]]
        mine = boxes.box[rows]
        low = np.maximum(mine[:, :2], person[:, :2])
        high = np.minimum(mine[:, :2] + mine[:, 2:], person[:, :2] + person[:, 2:])
        touched[rows] |= np.all(high > low, axis=1)
    return touched


def counts_by_score(negatives: Instances) -> dict[str, int]:
    """How many negatives reach each of the paper's thresholds."""
    return {f"{t:.1f}": int((negatives.score >= t).sum()) for t in THRESHOLDS}
