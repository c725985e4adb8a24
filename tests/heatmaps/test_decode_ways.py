"""The three ways of decoding agree: plain numpy, compiled kernels, tensors on a device (here the CPU)."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kpkit.core import compiled
from kpkit.core.decoding import READS_NO_NEIGHBOURS, REFINEMENTS
from kpkit.core.errors import KpkitError
from kpkit.core.skeletons import COCO17
from kpkit.heatmaps import decode_numpy, decode_torch
from kpkit.heatmaps.blur import gaussian_blur
from kpkit.heatmaps.decode import decode
from kpkit.heatmaps.flip import blend_flipped, unflip
from kpkit.heatmaps.refine import refine_step

from .drawn import encoded, places

SHAPE = (2, 17, 20, 14)
ON_CPU = "kpkit.heatmaps.decode.on_cpu"
FILTERS: tuple[dict[str, Any], ...] = (
    {},
    {"blur": 5},
    {"blur": 11, "border": "reflect"},
    {"blur_sigma": 0.8},
    {"refine_blur": 11},
    {"refine_blur": 5, "border": "reflect"},
    {"blur": 3, "refine_blur": 5},
    {"blur": 3, "refine_blur_sigma": 1.2, "border": "reflect"},
)
FLIPS: tuple[dict[str, Any] | None, ...] = (
    None,
    {},
    {"flip_shift": 0.8},
    {"flip_shift": -0.25, "flip_order": COCO17.flip_order},
    {"flip_shift": 1.0, "flip_order": COCO17.flip_order},
)


def drawn(kind: str, seed: int) -> np.ndarray:
    """(2, 17, 20, 14) maps: ``noise``, ``levels`` full of ties, or Gaussian ``peaks``, some outside."""
    rng = np.random.default_rng(seed)
    if kind == "noise":
        return rng.normal(size=SHAPE).astype(np.float32)
    if kind == "levels":
        return (rng.integers(-1, 4, SHAPE) / 4).astype(np.float32)
    x, y = np.arange(SHAPE[3]), np.arange(SHAPE[2])
    points = rng.uniform((-1, -1), SHAPE[:1:-1], (*SHAPE[:2], 2))
    across = np.exp(-((x - points[..., :1]) ** 2) / 8)[:, :, None, :]
    maps = across * np.exp(-((y - points[..., 1:]) ** 2) / 8)[:, :, :, None]
    return (maps + rng.normal(size=SHAPE) * 0.01).astype(np.float32)


def each_way(maps: np.ndarray, flipped: np.ndarray | None, options: dict[str, Any]) -> list[Any]:
    """Points and scores: compiled, plain, tensors."""
    found: list[Any] = [decode(maps, flipped, **options)]
    with patch.object(compiled, "available", lambda: False):
        found.append(decode(maps, flipped, **options))
    tensor = torch.from_numpy(maps)
    other = None if flipped is None else torch.from_numpy(np.ascontiguousarray(flipped))
    with patch(ON_CPU, lambda _: False):
        points, scores = decode(tensor, other, **options)
    found.append((points.numpy(), scores.numpy()))
    return found


@given(
    st.sampled_from(["noise", "levels", "peaks"]),
    st.integers(0, 2**32),
    st.sampled_from(REFINEMENTS),
    st.sampled_from(FILTERS),
    st.sampled_from(FLIPS),
)
@settings(max_examples=150, deadline=None)
def test_all_ways_find_the_same(
    kind: str, seed: int, refine: str, filters: dict[str, Any], flip: dict[str, Any] | None
) -> None:
    if refine in READS_NO_NEIGHBOURS:
        filters = {name: value for name, value in filters.items() if not name.startswith("refine")}
    if not any("blur" in name for name in filters):
        filters = {}
    maps = drawn(kind, seed)
    flipped = None
    if flip is not None:
        other = maps * np.float32(0.7) + drawn(kind, seed + 1) * np.float32(0.3)
        flipped = np.ascontiguousarray(unflip(other, COCO17)) if "flip_order" in flip else other
    options = {"refine": refine, **filters, **(flip or {})}
    with patch.object(decode_numpy, "_CHUNK_BYTES", 1), patch.object(decode_torch, "_CHUNK_BYTES", 1):
        (points, scores), *others = each_way(maps, flipped, options)
    for other_points, other_scores in others:
        np.testing.assert_allclose(other_points, points, atol=1e-9)
        np.testing.assert_array_equal(other_scores, scores)


@given(st.sampled_from(["noise", "levels", "peaks"]), st.integers(0, 2**32), st.sampled_from([3, 5, 11, 21]))
@settings(max_examples=40, deadline=None)
def test_leaving_rows_out_changes_no_bit(kind: str, seed: int, size: int) -> None:
    """CCM's order against the whole filter, then the maximum."""
    maps = drawn(kind, seed)
    for border in ("zero", "reflect"):
        whole = gaussian_blur(maps, size, border=border)
        points, scores = decode(whole)
        for found, score in each_way(maps, None, {"blur": size, "border": border}):
            np.testing.assert_array_equal(found, points)
            place = whole.reshape(34, -1).argmax(1)
            expected = np.where(scores.ravel() > 0, maps.reshape(34, -1)[np.arange(34), place], score.ravel())
            np.testing.assert_array_equal(score.ravel(), expected)


