"""OpenCV's Gaussian kernels, which the peers' targets and test-time blurs are made of."""

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


def gaussian_kernel(size: int = 0, sigma: float = 0.0) -> np.ndarray:
    """(size,) float64 that sums to 1, as OpenCV 5's ``getGaussianKernel(size, sigma)``.

    Args:
        size: odd number of pixels; 0 takes what OpenCV takes for float maps, the odd number next to
            8 sigma + 1.
        sigma: pixels; 0 takes OpenCV's for the size: table values up to 9, above them
            0.3 * ((size - 1) / 2 - 1) + 0.8.

    Raises:
        KpkitError: an even size, a negative sigma, or neither of the two.
    """
    if sigma < 0 or not np.isfinite(sigma):
        raise KpkitError(f"a Gaussian kernel's sigma of {sigma} pixels must be positive")
    if size <= 0 and sigma == 0:
        raise KpkitError("a Gaussian kernel needs a size or a sigma")
    if size == 0:
        size = round(8 * sigma + 1) | 1
    if size % 2 == 0:
        raise KpkitError(f"a Gaussian kernel of {size} pixels has no middle; the size must be odd")
    if sigma == 0 and size in _SMALL:
        kernel = np.array(_SMALL[size], dtype=np.float64)
    else:
        radius = size // 2
        sigma = sigma or 0.3 * (radius - 1) + 0.8
        kernel = np.exp(-(np.arange(-radius, radius + 1) ** 2) / (2 * sigma**2))
    return kernel / kernel.sum()


def reflected(places: np.ndarray, length: int) -> np.ndarray:
    """Pixels of a line that stand for ``places`` on or beside it: mirrored, the end pixel not doubled.

    OpenCV's default border, BORDER_REFLECT_101.
    """
    period = max(2 * (length - 1), 1)
    inside = np.abs(places) % period
    return np.minimum(inside, period - inside) if length > 1 else np.zeros_like(places)


def blurred_pixels(size: int, length: int) -> np.ndarray:
    """(length, length): row p is a line of zeros with a one at p, blurred and brought to a maximum of 1.

    What leaves the line at an end is reflected without doubling the end pixel (OpenCV's default border). So a
    one right beside the end, at p = 1, is highest at the end pixel itself for kernels of 5 and more.
    """
    kernel = gaussian_kernel(size)
    radius = size // 2
    rows = np.zeros((length, length))
    for place in range(length):
        source = reflected(np.arange(place - radius, place + radius + 1), length)
        np.add.at(rows[:, place], source, kernel)
    return rows / rows.max(axis=1, keepdims=True)
