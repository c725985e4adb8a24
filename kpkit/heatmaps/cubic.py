"""Cubic interpolation on a line of pixels."""

from __future__ import annotations

import numpy as np


def cubic_taps(place: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """The four pixels round each place and their Catmull-Rom shares; the ends are repeated outwards.

    Args:
        place: any shape, in pixels; places outside are taken for the nearest end.
        length: pixels of the line.

    Returns:
        indices (..., 4) int64 in 0..length - 1 and shares (..., 4) float64 that sum to 1.
    """
    place = place.clip(0, length - 1)
    low = np.floor(place).astype(np.int64)
    t = place - low
    shares = (
        ((2 - t) * t - 1) * t / 2,
        (3 * t - 5) * t**2 / 2 + 1,
        ((4 - 3 * t) * t + 1) * t / 2,
        (t - 1) * t**2 / 2,
    )
    return (low[..., None] + np.arange(-1, 3)).clip(0, length - 1), np.stack(shares, axis=-1)