def test_flipped_maps_in_every_form() -> None:
    """As the network made them, brought back as a view, brought back and copied: the same points."""
    plain, mirrored = drawn("peaks", 1), drawn("peaks", 2)
    back = unflip(mirrored, COCO17)
    expected, _ = decode(blend_flipped(plain, back, 0.8))
    for flipped, order in ((mirrored, COCO17.flip_order), (back, None), (np.ascontiguousarray(back), None)):
        for points, _ in each_way(plain, flipped, {"flip_shift": 0.8, "flip_order": order}):
            np.testing.assert_array_equal(points, expected)


def test_tensors_come_back_as_tensors() -> None:
    maps = encoded(places(1, (5, 5), (40, 55)), (64, 48))
    points, scores = decode(maps)
    for kind in (torch.float32, torch.float64, torch.float16, torch.bfloat16):
        tensor = torch.from_numpy(maps).to(kind).to(memory_format=torch.channels_last).requires_grad_()
        found, values = decode(tensor)
        assert isinstance(found, torch.Tensor)
        assert found.device == tensor.device
        assert not found.requires_grad
        tolerance = 1e-9 if kind in (torch.float32, torch.float64) else 0.2
        np.testing.assert_allclose(found, points, atol=tolerance)
        np.testing.assert_allclose(values, scores, atol=1e-9 + tolerance / 20)


def test_arrays_and_tensors_are_not_mixed() -> None:
    maps = drawn("peaks", 1)
    with pytest.raises(KpkitError, match="both be numpy arrays or both torch tensors"):
        decode(maps, torch.from_numpy(maps))


def test_nothing_given_is_changed() -> None:
    plain, mirrored = drawn("peaks", 1), drawn("peaks", 2)
    before = plain.copy(), mirrored.copy()
    for refine in REFINEMENTS:
        each_way(plain, mirrored, {"refine": refine, "flip_order": COCO17.flip_order})
        each_way(plain, None, {"refine": refine, "blur": 3})
    np.testing.assert_array_equal(plain, before[0])
    np.testing.assert_array_equal(mirrored, before[1])


