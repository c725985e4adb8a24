"""What can be told of a pose without its truth: numbers that say how likely it is right."""

from __future__ import annotations

import numpy as np

from kpkit.core.boxes import pair_iou
from kpkit.core.instances import Instances
from kpkit.core.skeletons import Skeleton
from kpkit.inference.nms import overlaps, scaled_points
from kpkit.inference.pictures import best_first, picture_starts, rank_in_picture, side_by_side

_LEVELS = (0.2, 0.5)
_SMALL = 1e-9


def feature_names(skeleton: Skeleton) -> tuple[str, ...]:
    """The columns of ``pose_features``."""
    return (
        "box_score", "product", "mean", "least", "median", "most", "deviation", "above_0.2", "above_0.5",
        *(f"score_{name}" for name in skeleton.keypoints),
        "size", "aspect", "width_used", "height_used", "outside", "spread_x", "spread_y", "limbs",
        "limbs_deviation", "poses", "rank", "share_of_best", "oks_any", "oks_better", "iou_any", "alike",
        "touching",
    )  # fmt: skip


def pose_features(poses: Instances) -> np.ndarray:
    """Describe poses by keypoint scores, shape, box, and the other poses of their picture.

    Args:
        poses: with keypoint scores 0..1 as third values; ``score`` is the box's, or a merged pose's own.

    Returns:
        (N, F) float64, columns as ``feature_names``. Lengths are in units of the square root of the box's
        area, so that a picture's scale does not matter; ``size`` is that root's logarithm. ``product`` is
        score times mean keypoint score, by which ``rank`` and "better" go. ``alike`` and ``touching`` count
        other poses of an OKS and an IoU above 0.5.
    """
    points = poses.keypoints[:, :, :2]
    scores = poses.keypoints[:, :, 2]
    mean = scores.mean(axis=1)
    product = poses.score * mean
    side = poses.box[:, 2:].clip(_SMALL)
    size = np.sqrt(side.prod(axis=1))
    low, high = points.min(axis=1), points.max(axis=1)
    used = (high - low) / side
    inside = (points >= poses.box[:, None, :2]) & (points <= (poses.box[:, :2] + side)[:, None])
    spread = points.std(axis=1) / size[:, None]
    limbs = np.array(poses.skeleton.limb_indices)
    length = np.linalg.norm(points[:, limbs[:, 0]] - points[:, limbs[:, 1]], axis=2) / size[:, None]
    columns = [
        poses.score, product, mean, scores.min(axis=1), np.median(scores, axis=1), scores.max(axis=1),
        scores.std(axis=1), *((scores > level).mean(axis=1) for level in _LEVELS), *scores.T,
        np.log(size), np.log(side[:, 1] / side[:, 0]), *used.T, 1 - inside.all(axis=2).mean(axis=1),
        *spread.T, length.mean(axis=1), length.std(axis=1), *_neighbours(poses, product),
    ]  # fmt: skip
    return np.stack(columns, axis=1) if len(poses) else np.zeros((0, len(columns)))


def _neighbours(poses: Instances, product: np.ndarray) -> list[np.ndarray]:
    """Columns about the other poses of the picture."""
    order = best_first(poses.image_id, product)
    image_id, ranked, area = poses.image_id[order], product[order], poses.area[order]
    starts = picture_starts(image_id)
    count = np.repeat(np.diff(starts), np.diff(starts))
    rank = rank_in_picture(image_id)
    best = ranked[np.arange(len(order)) - rank]
    x, y = scaled_points(poses, order)
    box = poses.box[order]
    pairs = np.zeros((5, len(order)))
    for rows, there in side_by_side(starts):
        other = there[:, :, None] & there[:, None] & ~np.eye(rows.shape[1], dtype=bool)
        alike = np.where(other, overlaps(x[rows], y[rows], area[rows]), 0)
        touching = np.where(other, pair_iou(box[rows][:, :, None], box[rows][:, None]), 0)
        told = (
            alike.max(axis=2), np.tril(alike).max(axis=2), touching.max(axis=2),
            (alike > 0.5).sum(axis=2), (touching > 0.5).sum(axis=2),
        )  # fmt: skip
        pairs[:, rows[there]] = np.stack(told)[:, there]
    back = np.empty(len(order), np.int64)
    back[order] = np.arange(len(order))
    share = np.divide(ranked, best, out=np.zeros(len(order)), where=best > 0)
    return [column[back].astype(np.float64) for column in (count, rank, share, *pairs)]
