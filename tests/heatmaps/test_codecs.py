"""Codecs: round trips between picture, crop and heatmap, ids; maps brought to another grid."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpkit.core.crops import transform
from kpkit.heatmaps.codecs import Codec
from kpkit.heatmaps.decode import decode
from kpkit.heatmaps.grid import to_codec

from .drawn import encoded, places

conventions = st.sampled_from(["classic", "megvii", "unbiased"])
BOX = np.array([[0.0, 0.0, 60.0, 80.0]])
codecs = st.builds(
    Codec,
    convention=conventions,
    input_size=st.sampled_from([(128, 96), (256, 192), (384, 288), (64, 160)]),
    stride=st.sampled_from([1, 2, 4, 8]),
    padding=st.sampled_from([1.0, 1.1, 1.25]),
    margins=st.sampled_from([(1.0, 1.0), (1.09, 1.135), (1.2, 1.3)]),
)


@given(codecs, st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_round_trips(codec: Codec, seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.uniform(-50, 400, (3, 17, 2))
    np.testing.assert_allclose(codec.to_crop(codec.to_heatmap(points)), points, atol=1e-9)
    box = np.concatenate([rng.uniform(-100, 2000, (3, 2)), rng.uniform(1, 900, (3, 2))], axis=1)
    crop = transform(codec.matrices(box), points)
    np.testing.assert_allclose(codec.to_image(codec.to_heatmap(crop), box), points, atol=1e-6)


@given(codecs)
def test_shape_and_corners(codec: Codec) -> None:
    height, width = codec.input_size
    assert codec.shape == (height // codec.stride, width // codec.stride)
    corners = np.array([[0.0, 0.0], [width - 1, height - 1]])
    found = codec.to_heatmap(corners)
    if codec.convention == "unbiased":  # corner pixels meet corner pixels
        np.testing.assert_allclose(found, [[0, 0], [codec.shape[1] - 1, codec.shape[0] - 1]], atol=1e-12)
    else:  # stride pixels apart, from the crop's first pixel or from the middle of the first heatmap pixel
        first = {"classic": 0, "megvii": codec.stride / 2}[codec.convention]
        np.testing.assert_allclose(found, (corners - first) / codec.stride)


@pytest.mark.parametrize(
    "change",
    [
        {"convention": "unbiased"},
        {"convention": "megvii"},
        {"input_size": (96, 128)},
        {"stride": 2},
        {"padding": 1.2},
        {"margins": (1.09, 1.135)},
    ],
)
def test_an_id_tells_every_difference(change: dict) -> None:
    codec = Codec("classic", (128, 96), 4, 1.25)
    assert codec.id == "classic-128x96-s4-p1.25"
    assert dataclasses.replace(codec, **change).id != codec.id
    mspn = Codec("megvii", (256, 192), 4, 1.0, (1.09, 1.135))
    assert mspn.id == "megvii-256x192-s4-m1.09x1.135-p1"


@given(conventions, st.sampled_from([(2, 4), (4, 2), (4, 8), (4, 1), (1, 4)]), st.integers(0, 2**32))
@settings(max_examples=30, deadline=None)
def test_points_keep_their_place_on_another_grid(
    convention: str, strides: tuple[int, int], seed: int
) -> None:
    source, target = (Codec(convention, (128, 96), stride, 1.25) for stride in strides)
    crop = places(seed, (36, 36), (60, 92), n=1)
    maps = encoded(source.to_heatmap(crop), source.shape, sigma=8 / strides[0])
    moved = to_codec(maps, source, target, BOX)
    assert moved.shape == (1, 17, *target.shape)
    assert moved.dtype == np.float32
    coarser = max(strides)
    points, _ = decode(moved)
    assert np.abs(target.to_crop(points) - crop).max() < 0.1 * coarser
    # the centre of mass shows that nothing is moved as a whole
    mass = moved.sum(axis=(2, 3))
    x = (moved.sum(axis=2) * np.arange(target.shape[1])).sum(axis=2) / mass
    y = (moved.sum(axis=3) * np.arange(target.shape[0])).sum(axis=2) / mass
    centre = target.to_crop(np.stack([x, y], axis=2))
    assert np.abs(centre - crop).max() < 0.02 * coarser


@given(conventions, st.sampled_from([(2, 4), (4, 2), (4, 4)]))
@settings(max_examples=10, deadline=None)
def test_flat_maps_stay_flat(convention: str, strides: tuple[int, int]) -> None:
    source, target = (Codec(convention, (128, 96), stride, 1.25) for stride in strides)
    moved = to_codec(np.full((1, 2, *source.shape), 0.7, np.float32), source, target, BOX)
    np.testing.assert_allclose(moved, 0.7, rtol=1e-5)


def test_classic_grids_share_their_pixels() -> None:
    """Every pixel of the coarse classic grid is one of the fine grid's, so it keeps its value exactly."""
    fine, coarse = (Codec("classic", (64, 32), stride, 1.25) for stride in (2, 4))
    maps = np.random.default_rng(0).random((1, 3, *fine.shape), dtype=np.float32)
    np.testing.assert_array_equal(to_codec(maps, fine, coarse, BOX), maps[..., ::2, ::2])
    back = to_codec(maps[..., ::2, ::2], coarse, fine, BOX)
    np.testing.assert_array_equal(back[..., ::2, ::2], maps[..., ::2, ::2])
    assert to_codec(maps, fine, fine, BOX) is maps


