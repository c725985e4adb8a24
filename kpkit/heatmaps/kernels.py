"""OpenCV's Gaussian kernels of whole sizes, which Megvii's targets and test-time blurs are made of."""

from __future__ import annotations

import numpy as np

from kpkit.core.errors import KpkitError

# OpenCV 5 takes these instead of the rule below when it is given no sigma; OpenCV 4 has no 9 among them.
_SMALL = {
    1: (1,),
    3: (1, 2, 1),
    5: (1, 4, 6, 4, 1),
    7: (2, 7, 14, 18, 14, 7, 2),
    9: (4, 13, 30, 51, 60, 51, 30, 13, 4),
}


def gaussian_kernel(size: int) -> np.ndarray:
    """(size,) float64 that sums to 1, as OpenCV 5's ``getGaussianKernel(size, 0)``.

    Sizes up to 9 are table values, larger ones have sigma 0.3 * ((size - 1) / 2 - 1) + 0.8 pixels.

    Raises:
        KpkitError: an even size.
    """
    if size % 2 == 0:
        raise KpkitError(f"a Gaussian kernel of {size} pixels has no middle; the size must be odd")
    if size in _SMALL:
        kernel = np.array(_SMALL[size], dtype=np.float64)
    else:
        radius = size // 2
        sigma = 0.3 * (radius - 1) + 0.8
        kernel = np.exp(-(np.arange(-radius, radius + 1) ** 2) / (2 * sigma**2))
    return kernel / kernel.sum()


def blurred_pixels(size: int, length: int) -> np.ndarray:
    """(length, length): row p is a line of zeros with a one at p, blurred and brought to a maximum of 1.

    What leaves the line at an end is reflected without doubling the end pixel (OpenCV's default border). So a
    one right beside the end, at p = 1, is highest at the end pixel itself for kernels of 5 and more.
    """
    kernel = gaussian_kernel(size)
    radius = size // 2
    rows = np.zeros((length, length))
    period = max(2 * (length - 1), 1)
    for place in range(length):
        source = np.abs(np.arange(place - radius, place + radius + 1)) % period
        source = np.minimum(source, period - source) if length > 1 else np.zeros_like(source)
        np.add.at(rows[:, place], source, kernel)
    return rows / rows.max(axis=1, keepdims=True)
