"""The blend: order, weight scale, identical members; members that do not match are refused (P4)."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpkit.core.errors import KpkitError
from kpkit.heatmaps.blend import common_codec, weighted_mean
from kpkit.heatmaps.codecs import Codec

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
