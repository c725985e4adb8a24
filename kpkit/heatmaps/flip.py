"""Flip test: heatmaps of a mirrored crop, brought back and averaged."""

from __future__ import annotations

import numpy as np

from kpkit.core.skeletons import Skeleton


def unflip(heatmaps: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """(N, K, h, w) maps of mirrored crops -> mirrored back, left and right keypoints exchanged."""
    return heatmaps[:, skeleton.flip_order, :, ::-1]


def shift_right(heatmaps: np.ndarray, shift: float) -> np.ndarray:
    """Move maps right by -1 to 1 pixels by linear interpolation; negative is left.

    The column that nothing moves into, the first or the last, keeps its value.
    """
    if shift == 0:
        return heatmaps
    moved = heatmaps.copy()
    to, source = (slice(1, None), slice(None, -1)) if shift > 0 else (slice(None, -1), slice(1, None))
    share = abs(shift)
    moved[..., to] = (1 - share) * heatmaps[..., to] + share * heatmaps[..., source]
    return moved


def blend_flipped(heatmaps: np.ndarray, unflipped: np.ndarray, shift: float) -> np.ndarray:
    """Mean of plain maps and brought-back mirrored maps, the latter moved right by ``shift`` pixels, -1 to 1.

    CCM eq. 25 (sub-pixel shift); shift 1 is HRNet's one-pixel shift.
    """
    return (heatmaps + shift_right(unflipped, shift)) * np.float32(0.5)