@pytest.mark.parametrize("value", [np.nan, -np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("options", [{}, {"blur": 3}, {"refine": "dark_udp", "refine_blur": 5}])
def test_every_way_refuses_what_is_not_finite(value: float, options: dict[str, Any]) -> None:
    for in_flipped in (False, True):
        plain, mirrored = drawn("noise", 1), drawn("noise", 2)
        (mirrored if in_flipped else plain)[1, 3, 7, 7] = value
        for available in (True, False):
            with (
                patch.object(compiled, "available", lambda found=available: found),
                pytest.raises(KpkitError, match="NaN or infinity"),
            ):
                decode(plain, mirrored, **options)
        with patch(ON_CPU, lambda _: False), pytest.raises(KpkitError, match="NaN or infinity"):
            decode(torch.from_numpy(plain), torch.from_numpy(mirrored), **options)


@given(st.integers(0, 2**32), st.sampled_from([r for r in REFINEMENTS if r != "dark_udp"]))
@settings(max_examples=30, deadline=None)
def test_a_mirrored_map_gives_the_mirrored_point(seed: int, refine: str) -> None:
    """But UDP's, whose mixed difference looks along one diagonal. HRNet's border rule is lopsided too."""
    maps = np.zeros((2, 17, 24, 18), np.float32)
    maps[:, :, 3:-3, 3:-3] = drawn("noise", seed)[:, :, :18, :12]
    points, scores = decode(maps, refine=refine)
    mirrored, same = decode(maps[..., ::-1], refine=refine)
    np.testing.assert_allclose(mirrored * [-1, 1] + [17, 0], points, atol=1e-9)
    np.testing.assert_array_equal(same, scores)


@given(st.integers(0, 2**32), st.sampled_from([1.5, 2.0, 3.0]))
@settings(max_examples=20, deadline=None)
def test_newton_steps_are_exact_on_gaussians(seed: int, sigma: float) -> None:
    """Also under a filter, which makes a wider Gaussian of one that lies away from the border."""
    points = places(seed, (16, 16), (31, 47))
    maps = encoded(points, (64, 48), sigma)
    for refine in ("dark", "dark_udp"):
        np.testing.assert_allclose(decode(maps, refine=refine)[0], points, atol=2e-3)
        found, _ = decode(maps, refine=refine, refine_blur=11)
        np.testing.assert_allclose(found, points, atol=2e-2)


@given(st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_the_paraboloid_is_exact_on_surfaces_of_second_order(seed: int) -> None:
    """A turned one too, on which two parabolas go astray."""
    rng = np.random.default_rng(seed)
    top = rng.uniform(4, 8, 2)
    xx, yy = rng.uniform(0.1, 0.2, 2)
    xy = rng.uniform(0.5, 0.9) * np.sqrt(xx * yy)
    x, y = np.meshgrid(np.arange(13) - top[0], np.arange(13) - top[1])
    maps = np.float32(20 - xx * x**2 - yy * y**2 - 2 * xy * x * y)[None, None]
    whole = decode(maps, refine="argmax")[0][0, 0]
    found = decode(maps, refine="paraboloid")[0][0, 0]
    if np.abs(top - whole).max() <= 1:
        np.testing.assert_allclose(found, top, atol=1e-3)
    np.testing.assert_array_less(np.abs(found - whole), 1 + 1e-9)


def test_a_paraboloid_at_the_border_is_a_parabola() -> None:
    maps = encoded(np.array([[[0.2, 9.3], [5.4, 0.3], [17.0, 12.3]]]), (24, 18))
    np.testing.assert_array_equal(decode(maps, refine="paraboloid")[0], decode(maps)[0])


def test_towards_the_second_maximum() -> None:
    maps = np.zeros((1, 3, 12, 12), np.float32)
    maps[0, :, 4, 4] = 1
    maps[0, 0, 7, 8] = 0.5  # 3 down, 4 right
    maps[0, 1, 4, 3] = 1  # a tie: the first in reading order is the highest, the other the second
    maps[0, 2, 0, 4] = 0.5
    points, _ = decode(maps, refine="quarter_second")
    np.testing.assert_allclose(points[0], [[4.2, 4.15], [3.25, 4], [4, 3.75]])


def test_the_second_maximum_beside_the_map() -> None:
    """A filtered corner spike is as high beside the map, first above it: MSPN's step, taken back inside."""
    maps = np.zeros((1, 1, 12, 12), np.float32)
    maps[0, 0, 0, 0] = 1
    assert decode(maps, refine="quarter_second", blur=5)[0].tolist() == [[[0, 0]]]
    reflected = decode(maps, refine="quarter_second", blur=5, border="reflect")[0]
    assert reflected.tolist() == [[[0.25, 0]]]


@pytest.mark.parametrize(("refine", "radius"), [("dark", 2), ("dark_udp", 1)])
def test_long_steps_are_not_taken(refine: str, radius: int) -> None:
    """On a ridge whose top is 2.5 or 50 pixels along."""
    x, y = np.meshgrid(*[np.arange(-radius, radius + 1.0)] * 2)
    for curve, step in ((0.002, 2.5), (0.0001, 0.0)):
        values = np.exp(-(y**2) / 8 - curve * x**2 + 0.01 * x)[None]
        found = refine_step(refine, values, np.array([8]), np.array([8]), (16, 16))
        np.testing.assert_allclose(found, [[step, 0]], atol=1e-3)
