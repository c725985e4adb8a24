"""Heatmaps to points, all people and keypoints at once."""

from __future__ import annotations

import numpy as np

from kpkit.core.errors import KpkitError
from kpkit.heatmaps.flip import blend_flipped
from kpkit.heatmaps.kernels import gaussian_kernel

REFINEMENTS = ("argmax", "quarter", "parabola")


def decode(
    heatmaps: np.ndarray,
    flipped: np.ndarray | None = None,
    *,
    flip_shift: float = 0.0,
    blur: int = 0,
    refine: str = "parabola",
) -> tuple[np.ndarray, np.ndarray]:
    """Find each keypoint.

    Args:
        heatmaps: (N, K, h, w) float.
        flipped: the mirrored crop's maps, brought back (flip.unflip), to average with ``heatmaps``.
        flip_shift: pixels the flipped maps move right before the average, -1 to 1.
        blur: odd Gaussian kernel size in pixels applied before the maximum, 0 for none (OpenCV's kernel of
            that size, kernels.py).
        refine: ``"argmax"`` the pixel itself; ``"quarter"`` a quarter pixel towards the higher neighbour
            (HRNet: not for peaks in the first two and the last row or column); ``"parabola"`` the vertex of
            the parabola through the peak and its two neighbours in each direction (CCM eq. 13).

    Returns:
        points (N, K, 2) float64 x, y in heatmap pixels and scores (N, K), the value at the maximum before
        the blur. A map without a positive value gives the point (0, 0), as HRNet's code does.

    Raises:
        KpkitError: NaN or infinity in a map, an even blur or an unknown refinement.
    """
    if refine not in REFINEMENTS:
        raise KpkitError(f"refine = {refine!r} is not one of {', '.join(REFINEMENTS)}")
    if flipped is not None:
        heatmaps = blend_flipped(heatmaps, flipped, flip_shift)
    heatmaps = np.asarray(heatmaps, dtype=np.float32)
    smooth = gaussian_blur(heatmaps, blur) if blur else heatmaps
    n, k, height, width = smooth.shape
    flat = smooth.reshape(n, k, height * width)
    peak = flat.argmax(axis=2)
    value = np.take_along_axis(heatmaps.reshape(flat.shape), peak[..., None], axis=2)[..., 0]
    # the maximum of a map with a NaN is that NaN; a blurred map keeps it, wherever its peak lay before
    if not np.isfinite(np.take_along_axis(flat, peak[..., None], axis=2)).all():
        raise KpkitError("a heatmap holds NaN or infinity; the network that made it has diverged")
    y, x = np.divmod(peak, width)
    points = np.stack([x, y], axis=2).astype(np.float64)
    if refine == "quarter":
        points += _quarter(flat, x, y, (height, width))
    elif refine == "parabola":
        points += _parabola(flat, x, y, (height, width))
    points[value <= 0] = 0.0
    return points, value.astype(np.float64)


def gaussian_blur(heatmaps: np.ndarray, size: int) -> np.ndarray:
    """(N, K, h, w) maps convolved with OpenCV's Gaussian kernel of odd ``size``, zero outside."""
    if size % 2 == 0:
        raise KpkitError(f"blur = {size} must be odd")
    radius = size // 2
    kernel = gaussian_kernel(size).astype(heatmaps.dtype)
    for axis in (2, 3):
        padding = [(0, 0)] * 4
        padding[axis] = (radius, radius)
        padded = np.pad(heatmaps, padding)
        heatmaps = sum(
            weight * np.take(padded, range(i, i + heatmaps.shape[axis]), axis=axis)
            for i, weight in enumerate(kernel)
        )
    return heatmaps


def _neighbours(
    flat: np.ndarray, x: np.ndarray, y: np.ndarray, shape: tuple[int, int]
) -> tuple[np.ndarray, ...]:
    """Values at the peak, left, right, above, below; clamped at the border (callers mask it)."""
    height, width = shape

    def at(px: np.ndarray, py: np.ndarray) -> np.ndarray:
        index = py.clip(0, height - 1) * width + px.clip(0, width - 1)
        return np.take_along_axis(flat, index[..., None], axis=2)[..., 0].astype(np.float64)

    return at(x, y), at(x - 1, y), at(x + 1, y), at(x, y - 1), at(x, y + 1)


def _quarter(flat: np.ndarray, x: np.ndarray, y: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    _, left, right, above, below = _neighbours(flat, x, y, shape)
    away_from_border = (x > 1) & (x < shape[1] - 1) & (y > 1) & (y < shape[0] - 1)
    step = np.stack([np.sign(right - left), np.sign(below - above)], axis=2) * 0.25
    return step * away_from_border[..., None]


def _parabola(flat: np.ndarray, x: np.ndarray, y: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    centre, left, right, above, below = _neighbours(flat, x, y, shape)

    def vertex(low: np.ndarray, high: np.ndarray, at_border: np.ndarray) -> np.ndarray:
        curvature = 2 * centre - low - high  # >= 0 at a maximum; 0 on a plateau, which has no vertex
        step = np.divide(high - low, 2 * curvature, out=np.zeros_like(centre), where=curvature > 0)
        return np.where(at_border, 0.0, step.clip(-0.5, 0.5))

    step_x = vertex(left, right, (x == 0) | (x == shape[1] - 1))
    step_y = vertex(above, below, (y == 0) | (y == shape[0] - 1))
    return np.stack([step_x, step_y], axis=2)
