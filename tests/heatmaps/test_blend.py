"""The blend: order, weight scale, identical members; members that do not match are refused (P4)."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpkit.core import compiled
from kpkit.core.errors import KpkitError
from kpkit.heatmaps.blend import RunningMean, common_codec, shares_of, weighted_mean
from kpkit.heatmaps.codecs import Codec
from kpkit.heatmaps.packing import Packed, pack, unpack

weights_ = st.lists(st.floats(0.01, 100), min_size=2, max_size=6)
SMALL = Codec("classic", (128, 96), 4, 1.25)


def maps(count: int, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.random((2, 5, 8, 6), dtype=np.float32) for _ in range(count)]


@given(weights_, st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_it_is_the_weighted_mean(weights: list[float], seed: int) -> None:
    members = maps(len(weights), seed)
    before = [m.copy() for m in members]
    blend = weighted_mean(members, weights)
    expected = np.average(np.stack(members).astype(np.float64), axis=0, weights=weights)
    np.testing.assert_allclose(blend, expected, atol=1e-6)
    assert blend.dtype == np.float32
    for member, copy in zip(members, before, strict=True):
        np.testing.assert_array_equal(member, copy)


@given(weights_, st.integers(0, 2**32), st.floats(1e-3, 1e3), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_order_and_the_scale_of_weights_do_not_matter(
    weights: list[float], seed: int, factor: float, random: object
) -> None:
    members = maps(len(weights), seed)
    blend = weighted_mean(members, weights)
    order = list(range(len(weights)))
    random.shuffle(order)  # type: ignore[attr-defined]
    np.testing.assert_allclose(
        weighted_mean([members[i] for i in order], [weights[i] for i in order]), blend, atol=1e-6
    )
    np.testing.assert_allclose(weighted_mean(members, [w * factor for w in weights]), blend, atol=1e-6)


@given(weights_, st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_identical_members_are_the_member(weights: list[float], seed: int) -> None:
    one = maps(1, seed)[0]
    np.testing.assert_allclose(weighted_mean([one] * len(weights), weights), one, atol=1e-6)
    np.testing.assert_array_equal(weighted_mean([one], weights[:1]), one)


OTHERS = {
    "convention": {"convention": "unbiased"},
    "offset": {"convention": "megvii"},
    "size": {"input_size": (256, 192)},
    "padding": {"padding": 1.1},
    "margins": {"margins": (1.09, 1.135)},
    "stride": {"stride": 2},
    "rotation": {"rotation": 10.0},
}


@pytest.mark.parametrize("change", OTHERS.values(), ids=OTHERS.keys())
def test_members_that_differ_need_a_common_stride(change: dict) -> None:
    other = dataclasses.replace(SMALL, **change)
    with pytest.raises(KpkitError) as caught:
        common_codec([SMALL, SMALL, other], ["a", "b", "c"], None)
    assert str(caught.value) == (
        f"members a (classic-128x96-s4-p1.25) and c ({other.id}) do not match; "
        "name common_stride in the document to bring all to the crop of a"
    )
    for stride in (2, 4):
        assert common_codec([SMALL, SMALL, other], ["a", "b", "c"], stride) == SMALL.at_stride(stride)
        assert common_codec([other, SMALL], ["c", "a"], stride) == other.at_stride(stride)


def test_members_that_agree() -> None:
    assert common_codec([SMALL, SMALL], ["a", "b"], None) == SMALL
    assert common_codec([SMALL], ["a"], 2) == dataclasses.replace(SMALL, stride=2)


# --- weights per keypoint, packed members, kernels


def by_hand(members: list[np.ndarray], shares: np.ndarray) -> np.ndarray:
    """float32 products added member after member."""
    total = members[0] * shares[0].astype(np.float32)[:, None, None]
    for maps, share in zip(members[1:], shares[1:], strict=True):
        total = total + maps * share.astype(np.float32)[:, None, None]
    return total


def unpacked(packed: Packed) -> np.ndarray:
    out = np.empty(packed.values.shape, np.float32)
    unpack(packed, out)
    return out


@pytest.mark.parametrize("kind", ["f32", "f16", "u8", "mixed"])
@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("fast", [True, False])
def test_packed_members_are_blended_to_the_bit(
    kind: str, count: int, fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not fast:
        monkeypatch.setattr(compiled, "available", lambda: False)
    made = [m - 0.3 for m in maps(count, 3)]
    formats = ["u8", "f16", "u8", "f16", "u8"] if kind == "mixed" else [kind] * count
    members = [m if f == "f32" else pack(m, f) for m, f in zip(made, formats, strict=False)]  # type: ignore[arg-type]
    weights = np.random.default_rng(1).uniform(0, 2, (count, 5))
    weights[0, 2], weights[0, 3] = 0, 1e-9
    weights[-1] += 0.01
    seen = [m if isinstance(m, np.ndarray) else unpacked(m) for m in members]
    wanted = by_hand(seen, weights / weights.sum(axis=0))
    found = weighted_mean(members, weights)
    np.testing.assert_array_equal(found, wanted)
    into = np.empty_like(found)
    assert weighted_mean(members, weights, into) is into
    np.testing.assert_array_equal(into, wanted)
    running = RunningMean(seen[0].shape)  # type: ignore[arg-type]
    for maps_, share in zip(seen, shares_of(weights), strict=True):
        for rows in (slice(0, 1), slice(1, 2)):
            running.add(maps_[rows], share, rows)
    np.testing.assert_array_equal(running.maps, wanted)


def test_a_keypoint_has_its_own_weights() -> None:
    members = maps(2, 0)
    weights = np.ones((2, 5))
    weights[:, 1], weights[:, 2] = (1, 0), (1, 3)
    blend = weighted_mean(members, weights)
    np.testing.assert_array_equal(blend[:, 1], members[0][:, 1])
    np.testing.assert_allclose(blend[:, 2], 0.25 * members[0][:, 2] + 0.75 * members[1][:, 2], atol=1e-6)
    np.testing.assert_allclose(blend[:, 3], 0.5 * (members[0][:, 3] + members[1][:, 3]), atol=1e-6)


@pytest.mark.parametrize("weights", [[0, 0], [1, -0.1], [np.nan, 1], [np.inf, 1], [[1, 0], [1, 0]]], ids=str)
def test_weights_that_make_no_mean(weights: list) -> None:
    with pytest.raises(KpkitError, match="above 0"):
        shares_of(weights)


def test_shapes_and_windows_that_cannot_be_blended() -> None:
    one, other = maps(2, 0)
    with pytest.raises(KpkitError, match="cannot be blended"):
        weighted_mean([one, other[:, :, :, :5]], [1, 1])
    with pytest.raises(KpkitError, match="windows must be read as whole maps"):
        weighted_mean([pack(one, "u8", (3, 3))], [1])
