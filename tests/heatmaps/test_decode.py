"""Decoding: the peers' numbers, exact places back within a tenth of a pixel, faults refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpkit.core.decoding import REFINEMENTS
from kpkit.core.errors import KpkitError
from kpkit.heatmaps.decode import decode
from kpkit.heatmaps.flip import blend_flipped

from .drawn import encoded, places

SHAPE = (64, 48)


@pytest.mark.shared
def test_maxima_equal_hrnet_s(shared: Path) -> None:
    """Also the planted cases: an all-negative map, corner and border peaks, a tie."""
    golden = np.load(shared / "golden/decode.npz")
    points, scores = decode(golden["heatmaps"], refine="argmax")
    np.testing.assert_array_equal(points, golden["hrnet_max_coords"])
    np.testing.assert_array_equal(scores, golden["hrnet_maxvals"][..., 0])
    assert scores[0, 0] < 0
    assert points[0, 0].tolist() == [0, 0]
    assert points[0, 2].tolist() == [1, 1]
    assert points[0, 5].tolist() == [46, 62]


@pytest.mark.shared
@pytest.mark.parametrize(("refine", "name"), [("quarter", "hrnet_final"), ("argmax", "hrnet_final_no_shift")])
def test_image_points_equal_hrnet_s(shared: Path, refine: str, name: str) -> None:
    golden = np.load(shared / "golden/decode.npz")
    points, _ = decode(golden["heatmaps"], refine=refine)
    # HRNet maps heatmap pixels to the picture by the size-based affine of centre and scale (200 px units)
    size = golden["scale"][:, None] * 200
    image = (points - np.array([48, 64]) / 2) * size[..., :1] / 48 + golden["center"][:, None]
    np.testing.assert_allclose(image, golden[name], atol=1e-4)


@given(st.integers(0, 2**32), st.sampled_from([1.0, 1.4, 2.0, 2.6, 3.0]))
@settings(max_examples=40, deadline=None)
def test_parabola_finds_drawn_points(seed: int, sigma: float) -> None:
    """Inside a tenth of a pixel. Nearer than half a pixel to an edge no vertex is fitted: half a pixel."""
    points = places(seed, (0, 0), (47, 63))
    found, scores = decode(encoded(points, SHAPE, sigma))
    error = np.abs(found - points)
    inside = (points >= 0.5) & (points <= np.array([46.5, 62.5]))
    assert error[inside].max() < 0.1
    assert error.max() <= 0.5
    assert (scores <= 1).all()
    assert (scores > 0.75).all()  # exp(-0.5 / 2 sigma^2) where the point is between four pixels, sigma 1


@given(st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_the_rules_differ_as_they_should(seed: int) -> None:
    points = places(seed, (2, 2), (44, 60))
    maps = encoded(points, SHAPE)
    error = {rule: np.abs(decode(maps, refine=rule)[0] - points) for rule in REFINEMENTS}
    whole = decode(maps, refine="argmax")[0]
    np.testing.assert_array_equal(whole, points.round())
    assert error["quarter"].max() <= 0.25 + 1e-9
    assert error["argmax"].mean() > error["quarter"].mean() > error["parabola"].mean()
    assert error["quarter"].mean() > error["paraboloid"].mean() > 1e-3 > error["dark"].max()
    assert error["dark_udp"].max() < 1e-3
    assert error["argmax"].mean() > error["quarter_second"].mean()
    quarter = decode(maps, refine="quarter")[0] - whole
    np.testing.assert_allclose(quarter, 0.25 * np.sign(points - whole))


@given(st.integers(0, 2**32), st.floats(0.01, 100))
@settings(max_examples=20, deadline=None)
def test_places_do_not_depend_on_the_maps_scale(seed: int, factor: float) -> None:
    maps = np.random.default_rng(seed).random((2, 17, 12, 9), dtype=np.float32)
    plain, scores = decode(maps)
    scaled, scaled_scores = decode(maps * np.float32(factor))
    np.testing.assert_allclose(scaled, plain, atol=1e-3)
    np.testing.assert_allclose(scaled_scores, scores * factor, rtol=1e-5)


@given(st.integers(0, 2**32), st.sampled_from(REFINEMENTS), st.sampled_from([0, 3, 5, 11]))
@settings(max_examples=40, deadline=None)
def test_noise_never_leaves_the_map(seed: int, refine: str, blur: int) -> None:
    """DARK's and UDP's published steps are not cut off at the border; they are short all the same."""
    maps = np.random.default_rng(seed).normal(size=(2, 17, 8, 6)).astype(np.float32)
    points, scores = decode(maps, refine=refine, blur=blur)
    beyond = 3 if refine.startswith("dark") else 0
    assert (points >= -beyond).all()
    assert (points <= np.array([5, 7]) + beyond).all()
    assert np.isfinite(scores).all()


def test_the_vertex_is_exact_for_a_parabola() -> None:
    x, y = np.meshgrid(np.arange(9), np.arange(7))
    maps = (5 - (x - 3.3) ** 2 - 0.5 * (y - 2.8) ** 2)[None, None].astype(np.float32)
    points, scores = decode(maps)
    np.testing.assert_allclose(points[0, 0], [3.3, 2.8], atol=1e-5)
    np.testing.assert_allclose(scores[0, 0], 5 - 0.3**2 - 0.5 * 0.2**2, rtol=1e-5)


@pytest.mark.parametrize("refine", REFINEMENTS)
@pytest.mark.parametrize("blur", [0, 3])
def test_maps_without_a_peak(refine: str, blur: int) -> None:
    maps = np.stack([np.full(SHAPE, value, np.float32) for value in (0.0, -1.0, 0.5)])[:, None]
    points, scores = decode(maps, refine=refine, blur=blur)
    assert points[:2].tolist() == [[[0, 0]]] * 2
    np.testing.assert_array_equal(scores[:2, 0], [0, -1])
    assert np.isfinite(points).all()
    assert scores[2, 0] == 0.5
    if not blur:  # a plateau: its first pixel, no vertex; the second highest pixel is the next one
        assert points[2, 0].tolist() == [0.25 if refine == "quarter_second" else 0, 0]


def test_a_map_below_zero_has_no_keypoint_wherever_its_peak_is() -> None:
    maps = np.full((1, 1, 9, 9), -1.0, np.float32)
    maps[0, 0, 4, 5] = -0.25
    for rule in REFINEMENTS:
        points, scores = decode(maps, refine=rule)
        assert points.tolist() == [[[0, 0]]]
        assert scores.tolist() == [[-0.25]]


def test_a_quarter_is_taken_away_from_the_border_only() -> None:
    """HRNet's rule: columns 2 .. w - 2 and rows 2 .. h - 2."""
    height, width = 7, 8
    for y, x in np.ndindex(height, width):
        maps = np.zeros((1, 1, height, width), np.float32)
        maps[0, 0, y, x] = 1
        maps[0, 0, y, min(x + 1, width - 1)] += 0.5  # the right and the lower neighbour are higher
        maps[0, 0, min(y + 1, height - 1), x] += 0.5
        points, _ = decode(maps, refine="quarter")
        step = 0.25 if 2 <= x <= width - 2 and 2 <= y <= height - 2 else 0.0
        assert points[0, 0].tolist() == [x + step, y + step]


