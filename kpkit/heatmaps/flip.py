"""Flip test: heatmaps of a mirrored crop, brought back and averaged."""

from __future__ import annotations

import numpy as np

from kpkit.core.skeletons import Skeleton


def unflip(heatmaps: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """(N, K, h, w) maps of mirrored crops -> mirrored back, left and right keypoints exchanged."""
    return heatmaps[:, skeleton.flip_order, :, ::-1]


def shift_right(heatmaps: np.ndarray, shift: float) -> np.ndarray:
    """Move maps right by 0 to 1 pixels by linear interpolation; column 0 keeps its value."""
    if shift == 0:
        return heatmaps
    moved = heatmaps.copy()
    moved[..., 1:] = (1 - shift) * heatmaps[..., 1:] + shift * heatmaps[..., :-1]
    return moved


def blend_flipped(heatmaps: np.ndarray, unflipped: np.ndarray, shift: float) -> np.ndarray:
    """Mean of plain maps and brought-back mirrored maps, the latter moved right by ``shift`` pixels.

    CCM eq. 25 (sub-pixel shift); shift 1 is HRNet's one-pixel shift.
    """
    return (heatmaps + shift_right(unflipped, shift)) * np.float32(0.5)
