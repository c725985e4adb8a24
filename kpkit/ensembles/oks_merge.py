"""Poses of several tools made one set: what weighted boxes fusion does with boxes, done with poses by OKS."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kpkit.core.errors import KpkitError
from kpkit.core.instances import Instances
from kpkit.evaluation.oks import pose_oks
from kpkit.inference.clusters import clusters
from kpkit.inference.pictures import best_first

_LEAST = 1e-3
"""What a keypoint of score 0 counts, so that points nobody is sure of still have a mean."""


def oks_merge(
    members: Sequence[Instances], threshold: float = 0.8, weights: Sequence[float] | None = None
) -> Instances:
    """Merge poses that mean one person.

    By falling score times weight, each pose joins the person of its picture whose mean pose is most like it,
    or begins a new one (arXiv 1910.13302, section 3, with OKS in the place of IoU). A person takes one pose
    of each member: a member's second pose there begins a person of its own, which OKS-NMS settles later.
    A person's keypoints are means weighted by member weight times keypoint score, so that each joint is
    told by those who are sure of it; its keypoint scores are means by member weight over the members that
    see it, and its score is the sum of weight times score over the weights of all members: who is seen by
    one member of two is worth half. No paper merges poses this way; the choices are ours.

    Args:
        members: each one's finished poses of the same pictures, scores 0..1; keypoint scores are cut to 0..1.
        threshold: OKS in 0..1 above which two poses are one person, by the area of their keypoints' extent.
            A low one averages poses that disagree, which makes points that nobody saw.
        weights: positive, one per member; all 1 by default.

    Returns:
        One row per person, source ``"M"``, by rising image id, then falling score; box and area are the
        extent of its keypoints.

    Raises:
        KpkitError: no member, another number of weights than members, one that is not positive, a score that
            is not in 0..1, or a skeleton without OKS constants.
    """
    chosen = np.asarray([1.0] * len(members) if weights is None else weights, np.float64)
    if not members or len(chosen) != len(members) or not (chosen > 0).all():
        raise KpkitError(f"{len(members)} members need as many positive weights, not {chosen.tolist()}")
    poses = Instances.concat(members)
    if not poses.skeleton.oks_sigmas:
        raise KpkitError(f"skeleton {poses.skeleton.name} has no OKS sigmas, so poses cannot be merged")
    if len(poses) and not ((poses.score >= 0) & (poses.score <= 1)).all():
        raise KpkitError("poses can be merged only where their scores are in 0..1")
    member = np.repeat(np.arange(len(members)), [len(part) for part in members])
    order = best_first(poses.image_id, poses.score * chosen[member])
    poses, member = poses[order], member[order]
    number, keypoints = _people(poses, member, chosen, threshold)
    score = np.bincount(number, poses.score * chosen[member]) / chosen.sum()
    _, first = np.unique(number, return_index=True)
    box = extent(keypoints)
    merged = Instances.of(
        poses.image_id[first], box, keypoints, score=score, source="M", skeleton=poses.skeleton
    )
    return merged[best_first(merged.image_id, merged.score)]


def extent(keypoints: np.ndarray) -> np.ndarray:
    """(N, K, 3) -> (N, 4) box round all K points, as pycocotools takes a result's."""
    if len(keypoints) == 0:
        return np.zeros((0, 4))
    low = keypoints[:, :, :2].min(axis=1)
    return np.concatenate([low, keypoints[:, :, :2].max(axis=1) - low], axis=1)


def _people(
    poses: Instances, member: np.ndarray, weights: np.ndarray, threshold: float
) -> tuple[np.ndarray, np.ndarray]:
    """(N,) number of each pose's person, and (P, K, 3) the people's keypoints."""
    keypoints = len(poses.skeleton)
    sigmas = poses.skeleton.oks_sigmas
    weight = weights[member][:, None]
    sure = poses.keypoints[:, :, 2].clip(0, 1)
    area = extent(poses.keypoints)[:, 2:].prod(axis=1)
    points = poses.keypoints[:, :, :2].reshape(len(poses), 2 * keypoints)
    # averaged together: coordinates by weight and keypoint score, keypoint scores and area by weight
    values = np.concatenate([points, sure, area[:, None]], axis=1)
    by_score = np.repeat(weight * sure.clip(_LEAST), 2, axis=1)
    shares = np.concatenate([by_score, np.broadcast_to(weight, (len(poses), keypoints + 1))], axis=1)

    def similarity(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        shaped = [c[..., : 2 * keypoints].reshape(*c.shape[:-1], keypoints, 2) for c in (a, b)]
        return pose_oks(shaped[0], a[..., -1], shaped[1], b[..., -1], sigmas)

    number, mean = clusters(poses.image_id, values, shares, similarity, threshold, member)
    xy = mean[:, : 2 * keypoints].reshape(-1, keypoints, 2)
    return number, np.concatenate([xy, mean[:, 2 * keypoints : 3 * keypoints, None]], axis=2)