def test_the_score_is_the_value_before_the_blur() -> None:
    maps = encoded(places(1, (10, 10), (30, 50)), SHAPE)
    plain, scores = decode(maps)
    blurred, same = decode(maps, blur=11)
    np.testing.assert_allclose(blurred, plain, atol=0.05)
    np.testing.assert_array_equal(same, scores)
    spike = np.zeros((1, 1, 15, 15), np.float32)
    spike[0, 0, 3, 3] = 1
    spike[0, 0, 9:12, 9:12] = 0.6
    assert decode(spike, refine="argmax")[0].tolist() == [[[3, 3]]]
    points, score = decode(spike, refine="argmax", blur=5)
    assert points.tolist() == [[[10, 10]]]
    assert score[0, 0] == np.float32(0.6)


@pytest.mark.parametrize("size", [2, 4, 10])
def test_an_even_blur_is_refused(size: int) -> None:
    with pytest.raises(KpkitError, match=f"^blur = {size} must be odd$"):
        decode(np.zeros((1, 1, 8, 8), np.float32), blur=size)


@pytest.mark.parametrize("blur", [0, 5])
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("place", [(0, 0), (10, 20), (63, 47)])
def test_diverged_maps_are_refused(value: float, place: tuple[int, int], blur: int) -> None:
    maps = encoded(places(3, (5, 5), (40, 50)), SHAPE)
    maps[1, 4, place[0], place[1]] = value
    with pytest.raises(KpkitError, match="NaN or infinity; the network that made it has diverged"):
        decode(maps, blur=blur)


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(KpkitError, match=r"refine = 'drak' is not one of argmax, quarter, .*, dark_udp$"):
        decode(np.zeros((1, 1, 8, 8), np.float32), refine="drak")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"refine": "argmax", "refine_blur": 3}, "refine_blur has nothing to do: refine = 'argmax'"),
        ({"refine": "quarter_second", "refine_blur_sigma": 1.0}, "refine_blur has nothing to do"),
        ({"border": "reflect"}, "border = 'reflect' has nothing to do without blur or refine_blur"),
        ({"border": "edge", "blur": 3}, "border = 'edge' is not one of zero, reflect"),
        ({"refine_blur": 4}, "refine_blur = 4 must be odd"),
        ({"blur_sigma": -1.0}, "blur_sigma = -1.0 must be a positive number of pixels"),
        ({"blur_sigma": np.nan}, "blur_sigma = nan must be"),
        ({"flip_shift": 1.5}, "flip_shift = 1.5 is not a number from -1 to 1"),
        ({"flip_order": [0, 0]}, "flip_order must name each of the 2 keypoints once"),
    ],
)
def test_what_does_not_go_together_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(KpkitError, match=message):
        decode(np.zeros((1, 2, 8, 8), np.float32), **options)


def test_shapes_are_told() -> None:
    maps = np.zeros((1, 2, 8, 8), np.float32)
    with pytest.raises(KpkitError, match=r"heatmaps of 3 axes; decode wants \(people, keypoints, h, w\)"):
        decode(maps[0])
    with pytest.raises(KpkitError, match=r"heatmaps are \(1, 2, 8, 8\), the flipped ones \(1, 2, 8, 7\)"):
        decode(maps, maps[..., :7])
    with pytest.raises(KpkitError, match="heatmaps of 0 x 8 pixels hold no keypoint"):
        decode(maps[:, :, :0])


def test_no_one() -> None:
    points, scores = decode(np.zeros((0, 17, 8, 6), np.float32), blur=3)
    assert points.shape == (0, 17, 2)
    assert scores.shape == (0, 17)


def test_flipped_maps_are_averaged_first() -> None:
    plain, mirrored = (np.random.default_rng(s).random((1, 17, 8, 6), dtype=np.float32) for s in (1, 2))
    points, scores = decode(plain, mirrored, flip_shift=0.75)
    expected, expected_scores = decode(blend_flipped(plain, mirrored, 0.75))
    np.testing.assert_array_equal(points, expected)
    np.testing.assert_array_equal(scores, expected_scores)
    assert (points != decode(plain)[0]).any()
