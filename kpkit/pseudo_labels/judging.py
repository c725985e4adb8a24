"""Labels held against a truth: which keypoints are right, keypoint by keypoint."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kpkit.core.boxes import pair_iou
from kpkit.core.instances import Instances, picture_pairs
from kpkit.evaluation.oks import keypoint_oks
from kpkit.pseudo_labels.selection import SAME_PERSON

RIGHT = (0.5, 0.75)
"""OKS from which a keypoint is counted as right."""


@dataclass(frozen=True)
class Judged:
    """Labels and what the truth says of them, row by row.

    Attributes:
        kept: (N, K) bool, labelled keypoints that can be judged.
        similarity: (N, K) in 0..1, their OKS with the truth's point; 0 where there is none.
        unknown: (N, K) bool, kept, though the truth labels no such point there.
        nobody: (N,) bool, the truth has no person there.
        unjudged: (N,) bool, left out: someone is there whose keypoints the truth does not know.
    """

    kept: np.ndarray
    similarity: np.ndarray
    unknown: np.ndarray
    nobody: np.ndarray
    unjudged: np.ndarray

    def right(self, least: float) -> np.ndarray:
        """(N, K) bool: kept, and of at least this OKS with the truth."""
        return np.asarray(self.kept & (self.similarity >= least))


def judge(labels: Instances, truth: Instances) -> Judged:
    """Match labels with people of the truth, one to one, and compare their keypoints.

    The pair whose keypoints agree most (the sum of their OKS) is matched first, as long as they agree on
    something: half a keypoint at least. Labels that agree with no one but lie on a crowd region, or on a
    person without labelled keypoints, are not judged.

    Args:
        labels: people with visibilities, no crowd regions; any order.
        truth: every annotated person of the same pictures.
    """
    visible = labels.keypoints[:, :, 2] > 0
    shape = visible.shape
    known = truth[(truth.num_labelled > 0) & ~truth.crowd]
    rows, others = picture_pairs(labels.image_id, known.image_id)
    pairs = keypoint_oks(
        labels.keypoints[rows], known.keypoints[others], known.area[others], labels.skeleton.oks_sigmas
    ) * (visible[rows] & (known.keypoints[others, :, 2] > 0))
    total = pairs.sum(axis=1)
    owner, similarity = np.full(len(labels), -1), np.zeros(shape)
    taken = np.zeros(len(known), bool)
    order = np.argsort(-total, kind="stable")
    for k in order[total[order] >= RIGHT[0]].tolist():
        row, other = rows[k], others[k]
        if owner[row] < 0 and not taken[other]:
            owner[row], taken[other], similarity[row] = other, True, pairs[k]
    nobody = owner < 0
    unjudged = nobody & _on_unknown(labels, truth[(truth.num_labelled == 0) | truth.crowd])
    kept = visible & ~unjudged[:, None]
    there = np.zeros(shape, bool)
    there[~nobody] = known.keypoints[owner[~nobody], :, 2] > 0
    return Judged(kept, similarity, kept & ~there, nobody & ~unjudged, unjudged)


def _on_unknown(labels: Instances, unlabelled: Instances) -> np.ndarray:
    """(N,) bool: the label's box is on somebody of whom the truth knows no keypoint."""
    rows, others = picture_pairs(labels.image_id, unlabelled.image_id)
    overlap = pair_iou(labels.box[rows], unlabelled.box[others], unlabelled.crowd[others])
    found = np.zeros(len(labels), bool)
    found[rows[overlap >= SAME_PERSON]] = True
    return found


def counts(judged: Judged, names: tuple[str, ...]) -> dict[str, dict[str, int]]:
    """Per keypoint name: ``kept``, ``right_50``, ``right_75`` and ``unknown`` (where the truth has none)."""
    tables = {"kept": judged.kept, "unknown": judged.unknown}
    tables |= {f"right_{100 * least:.0f}": judged.right(least) for least in RIGHT}
    sums = {key: table.sum(axis=0) for key, table in tables.items()}
    order = ("kept", *(f"right_{100 * least:.0f}" for least in RIGHT), "unknown")
    return {name: {key: int(sums[key][k]) for key in order} for k, name in enumerate(names)}
