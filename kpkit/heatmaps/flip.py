"""Flip test: heatmaps of a mirrored crop, brought back and averaged. Numpy arrays and torch tensors alike.

Every step is one rounded operation per pixel, in one order, so that arrays, tensors and the compiled kernel
(decode_kernels.py) give the same bits, and so the same maximum where two pixels are all but equal.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kpkit.core.skeletons import Skeleton


def unflip(heatmaps: Any, skeleton: Skeleton) -> Any:
    """(N, K, h, w) maps of mirrored crops -> mirrored back, left and right keypoints exchanged."""
    return bring_back(heatmaps, skeleton.flip_order)


def bring_back(heatmaps: Any, flip_order: np.ndarray) -> Any:
    """As ``unflip``, by the (K,) ``flip_order`` of a skeleton."""
    exchanged = heatmaps[:, flip_order]
    return exchanged[..., ::-1] if isinstance(heatmaps, np.ndarray) else exchanged.flip(3)


def shift_right(heatmaps: Any, shift: float) -> Any:
    """Move (..., w) maps right by -1 to 1 pixels by linear interpolation; negative is left.

    The column that nothing moves into, the first or the last, keeps its value.
    """
    if shift == 0:
        return heatmaps
    moved = heatmaps.copy() if isinstance(heatmaps, np.ndarray) else heatmaps.clone()
    to, source = (slice(1, None), slice(None, -1)) if shift > 0 else (slice(None, -1), slice(1, None))
    share = abs(shift)
    moved[..., to] *= 1 - share
    moved[..., to] += heatmaps[..., source] * share
    return moved


def blend_flipped(heatmaps: Any, unflipped: Any, shift: float) -> Any:
    """Mean of plain maps and brought-back mirrored maps, the latter moved right by ``shift`` pixels, -1 to 1.

    CCM eq. 25 (sub-pixel shift); shift 1 is HRNet's one-pixel shift.
    """
    return (heatmaps + shift_right(unflipped, shift)) * 0.5
