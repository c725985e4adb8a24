"""The Gaussian filter: OpenCV's numbers at both borders, mass and place kept, the same in the mirror."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kpkit.core.errors import KpkitError
from kpkit.heatmaps.blur import gaussian_blur


@given(st.integers(0, 2**32), st.sampled_from([1, 3, 5, 11, 21]))
@settings(max_examples=10, deadline=None)
def test_mass_and_centre_are_kept(seed: int, size: int) -> None:
    maps = np.zeros((1, 3, 60, 60), np.float32)
    maps[:, :, 22:38, 22:38] = np.random.default_rng(seed).random((1, 3, 16, 16))
    smooth = gaussian_blur(maps, size)
    np.testing.assert_allclose(smooth.sum((2, 3)), maps.sum((2, 3)), rtol=1e-5)
    grid = np.arange(60)
    for rest in (2, 3):
        centre = (maps.sum(rest) * grid).sum(2) / maps.sum((2, 3))
        moved = (smooth.sum(rest) * grid).sum(2) / smooth.sum((2, 3))
        np.testing.assert_allclose(moved, centre, atol=1e-3)
    if size > 1:
        assert smooth.max() < maps.max()
    else:
        np.testing.assert_array_equal(smooth, maps)


@pytest.mark.parametrize(("border", "name"), [("zero", cv2.BORDER_CONSTANT), ("reflect", cv2.BORDER_DEFAULT)])
@pytest.mark.parametrize(
    ("size", "sigma"), [(3, 0), (5, 0), (7, 0), (11, 0), (21, 0), (9, 1.5), (0, 1.5), (0, 2.0), (0, 0.7)]
)
def test_opencv_s_numbers(size: int, sigma: float, border: str, name: int) -> None:
    """Size 9 alone is a table value from OpenCV 5 on, and not compared. The map is smaller than a kernel."""
    maps = np.random.default_rng(0).random((1, 2, 9, 16), dtype=np.float32)
    expected = [cv2.GaussianBlur(one, (size, size), sigma, borderType=name) for one in maps[0]]
    np.testing.assert_allclose(gaussian_blur(maps, size, sigma, border=border)[0], expected, atol=1e-5)


@pytest.mark.parametrize("border", ["zero", "reflect"])
def test_mirrors_and_tensors_give_the_same_bits(border: str) -> None:
    maps = np.random.default_rng(0).normal(size=(2, 3, 20, 15)).astype(np.float32)
    smooth = gaussian_blur(maps, 11, border=border)
    for flip in (np.s_[..., ::-1], np.s_[..., ::-1, :]):
        np.testing.assert_array_equal(gaussian_blur(maps[flip], 11, border=border)[flip], smooth)
    np.testing.assert_array_equal(gaussian_blur(torch.from_numpy(maps), 11, border=border), smooth)


def test_no_such_filter() -> None:
    maps = np.zeros((1, 1, 4, 4), np.float32)
    with pytest.raises(KpkitError, match="border = 'edge' is not one of zero, reflect"):
        gaussian_blur(maps, 3, border="edge")
    with pytest.raises(KpkitError, match="needs a size or a sigma"):
        gaussian_blur(maps)
    with pytest.raises(KpkitError, match="sigma of -1 pixels must be positive"):
        gaussian_blur(maps, 3, -1)
