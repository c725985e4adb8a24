"""Poses that say the same person twice: OKS-NMS, soft OKS-NMS, fusion; and how many a picture may have.

Mining, submissions and reports use it without a network in sight.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from kpkit.core import compiled
from kpkit.core.errors import KpkitError
from kpkit.core.instances import Instances
from kpkit.evaluation.oks import pose_oks
from kpkit.inference.pictures import best_first, picture_starts, rank_in_picture, side_by_side
from kpkit.inference.suppression import soft_selection, suppressors

Decay = Literal["linear", "gaussian"]
_EPS = np.spacing(1.0)


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
    order, by, _ = _suppressed(instances, threshold, area)
    return instances[order[by == np.arange(len(by))]]


def fuse_suppressed(
    instances: Instances, threshold: float = 0.9, *, area: np.ndarray | None = None
) -> Instances:
    """OKS-NMS whose kept poses become the mean of all they stand for: the CCM's Soft-NMS (its eqs. 23, 24).

    Each suppressed pose belongs to the best kept one above the threshold. A kept pose's keypoints and their
    scores become the mean over itself and its suppressed poses, weighted by the OKS with it (its own: 1),
    the weights divided by their sum. The paper gives no threshold and does not say what becomes of scores:
    here box, area and score stay the kept pose's, and keypoint scores are averaged as the points are.

    Args, returns, raises: as ``oks_nms``.
    """
    order, by, area = _suppressed(instances, threshold, area)
    if len(order) == 0:
        return instances
    poses = instances[order]
    points = poses.keypoints
    weight = pose_oks(points, area, points[by], area[by], instances.skeleton.oks_sigmas)
    alike = np.argsort(by, kind="stable")  # each group together, in the order of the kept poses
    first = picture_starts(by[alike])[:-1]
    flat = points.reshape(len(points), 3 * points.shape[1]) * weight[:, None]
    mean = np.add.reduceat(flat[alike], first) / np.add.reduceat(weight[alike], first)[:, None]
    kept = poses[by == np.arange(len(by))]
    return kept.with_(keypoints=mean.reshape(kept.keypoints.shape))


def soft_oks_nms(
    instances: Instances,
    threshold: float = 0.9,
    *,
    decay: Decay = "gaussian",
    keep: int = 20,
    area: np.ndarray | None = None,
) -> Instances:
    """Lower the scores of poses by their OKS with better ones instead of dropping them.

    Rows are selected in the order of HRNet's and mmpose's ``soft_oks_nms``. These throw the decayed scores
    away; here they are the result's, as in soft-NMS (arXiv 1704.04503), since across pictures nothing but
    scores ranks a pose.

    Args:
        instances, area: as of ``oks_nms``.
        threshold: OKS from which a linear decay sets in; the divisor, positive, of a Gaussian one.
        decay: ``"linear"`` times 1 - OKS from the threshold on; ``"gaussian"`` (the peers' default) times
            exp(-OKS^2 / threshold).
        keep: poses a picture keeps.

    Returns:
        The selected rows with decayed scores, by rising image id, then in the order of selection, which is
        that of falling scores.

    Raises:
        KpkitError: as ``oks_nms``; a Gaussian decay without a positive threshold.
    """
    if decay == "gaussian" and threshold <= 0:
        raise KpkitError("a Gaussian decay needs a threshold above 0")
    area = _areas(instances, area)
    order = best_first(instances.image_id, instances.score)
    x, y = scaled_points(instances, order)
    starts = picture_starts(instances.image_id[order])
    area, score = area[order], instances.score[order]
    linear = decay == "linear"
    if compiled.available():
        from kpkit.inference import oks_kernels

        turn = oks_kernels.soft_selection(x, y, area, score, starts, float(threshold), linear, keep)
    else:
        turn = np.full(len(order), -1)
        for rows, there in side_by_side(starts):
            overlap = overlaps(x[rows], y[rows], area[rows])
            turns, scores = soft_selection(overlap, score[rows], there, threshold, linear=linear, keep=keep)
            turn[rows[there]], score[rows[there]] = turns[there], scores[there]
    selected = np.flatnonzero(turn >= 0)
    selected = selected[np.lexsort((turn[selected], instances.image_id[order[selected]]))]
    return instances[order[selected]].with_(score=score[selected])


def top_per_image(instances: Instances, limit: int = 20) -> Instances:
    """Keep the highest-scoring poses of each picture (equal scores: the earlier row first).

    Args:
        limit: poses a picture may keep; COCO judges 20.

    Returns:
        The kept rows in their old order.
    """
    order = best_first(instances.image_id, instances.score)
    rank = np.empty(len(instances), np.int64)
    rank[order] = rank_in_picture(instances.image_id[order])
    return instances[rank < limit]


def _suppressed(
    instances: Instances, threshold: float, area: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows best first; in that order each one's suppressor, by place (its own where kept), and the areas."""
    area = _areas(instances, area)
    order = best_first(instances.image_id, instances.score)
    x, y = scaled_points(instances, order)
    starts = picture_starts(instances.image_id[order])
    area = area[order]
    if compiled.available():
        from kpkit.inference import oks_kernels

        return order, oks_kernels.suppressors(x, y, area, starts, float(threshold)), area
    by = np.arange(len(order))
    for rows, there in side_by_side(starts):
        places = suppressors(overlaps(x[rows], y[rows], area[rows]), there, threshold)
        by[rows[there]] = np.take_along_axis(rows, places, axis=1)[there]
    return order, by, area


def _areas(instances: Instances, area: np.ndarray | None) -> np.ndarray:
    if not instances.skeleton.oks_sigmas:
        raise KpkitError(f"skeleton {instances.skeleton.name} has no OKS sigmas, so OKS-NMS cannot run")
    area = instances.area if area is None else np.asarray(area, np.float64)
    if area.shape != instances.score.shape:
        raise KpkitError(f"OKS-NMS got {area.shape} areas for {len(instances)} poses")
    return area


def scaled_points(instances: Instances, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, K) x and y in units in which a keypoint's share of the OKS is exp(-d^2 / area)."""
    scale = 1 / (np.sqrt(2) * 2 * np.asarray(instances.skeleton.oks_sigmas))
    points = instances.keypoints
    return points[order, :, 0] * scale, points[order, :, 1] * scale


def overlaps(x: np.ndarray, y: np.ndarray, area: np.ndarray) -> np.ndarray:
    """(B, n, K) scaled points and (B, n) areas of B pictures -> (B, n, n) OKS."""
    inverse = -2 / (area[:, :, None] + area[:, None] + _EPS)
    total = np.zeros(inverse.shape)
    e, d = np.empty_like(total), np.empty_like(total)
    for k in range(x.shape[2]):
        for out, axis in ((e, x[:, :, k]), (d, y[:, :, k])):
            np.subtract(axis[:, :, None], axis[:, None], out=out)
            np.multiply(out, out, out=out)
        e += d
        e *= inverse
        total += np.exp(e, out=e)
    total /= x.shape[2]
    return total
