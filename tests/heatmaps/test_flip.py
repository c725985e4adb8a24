"""Flip test: the peers' numbers, and a point that is back where it was, for every crop and stride."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpkit.core.skeletons import AIC14, COCO17, Skeleton
from kpkit.heatmaps.codecs import Codec
from kpkit.heatmaps.decode import decode
from kpkit.heatmaps.flip import blend_flipped, shift_right, unflip

from .drawn import encoded, places


@pytest.mark.shared
def test_the_peers_flip_back(shared: Path) -> None:
    golden = np.load(shared / "golden/flip.npz")
    back = unflip(golden["flipped_output"], COCO17)
    np.testing.assert_array_equal(back, golden["flip_back"])
    np.testing.assert_array_equal(back, golden["udp_flip_back"])
    np.testing.assert_array_equal(shift_right(back, 1.0), golden["flip_back_shift1"])


@given(st.integers(0, 2**32), st.sampled_from([COCO17, AIC14]))
@settings(max_examples=20, deadline=None)
def test_twice_is_identity(seed: int, skeleton: Skeleton) -> None:
    maps = np.random.default_rng(seed).random((2, len(skeleton), 5, 4))
    once = unflip(maps, skeleton)
    assert (once != maps).any()
    np.testing.assert_array_equal(unflip(once, skeleton), maps)


@given(st.integers(0, 2**32), st.sampled_from(["classic", "megvii", "unbiased"]), st.sampled_from([2, 4]))
@settings(max_examples=40, deadline=None)
def test_the_exact_shift_puts_points_back(seed: int, convention: str, stride: int) -> None:
    """A network that sees the mirrored crop as well as the plain one: the average changes no place."""
    codec = Codec(convention, (128, 96), stride, 1.25)
    crop = places(seed, (30, 30), (66, 98))
    mirrored = (crop * [-1, 1] + [95, 0])[:, COCO17.flip_order]
    plain = encoded(codec.to_heatmap(crop), codec.shape)
    back = unflip(encoded(codec.to_heatmap(mirrored), codec.shape), COCO17)
    points, _ = decode(plain, back, flip_shift=codec.exact_flip_shift)
    error = np.abs(points - codec.to_heatmap(crop)).max()
    assert error < 0.02
    # any other shift moves every point by half its difference to the exact one
    for shift in {-1.0, 0.0, 1.0} - {codec.exact_flip_shift}:
        other, _ = decode(plain, back, flip_shift=shift)
        moved = (other - codec.to_heatmap(crop))[..., 0]
        np.testing.assert_allclose(moved, (shift - codec.exact_flip_shift) / 2, atol=0.03)


@pytest.mark.parametrize(
    ("convention", "stride", "shift"),
    [
        ("classic", 2, 0.5),
        ("classic", 4, 0.75),
        ("classic", 1, 0.0),
        ("megvii", 2, -0.5),
        ("megvii", 4, -0.25),
        ("unbiased", 2, 0),
        ("unbiased", 4, 0),
    ],
)
def test_exact_shifts(convention: str, stride: int, shift: float) -> None:
    assert Codec(convention, (256, 192), stride, 1.25).exact_flip_shift == shift


def test_a_shift_is_linear_interpolation() -> None:
    maps = np.random.default_rng(0).random((1, 2, 3, 6))
    before = maps.copy()
    np.testing.assert_array_equal(shift_right(maps, 0), maps)
    quarter = shift_right(maps, 0.25)
    for x in range(1, 6):
        np.testing.assert_allclose(quarter[..., x], 0.75 * maps[..., x] + 0.25 * maps[..., x - 1])
    np.testing.assert_array_equal(quarter[..., 0], maps[..., 0])
    left = shift_right(maps, -0.25)
    for x in range(5):
        np.testing.assert_allclose(left[..., x], 0.75 * maps[..., x] + 0.25 * maps[..., x + 1])
    np.testing.assert_array_equal(left[..., 5], maps[..., 5])
    np.testing.assert_array_equal(shift_right(maps, -1.0)[..., :5], maps[..., 1:])
    np.testing.assert_array_equal(maps, before)
    np.testing.assert_allclose(blend_flipped(maps, before, 0.25), (maps + quarter) / 2, rtol=1e-6)
