"""Decoding against the numbers of the peers' own code, planted cases included, within 1e-4 of a pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kpkit.core import compiled
from kpkit.heatmaps.decode import decode

pytestmark = pytest.mark.shared


@pytest.fixture(params=["compiled", "plain"])
def golden(
    shared: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> dict[str, np.ndarray]:
    """The arrays, with compiled kernels and with plain numpy."""
    if request.param == "plain":
        monkeypatch.setattr(compiled, "available", lambda: False)
    return dict(np.load(shared / "golden/decode.npz"))


def test_dark(golden: dict[str, np.ndarray]) -> None:
    points, scores = decode(golden["heatmaps"], refine="dark", refine_blur=11)
    np.testing.assert_allclose(points, golden["dark_heatmap_coords"], atol=1e-4)
    np.testing.assert_allclose(scores, golden["dark_maxvals"][..., 0], atol=1e-6)


def test_udp(golden: dict[str, np.ndarray]) -> None:
    """Its transform has 47 x 63 steps between the outermost pixels. The map below zero it puts at -1, -1."""
    points, scores = decode(golden["heatmaps"], refine="dark_udp", refine_blur=11, border="reflect")
    size = golden["scale"][:, None] * 200
    image = (points / [47, 63] - 0.5) * size + golden["center"][:, None]
    there = golden["udp_dark_maxvals"][..., 0] > 0
    assert (~there).sum() == 1
    np.testing.assert_allclose(image[there], golden["udp_dark_final"][there], atol=1e-4)
    np.testing.assert_allclose(scores, golden["udp_dark_maxvals"][..., 0], atol=1e-6)


def test_mspn(golden: dict[str, np.ndarray]) -> None:
    """Crop pixel 4x + 2; a score of 255 x / 255 + 0.5, which of a map below zero is read at (0, 0)."""
    maps = golden["heatmaps"]
    points, scores = decode(maps, refine="quarter_second", blur=5)
    size = golden["scale"][:, None] * 200
    image = ((points * 4 + 2) / [192, 256] - 0.5) * size + golden["center"][:, None]
    np.testing.assert_allclose(image, golden["mspn_final"], atol=1e-4)
    scores = np.where(scores > 0, scores, maps[:, :, 0, 0])
    np.testing.assert_allclose(scores + 0.5, golden["mspn_scores"][..., 0], atol=1e-6)


def test_cpn(golden: dict[str, np.ndarray]) -> None:
    """It divides each map by its maximum, which turns the one below zero over; scores are read before."""
    maps = golden["heatmaps"]
    points, _ = decode(maps / maps.max((2, 3), keepdims=True), refine="quarter_second", blur=21)
    low, high = np.split(golden["cpn_crop_xyxy"][:, None], 2, axis=2)
    image = (points * 4 + 2) / [192, 256] * (high - low) + low
    np.testing.assert_allclose(image, golden["cpn_final"], atol=1e-4)
    x, y = np.rint(points).astype(int).transpose(2, 0, 1)
    scores = maps[np.arange(2)[:, None], np.arange(17), y, x]
    np.testing.assert_allclose(scores + 0.5, golden["cpn_scores"], atol=1e-6)


def test_mmpose_megvii(golden: dict[str, np.ndarray]) -> None:
    """Quarter steps on filtered maps, half a pixel on; beside the border its rule is not HRNet's."""
    points, _ = decode(golden["heatmaps"], refine="quarter", blur=5)
    size = golden["scale"][:, None] * 200
    image = ((points + 0.5) * 4 / [192, 256] - 0.5) * size + golden["center"][:, None]
    inside = ((points > 2) & (points < [45, 61])).all(2)
    assert inside.sum() == 23
    np.testing.assert_allclose(image[inside], golden["mmpose_megvii_final"][inside], atol=1e-4)
