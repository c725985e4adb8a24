"""Heatmaps as codes of 16 bits: at most 255 steps from the lowest to the highest, 256ths of one near the top.

A step is enough where a map is low. What decides a point are the pixels near the top, of this map and of its
mean with others': those of at least a 16th of the way from 0 to the highest value carry the 256ths too,
wherever they lie, so that several peaks and broad ones keep all of theirs. A file stores one byte a pixel and
a second one for these (split, join). The compiled kernels (packing_kernels.py) give equal bits.

Steps are powers of two, so that near the top nothing is lost of a network that computes in half floats
(bfloat16, float16): pixels as high as each other, which are many there, stay so in every mean.
"""

from __future__ import annotations

import numpy as np

from kpkit.core import compiled
from kpkit.core.errors import KpkitError

LEVELS = 255
"""Steps of a map."""
PARTS = 256
"""Codes of a step."""
SHARE = 16
"""Pixels from this part of the way from 0 to the maximum carry 256ths."""
FLAT = np.float32(1e-30)
"""A map whose step would be smaller is stored as 0: the step's inverse must be a float32 too."""
_NOT_FINITE = "a heatmap holds NaN or infinity and cannot be stored"


def quantise(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Codes of maps: value = scale * (code / 256 - zero).

    The steps, of the smallest power of two that will do, go from the smaller of 0 and the map's minimum to
    the larger of 0 and its maximum, and 0, most of a heatmap, is one of them. A value is off by half a step
    at most, near the top (least_step) by a 128th of one. The highest pixel, where above 0, keeps its place:
    the first of equals in the map has a code that no pixel before it has, if need be the next one.

    Args:
        maps: (N, K, h, w) float32, contiguous.

    Returns:
        (N, K, h, w) uint16 codes, (N, K) float32 scale, the value of a step, and (N, K) uint8 zero, the step
        that stands for 0.

    Raises:
        KpkitError: NaN or infinity in a map.
    """
    shape = maps.shape[:2]
    flat = maps.reshape(shape[0] * shape[1], maps.shape[2] * maps.shape[3])
    if compiled.available():
        from kpkit.heatmaps import packing_kernels

        codes = np.empty(flat.shape, np.uint16)
        scale, zero = np.empty(len(flat), np.float32), np.empty(len(flat), np.uint8)
        if not packing_kernels.quantise(flat, codes, scale, zero):
            raise KpkitError(_NOT_FINITE)
    else:
        codes, scale, zero = _quantise(flat)
    return codes.reshape(maps.shape), scale.reshape(shape), zero.reshape(shape)


def dequantise(codes: np.ndarray, scale: np.ndarray, zero: np.ndarray, out: np.ndarray) -> None:
    """Fill (N, K, h, w) float32 maps, contiguous, from what ``quantise`` returned."""
    if compiled.available():
        from kpkit.heatmaps import packing_kernels

        shape = scale.size, out.shape[2] * out.shape[3]
        packing_kernels.dequantise(
            codes.reshape(shape), scale.reshape(-1), zero.reshape(-1), out.reshape(shape)
        )
        return
    nothing, factor = np.float32(PARTS) * zero, scale / np.float32(PARTS)
    np.subtract(codes, nothing[:, :, None, None], out=out, dtype=np.float32)
    out *= factor[:, :, None, None]


def least_step(zero: np.ndarray, top: np.ndarray) -> np.ndarray:
    """The lowest step of each map, int64, whose pixels carry 256ths.

    Args:
        zero: the step of 0, (N, K).
        top: the highest step of a pixel, (N, K).
    """
    zero = zero.astype(np.int64)
    return zero + (np.maximum(top, zero) - zero) // SHARE


def split(codes: np.ndarray, zero: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Codes' two bytes: what a file keeps.

    Args:
        codes, zero: (N, K, h, w) and (N, K), of ``quantise``.

    Returns:
        (N, K, h, w) uint8 steps, and the (B,) int8 256ths of those that carry any, in reading order.
    """
    if compiled.available():
        from kpkit.heatmaps import packing_kernels

        flat = np.ascontiguousarray(codes).reshape(zero.size, codes.shape[2] * codes.shape[3])
        steps, parts = np.empty(flat.shape, np.uint8), np.empty(flat.size, np.int8)
        count = packing_kernels.split(flat, zero.reshape(-1), steps, parts)
        return steps.reshape(codes.shape), parts[:count]
    steps = ((codes + np.uint16(PARTS // 2)) >> 8).astype(np.uint8)
    carrying = steps >= least_step(zero, steps.max(axis=(2, 3)))[:, :, None, None]
    return steps, (codes[carrying] - (steps[carrying].astype(np.uint16) << 8)).astype(np.int8)


def join(steps: np.ndarray, parts: np.ndarray, zero: np.ndarray) -> np.ndarray:
    """The way back.

    Raises:
        ValueError: another number of 256ths than the steps ask for.
    """
    if compiled.available():
        from kpkit.heatmaps import packing_kernels

        flat = steps.reshape(zero.size, steps.shape[2] * steps.shape[3])
        codes = np.empty(steps.shape, np.uint16)
        count = packing_kernels.join(flat, zero.reshape(-1), parts, codes.reshape(flat.shape))
    else:
        codes = np.left_shift(steps, 8, dtype=np.uint16)
        carrying = steps >= least_step(zero, steps.max(axis=(2, 3)))[:, :, None, None]
        count = np.count_nonzero(carrying)
        if count == len(parts):
            codes[carrying] += parts.astype(np.uint16)  # of 65,536, in two's complement
    if count != len(parts):
        raise ValueError(f"{len(parts)} second bytes for {count} pixels")
    return codes


def _quantise(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(M, P) maps in plain numpy."""
    low, high = maps.min(axis=1).clip(max=0), maps.max(axis=1).clip(min=0)
    with np.errstate(invalid="ignore", over="ignore"):
        scale = (high - low) / np.float32(LEVELS)
    if not np.isfinite(scale).all():
        raise KpkitError(_NOT_FINITE)
    scale = ((scale.view(np.int32) + 0x7FFFFF) & 0x7F800000).view(np.float32)  # up to a power of two
    scale[scale < FLAT] = 0
    per_value = np.divide(np.float32(1), scale, out=np.zeros_like(scale), where=scale > 0)
    nothing = np.rint(-low * per_value)
    values = (maps * per_value[:, None] + nothing[:, None]).clip(0, None)
    steps = np.floor(
        values.clip(None, LEVELS) + np.float32(0.5)
    )  # halves up: a step's 256ths are -128 to 127
    exact = np.rint(values * PARTS).clip(PARTS * steps - PARTS // 2, PARTS * steps + (PARTS // 2 - 1))
    zero = nothing.astype(np.uint8)
    carrying = steps >= least_step(zero, steps.max(axis=1).astype(np.int64))[:, None]
    codes = np.where(carrying, exact, PARTS * steps).astype(np.uint16)
    rows, place = np.arange(len(maps)), maps.argmax(axis=1)
    top = codes[rows, place]
    equal = (codes == top[:, None]) & (np.arange(maps.shape[1]) < place[:, None])
    equal &= ((high > 0) & (scale > 0))[:, None]
    last = (top + PARTS // 2) % PARTS == PARTS - 1  # of its step: those before it give way
    codes[equal & last[:, None]] -= 1
    raised = equal.any(axis=1) & ~last
    codes[rows[raised], place[raised]] += 1
    return codes, scale, zero
