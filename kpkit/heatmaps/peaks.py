"""Highest pixels of filtered maps without filtering all of each map (CCM's order: filter, then maximum)."""

from __future__ import annotations

import numpy as np

from kpkit.heatmaps.blur import convolve
from kpkit.heatmaps.kernels import reflected

_SLACK = 1e-5
"""Share by which a bound is raised, far above float32's rounding of a filtered value."""


def filtered_peaks(
    maps: np.ndarray, raw: np.ndarray, taps: np.ndarray, reflect: bool, second: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The highest pixel of each filtered map, and the second highest if asked for.

    A filtered row holds no value above the filtered row maxima, so rows whose bound is below a filtered value
    already at hand (around the highest raw pixel) cannot hold the maximum and are left out: a few per cent
    are filtered. The result is that of the whole filter to the last bit, ties included.

    Args:
        maps: (M, h, w) finite float32.
        raw: (2, M) x and y of the highest pixels before the filter.
        taps: half kernel.
        reflect: what is outside is the map's mirror image, not zero.
        second: also the second highest. Around zero borders the pixels next to the map take part in it.

    Returns:
        (M,) row-major index into (h, w) and value of the highest; (M,) x and y of the second, -1 to w and h,
        or empty arrays where it was not asked for.
    """
    count, height, width = maps.shape
    ring = 1 if second and not reflect else 0
    top = maps.max(axis=2)
    peak_x, peak_y = raw
    near = windows(maps, np.arange(count), peak_x, peak_y, len(taps) - 1 + second, reflect)
    near = convolve(near, taps).reshape(count, -1)
    sure = near[:, near.shape[1] // 2]
    if second:
        sure = np.minimum(sure, np.partition(near, -2, axis=1)[:, -2])
        if reflect:  # beside the border stand mirror images, not pixels of the map
            at_border = (peak_x == 0) | (peak_x == width - 1) | (peak_y == 0) | (peak_y == height - 1)
            sure = np.where(at_border, -np.inf, sure)
    bound = _row_bounds(top, taps, reflect, ring)
    owner, row = np.nonzero(bound * (1 + _SLACK) >= sure[:, None])
    values = _filtered_rows(maps, owner, row - ring, taps, reflect, ring)
    starts = np.searchsorted(owner, np.arange(count))
    inside = values.copy() if ring else values
    if ring:
        inside[(row == 0) | (row == height + 1)] = -np.inf
        inside[:, [0, -1]] = -np.inf
    line, x, value = _first_highest(inside, owner, starts)
    index = (row[line] - ring) * width + x - ring
    if not second:
        return index, value, np.zeros(0, np.int64), np.zeros(0, np.int64)
    values[line, x] = -np.inf
    line, x, _ = _first_highest(values, owner, starts)
    return index, value, x - ring, row[line] - ring


def windows(
    maps: np.ndarray, owner: np.ndarray, x: np.ndarray, y: np.ndarray, radius: int, reflect: bool
) -> np.ndarray:
    """(M, 2 radius + 1, 2 radius + 1) pixels of ``maps[owner]`` around x, y; outside zero or reflected."""
    height, width = maps.shape[1:]
    if not reflect and fits(maps.shape, radius):
        return from_inside(inside_windows(maps, owner, x, y, radius), x, y, (height, width))
    offsets = np.arange(-radius, radius + 1)
    rows, columns = y[:, None] + offsets, x[:, None] + offsets
    if reflect:
        seen_y, seen_x = reflected(rows, height), reflected(columns, width)
        return maps[owner[:, None, None], seen_y[:, :, None], seen_x[:, None, :]]
    seen_y, seen_x = rows.clip(0, height - 1), columns.clip(0, width - 1)
    inside = (rows == seen_y)[:, :, None] & (columns == seen_x)[:, None, :]
    return maps[owner[:, None, None], seen_y[:, :, None], seen_x[:, None, :]] * inside


def fits(shape: tuple[int, ...], radius: int) -> bool:
    """Whether a window is no larger than the map."""
    return min(shape[-2:]) > 2 * radius


def inside_windows(
    maps: np.ndarray, owner: np.ndarray, x: np.ndarray, y: np.ndarray, radius: int
) -> np.ndarray:
    """``windows`` moved into the contiguous maps where they reach out: all are whole blocks of memory."""
    count, height, width = maps.shape
    side = 2 * radius + 1
    of_map, of_row, of_pixel = maps.strides
    shape = (count, height - side + 1, width - side + 1, side, side)
    blocks = np.ndarray(shape, maps.dtype, maps, 0, (of_map, of_row, of_pixel, of_row, of_pixel))
    found: np.ndarray = blocks[owner, (y - radius).clip(0, height - side), (x - radius).clip(0, width - side)]
    return found


def from_inside(found: np.ndarray, x: np.ndarray, y: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """What ``inside_windows`` found around x, y, back in the middle; zero outside the maps. In place."""
    side = found.shape[1]
    low = [place - side // 2 for place in (y, x)]
    out = [start - start.clip(0, whole - side) for start, whole in zip(low, shape, strict=True)]
    moved = np.nonzero((out[0] != 0) | (out[1] != 0))[0]
    rows, columns = (part[moved, None] + np.arange(side) for part in out)
    seen_y, seen_x = rows.clip(0, side - 1), columns.clip(0, side - 1)
    inside = (rows == seen_y)[:, :, None] & (columns == seen_x)[:, None, :]
    found[moved] = found[moved[:, None, None], seen_y[:, :, None], seen_x[:, None, :]] * inside
    return found


def _row_bounds(top: np.ndarray, taps: np.ndarray, reflect: bool, ring: int) -> np.ndarray:
    """(M, h + 2 ring) what no value of a filtered row exceeds, from the (M, h) maxima of the rows."""
    radius = len(taps) - 1
    height = top.shape[1]
    places = np.arange(-radius - ring, height + radius + ring)
    inside = (places >= 0) & (places < height)
    source = reflected(places, height) if reflect else places.clip(0, height - 1)
    # outside is zero, and part of a row below zero may be cut off: its bound is zero
    beside = top[:, source].clip(0, None) * (inside | reflect)
    wanted = height + 2 * ring
    bound = beside[:, radius : radius + wanted] * taps[0]
    for i in range(1, radius + 1):
        low, high = radius - i, radius + i
        bound += (beside[:, low : low + wanted] + beside[:, high : high + wanted]) * taps[i]
    return bound


def _filtered_rows(
    maps: np.ndarray, owner: np.ndarray, row: np.ndarray, taps: np.ndarray, reflect: bool, ring: int
) -> np.ndarray:
    """(L, w + 2 ring) filtered rows ``row`` of ``maps[owner]``."""
    radius = len(taps) - 1
    height, width = maps.shape[1:]
    rows = row[:, None] + np.arange(-radius, radius + 1)
    outside = (rows < 0) | (rows >= height)
    rows = reflected(rows, height) if reflect else rows.clip(0, height - 1)
    lines = maps.reshape(-1, width).take(owner[:, None] * height + rows, axis=0)
    if reflect:
        lines = lines[..., reflected(np.arange(-radius, width + radius), width)]
    else:
        lines[outside] = 0
        lines = np.pad(lines, [(0, 0), (0, 0), (radius + ring, radius + ring)])
    return convolve(lines, taps)[:, 0]


def _first_highest(
    values: np.ndarray, owner: np.ndarray, starts: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each owner's line, x and value of its highest; of equals the first line, in it the first x."""
    x = values.argmax(axis=1)
    highest = values[np.arange(len(values)), x]
    best = np.maximum.reduceat(highest, starts)
    number = np.where(highest == best[owner], np.arange(len(values)), len(values))
    line = np.minimum.reduceat(number, starts)
    return line, x[line], best
