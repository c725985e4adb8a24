"""Poses that say the same person twice: OKS-NMS, and the limit of poses a picture may have.

Numpy only: mining, submissions and reports use it without a network in sight.
"""

from __future__ import annotations

import itertools

import numpy as np

from kpkit.core.errors import KpkitError
from kpkit.core.instances import Instances
from kpkit.evaluation.oks import pose_oks

_PAIRS_AT_ONCE = 16384


def oks_nms(instances: Instances, threshold: float = 0.9, *, area: np.ndarray | None = None) -> Instances:
    """Keep the best-scoring pose of each group of alike ones, picture by picture.

    Greedy by falling score (equal scores: the earlier row first): a pose is dropped when its OKS with a
    kept, better one is above the threshold. HRNet's rule, at 0.9 in its configurations.

    Args:
        instances: poses of any number of pictures, in any order.
        threshold: OKS in 0..1 above which two poses are one.
        area: (N,) square pixels that scale the OKS. Default ``instances.area``; codebases differ (HRNet
            takes its enlarged box, PoseFix the crop), and the kept set with them.

    Returns:
        The kept rows, by rising image id, then falling score.

    Raises:
        KpkitError: the skeleton has no OKS constants, or ``area`` has another length.
    """
    sigmas = instances.skeleton.oks_sigmas
    if not sigmas:
        raise KpkitError(f"skeleton {instances.skeleton.name} has no OKS sigmas, so OKS-NMS cannot run")
    area = instances.area if area is None else np.asarray(area, np.float64)
    if area.shape != instances.score.shape:
        raise KpkitError(f"OKS-NMS got {area.shape} areas for {len(instances)} poses")
    order = np.lexsort((-instances.score, instances.image_id))
    poses, area = instances[order], area[order]
    rank = _rank_in_image(poses.image_id)
    better, worse = _alike(poses, area, threshold, sigmas)
    kept = np.ones(len(poses), bool)
    # All pictures at once, one rank after the other: when rank r speaks, its own fate is settled.
    by_rank = np.argsort(rank[better], kind="stable")
    better, worse = better[by_rank], worse[by_rank]
    bounds = np.searchsorted(rank[better], np.arange(int(rank.max(initial=-1)) + 2))
    for start, stop in itertools.pairwise(bounds):
        kept[worse[start:stop][kept[better[start:stop]]]] = False
    return poses[kept]


def top_per_image(instances: Instances, limit: int = 20) -> Instances:
    """Keep the highest-scoring poses of each picture (equal scores: the earlier row first).

    Args:
        limit: poses a picture may keep; COCO judges 20.

    Returns:
        The kept rows in their old order.
    """
    order = np.lexsort((-instances.score, instances.image_id))
    rank = np.empty(len(instances), np.int64)
    rank[order] = _rank_in_image(instances.image_id[order])
    return instances[rank < limit]


def _rank_in_image(image_id: np.ndarray) -> np.ndarray:
    """(N,) sorted ids -> position of each row within its picture."""
    rows = np.arange(len(image_id))
    new = np.ones(len(image_id), bool)
    new[1:] = image_id[1:] != image_id[:-1]
    return rows - np.maximum.accumulate(np.where(new, rows, 0))


def _alike(
    poses: Instances, area: np.ndarray, threshold: float, sigmas: tuple[float, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Row pairs (better, worse) of one picture whose OKS is above the threshold; rows sorted by picture."""
    points = np.ascontiguousarray(poses.keypoints[:, :, :2])
    pairs: list[tuple[np.ndarray, np.ndarray]] = [(np.zeros(0, np.int64), np.zeros(0, np.int64))]
    step = 1
    rows = np.arange(len(poses))
    while True:
        rows = rows[rows < len(poses) - step]
        rows = rows[poses.image_id[rows] == poses.image_id[rows + step]]
        if not len(rows):
            break
        for start in range(0, len(rows), _PAIRS_AT_ONCE):
            a = rows[start : start + _PAIRS_AT_ONCE]
            b = a + step
            close = pose_oks(points[a], area[a], points[b], area[b], sigmas) > threshold
            pairs.append((a[close], b[close]))
        step += 1
    return np.concatenate([p[0] for p in pairs]), np.concatenate([p[1] for p in pairs])
