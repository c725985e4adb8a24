"""Arrays in the smallest type that gives every value back, bit for bit."""

from __future__ import annotations

import numpy as np

_KINDS = (np.uint8, np.int16, np.int32, np.float32)
_BLOCK = 1 << 16


def compact(values: np.ndarray) -> np.ndarray:
    """An array of 64-bit or truth values in a smaller type, or itself where none is exact.

    ``compact(values).astype(values.dtype)`` has the bits of ``values``; the sign of a zero counts. COCO's
    coordinates are whole pixels and take a quarter of the room.
    """
    if values.dtype == bool:
        return values.astype(np.uint8)
    kind = next((kind for kind in _KINDS if _keeps(values, kind)), None)
    return values if kind is None else values.astype(kind)


def _keeps(values: np.ndarray, kind: type) -> bool:
    """Whether a type gives the bits back; looked at in blocks, so that no second array of 64 bits is made."""
    flat = values.reshape(-1)
    for start in range(0, flat.size, _BLOCK):
        part = flat[start : start + _BLOCK]
        with np.errstate(invalid="ignore", over="ignore"):
            back = part.astype(kind).astype(part.dtype)
        if not np.array_equal(back.view(np.int64), part.view(np.int64)):
            return False
    return True
