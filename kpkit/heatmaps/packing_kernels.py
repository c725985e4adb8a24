"""Compiled kernels of packing and bitshuffle; equal bits to their plain twins (codes.py, bitshuffle.py)."""

from __future__ import annotations

import numpy as np

from kpkit.core.compiled import kernel
from kpkit.heatmaps.codes import FLAT, LEVELS, PARTS, SHARE

_MOST = np.float32(LEVELS)
_PARTS, _BELOW, _ABOVE = np.float32(PARTS), np.float32(PARTS // 2), np.float32(PARTS // 2 - 1)
"""Codes of a step, and how far below and above it they go (codes.py)."""
_HALF = np.float32(0.5)
_BLOCK = 64
"""Pixels looked at at once for one near the top."""
_INFINITE = 0x7F800000
_WHOLE = np.float32(8388608)
"""2 to the 23: a float32 that is added to it and taken away again is rounded to the nearest even integer."""


@kernel()
def quantise(maps: np.ndarray, codes: np.ndarray, scale: np.ndarray, zero: np.ndarray) -> bool:
    """Codes, scale and zero of each map; False for NaN or infinity in one.

    Args:
        maps: (M, P) float32.
        codes: (M, P) uint16, filled.
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
        # up to a power of two
        bits_of = (np.float32(step).view(np.int32) + np.int32(0x7FFFFF)) & np.int32(0x7F800000)
        step = np.int32(bits_of).view(np.float32)
        step = step if step >= FLAT else np.float32(0)
        per_value = np.float32(1) / step if step > 0 else np.float32(0)
        nothing = (-low * per_value + _WHOLE) - _WHOLE
        scale[m], zero[m] = step, np.uint8(nothing)
        top = min(max(high * per_value + nothing, np.float32(0)), _MOST)
        least = np.float32(_least(np.int64(zero[m]), np.int64(top + _HALF)))
        for i in range(len(values)):
            value = max(values[i] * per_value + nothing, np.float32(0))
            coarse = np.float32(np.int32(min(value, _MOST) + _HALF))
            plain = coarse * _PARTS
            exact = (value * _PARTS + _WHOLE) - _WHOLE
            exact = min(max(exact, plain - _BELOW), plain + _ABOVE)
            codes[m, i] = np.uint16(np.int32(exact if coarse >= least else plain))
        if high > 0 and step > 0:
            _raise_maximum(bits, np.int32(highest), codes[m])
    return True


@kernel()
def _raise_maximum(bits: np.ndarray, highest: np.int32, codes: np.ndarray) -> None:
    """Give the first of a map's highest values the next code if a pixel before it has the same."""
    place = np.int32(len(bits))
    for i in range(len(bits)):
        place = min(place, np.int32(i) if bits[i] == highest else np.int32(len(bits)))
    equal, code = 0, codes[place]
    for i in range(place):
        equal += codes[i] == code
    if equal and (code + 128) % 256 != 255:
        codes[place] = code + 1
    elif equal:  # the last of its step: those before it give way
        for i in range(place):
            codes[i] -= codes[i] == code


@kernel(inline="always")
def _least(zero: int, top: int) -> int:
    """codes.least_step of one map."""
    return zero + (max(top, zero) - zero) // SHARE


@kernel()
def dequantise(codes: np.ndarray, scale: np.ndarray, zero: np.ndarray, maps: np.ndarray) -> None:
    """(M, P) uint16 codes of (M,) scales and zeros -> (M, P) float32 maps, filled."""
    for m in range(len(codes)):
        factor, nothing = scale[m] / _PARTS, np.float32(zero[m]) * _PARTS
        for i in range(codes.shape[1]):
            maps[m, i] = (np.float32(codes[m, i]) - nothing) * factor


@kernel()
def split(codes: np.ndarray, zero: np.ndarray, steps: np.ndarray, parts: np.ndarray) -> int:
    """Codes' two bytes; the number of second ones.

    Args:
        codes: (M, P) uint16.
        zero: (M,) uint8, the step of 0.
        steps: (M, P) uint8, filled.
        parts: (M * P,) int8, its beginning filled.
    """
    count = 0
    for m in range(len(codes)):
        for i in range(codes.shape[1]):
            steps[m, i] = (codes[m, i] + np.uint16(128)) >> np.uint16(8)
        least = _least(np.int64(zero[m]), np.int64(_highest(steps[m])))
        for begin in range(0, codes.shape[1], _BLOCK):
            end = min(begin + _BLOCK, codes.shape[1])
            if _highest(steps[m, begin:end]) >= least:
                for i in range(begin, end):
                    if steps[m, i] >= least:
                        parts[count] = np.int32(codes[m, i]) - (np.int32(steps[m, i]) << np.int32(8))
                        count += 1
    return count


@kernel()
def join(steps: np.ndarray, zero: np.ndarray, parts: np.ndarray, codes: np.ndarray) -> int:
    """The way back: ``codes`` (M, P) uint16 is filled; how many second bytes are wanted, whatever came."""
    count = 0
    for m in range(len(steps)):
        for i in range(steps.shape[1]):
            codes[m, i] = np.uint16(steps[m, i]) << np.uint16(8)
        least = _least(np.int64(zero[m]), np.int64(_highest(steps[m])))
        for begin in range(0, steps.shape[1], _BLOCK):
            end = min(begin + _BLOCK, steps.shape[1])
            if _highest(steps[m, begin:end]) >= least:
                for i in range(begin, end):
                    if steps[m, i] >= least:
                        if count < len(parts):
                            codes[m, i] = np.int32(codes[m, i]) + parts[count]
                        count += 1
    return count


@kernel(inline="always")
def _highest(steps: np.ndarray) -> np.uint8:
    """The highest of some steps; many are looked at at once."""
    highest = np.uint8(0)
    for i in range(len(steps)):
        highest = max(highest, steps[i])
    return highest


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
