"""Errors as an ensemble of one's own makes them, counted on labelled pictures."""

from __future__ import annotations

import numpy as np

from kpkit.core.errors import InputError
from kpkit.core.instances import Instances
from kpkit.evaluation.errors import INVERSION, KINDS, SWAP, UNJUDGED, pose_errors
from kpkit.refinement.errors import OVERLAP, VISIBLE, ErrorModel, distance, groups, published_errors
from kpkit.refinement.neighbours import neighbours

ENOUGH = 1000
"""Labelled keypoints of found people below which nothing is measured."""
SHRINKAGE = 50
"""Keypoints that a share seen in more people weighs like, where it stands in for one seen in fewer."""
KNOTS = 21
"""Quantiles kept of each distance."""
FEW = 50
"""Errors of one kind below which a keypoint's distances are those of all keypoints."""


def measured_errors(truth: Instances, poses: Instances, image_id: np.ndarray) -> ErrorModel:
    """Count the errors of poses, and how far they lie, as ``evaluation.errors`` names them.

    Only people whom a pose has reached count, and their labelled keypoints. A keypoint's shares in a group of
    people are drawn towards its shares in all, and those towards all keypoints' of its kind of body part, by
    SHRINKAGE keypoints. Distances of kinds that never occur are the published ones.

    Args:
        truth: labels of COCO's skeleton.
        poses: an ensemble's, before suppression or after; on pictures none of its networks has learnt from,
            since errors on those are too small.
        image_id: the pictures judged.

    Raises:
        InputError: fewer than ENOUGH keypoints to count.
    """
    errors = pose_errors(truth, poses, image_id)
    found = np.flatnonzero(errors.person >= 0)
    person, kind = errors.person[found], errors.kind[found]
    judged = kind != UNJUDGED
    if judged.sum() < ENOUGH:
        cause = (
            f"the poses reach people with {int(judged.sum())} labelled keypoints, too few to measure errors"
        )
        raise InputError(cause, remedy=f'give poses of at least {ENOUGH}, or take errors = "published"')
    overlap = (neighbours(truth) >= 0).sum(axis=1)
    visible, crowded = groups(truth.num_labelled[person], overlap[person])
    counts = np.zeros((len(VISIBLE) + 1, len(OVERLAP) + 1, len(truth.skeleton), len(KINDS)))
    row, k = np.nonzero(judged)
    np.add.at(counts, (visible[row], crowded[row], k, kind[row, k]), 1)

    unit = np.sqrt(truth.area[person])[:, None] * 2 * np.array(truth.skeleton.oks_sigmas)
    place = truth.keypoints[person, :, :2]
    moved = np.linalg.norm(errors.repaired[found] - place, axis=2) / np.maximum(unit, 1e-9)
    with np.errstate(divide="ignore", invalid="ignore"):
        own = distance(errors.similarity[found])
    far = np.where((kind == INVERSION) | (kind == SWAP), moved, own)
    return ErrorModel(truth.skeleton, _shares(counts), _radii(kind, far), "person")


def _shares(counts: np.ndarray) -> np.ndarray:
    """(4, 3, K, 5) counts -> shares, each drawn towards those of more people."""
    by_keypoint = counts.sum(axis=(0, 1))
    everywhere = by_keypoint.sum(axis=0) / by_keypoint.sum()
    alike = (by_keypoint + SHRINKAGE * everywhere) / (by_keypoint.sum(axis=1, keepdims=True) + SHRINKAGE)
    shares: np.ndarray = (counts + SHRINKAGE * alike) / (counts.sum(axis=3, keepdims=True) + SHRINKAGE)
    return shares


def _radii(kind: np.ndarray, far: np.ndarray) -> np.ndarray:
    """(R, K) kinds and distances -> (K, 5, KNOTS) quantiles."""
    at = np.linspace(0, 1, KNOTS)
    ends = published_errors().radius[0]
    radii = np.empty((kind.shape[1], len(KINDS), KNOTS))
    for number in range(len(KINDS)):
        of_kind = (kind == number) & np.isfinite(far)
        everywhere = far[of_kind]
        usual = np.quantile(everywhere, at) if len(everywhere) else np.interp(at, [0, 1], ends[number])
        for k in range(kind.shape[1]):
            own = far[of_kind[:, k], k]
            radii[k, number] = np.quantile(own, at) if len(own) >= FEW else usual
    return radii
