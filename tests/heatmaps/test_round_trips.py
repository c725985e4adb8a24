"""Written and read by one codec a point comes back; read by another it does not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kpkit.heatmaps.codecs import Codec
from kpkit.heatmaps.decode import decode
from kpkit.models.network import Output
from kpkit.specs.recipe import CodecSpec
from kpkit.training.targets import draw_targets

TARGETS = {
    "gaussian": {"sigmas": [2.0]},
    "patch": {"target": "patch", "sigmas": [2.0]},
    "kernel": {"target": "kernel", "kernels": [7]},
}


def written(table: dict, codec: Codec, crop: np.ndarray) -> np.ndarray:
    """(N, K, 2) crop pixels -> maps of peak 1, drawn as training draws them."""
    spec = CodecSpec.model_validate({"convention": codec.convention, "peak": 255.0} | table)
    points = torch.from_numpy(crop)
    maps = draw_targets(
        spec, codec, [Output(stride=codec.stride)], points, torch.ones(points.shape[:2]).bool()
    )
    return maps[0].numpy() / spec.peak


@given(
    st.sampled_from(["classic", "megvii", "unbiased"]),
    st.sampled_from(sorted(TARGETS)),
    st.sampled_from([(256, 192), (384, 288)]),
    st.sampled_from([2, 4]),
    st.integers(0, 2**32),
)
@settings(max_examples=60, deadline=None)
def test_points_come_back(
    convention: str, target: str, size: tuple[int, int], stride: int, seed: int
) -> None:
    """Sub-pixel targets within a twentieth of a heatmap pixel, whole-pixel ones within half of one.

    Away from the border: a blurred pixel right beside it is highest on it.
    """
    codec = Codec(convention, size, stride, 1.25)
    low, high = codec.to_crop(np.array([[2.0, 2.0], [codec.shape[1] - 3.0, codec.shape[0] - 3.0]]))
    crop = np.random.default_rng(seed).uniform(low, high, (1, 17, 2))
    maps = written(TARGETS[target], codec, crop)
    exact = target == "gaussian" or (target, convention) == ("patch", "unbiased")
    error = codec.to_crop(decode(maps, refine="parabola" if exact else "argmax")[0]) - crop
    a_pixel = codec.to_crop(np.ones(2)) - codec.to_crop(np.zeros(2))
    assert (np.abs(error) <= a_pixel * (0.05 if exact else 0.5 + 1e-6)).all()
    if not exact:  # no side is favoured
        assert np.abs(error.mean(axis=(0, 1)) / a_pixel).max() < 0.35


@pytest.mark.parametrize(
    ("writes", "reads", "off"),
    [("megvii", "classic", -2.0), ("classic", "megvii", 2.0)],
)
def test_another_codec_reads_two_pixels_beside(writes: str, reads: str, off: float) -> None:
    writer, reader = (Codec(name, (256, 192), 4, 1.25) for name in (writes, reads))
    crop = np.random.default_rng(0).uniform(20, 170, (1, 17, 2))
    found = reader.to_crop(decode(written(TARGETS["gaussian"], writer, crop))[0])
    np.testing.assert_allclose(found - crop, off, atol=0.2)


def test_a_truncated_place_read_without_the_offset_is_biased() -> None:
    """int(x / 4) lies 0 to 4 crop pixels left of the point: 4x + 2 is what brings it back on average."""
    codec = Codec("megvii", (256, 192), 4, 1.0)
    crop = np.random.default_rng(1).uniform(20, 170, (8, 17, 2))
    pixels = decode(written(TARGETS["kernel"], codec, crop), refine="argmax")[0]
    np.testing.assert_array_equal(pixels, np.floor(crop / 4))
    assert np.abs((codec.to_crop(pixels) - crop).mean()) < 0.2
    assert (4 * pixels - crop).mean() == pytest.approx(-2, abs=0.2)
