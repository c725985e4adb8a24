"""Codes of 16 bits: what is lost far from the top and near it; the maximum stays; both kernels are equal."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpkit.core import compiled
from kpkit.heatmaps.blend import weighted_mean
from kpkit.heatmaps.codes import dequantise, join, least_step, quantise, split
from kpkit.heatmaps.decode import decode
from kpkit.heatmaps.packing import pack
from tests.heatmaps.drawn import noisy_peaks

seeds = st.integers(0, 2**32)


@pytest.fixture(params=["compiled", "plain"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both kernels, where there are two."""
    if request.param == "plain":
        monkeypatch.setattr(compiled, "available", lambda: False)
    elif not compiled.available():
        pytest.skip(f"no compiled kernels: {compiled.fault()}")
    return str(request.param)


def kept(maps: np.ndarray) -> np.ndarray:
    out = np.full(maps.shape, np.nan, np.float32)
    dequantise(*quantise(maps), out)
    return out


def in_steps(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, K, 1, 1) value of a step of each map and of its maximum, at least 0."""
    high = np.maximum(maps.max(axis=(2, 3), keepdims=True), 0)
    step = (high - np.minimum(maps.min(axis=(2, 3), keepdims=True), 0)) / 255
    return 2 ** np.ceil(np.log2(np.maximum(step, 1e-30))) * (step > 0), high


@given(seeds)
@settings(max_examples=30, deadline=None)
def test_a_value_is_off_by_half_a_step_and_near_the_top_by_a_128th(seed: int) -> None:
    maps = noisy_peaks(seed)
    off = np.abs(kept(maps) - maps)
    step, high = in_steps(maps)
    assert (off <= step / 2 * 1.001).all()
    near = (maps > high / 16 + step) & (step > 0)
    assert near.any() and (off <= step / 128 * 1.01)[near].all()
    assert (kept(maps)[maps == 0] == 0).all()


def test_zero_is_a_step_of_every_map() -> None:
    maps = noisy_peaks(0)
    maps[:, :, 0, 0] = 0
    assert (kept(maps)[:, :, 0, 0] == 0).all()


def test_a_16th_of_the_way_from_zero_to_the_top() -> None:
    zero, top = np.array([0, 15, 128, 200, 255], np.uint8), np.array([255, 255, 160, 199, 255])
    np.testing.assert_array_equal(least_step(zero, top), [15, 30, 130, 200, 255])
    maps = np.full((1, 1, 1, 8), -0.1, np.float32)
    maps[0, 0, 0, :3] = 10, 0.8, 0.45
    steps, parts = split(*quantise(maps)[::2])
    assert len(parts) == 2 and steps[0, 0, 0, 2] < steps[0, 0, 0, 1]


@pytest.mark.parametrize("seed", range(5))
def test_compiled_and_plain_kernels_are_equal(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if not compiled.available():
        pytest.skip(f"no compiled kernels: {compiled.fault()}")
    maps = noisy_peaks(seed, 4, 7, (8, 6 + seed))
    maps[2] = np.round(maps[2], 1)  # with many equal values
    maps[3, :, 3] = maps[3, :, 4] + np.float32(1e-6)

    def all_ways() -> list[np.ndarray]:
        codes, scale, zero = quantise(maps)
        steps, parts = split(codes, zero)
        return [codes, scale, zero, steps, parts, join(steps, parts, zero), kept(maps)]

    fast = all_ways()
    monkeypatch.setattr(compiled, "available", lambda: False)
    for number, (a, b) in enumerate(zip(fast, all_ways(), strict=True)):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b, err_msg=str(number))


def test_bytes_come_back_together(way: str) -> None:
    codes, _, zero = quantise(noisy_peaks(5, shape=(20, 16)))
    steps, parts = split(codes, zero)
    np.testing.assert_array_equal(join(steps, parts, zero), codes)
    assert len(parts) == (steps >= least_step(zero, steps.max(axis=(2, 3)))[:, :, None, None]).sum() > 0
    for wrong in (parts[:-1], np.append(parts, np.int8(0))):
        with pytest.raises(ValueError, match=f"{len(wrong)} second bytes for {len(parts)} pixels"):
            join(steps, wrong, zero)


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as drawn": lambda maps: maps,
    "eight bits": lambda maps: (maps.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32),
    "many equal": lambda maps: np.round(maps, 1),
    "all but flat": lambda maps: np.float32(0.7) + maps * np.float32(1e-5),
    "far below zero": lambda maps: np.where(maps < 0.001, np.float32(-1), maps * np.float32(1e-3)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_first_highest_pixel_stays(change: str, way: str) -> None:
    """As decode finds it: no pixel before it comes back as high as it, none behind it higher."""
    for seed in range(20):
        maps = np.ascontiguousarray(CHANGES[change](noisy_peaks(seed)))
        found = kept(maps).reshape(15, -1)
        flat = maps.reshape(15, -1)
        positive = flat.max(axis=1) > 0
        np.testing.assert_array_equal(found.argmax(axis=1)[positive], flat.argmax(axis=1)[positive])
        steps, parts = split(*quantise(maps)[::2])
        np.testing.assert_array_equal(join(steps, parts, quantise(maps)[2]), quantise(maps)[0])


@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_nothing_is_lost_near_the_top_of_half_floats(half: str, way: str) -> None:
    for seed in range(10):
        maps = noisy_peaks(seed)[1:]
        maps = (
            CHANGES["eight bits"](maps) if half == "bfloat16" else maps.astype(np.float16).astype(np.float32)
        )
        step, high = in_steps(maps)
        near = (maps > high / 16 + step) & (high > maps.min(axis=(2, 3), keepdims=True) / -8)
        assert near.any()
        np.testing.assert_array_equal(kept(maps)[near], maps[near])


@pytest.mark.parametrize("rule", [{}, {"blur": 11}, {"refine": "dark_udp", "refine_blur": 11}], ids=str)
def test_points_of_a_mean_hardly_move(rule: dict) -> None:
    """The store's promise: 99 % within 0.02 pixels, all within 0.05, where peaks stand on quiet ground."""
    rng = np.random.default_rng(0)
    y, x = np.indices((48, 36), dtype=np.float32)
    centre = rng.uniform(3, 32, (2, 16, 17, 1, 1, 2))
    members = []
    for _ in range(4):
        maps = np.zeros((16, 17, 48, 36))
        for (cx, cy), height in zip(np.moveaxis(centre, -1, 1), (1, 0.9), strict=True):
            off = rng.normal(0, 0.4, (2, 16, 17, 1, 1))
            height = height * rng.normal(1, 0.1, (16, 17, 1, 1))
            maps += height * np.exp(-((x - cx - off[0]) ** 2 + (y - cy - off[1]) ** 2) / 8)
        members.append((maps + rng.normal(0, 0.003, maps.shape)).astype(np.float32))
    exact, stored = (
        decode(weighted_mean(made, [1.0] * 4), **rule)[0]
        for made in (members, [pack(m, "u8") for m in members])
    )
    off = np.linalg.norm(exact - stored, axis=2)
    assert np.quantile(off, 0.99) <= 0.02 and off.max() <= 0.05
