"""Boxes as (x, y, width, height): overlap, from keypoints, validity."""

from __future__ import annotations

import numpy as np


def box_iou(a: np.ndarray, b: np.ndarray, crowd: np.ndarray | None = None) -> np.ndarray:
    """Overlap of every pair.

    Args:
        a: (N, 4) boxes x, y, width, height.
        b: (M, 4) boxes.
        crowd: (M,) bool; for a crowd region the share of ``a`` it covers counts (COCO's rule).

    Returns:
        (N, M) values in 0..1; 0 where the union has no area.
    """
    return pair_iou(a[:, None], b[None], None if crowd is None else crowd[None])


def pair_iou(a: np.ndarray, b: np.ndarray, crowd: np.ndarray | None = None) -> np.ndarray:
    """As box_iou, row by row: a, b (..., 4) and crowd (...), which broadcast, to (...)."""
    low = np.maximum(a[..., :2], b[..., :2])
    high = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])
    inter = np.clip(high - low, 0, None).prod(axis=-1)
    area = a[..., 2:].prod(axis=-1)
    union = area + b[..., 2:].prod(axis=-1) - inter
    if crowd is not None:
        union = np.where(crowd, area, union)
    return np.divide(inter, union, out=np.zeros_like(inter), where=union > 0)


def box_of_keypoints(keypoints: np.ndarray) -> np.ndarray:
    """(N, K, 3) keypoints -> (N, 4) tight box of those with a positive third value; zeros if none."""
    labelled = keypoints[:, :, 2] > 0
    low = np.where(labelled[..., None], keypoints[..., :2], np.inf).min(axis=1)
    high = np.where(labelled[..., None], keypoints[..., :2], -np.inf).max(axis=1)
    box = np.concatenate([low, high - low], axis=1)
    return np.where(np.any(labelled, axis=1, keepdims=True), box, 0.0)
