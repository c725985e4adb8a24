"""Packed heatmaps: halves and codes, whole and in windows; bytes to planes of bits and back."""

from __future__ import annotations

import numpy as np
import pytest

from kpkit.core import compiled
from kpkit.core.errors import KpkitError
from kpkit.heatmaps.bitshuffle import bitshuffle, unbitshuffle
from kpkit.heatmaps.packing import Packed, pack, unpack
from tests.heatmaps.drawn import noisy_peaks


def back(packed: Packed, shape: tuple[int, ...]) -> np.ndarray:
    out = np.full(shape, np.nan, np.float32)
    unpack(packed, out)
    return out


def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "available", lambda: False)


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 1000])
@pytest.mark.parametrize("fast", [True, False])
def test_bits_come_back(size: int, fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(size).integers(0, 256, size, dtype=np.uint8)
    if not fast:
        plain(monkeypatch)
    planes = bitshuffle(values)
    assert planes.shape == (8, -(-size // 8))
    np.testing.assert_array_equal(unbitshuffle(planes, size), values)
    if size > 8:  # the lowest bits of the first eight bytes make the first byte
        assert planes[0, 0] == sum(int(v & 1) << i for i, v in enumerate(values[:8]))
        assert planes[7, 0] == sum(int(v >> 7) << i for i, v in enumerate(values[:8]))


def test_half_floats_keep_eleven_bits() -> None:
    maps = noisy_peaks(3)
    found = back(pack(maps, "f16"), maps.shape)
    np.testing.assert_array_equal(found, maps.astype(np.float16).astype(np.float32))


@pytest.mark.parametrize("format", ["u8", "f16"])
@pytest.mark.parametrize("bad", [np.nan, -np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("fast", [True, False])
def test_what_is_no_number_is_refused(
    format: str, bad: float, fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not fast:
        plain(monkeypatch)
    maps = noisy_peaks(0)
    maps[2, 4, 3, 3] = bad
    with pytest.raises(KpkitError, match="NaN"):
        pack(maps, format)  # type: ignore[arg-type]


@pytest.mark.parametrize("fast", [True, False])
def test_tiny_and_huge_values(fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not fast:
        plain(monkeypatch)
    maps = np.zeros((1, 2, 4, 4), np.float32)
    maps[0, 0, 1, 1], maps[0, 1, 1, 1] = 1e-38, 1e38
    found = back(pack(maps, "u8"), maps.shape)
    assert found[0, 0].max() == 0
    assert found[0, 1, 1, 1] == pytest.approx(1e38, rel=1e-4)
    with pytest.raises(KpkitError, match="beyond float16"):
        pack(maps, "f16")


@pytest.mark.parametrize("format", ["u8", "f16"])
def test_a_window_keeps_the_peak_and_nothing_else(format: str) -> None:
    maps = noisy_peaks(7, shape=(20, 16))
    packed = pack(maps, format, window=(7, 5))  # type: ignore[arg-type]
    assert packed.values.shape == (3, 5, 7, 5)
    found = back(packed, maps.shape)
    flat = maps.reshape(15, -1)
    for place, (whole, kept) in enumerate(zip(flat, found.reshape(15, 20, 16), strict=True)):
        y, x = divmod(int(whole.argmax()), 16)
        top, left = min(max(y - 3, 0), 13), min(max(x - 2, 0), 11)
        inside = np.zeros((20, 16), bool)
        inside[top : top + 7, left : left + 5] = True
        assert (kept[~inside] == 0).all(), place
        np.testing.assert_allclose(
            kept[inside], whole.reshape(20, 16)[inside], atol=np.ptp([0, *whole]) / 250
        )


def test_a_window_larger_than_the_map_is_the_map() -> None:
    maps = noisy_peaks(1)
    for window in ((50, 50), (12, 9)):
        np.testing.assert_array_equal(
            back(pack(maps, "u8", window), maps.shape), back(pack(maps, "u8"), maps.shape)
        )


def test_people_are_cut_and_joined() -> None:
    packed = pack(noisy_peaks(2), "u8", (4, 4))
    again = Packed.joined([packed[:1], packed[1:3]])
    for (name, a), (_, b) in zip(packed.arrays(), again.arrays(), strict=True):
        np.testing.assert_array_equal(a, b, err_msg=name)


def test_halves_are_numpy_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every float16 widened, and float32s between them narrowed: ties, subnormals, zeros of both signs."""
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    every = every[np.isfinite(every)].reshape(1, 1, -1, 8)
    wide = back(Packed(every), every.shape)
    np.testing.assert_array_equal(wide.view(np.uint32), every.astype(np.float32).view(np.uint32))
    near = np.nextafter(wide, np.float32(np.inf))
    middle = (wide[..., 1:] + wide[..., :-1]) / 2
    fast = [pack(values, "f16").values for values in (wide, near, middle)]
    plain(monkeypatch)
    for values, found in zip((wide, near, middle), fast, strict=True):
        np.testing.assert_array_equal(found.view(np.uint16), pack(values, "f16").values.view(np.uint16))
