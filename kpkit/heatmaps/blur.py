"""Gaussian filter of heatmaps, numpy arrays and torch tensors alike.

Columns first, then rows; in each the centre, then pixel pairs from near to far, the two of a pair added
before they are weighed. So a mirrored map gives the mirrored result to the last bit, and arrays, tensors and
the compiled kernel (decode_kernels.py) give the same bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kpkit.core.decoding import BORDERS
from kpkit.core.errors import KpkitError
from kpkit.heatmaps.kernels import gaussian_kernel, reflected


def gaussian_blur(heatmaps: Any, size: int = 0, sigma: float = 0.0, *, border: str = "zero") -> Any:
    """Convolve (N, K, h, w) float32 maps with OpenCV's Gaussian kernel.

    Args:
        heatmaps: numpy array or torch tensor.
        size, sigma: pixels, as ``kernels.gaussian_kernel``.
        border: what lies outside: ``"zero"`` (MSPN, CPN, DARK, mmpose) or ``"reflect"`` (OpenCV's default:
            mirrored about the outermost pixel; UDP).

    Returns:
        The same kind and shape.

    Raises:
        KpkitError: no such kernel or border.
    """
    if border not in BORDERS:
        raise KpkitError(f"border = {border!r} is not one of {', '.join(BORDERS)}")
    return blur_maps(heatmaps, half_kernel(size, sigma), border == "reflect")


def half_kernel(size: int, sigma: float) -> np.ndarray:
    """(radius + 1,) float32: the kernel's middle, then its weights outward."""
    kernel = gaussian_kernel(size, sigma)
    return kernel[len(kernel) // 2 :].astype(np.float32)


def blur_maps(maps: Any, taps: np.ndarray, reflect: bool) -> Any:
    """(N, K, h, w) maps convolved with a half kernel."""
    return convolve(padded(maps, len(taps) - 1, reflect), taps)


def padded(maps: Any, radius: int, reflect: bool) -> Any:
    """(N, K, h, w) maps with ``radius`` more pixels on each side, zero or reflected."""
    if not reflect:
        if isinstance(maps, np.ndarray):
            return np.pad(maps, [(0, 0), (0, 0), (radius, radius), (radius, radius)])
        import torch

        return torch.nn.functional.pad(maps, (radius, radius, radius, radius))
    rows, columns = (reflected(np.arange(-radius, n + radius), n) for n in maps.shape[2:])
    return maps[:, :, rows][..., columns]


def convolve(maps: Any, taps: np.ndarray) -> Any:
    """(..., H, W) -> (..., H - 2 radius, W - 2 radius): where a half kernel fits into maps or windows."""
    weights = [float(tap) for tap in taps]
    radius = len(weights) - 1
    height, width = maps.shape[-2] - 2 * radius, maps.shape[-1] - 2 * radius
    columns = maps[..., radius : radius + height, :] * weights[0]
    for i, weight in enumerate(weights[1:], 1):
        pair = maps[..., radius - i : radius - i + height, :] + maps[..., radius + i : radius + i + height, :]
        pair *= weight
        columns += pair
    blurred = columns[..., radius : radius + width] * weights[0]
    for i, weight in enumerate(weights[1:], 1):
        pair = columns[..., radius - i : radius - i + width] + columns[..., radius + i : radius + i + width]
        pair *= weight
        blurred += pair
    return blurred
