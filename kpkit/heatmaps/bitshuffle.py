"""Bytes to planes of bits and back: the high bits of a heatmap are nearly all 0, and then compress well."""

from __future__ import annotations

import numpy as np

from kpkit.core import compiled


def bitshuffle(values: np.ndarray) -> np.ndarray:
    """All lowest bits, eight to a byte with the first in the lowest, then all second bits, and so on.

    Args:
        values: uint8 of any shape and number; filled up with 0 to a multiple of eight.

    Returns:
        (8, ceil(values.size / 8)) uint8.
    """
    flat = np.ascontiguousarray(values).reshape(-1)
    if flat.size % 8:
        flat = np.concatenate([flat, np.zeros(-flat.size % 8, np.uint8)])
    if compiled.available():
        from kpkit.heatmaps.packing_kernels import shuffle

        planes = np.empty((8, flat.size // 8), np.uint8)
        shuffle(flat.view("<u8"), planes)
        return planes
    bits = np.unpackbits(flat, bitorder="little").reshape(-1, 8)
    return np.ascontiguousarray(np.packbits(bits.T, axis=1, bitorder="little"))


def unbitshuffle(planes: np.ndarray, size: int) -> np.ndarray:
    """The first ``size`` bytes that ``bitshuffle`` took apart into (8, n) planes."""
    if compiled.available():
        from kpkit.heatmaps.packing_kernels import unshuffle

        words = np.empty(planes.shape[1], "<u8")
        unshuffle(planes, words)
        return words.view(np.uint8)[:size]
    bits = np.unpackbits(planes, axis=1, bitorder="little")
    return np.packbits(bits.T, axis=1, bitorder="little").reshape(-1)[:size]
