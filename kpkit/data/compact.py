"""Arrays in the smallest type that gives every value back, bit for bit."""

from __future__ import annotations

import numpy as np

_KINDS = (np.uint8, np.int16, np.int32, np.float32)


def compact(values: np.ndarray) -> np.ndarray:
    """An array of 64-bit or truth values in a smaller type, or itself where none is exact.

    ``compact(values).astype(values.dtype)`` has the bits of ``values``; the sign of a zero counts. COCO's
    coordinates are whole pixels and take a quarter of the room.
    """
    if values.dtype == bool:
        return values.astype(np.uint8)
    for kind in _KINDS:
        with np.errstate(invalid="ignore", over="ignore"):
            small = values.astype(kind)
        if np.array_equal(small.astype(values.dtype).view(np.int64), values.view(np.int64)):
            return small
    return values