codec_pairs = st.tuples(
    codecs.filter(lambda c: c.stride in (2, 4)), codecs.filter(lambda c: c.stride in (2, 4))
)


@given(codec_pairs, st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_points_keep_their_place_in_the_picture_between_any_two_codecs(
    pair: tuple[Codec, Codec], seed: int
) -> None:
    """Boxes of every shape, each with its own affine map; the sigma is 8 crop pixels in either crop."""
    source, target = pair
    rng = np.random.default_rng(seed)
    box = np.concatenate([rng.uniform(-50, 500, (3, 2)), rng.uniform(60, 300, (3, 2))], axis=1)
    points = box[:, None, :2] + rng.uniform(0.1, 0.9, (3, 17, 2)) * box[:, None, 2:]
    seen = source.to_heatmap(transform(source.matrices(box), points))
    maps = encoded(seen, source.shape, sigma=8 / source.stride)
    moved = to_codec(maps, source, target, box)
    assert moved.shape == (3, 17, *target.shape)
    assert moved.dtype == np.float32
    expected = target.to_heatmap(transform(target.matrices(box), points))
    width = 8 / source.stride * np.abs(_pixels(target, box) / _pixels(source, box))[:, None, :]
    inside = ((expected > 1) & (expected < np.array(target.shape[::-1]) - 2)).all(axis=2)
    inside &= ((seen > 1) & (seen < np.array(source.shape[::-1]) - 2)).all(axis=2)
    inside &= (width > 1).all(axis=2)  # a Gaussian thinner than the target's pixels cannot be read from it
    found, _ = decode(moved)
    assert (np.abs(found - expected)[inside] < 0.1 + 0.02 * width.max()).all()


def _pixels(codec: Codec, box: np.ndarray) -> np.ndarray:
    """(N, 2) heatmap pixels per image pixel."""
    matrix = codec.matrices(box)
    scale = codec.to_heatmap(np.ones(2)) - codec.to_heatmap(np.zeros(2))
    return matrix[:, [0, 1], [0, 1]] * scale


def test_a_box_s_shape_decides_how_crops_with_margins_lie_in_each_other() -> None:
    """A tall box grows by the height's margin, a wide one by the width's."""
    plain = Codec("classic", (128, 96), 4, 1.0)
    wider = dataclasses.replace(plain, margins=(2.0, 1.25))
    box = np.array([[0.0, 0.0, 10.0, 200.0], [0.0, 0.0, 200.0, 10.0]])
    maps = encoded(np.full((2, 1, 2), [[18.0, 24.0]]), plain.shape)
    found, _ = decode(to_codec(maps, plain, wider, box))
    # from the crop's centre (12, 16) the point comes nearer by the factor of its box
    np.testing.assert_allclose(found[:, 0] - [12, 16], [[6 / 1.25, 8 / 1.25], [3, 4]], atol=0.05)


def test_what_the_source_has_not_seen_is_zero() -> None:
    """The target shows twice as much: the source's crop is its middle half."""
    source, target = (Codec("classic", (128, 96), 4, padding) for padding in (1.0, 2.0))
    moved = to_codec(np.full((1, 1, *source.shape), 0.7, np.float32), source, target, BOX)[0, 0]
    seen = np.zeros(target.shape, bool)
    seen[8:25, 6:19] = True  # crop pixels 32 .. 96 of 128 and 24 .. 72 of 96, ends included
    np.testing.assert_allclose(moved[seen], 0.7, rtol=1e-5)
    assert not moved[~seen].any()
    back = to_codec(moved[None, None], target, source, BOX)
    np.testing.assert_allclose(back, 0.7, rtol=0.2)


def test_the_unbiased_crop_s_last_pixels_see_the_classic_crop_s_edge() -> None:
    """They lie half a crop pixel outside it."""
    source, target = Codec("classic", (128, 96), 4, 1.25), Codec("unbiased", (128, 96), 4, 1.25)
    moved = to_codec(np.full((1, 1, *source.shape), 0.7, np.float32), source, target, BOX)
    np.testing.assert_allclose(moved, 0.7, rtol=1e-5)


def test_one_box_alone_is_resampled_as_among_others() -> None:
    source, target = Codec("megvii", (384, 288), 4, 1.0, (1.09, 1.135)), Codec("classic", (256, 192), 4, 1.25)
    rng = np.random.default_rng(0)
    box = np.concatenate([rng.uniform(0, 500, (4, 2)), rng.uniform(20, 300, (4, 2))], axis=1)
    maps = rng.random((4, 3, *source.shape), dtype=np.float32)
    together = to_codec(maps, source, target, box)
    for n in range(4):
        alone = to_codec(maps[n : n + 1], source, target, box[n : n + 1])
        np.testing.assert_allclose(alone[0], together[n], atol=1e-6)
