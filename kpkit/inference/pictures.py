"""Rows of many pictures side by side, so that one array operation looks at all of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

_CELLS = 1 << 18
"""Pairs of rows looked at together: their arrays fit into a processor's cache."""


def best_first(image_id: np.ndarray, score: np.ndarray) -> np.ndarray:
    """(N,) rows by rising image id, then falling score; equal scores keep their order."""
    return np.lexsort((-score, image_id))


def picture_starts(image_id: np.ndarray) -> np.ndarray:
    """(P + 1,) where each picture begins in sorted ids, and their number."""
    first = np.flatnonzero(image_id[1:] != image_id[:-1]) + 1
    return np.concatenate([[0], first, [len(image_id)]]) if len(image_id) else np.zeros(1, np.int64)


def rank_in_picture(image_id: np.ndarray) -> np.ndarray:
    """(N,) sorted ids -> position of each row within its picture."""
    starts = picture_starts(image_id)
    return np.arange(len(image_id)) - np.repeat(starts[:-1], np.diff(starts))


def side_by_side(starts: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pictures of about one size in a table each.

    Memory grows with the square of the most rows a picture has.

    Args:
        starts: as of ``picture_starts``.

    Yields:
        (B, n) rows of B pictures, in order, and (B, n) bool: which of them are there; the others are 0.
    """
    count = np.diff(starts)
    order = np.argsort(count, kind="stable")
    begin = 0
    while begin < len(order):
        # the last picture of a table is its largest: grow the table while the cells stay few
        longest = count[order[begin:]]
        fits = np.arange(1, len(longest) + 1) * longest**2 <= _CELLS
        end = begin + max(int(fits.argmin()) if not fits.all() else len(fits), 1)
        chosen = order[begin:end]
        place = np.arange(count[chosen[-1]])
        there = place < count[chosen][:, None]
        yield np.where(there, starts[chosen][:, None] + place, 0), there
        begin = end
