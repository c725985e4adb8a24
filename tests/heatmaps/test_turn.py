"""Views of turned and scaled crops, brought back: points stay at their place in the picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kpkit.core.crops import transform
from kpkit.core.errors import KpkitError
from kpkit.heatmaps.codecs import Codec
from kpkit.heatmaps.decode import decode
from kpkit.heatmaps.encode import gaussian_targets
from kpkit.heatmaps.grid import to_codec

BOX = np.array([[30.0, 20.0, 60.0, 90.0], [5.0, 8.0, 80.0, 40.0], [0.0, 0.0, 33.3, 77.7]])
CODECS = {
    "classic": Codec("classic", (128, 96), 4, 1.25),
    "megvii": Codec("megvii", (128, 96), 4, 1.0, (1.09, 1.135)),
    "unbiased": Codec("unbiased", (128, 96), 4, 1.25),
    "fine": Codec("classic", (96, 96), 2, 1.25),
}


def pictured(seed: int = 0, keypoints: int = 17) -> np.ndarray:
    """(N, K, 2) picture points well inside the boxes, wherever these are turned to."""
    rng = np.random.default_rng(seed)
    angle, radius = rng.uniform(0, 2 * np.pi, (3, keypoints)), rng.uniform(0, 0.4, (3, keypoints))
    side = BOX[:, 2:].min(axis=1)[:, None]
    off = np.stack([np.cos(angle), np.sin(angle)], axis=2) * (radius * side)[..., None]
    return (BOX[:, :2] + BOX[:, 2:] / 2)[:, None] + off


def drawn(codec: Codec, points: np.ndarray, sigma: float = 2.0) -> np.ndarray:
    """Maps of the codec's crops that show picture points."""
    places = torch.from_numpy(codec.to_heatmap(transform(codec.matrices(BOX), points)))
    return gaussian_targets(places, torch.ones(places.shape[:2]).bool(), codec.shape, sigma).numpy()


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS.keys())
@pytest.mark.parametrize("rotation", [-30.0, 7.5, 45.0, 90.0, 180.0])
@pytest.mark.parametrize("scale", [0.9, 1.0, 1.3])
def test_a_view_brought_back_shows_the_same_points(codec: Codec, rotation: float, scale: float) -> None:
    view = codec.view(scale, rotation)
    points = pictured()
    back = to_codec(drawn(view, points), view, codec, BOX)
    assert back.shape == (3, 17, *codec.shape) and back.dtype == np.float32
    found, value = decode(back)
    right = codec.to_heatmap(transform(codec.matrices(BOX), points))
    assert np.linalg.norm(found - right, axis=2).max() < 0.08  # the parabola itself is up to 0.04 off
    assert np.abs((found - right).mean(axis=(0, 1))).max() < 0.01
    assert value.min() > 0.9 and value.max() < 1.02


def test_turned_views_reach_other_members_grids() -> None:
    """Another convention, stride and aspect: the crops do not lie in each other alike for all boxes."""
    points = pictured(1)
    for source in CODECS.values():
        for target in CODECS.values():
            view = source.view(1.1, 20.0)
            found, _ = decode(to_codec(drawn(view, points), view, target, BOX))
            right = target.to_heatmap(transform(target.matrices(BOX), points))
            assert np.linalg.norm(found - right, axis=2).max() < 0.2, (source.id, target.id)
            assert np.abs((found - right).mean(axis=(0, 1))).max() < 0.03, (source.id, target.id)


def test_the_content_turns_counter_clockwise() -> None:
    codec = CODECS["classic"].view(1.0, 90.0)
    centre = BOX[:1, :2] + BOX[:1, 2:] / 2
    right_of_it = transform(codec.matrices(BOX[:1]), centre[:, None] + [[10.0, 0.0]])[0, 0]
    middle = transform(codec.matrices(BOX[:1]), centre[:, None])[0, 0]
    assert right_of_it[0] == pytest.approx(middle[0])
    assert right_of_it[1] < middle[1]  # what was right of the middle is above it


def test_quarter_turns_lose_nothing() -> None:
    """A square unbiased crop has its pixels on each other after a quarter turn."""
    codec = Codec("unbiased", (64, 64), 4, 1.25)
    maps = np.random.default_rng(0).random((3, 2, 16, 16), np.float32)
    for rotation, turns in ((90.0, -1), (180.0, 2), (-90.0, 1)):
        back = to_codec(maps, codec.view(1.0, rotation), codec, BOX)
        np.testing.assert_allclose(back, np.rot90(maps, turns, axes=(2, 3)), atol=1e-5)


def test_what_a_view_does_not_show_is_zero() -> None:
    codec = CODECS["classic"]
    ones = np.ones((3, 1, *codec.shape), np.float32)
    back = to_codec(ones, codec.view(1.0, 45.0), codec, BOX)
    corners = back[:, :, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert (corners == 0).all()
    height, width = codec.shape
    middle = back[:, :, height // 2 - 8 : height // 2 + 8, width // 2 - 8 : width // 2 + 8]
    np.testing.assert_allclose(middle, 1, atol=1e-5)


def test_plain_views_are_the_codec() -> None:
    codec = CODECS["megvii"]
    assert codec.view(1.0, 0.0) == codec
    assert codec.view(1.25, -15.0).id == "megvii-128x96-s4-m1.09x1.135-p1.25-r-15"
    maps = drawn(codec, pictured())
    assert to_codec(maps, codec.view(1.0, 0.0), codec, BOX) is maps


def test_grids_turned_alike_are_not_resampled() -> None:
    codec = CODECS["classic"]
    with pytest.raises(KpkitError, match="turned alike"):
        to_codec(drawn(codec, pictured()), codec.view(1.0, 10.0), codec.view(1.2, 10.0), BOX)
