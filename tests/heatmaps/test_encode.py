"""Targets: the peers' Gaussians, and what is not drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from kpkit.heatmaps.encode import gaussian_targets

SHAPE = (64, 48)


def drawn(points: np.ndarray, present: np.ndarray, shape: tuple[int, int], sigma: float) -> np.ndarray:
    return gaussian_targets(torch.from_numpy(points)[None], torch.from_numpy(present)[None], shape, sigma)[
        0
    ].numpy()


@pytest.mark.shared
def test_dark_s_whole_map_gaussian(shared: Path) -> None:
    """DARK draws at the exact place over the whole map, as we do: nothing else is needed for equality."""
    golden = np.load(shared / "golden/targets.npz")
    present = golden["dark_weight"][:, 0] > 0
    ours = drawn(golden["dark_joints_heatmap"][:, :2], present, SHAPE, 2.0)
    np.testing.assert_allclose(ours, golden["dark_sigma2"], atol=1e-6)
    assert not ours[~present].any()


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "factor", "shape", "sigma"),
    [("hrnet_sigma2", 1.0, (64, 48), 2.0), ("hrnet_sigma3_384x288", 1.5, (96, 72), 3.0)],
)
def test_hrnet_s_rounded_gaussian(
    shared: Path, name: str, factor: float, shape: tuple[int, int], sigma: float
) -> None:
    """HRNet rounds the centre and cuts off at three sigmas: equal at rounded points, within the patch."""
    golden = np.load(shared / "golden/targets.npz")
    points = np.floor(golden["joints_xy"] * factor / 4 + 0.5)
    present = golden["hrnet_weight" if factor == 1 else "hrnet_weight_384"][:, 0] > 0
    ours, theirs = drawn(points, present, shape, sigma), golden[name]
    patch = theirs > 0
    np.testing.assert_allclose(ours[patch], theirs[patch], atol=1e-6)
    assert np.abs(ours - theirs).max() < np.exp(-(3**2) / 2) + 1e-6


@pytest.mark.shared
def test_udp_s_gaussian(shared: Path) -> None:
    """UDP draws at the exact place of the unbiased grid, cut off beyond three sigmas."""
    golden = np.load(shared / "golden/targets.npz")
    points = golden["joints_xy"] / np.array([191 / 47, 255 / 63])
    present = golden["udp_weight"][:, 0] > 0
    ours, theirs = drawn(points, present, SHAPE, 2.0), golden["udp_sigma2"]
    patch = theirs > 0
    assert patch.sum() > 1000
    np.testing.assert_allclose(ours[patch], theirs[patch], atol=1e-5)


def test_against_the_formula() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(-5, 55, (3, 4, 2))
    present = rng.random((3, 4)) < 0.7
    maps = gaussian_targets(torch.from_numpy(points), torch.from_numpy(present), (10, 7), 1.5).numpy()
    for n, k, y, x in np.ndindex(*maps.shape):
        distance = (x - points[n, k, 0]) ** 2 + (y - points[n, k, 1]) ** 2
        assert abs(maps[n, k, y, x] - present[n, k] * np.exp(-distance / (2 * 1.5**2))) < 1e-6
    assert maps.dtype == np.float32


def test_a_point_on_a_pixel_has_peak_one() -> None:
    maps = drawn(np.array([[5.0, 3.0]]), np.array([True]), (8, 9), 2.0)
    assert maps.max() == 1.0
    assert np.unravel_index(maps[0].argmax(), (8, 9)) == (3, 5)
