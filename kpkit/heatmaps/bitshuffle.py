"""Bytes to planes of bits and back: the high bits of a heatmap are nearly all 0, and then compress well."""

from __future__ import annotations

import numpy as np


def bitshuffle(values: np.ndarray) -> np.ndarray:
    """Bytes -> their highest bits, eight to a byte, then the next bits, ... ; filled up with 0 to whole bytes.

    Args:
        values: uint8 of any shape.

    Returns:
        (8 * ceil(values.size / 8),) uint8.
    """
    flat = values.reshape(-1)
    bits = np.unpackbits(flat).reshape(-1, 8)
    return np.packbits(bits.T, axis=1).reshape(-1)


def unbitshuffle(planes: np.ndarray, size: int) -> np.ndarray:
    """The first ``size`` bytes that ``bitshuffle`` took apart."""
    bits = np.unpackbits(planes.reshape(8, -1), axis=1)
    return np.packbits(bits.T, axis=1).reshape(-1)[:size]
