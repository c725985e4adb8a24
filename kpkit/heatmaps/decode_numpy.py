"""Decoding in plain numpy: a person at a time through the caches, then all keypoints' windows at once."""

from __future__ import annotations

import cv2
import numpy as np

from kpkit.core.errors import KpkitError
from kpkit.heatmaps.blur import blur_maps, convolve
from kpkit.heatmaps.flip import shift_right
from kpkit.heatmaps.peaks import filtered_peaks, fits, from_inside, inside_windows, windows
from kpkit.heatmaps.rule import NOT_FINITE, Found, Rule

_CHUNK_BYTES = 1 << 18
"""Heatmaps per pass: the temporaries of more leave a core's second cache."""
_FILTERED_CHUNK_BYTES = 1 << 21
"""The same where filtered maxima are looked for, by many small operations."""


def find_arrays(maps: np.ndarray, flipped: np.ndarray | None, rule: Rule) -> Found:
    """The highest pixels of (N, K, h, w) maps and what the refinement reads."""
    n, keypoints, height, width = maps.shape
    taps = rule.taps if rule.refine_taps is None else rule.refine_taps
    reach = rule.radius + (len(taps) - 1 if taps is not None else 0)
    found = Found.empty(n * keypoints, rule)
    around = np.empty((n * keypoints, 2 * reach + 1, 2 * reach + 1), np.float32)
    chunk = _CHUNK_BYTES if rule.taps is None else _FILTERED_CHUNK_BYTES
    inside = not rule.reflect and fits(maps.shape, reach)
    step = max(1, chunk // (keypoints * height * width * 4))
    buffers = np.empty((2, min(step, n), keypoints, height, width), np.float32)
    for begin in range(0, n, step):
        people = slice(begin, begin + step)
        rows = slice(begin * keypoints, min(begin + step, n) * keypoints)
        doubled = _doubled_mean(maps[people], None if flipped is None else flipped[people], rule, buffers)
        doubled = doubled.reshape(-1, height, width)
        read = _peaks(doubled, rule, rows, found)
        owner = np.arange(len(doubled))
        y, x = np.divmod(found.place[rows], width)
        found.score[rows] = doubled[owner, y, x]
        if rule.radius and inside:
            around[rows] = inside_windows(read, owner, x, y, reach)
        elif rule.radius:
            around[rows] = windows(read, owner, x, y, reach, rule.reflect)
    if rule.radius and inside:  # all at once: what moves them costs more calls than work
        y, x = np.divmod(found.place, width)
        around = from_inside(around, x, y, (height, width))
    if rule.radius:
        found.values[:] = around if taps is None else convolve(around, taps)
    else:
        found.values[:] = 0.0
    if flipped is not None:  # the mean of two is half of what was added up
        for values in (found.highest, found.score, found.values):
            values *= 0.5
    return found


def _doubled_mean(
    maps: np.ndarray, flipped: np.ndarray | None, rule: Rule, buffers: np.ndarray
) -> np.ndarray:
    """Maps, or plain ones plus flipped ones: halving moves no maximum and is left to the few values read.

    ``buffers``: two arrays for at least as many maps, used again for every pass.
    """
    if flipped is None:
        return np.ascontiguousarray(maps, np.float32)
    mirrored, out = buffers[:, : len(maps)]
    back = flipped
    if rule.mirrored:
        width = maps.shape[3]
        rows = np.ascontiguousarray(flipped, np.float32).reshape(-1, width)
        cv2.flip(rows, 1, mirrored.reshape(-1, width))
        back = np.take(mirrored, rule.order, axis=1, out=out, mode="clip")  # "raise" would copy once more
    return np.add(maps, shift_right(back, rule.shift), out=out, dtype=np.float32)


def _peaks(maps: np.ndarray, rule: Rule, rows: slice, found: Found) -> np.ndarray:
    """Fill in the highest pixels of (M, h, w) maps; returns the maps that the refinement reads."""
    flat = maps.reshape(len(maps), -1)
    owner = np.arange(len(maps))
    place = flat.argmax(axis=1)
    # a NaN is the highest as well as the lowest of its map, wherever it is
    if not (np.isfinite(flat[owner, place]) & np.isfinite(flat[owner, flat.argmin(axis=1)])).all():
        raise KpkitError(NOT_FINITE)
    if rule.taps is not None and rule.refine_taps is None:
        raw = np.stack(np.divmod(place, maps.shape[2])[::-1])
        place, value, other_x, other_y = filtered_peaks(maps, raw, rule.taps, rule.reflect, rule.second)
        found.place[rows], found.highest[rows] = place, value
        if rule.second:
            found.other[0, rows], found.other[1, rows] = other_x, other_y
        return maps
    if rule.taps is not None:
        maps = blur_maps(maps[None], rule.taps, rule.reflect)[0]
        flat = maps.reshape(len(maps), -1)
        place = flat.argmax(axis=1)
    found.place[rows], found.highest[rows] = place, flat[owner, place]
    if rule.second:
        flat = flat.copy()
        flat[owner, place] = -np.inf
        found.other[1, rows], found.other[0, rows] = np.divmod(flat.argmax(axis=1), maps.shape[2])
    return maps
