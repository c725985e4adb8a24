"""What becomes a pseudo label: as many people as the labelled set has, sure keypoints (CCM 4.3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kpkit.core.boxes import box_of_keypoints
from kpkit.core.errors import KpkitError
from kpkit.core.instances import Instances


@dataclass(frozen=True)
class BoxThreshold:
    """A detection threshold and why.

    Attributes:
        score: detections of at least this score count as people.
        wanted: people per picture of the labelled set; nan where the threshold was given.
        reached: people per picture that the threshold lets through.
    """

    score: float
    wanted: float
    reached: float


def people_per_picture(people: Instances, pictures: int) -> float:
    """Labelled people (some keypoint labelled, no crowd) per listed picture."""
    return int(((people.num_labelled > 0) & ~people.crowd).sum()) / max(pictures, 1)


def solve_threshold(scores: np.ndarray, pictures: int, wanted: float) -> BoxThreshold:
    """The score at which detections per picture meet ``wanted`` (the paper's landed on 0.9924).

    Args:
        scores: (D,) detection scores of all pictures.
        pictures: how many pictures they come from.
        wanted: people per picture of the labelled set.

    Returns:
        the highest score that lets through as many as asked, rounded to a whole number, at least one; ties
        of score stay together, so it may let through more. With too few detections all are let through.
    """
    if len(scores) == 0:
        raise KpkitError("there is no detection on the pictures to label")
    falling = np.sort(scores)[::-1]
    count = min(max(round(wanted * pictures), 1), len(falling))
    score = float(falling[count - 1])
    return BoxThreshold(score, wanted, float((scores >= score).sum()) / pictures)


def select_labels(poses: Instances, min_keypoint_score: float, min_keypoints: int) -> Instances:
    """Network poses -> labelled people.

    Args:
        poses: keypoint scores in the third column.
        min_keypoint_score: keypoints below it become unlabelled (0, 0, 0).
        min_keypoints: people with fewer kept keypoints are dropped.

    Returns:
        people of source ``"U"``, visibility 2 where kept; the box is the detector's, joined with the kept
        keypoints' own, and ids are 1, 2, ... in row order.
    """
    keep = poses.keypoints[:, :, 2] >= min_keypoint_score
    keypoints = np.where(keep[..., None], poses.keypoints, 0.0)
    keypoints[:, :, 2] = np.where(keep, 2.0, 0.0)
    rows = keep.sum(axis=1) >= min_keypoints
    people, keypoints = poses[rows], keypoints[rows]
    tight = box_of_keypoints(keypoints)
    low = np.minimum(people.box[:, :2], tight[:, :2])
    high = np.maximum(people.box[:, :2] + people.box[:, 2:], tight[:, :2] + tight[:, 2:])
    box = np.concatenate([low, high - low], axis=1)
    return people.with_(
        keypoints=keypoints,
        box=box,
        area=box[:, 2] * box[:, 3],
        source=np.full(len(people), "U"),
        id=np.arange(1, len(people) + 1),
    )
