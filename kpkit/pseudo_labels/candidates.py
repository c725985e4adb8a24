"""People that may be labelled: teachers' poses on detections, told apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from kpkit.core.instances import Instances
from kpkit.data.coco import AREA_OF_BOX
from kpkit.inference.finish import distinct_poses, mean_scored
from kpkit.inference.nms import top_per_image
from kpkit.pseudo_labels.agreement import agreement
from kpkit.specs.poses import PosesSpec


@dataclass(frozen=True)
class Candidates:
    """Distinct people.

    Attributes:
        people: poses in canonical order, keypoint scores in the third column; the score is the box's times
            the mean keypoint score.
        agreement: (N, K), how much the teachers agree on each keypoint; ones for a single teacher.
        beyond: people more than a picture may have.
    """

    people: Instances
    agreement: np.ndarray
    beyond: Instances

    @classmethod
    def joined(cls, parts: Iterable[Candidates]) -> Candidates:
        """One after another."""
        parts = list(parts)
        return cls(
            Instances.concat([part.people for part in parts]),
            np.concatenate([part.agreement for part in parts]),
            Instances.concat([part.beyond for part in parts]),
        )


def candidates(blend: Instances, teachers: Sequence[np.ndarray], rules: PosesSpec) -> Candidates:
    """Tell people apart: rescore, OKS-NMS, the best of each picture.

    Args:
        blend: poses from the blended heatmaps, box scores as score.
        teachers: each teacher's own points, (N, K, 3), rows as in ``blend``.
        rules: of rescoring and NMS, and how many people a picture may have.
    """
    numbered = mean_scored(blend.with_(id=np.arange(len(blend))), rules.score_floor)
    everyone = rules.model_copy(update={"max_poses": max(len(blend), 1)})
    distinct = distinct_poses(numbered, everyone)
    people = top_per_image(distinct, rules.max_poses).sorted_by_image()
    beyond = distinct[~np.isin(distinct.id, people.id)].sorted_by_image()
    rows = people.id
    area = AREA_OF_BOX * people.box[:, 2] * people.box[:, 3]
    agreed = agreement(
        people.keypoints, [points[rows] for points in teachers], area, people.skeleton.oks_sigmas
    )
    return Candidates(people.with_(id=np.zeros_like(rows)), agreed, beyond.with_(id=np.zeros_like(beyond.id)))
