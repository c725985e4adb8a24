"""OpenCV's kernels: the table, the rule, and what a border does to a single pixel."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from kpkit.core.errors import KpkitError
from kpkit.heatmaps.kernels import blurred_pixels, gaussian_kernel


def test_small_kernels_are_table_values() -> None:
    assert (gaussian_kernel(5) * 16).tolist() == [1, 4, 6, 4, 1]
    assert (gaussian_kernel(7) * 32).tolist() == [1, 3.5, 7, 9, 7, 3.5, 1]
    assert (gaussian_kernel(9) * 128).tolist() == [2, 6.5, 15, 25.5, 30, 25.5, 15, 6.5, 2]
    for size in (1, 3, 5, 7, 9):
        assert gaussian_kernel(size).sum() == 1


@pytest.mark.parametrize("size", [1, 3, 5, 7, 11, 13, 15, 17, 21, 23, 31])
def test_equal_to_opencv_s(size: int) -> None:
    """Size 9 is left out: OpenCV 4 takes the rule for it, OpenCV 5 the table."""
    np.testing.assert_allclose(gaussian_kernel(size), cv2.getGaussianKernel(size, 0)[:, 0], atol=1e-15)


@pytest.mark.parametrize("sigma", [0.5, 1.0, 1.25, 2.0, 3.3])
def test_a_sigma_gives_opencv_s(sigma: float) -> None:
    for size in (3, 7, 11):
        expected = cv2.getGaussianKernel(size, sigma)[:, 0]
        np.testing.assert_allclose(gaussian_kernel(size, sigma), expected, atol=1e-15)
    alone = gaussian_kernel(sigma=sigma)
    assert len(alone) % 2 == 1
    assert abs(len(alone) - (8 * sigma + 1)) <= 1
    np.testing.assert_allclose(alone, cv2.getGaussianKernel(len(alone), sigma)[:, 0], atol=1e-15)


@pytest.mark.parametrize("size", [5, 7, 11, 15])
@pytest.mark.parametrize("length", [8, 12, 16])
def test_a_blurred_pixel_is_opencv_s_everywhere(size: int, length: int) -> None:
    rows = blurred_pixels(size, length)
    for place in range(length):
        line = np.zeros((1, length), np.float32)
        line[0, place] = 1
        expected = cv2.GaussianBlur(np.repeat(line, 9, axis=0), (size, size), 0)[4]
        np.testing.assert_allclose(rows[place], expected / expected.max(), atol=1e-6)


def test_beside_an_end_the_end_is_higher() -> None:
    assert blurred_pixels(7, 12).argmax(axis=1).tolist() == [0, 0, *range(2, 10), 11, 11]


@pytest.mark.parametrize("size", [2, 8])
def test_an_even_size_is_refused(size: int) -> None:
    with pytest.raises(KpkitError, match=f"kernel of {size} pixels"):
        gaussian_kernel(size)
