"""Targets: the peers' arrays exactly, the formulas, and what is not drawn."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from kpkit.heatmaps.codecs import Codec
from kpkit.heatmaps.encode import gaussian_targets, kernel_targets, patch_shows, patch_targets

SHAPE = (64, 48)
CROP = (256, 192)


def one(points: np.ndarray, present: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(points)[None], torch.from_numpy(present)[None]


def drawn(points: np.ndarray, present: np.ndarray, shape: tuple[int, int], sigma: float) -> np.ndarray:
    return gaussian_targets(*one(points, present), shape, sigma)[0].numpy()


@pytest.mark.shared
def test_dark_s_whole_map_gaussian(shared: Path) -> None:
    """DARK draws at the exact place over the whole map: target = "gaussian"."""
    golden = np.load(shared / "golden/targets.npz")
    present = golden["dark_weight"][:, 0] > 0
    ours = drawn(golden["dark_joints_heatmap"][:, :2], present, SHAPE, 2.0)
    np.testing.assert_allclose(ours, golden["dark_sigma2"], atol=1e-6)
    assert not ours[~present].any()


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "weight", "factor", "sigma"),
    [
        ("hrnet_sigma2", "hrnet_weight", 1.0, 2.0),
        ("hrnet_sigma3_384x288", "hrnet_weight_384", 1.5, 3.0),
    ],
)
def test_hrnet_s_patch(shared: Path, name: str, weight: str, factor: float, sigma: float) -> None:
    golden = np.load(shared / "golden/targets.npz")
    codec = Codec("classic", (int(256 * factor), int(192 * factor)), 4, 1.25)
    points = codec.to_heatmap(golden["joints_xy"] * factor)
    labelled = golden["visibility"] > 0
    np.testing.assert_array_equal(golden[weight][:, 0] > 0, labelled)
    ours = patch_targets(*one(points, labelled), codec.shape, sigma)[0].numpy()
    np.testing.assert_allclose(ours, golden[name], atol=1e-6)
    np.testing.assert_array_equal(ours > 0, golden[name] > 0)
    assert patch_shows(torch.from_numpy(points)[None], codec.shape, sigma).all()


@pytest.mark.shared
def test_udp_s_patch_round_the_exact_place(shared: Path) -> None:
    golden = np.load(shared / "golden/targets.npz")
    points = Codec("unbiased", CROP, 4, 1.25).to_heatmap(golden["joints_xy"])
    ours = patch_targets(*one(points, golden["udp_weight"][:, 0] > 0), SHAPE, 2.0, exact=True)[0].numpy()
    np.testing.assert_allclose(ours, golden["udp_sigma2"], atol=1e-6)
    np.testing.assert_array_equal(ours > 0, golden["udp_sigma2"] > 0)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "row", "kernel"),
    [("mspn_targets_k15_11_9_7_5", i, k) for i, k in enumerate((15, 11, 9, 7, 5))]
    + [("cpn_kernel7", slice(None), 7)],
)
def test_megvii_s_kernels(shared: Path, name: str, row: int | slice, kernel: int) -> None:
    """Also in the corners, where the blur is reflected; the arrays' peak is 255."""
    golden = np.load(shared / "golden/targets.npz")
    points = Codec("megvii", CROP, 4, 1.0).to_heatmap(golden["joints_xy"])
    ours = kernel_targets(*one(points, golden["visibility"] > 0), SHAPE, kernel)[0].numpy()
    np.testing.assert_allclose(ours * 255, golden[name][row], atol=1e-4)


@pytest.mark.parametrize("kernel", [5, 7, 11, 15])
def test_kernels_equal_opencv_s_at_every_pixel(kernel: int) -> None:
    height, width = 16, 12
    y, x = np.divmod(np.arange(height * width), width)
    points = torch.from_numpy(np.stack([x, y], axis=1))[:, None].double()
    ours = kernel_targets(points, torch.ones(len(points), 1).bool(), (height, width), kernel).numpy()
    for n in range(len(points)):
        pixel = np.zeros((height, width), np.float32)
        pixel[y[n], x[n]] = 1
        blurred = cv2.GaussianBlur(pixel, (kernel, kernel), 0)
        np.testing.assert_allclose(ours[n, 0], blurred / blurred.max(), atol=1e-6)


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


def test_a_patch_ends_after_three_sigmas() -> None:
    points, present = torch.tensor([[[20.4, 30.6]]]), torch.ones(1, 1).bool()
    for exact in (False, True):
        y, x = np.nonzero(patch_targets(points, present, SHAPE, 2.0, exact=exact)[0, 0].numpy())
        assert (x.min(), x.max(), y.min(), y.max()) == (14, 26, 25, 37)
    assert patch_targets(points, present, SHAPE, 2.0)[0, 0, 31, 20] == 1


def test_a_patch_shows_until_it_is_entirely_outside() -> None:
    """Radius 6: its last pixel leaves the 48 pixels wide map beyond middles -6 and 53; -7.4 rounds to -6."""
    for x in (-8, -7.4, -6, 0, 47, 53.4, 53.6):
        points = torch.tensor([[[float(x), 20.0]]])
        seen = patch_targets(points, torch.ones(1, 1).bool(), SHAPE, 2.0).max() > 0
        assert patch_shows(points, SHAPE, 2.0).item() == seen.item() == (-8 < x < 53.5)


def test_a_kernel_s_pixel_must_lie_on_the_map() -> None:
    points = torch.tensor([[[-0.9, 3.0], [47.4, 3.0], [47.6, 3.0], [3.0, -2.0]]])
    maps = kernel_targets(points, torch.ones(1, 4).bool(), SHAPE, 7)
    assert (maps.amax(dim=(2, 3)) > 0).tolist() == [[True, True, False, False]]


def test_what_is_not_present_is_not_drawn() -> None:
    points = torch.full((1, 2, 2), 10.0)
    present = torch.tensor([[True, False]])
    for maps in (patch_targets(points, present, SHAPE, 2.0), kernel_targets(points, present, SHAPE, 7)):
        assert maps[0, 0].max() == 1
        assert not maps[0, 1].any()
        assert maps.dtype == torch.float32
