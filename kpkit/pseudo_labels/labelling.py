"""One block of pictures labelled: people, their weights and doubts, and the regions to ignore."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kpkit.core.instances import Instances
from kpkit.pseudo_labels.audit import Audit
from kpkit.pseudo_labels.candidates import Candidates
from kpkit.pseudo_labels.selection import ignore_regions, label_people


@dataclass(frozen=True)
class Labelled:
    """Labels of some pictures.

    Attributes:
        people: labelled people.
        sureness: (N,) mean over each person's kept keypoints of the teachers' agreement, or, of a single
            teacher, of its scores; 0 to 1.
        ignored: crowd regions.
    """

    people: Instances
    sureness: np.ndarray
    ignored: Instances


def label_block(
    found: Candidates, audited: Audit, *, several: bool, left_over: Instances | None = None
) -> Labelled:
    """Apply the rules.

    Args:
        found: the teachers' people.
        audited: the rules, and what weighs the labels.
        several: whether there is more than one teacher to agree.
        left_over: boxes nobody looked at, but which may hold people; with them, and everyone found who
            becomes no label, regions to ignore are made. None makes none.
    """
    rules, scores = audited.rules, found.people.keypoints[:, :, 2]
    kept = rules.kept(scores, found.agreement)
    people, rows = label_people(found.people, kept, rules.min_keypoints)
    kept = kept[rows]
    sure = (found.agreement if several else scores)[rows]
    sureness = np.where(kept, sure, 0).sum(axis=1) / np.maximum(kept.sum(axis=1), 1)
    if audited.calibration is not None:
        weight = np.where(kept, audited.calibration.probability(scores[rows]), 0)
        people = people.with_(keypoint_weight=weight.round(4))
    if left_over is None:
        return Labelled(people, sureness, people[:0])
    nobody = Instances.concat([found.people[~rows], found.beyond, left_over])
    ignored = ignore_regions(nobody, people)
    if people.keypoint_weight is not None:
        ignored = ignored.with_(keypoint_weight=np.zeros(ignored.keypoints.shape[:2]))
    return Labelled(people, sureness, ignored)
