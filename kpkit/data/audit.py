"""What a data set's labels hold, keypoint by keypoint, and what becomes of them in another skeleton."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kpkit.core.instances import Instances
from kpkit.core.skeletons import Skeleton


@dataclass(frozen=True)
class KeypointAudit:
    """One keypoint of the data set, or (``name`` None) one that it lacks.

    Attributes:
        name: in the data set's skeleton.
        becomes: in the other skeleton; None where that drops it.
        visible, hidden, unlabelled: people by what the data set says of their keypoint.
        outside: people whose keypoint is labelled outside their own box.
    """

    name: str | None
    becomes: str | None
    visible: int = 0
    hidden: int = 0
    unlabelled: int = 0
    outside: int = 0


@dataclass(frozen=True)
class LabelAudit:
    """A data set's labels counted.

    Attributes:
        people: annotated people, crowds left out.
        boxless: of these, those whose box has no size; they have no labels.
        people_outside: of these, those with a keypoint labelled outside their own box.
        keypoints: the data set's in its own order, then those it lacks.
    """

    people: int
    boxless: int
    people_outside: int
    keypoints: tuple[KeypointAudit, ...]

    def total(self, count: str) -> int:
        """Sum over the keypoints of ``visible``, ``hidden``, ``unlabelled`` or ``outside``."""
        return sum(int(getattr(keypoint, count)) for keypoint in self.keypoints)


def audit_labels(people: Instances, into: Skeleton) -> LabelAudit:
    """Count the labels of people in their own skeleton, and name what each keypoint becomes in another."""
    people = people[~people.crowd]
    visibility, outside = people.keypoints[:, :, 2], people.labelled_outside
    seen = [(visibility == value).sum(axis=0).tolist() for value in (2, 1, 0)]
    counts = zip(*seen, outside.sum(axis=0).tolist(), strict=True)
    rows = [
        KeypointAudit(name, name if name in into.keypoints else None, *count)
        for name, count in zip(people.skeleton.keypoints, counts, strict=True)
    ]
    rows += [KeypointAudit(None, name) for name in into.keypoints if name not in people.skeleton.keypoints]
    boxless = (people.box[:, 2:] <= 0).any(axis=1)
    return LabelAudit(len(people), int(boxless.sum()), int(np.any(outside, axis=1).sum()), tuple(rows))
