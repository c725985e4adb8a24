"""What becomes a pseudo label: as many people as the labelled set has, sure keypoints (CCM 4.3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kpkit.core.boxes import box_of_keypoints, pair_iou
from kpkit.core.errors import KpkitError
from kpkit.core.instances import Instances, picture_pairs

SAME_PERSON = 0.5
"""IoU from which two boxes are taken for one person's."""


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


@dataclass(frozen=True)
class Rules:
    """Which keypoints are kept, and whom that leaves.

    Attributes:
        floors: (K,) least keypoint scores; infinity where nothing is kept.
        min_agreement: least agreement of the teachers, as agreement() gives it.
        min_keypoints: kept keypoints a labelled person has at least.
    """

    floors: np.ndarray
    min_agreement: float = 0.0
    min_keypoints: int = 1

    def kept(self, scores: np.ndarray, agreement: np.ndarray) -> np.ndarray:
        """(N, K) bool, from (N, K) keypoint scores and (N, K) agreement."""
        return np.asarray((scores >= self.floors) & (agreement >= self.min_agreement))


def label_people(poses: Instances, kept: np.ndarray, min_keypoints: int) -> tuple[Instances, np.ndarray]:
    """Network poses -> labelled people.

    Args:
        poses: keypoint scores in the third column.
        kept: (N, K) bool; the other keypoints become unlabelled (0, 0, 0).
        min_keypoints: people with fewer kept keypoints are dropped.

    Returns:
        people of source ``"U"``, visibility 2 where kept; the box is the detector's, joined with the kept
        keypoints' own, and ids are 1, 2, ... in row order. And (N,) bool, which rows they are.
    """
    keypoints = np.where(kept[..., None], poses.keypoints, 0.0)
    keypoints[:, :, 2] = np.where(kept, 2.0, 0.0)
    rows = kept.sum(axis=1) >= min_keypoints
    people, keypoints = poses[rows], keypoints[rows]
    tight = box_of_keypoints(keypoints)
    low = np.minimum(people.box[:, :2], tight[:, :2])
    high = np.maximum(people.box[:, :2] + people.box[:, 2:], tight[:, :2] + tight[:, 2:])
    box = np.concatenate([low, high - low], axis=1)
    labels = people.with_(
        keypoints=keypoints,
        box=box,
        area=box[:, 2] * box[:, 3],
        source=np.full(len(people), "U"),
        id=np.arange(1, len(people) + 1),
    )
    return labels, rows


def ignore_regions(people: Instances, labels: Instances) -> Instances:
    """People who get no label, as crowd regions: nobody takes them for background.

    Args:
        people: boxes that may hold someone.
        labels: the labelled people of the same pictures.

    Returns:
        crowd rows without keypoints, source ``"U"``, in canonical order. Boxes that mostly hold a labelled
        person, or a region of a higher score, are left out: nobody else is there.
    """
    free = people[~_on_someone(people, labels)]
    free = free[~_on_a_better(free)].sorted_by_image()
    return free.with_(
        keypoints=np.zeros_like(free.keypoints),
        area=free.box[:, 2] * free.box[:, 3],
        crowd=np.ones(len(free), bool),
        source=np.full(len(free), "U"),
        id=np.zeros(len(free), np.int64),
    )


def _on_someone(people: Instances, labels: Instances) -> np.ndarray:
    """(N,) bool: the box is a labelled person's."""
    rows, others = picture_pairs(people.image_id, labels.image_id)
    same = pair_iou(people.box[rows], labels.box[others]) >= SAME_PERSON
    found = np.zeros(len(people), bool)
    found[rows[same]] = True
    return found


def _on_a_better(people: Instances) -> np.ndarray:
    """(N,) bool: the box is that of an earlier row in falling score (greedy box NMS)."""
    order = np.argsort(-people.score, kind="stable")
    place = np.empty(len(people), np.int64)
    place[order] = np.arange(len(people))
    better, worse = picture_pairs(people.image_id, people.image_id)
    pairs = place[better] < place[worse]
    better, worse = better[pairs], worse[pairs]
    same = pair_iou(people.box[better], people.box[worse]) >= SAME_PERSON
    better, worse = better[same], worse[same]
    dropped = np.zeros(len(people), bool)
    for k in np.argsort(place[better], kind="stable").tolist():
        if not dropped[better[k]]:
            dropped[worse[k]] = True
    return dropped
