"""Compiled kernels of packing and bitshuffle; equal bits to their plain twins (packing.py, bitshuffle.py)."""

from __future__ import annotations

import numpy as np

from kpkit.core.compiled import kernel
from kpkit.heatmaps.packing import FLAT, LEVELS

_MOST = np.float32(LEVELS)
_INFINITE = 0x7F800000
_WHOLE = np.float32(8388608)
"""2 to the 23: a float32 that is added to it and taken away again is rounded to the nearest even integer."""


@kernel()
def quantise(maps: np.ndarray, steps: np.ndarray, scale: np.ndarray, zero: np.ndarray) -> bool:
    """Steps, scale and zero of each map; False for NaN or infinity in one.

    Args:
        maps: (M, P) float32.
        steps: (M, P) uint8, filled.
        scale: (M,) float32, filled.
        zero: (M,) uint8, filled.
    """
    for m in range(len(maps)):
        values = maps[m]
        # floats ordered as integers, whose minimum and maximum are found many at once, NaN included
        bits = values.view(np.int32)
        lowest, highest = np.int32(0), np.int32(0)
        for i in range(len(bits)):
            key = bits[i] ^ ((bits[i] >> np.int32(31)) & np.int32(0x7FFFFFFF))
            lowest, highest = min(lowest, key), max(highest, key)
        if highest >= _INFINITE or lowest <= ~_INFINITE:
            return False
        low = np.int32(lowest ^ ((lowest >> np.int32(31)) & np.int32(0x7FFFFFFF))).view(np.float32)
        high = np.int32(highest).view(np.float32)
        step = (high - low) / _MOST
        if not np.isfinite(step):
            return False
        step = step if step >= FLAT else np.float32(0)
        per_value = np.float32(1) / step if step > 0 else np.float32(0)
        nothing = (-low * per_value + _WHOLE) - _WHOLE
        for i in range(len(values)):
            value = min(max(values[i] * per_value + nothing, np.float32(0)), _MOST)
            steps[m, i] = np.uint8(np.int32((value + _WHOLE) - _WHOLE))
        scale[m], zero[m] = step, np.uint8(nothing)
    return True


@kernel()
def dequantise(steps: np.ndarray, scale: np.ndarray, zero: np.ndarray, maps: np.ndarray) -> None:
    """(M, P) uint8 steps of (M,) scales and zeros -> (M, P) float32 maps, filled."""
    for m in range(len(steps)):
        factor, nothing = scale[m], np.float32(zero[m])
        for i in range(steps.shape[1]):
            maps[m, i] = (np.float32(steps[m, i]) - nothing) * factor


@kernel()
def shuffle(words: np.ndarray, planes: np.ndarray) -> None:
    """(n,) uint64, eight bytes each -> (8, n) uint8 planes of bits, filled."""
    for i in range(len(words)):
        word = _transposed(words[i])
        for plane in range(8):
            planes[plane, i] = (word >> np.uint64(8 * plane)) & np.uint64(255)


@kernel()
def unshuffle(planes: np.ndarray, words: np.ndarray) -> None:
    """The way back."""
    for i in range(len(words)):
        word = np.uint64(0)
        for plane in range(8):
            word |= np.uint64(planes[plane, i]) << np.uint64(8 * plane)
        words[i] = _transposed(word)


@kernel(inline="always")
def _transposed(word: np.uint64) -> np.uint64:
    """Bit i of byte j becomes bit j of byte i: blocks of 1, 2 and 4 bits change places."""
    for distance, mask in (
        (np.uint64(7), np.uint64(0x00AA00AA00AA00AA)),
        (np.uint64(14), np.uint64(0x0000CCCC0000CCCC)),
        (np.uint64(28), np.uint64(0x00000000F0F0F0F0)),
    ):
        changed = (word ^ (word >> distance)) & mask
        word = word ^ changed ^ (changed << distance)
    return word
