"""Crop geometry: what each convention maps where, and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpkit.core.crops import CropGeometry, crop_matrices, fit_boxes, flip_matrices, invert, transform

SIZE = (256, 192)


def test_boxes_grow_to_the_aspect_round_their_centre() -> None:
    box = np.array([[10.0, 20, 30, 100], [10.0, 20, 300, 100]])
    centre, size = fit_boxes(box, SIZE, 1.25)
    assert centre.tolist() == [[25, 70], [160, 70]]
    np.testing.assert_allclose(size, [[93.75, 125], [375, 500]])


def test_margins_grow_width_and_height_before_the_fit() -> None:
    """MSPN's and CPN's: which side decides the crop hangs on them."""
    box = np.array([[10.0, 20, 75, 100], [10.0, 20, 300, 100]])
    centre, size = fit_boxes(box, SIZE, 1.0, (1.09, 1.135))
    assert centre.tolist() == [[47.5, 70], [160, 70]]
    np.testing.assert_allclose(size, [[85.125, 113.5], [327, 436]])
    np.testing.assert_allclose(
        fit_boxes(box, SIZE, 1.25, np.array([[1.2, 1.3], [1, 1]]))[1][:, 1], [162.5, 500]
    )
    geometry = CropGeometry(SIZE, "unbiased", 1.0, (1.09, 1.135))
    for found, expected in zip(geometry.regions(box), (centre, size), strict=True):
        np.testing.assert_array_equal(found, expected)
    expected = crop_matrices(centre, size, SIZE, convention="unbiased")
    np.testing.assert_array_equal(geometry.matrices(box), expected)


@pytest.mark.parametrize(("convention", "less"), [("classic", 0), ("unbiased", 1)])
def test_edges_and_centre(convention: str, less: int) -> None:
    centre, size = np.array([[50.0, 60]]), np.array([[75.0, 100]])
    matrix = crop_matrices(centre, size, SIZE, convention=convention)
    points = np.array([[[50.0, 60], [12.5, 10], [87.5, 110]]])
    expected = [[(192 - less) / 2, (256 - less) / 2], [0, 0.5 * less / 3], [192 - less, 256 - 4 / 3 * less]]
    np.testing.assert_allclose(transform(matrix, points)[0], expected, atol=0.34 * less + 1e-9)


def test_positive_rotation_turns_the_content_counter_clockwise() -> None:
    matrix = crop_matrices(np.array([[50.0, 50]]), np.array([[75.0, 100]]), SIZE, rotation=30.0)
    right = transform(matrix, np.array([[[60.0, 50]]]))[0, 0]
    assert right[0] > 96
    assert right[1] < 128  # up as seen


def test_unknown_convention() -> None:
    with pytest.raises(KeyError):
        crop_matrices(np.zeros((1, 2)), np.ones((1, 2)), SIZE, convention="dark")


@given(st.integers(0, 2**32), st.sampled_from(["classic", "unbiased"]), st.integers(0, 4))
def test_there_and_back(seed: int, convention: str, n: int) -> None:
    rng = np.random.default_rng(seed)
    centre, size = rng.normal(300, 300, (n, 2)), rng.uniform(1, 3000, (n, 1)) * [0.75, 1]
    matrix = crop_matrices(centre, size, SIZE, rotation=rng.uniform(-180, 180, n), convention=convention)
    points = rng.normal(300, 300, (n, 17, 2))
    back = transform(invert(matrix), transform(matrix, points))
    np.testing.assert_allclose(back, points, atol=1e-4)
    np.testing.assert_allclose(invert(invert(matrix)), matrix, rtol=1e-6, atol=1e-6)


@given(st.integers(0, 2**32))
def test_flip_mirrors_the_crop_and_twice_is_identity(seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix, points = rng.normal(0, 1, (3, 2, 3)), rng.normal(0, 50, (3, 5, 2))
    plain, mirrored = transform(matrix, points), transform(flip_matrices(matrix, 192), points)
    np.testing.assert_allclose(mirrored[..., 0], 191 - plain[..., 0], atol=1e-9)
    np.testing.assert_allclose(mirrored[..., 1], plain[..., 1])
    np.testing.assert_allclose(flip_matrices(flip_matrices(matrix, 192), 192), matrix, atol=1e-9)
