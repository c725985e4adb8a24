"""Decoding compiled: each map is read once, blended into a scratch map that stays in cache, and done with.

The arithmetic is that of flip.py, blur.py and peaks.py, operation by operation: the same bits. Blend, filter
and search are one kernel, since what leaves the cache between them costs more than the arithmetic, and so one
file: a kernel calls kernels of its own file only (core/compiled.py), so that no stale machine code is loaded.
"""

from __future__ import annotations

import numpy as np

from kpkit.core.compiled import kernel
from kpkit.core.errors import KpkitError
from kpkit.heatmaps.rule import NOT_FINITE, Found, Rule

_NO_TAPS = np.zeros(0, np.float32)
_BLOCK = 512
_SLACK = np.float32(1 + 1e-5)
_HALF = np.float32(0.5)
_ZERO = np.float32(0)
_LOWEST = np.float32(-np.inf)
_inner = kernel(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)


def find_compiled(maps: np.ndarray, flipped: np.ndarray | None, rule: Rule) -> Found:
    """The highest pixels of (N, K, h, w) maps and what the refinement reads."""
    maps = np.ascontiguousarray(maps, np.float32)
    found = Found.empty(len(maps) * maps.shape[1], rule)
    mirrored = maps
    if flipped is not None:
        # read as the network made them; of a view that reads backwards that is what it looks at
        mirrored = np.ascontiguousarray(flipped if rule.mirrored else flipped[..., ::-1], np.float32)
    share = abs(rule.shift)
    finite = _find(
        maps,
        mirrored,
        rule.order,
        flipped is not None,
        1 if rule.shift < 0 else -1,
        np.float32(share),
        np.float32(1 - share),
        _NO_TAPS if rule.taps is None else rule.taps,
        _NO_TAPS if rule.refine_taps is None else rule.refine_taps,
        rule.reflect,
        rule.second,
        found.place,
        found.other,
        found.highest,
        found.score,
        found.values,
    )
    if not finite:
        raise KpkitError(NOT_FINITE)
    return found


@kernel(error_model="numpy", nogil=True)
def _find(
    maps: np.ndarray,
    mirrored: np.ndarray,
    order: np.ndarray,
    blended: bool,
    source: int,
    share: np.float32,
    rest: np.float32,
    taps: np.ndarray,
    refine_taps: np.ndarray,
    reflect: bool,
    second: bool,
    place: np.ndarray,
    other: np.ndarray,
    highest: np.ndarray,
    score: np.ndarray,
    values: np.ndarray,
) -> bool:
    n, keypoints, height, width = maps.shape
    both = len(taps) > 0 and len(refine_taps) > 0
    near_taps = refine_taps if len(refine_taps) > 0 else taps
    radius = values.shape[1] // 2
    reach = radius + max(len(near_taps) - 1, 0)
    room = 2 * max(reach, len(taps)) + 1
    mean = np.empty((height, width), np.float32)
    filtered = np.empty((height, width) if both else (0, 0), np.float32)
    top = np.empty(max(height, height * width // _BLOCK + 1), np.int32)
    line = np.empty(max(width + 2 * max(len(taps), 1), room), np.float32)
    row = np.empty(width + 2, np.float32)
    window = np.empty((room, room), np.float32)
    columns = np.empty((room, room), np.float32)
    around = np.empty((3, 3), np.float32)
    finite = True
    for i in range(n):
        for k in range(keypoints):
            m = i * keypoints + k
            if not blended:
                _copy(maps[i, k], mean)
            elif share == 0:
                _mean(maps[i, k], mirrored[i, order[k]], line, mean)
            else:
                _shifted_mean(maps[i, k], mirrored[i, order[k]], source, share, rest, line, mean)
            index, sound = _highest(mean, top)
            finite &= sound
            y, x = index // width, index % width
            read, best = mean, mean[y, x]
            if both:
                for at in range(height):
                    _filtered_row(mean, at, taps, reflect, 0, line, row)
                    for column in range(width):
                        filtered[at, column] = row[column]
                index, sound = _highest(filtered, top)
                y, x = index // width, index % width
                read, best = filtered, filtered[y, x]
            elif len(taps) > 0:
                y, x, best, other[1, m], other[0, m] = _filtered_peaks(
                    mean, y, x, taps, reflect, second, top, window, columns, around, line, row
                )
            elif second:
                other[1, m], other[0, m] = _second(mean, y, x)
            place[m] = y * width + x
            highest[m] = best
            score[m] = mean[y, x]
            if radius > 0:
                if len(near_taps) > 0:
                    _window(read, y, x, reach, reflect, window)
                    _convolve(window, 2 * radius + 1, near_taps, columns, values[m])
                else:
                    _window(read, y, x, radius, reflect, values[m])
    return finite


@_inner
def _copy(maps: np.ndarray, out: np.ndarray) -> None:
    given, taken = maps.reshape(out.size), out.reshape(out.size)
    for i in range(len(given)):
        taken[i] = given[i]


@_inner
def _mean(plain: np.ndarray, mirrored: np.ndarray, line: np.ndarray, out: np.ndarray) -> None:
    """As flip.blend_flipped without a shift, of one map and a mirrored one."""
    height, width = plain.shape
    for y in range(height):
        row, given, other = out[y], plain[y], mirrored[y]
        for x in range(width):
            line[np.uint64(width - 1 - x)] = other[x]
        for x in range(width):
            row[x] = (given[x] + line[x]) * _HALF


@_inner
def _shifted_mean(
    plain: np.ndarray,
    mirrored: np.ndarray,
    source: int,
    share: np.float32,
    rest: np.float32,
    line: np.ndarray,
    out: np.ndarray,
) -> None:
    """As flip.blend_flipped, of one map and a mirrored one; ``source`` -1 moves right and 1 left."""
    height, width = plain.shape
    middle, beside = line[1 : 1 + width], line[1 + source : 1 + source + width]
    kept = 0 if source < 0 else width - 1
    for y in range(height):
        row, given, other = out[y], plain[y], mirrored[y]
        for x in range(width):
            middle[np.uint64(width - 1 - x)] = other[x]
        for x in range(width):
            row[x] = (given[x] + (middle[x] * rest + beside[x] * share)) * _HALF
        row[kept] = (given[kept] + middle[kept]) * _HALF


@_inner
def _highest(maps: np.ndarray, top: np.ndarray) -> tuple[int, bool]:
    """Row-major index of the first highest value, and whether all are finite.

    Values are compared as the whole numbers their bits are, many at a time: those of positive floats order as
    the floats do and stand above all others. Infinity and NaN are the highest of either sign.
    """
    flat = maps.reshape(maps.size)
    signed, unsigned = flat.view(np.int32), flat.view(np.uint32)
    best, widest = np.int32(-2147483648), np.uint32(0)
    for block in range((len(flat) + _BLOCK - 1) // _BLOCK):
        begin = block * _BLOCK
        words, bits = signed[begin : begin + _BLOCK], unsigned[begin : begin + _BLOCK]
        most = np.int32(-2147483648)
        for i in range(len(words)):
            most = max(most, words[i])
            widest = max(widest, bits[i])
        top[block] = most
        best = max(best, most)
    finite = bool(best < np.int32(0x7F800000) and widest < np.uint32(0xFF800000))
    if best < 0:
        return _first_highest(flat), finite
    block = 0
    while top[block] < best:
        block += 1
    index = block * _BLOCK
    while signed[index] < best:
        index += 1
    return index, finite


@_inner
def _first_highest(flat: np.ndarray) -> int:
    index = 0
    for i in range(1, len(flat)):
        if flat[i] > flat[index]:
            index = i
    return index


@_inner
def _reflected(place: int, length: int) -> int:
    if length == 1:
        return 0
    period = 2 * (length - 1)
    inside = abs(place) % period
    return min(inside, period - inside)


@_inner
def _window(maps: np.ndarray, y: int, x: int, reach: int, reflect: bool, out: np.ndarray) -> None:
    """The (2 reach + 1)^2 pixels around y, x."""
    height, width = maps.shape
    size = 2 * reach + 1
    if y >= reach and x >= reach and y + reach < height and x + reach < width:
        for i in range(size):
            for j in range(size):
                out[i, j] = maps[y - reach + i, x - reach + j]
        return
    for i in range(size):
        row = y - reach + i
        if reflect:
            row = _reflected(row, height)
        for j in range(size):
            column = x - reach + j
            if reflect:
                column = _reflected(column, width)
            if 0 <= row < height and 0 <= column < width:
                out[i, j] = maps[row, column]
            else:
                out[i, j] = _ZERO


@_inner
def _convolve(window: np.ndarray, size: int, taps: np.ndarray, columns: np.ndarray, out: np.ndarray) -> None:
    """The middle (size, size) of a window filtered, as blur.convolve."""
    radius = len(taps) - 1
    span = size + 2 * radius
    for i in range(size):
        middle = i + radius
        for j in range(span):
            columns[i, j] = window[middle, j] * taps[0]
        for r in range(1, radius + 1):
            above, below, weight = window[middle - r], window[middle + r], taps[r]
            for j in range(span):
                columns[i, j] += (above[j] + below[j]) * weight
    for i in range(size):
        for j in range(size):
            middle = j + radius
            total = columns[i, middle] * taps[0]
            for r in range(1, radius + 1):
                total += (columns[i, middle - r] + columns[i, middle + r]) * taps[r]
            out[i, j] = total


@_inner
def _filtered_row(
    maps: np.ndarray,
    y: int,
    taps: np.ndarray,
    reflect: bool,
    ring: int,
    line: np.ndarray,
    out: np.ndarray,
) -> None:
    """Row y of the filtered map, from ``ring`` pixels before it to as many after it."""
    height, width = maps.shape
    radius = len(taps) - 1
    edge = radius + ring
    middle = line[edge : edge + width]
    for x in range(len(line)):
        line[x] = _ZERO
    if 0 <= y < height:
        given, weight = maps[y], taps[0]
        for x in range(width):
            middle[x] = given[x] * weight
    for r in range(1, radius + 1):
        above, below, weight = y - r, y + r, taps[r]
        if reflect:
            above, below = _reflected(above, height), _reflected(below, height)
        has_above, has_below = 0 <= above < height, 0 <= below < height
        if has_above and has_below:
            first, last = maps[above], maps[below]
            for x in range(width):
                middle[x] += (first[x] + last[x]) * weight
        elif has_above or has_below:
            only = maps[above] if has_above else maps[below]
            for x in range(width):
                middle[x] += only[x] * weight
    if reflect:
        for i in range(edge):
            line[edge - 1 - i] = middle[_reflected(-1 - i, width)]
            line[edge + width + i] = middle[_reflected(width + i, width)]
    wide = width + 2 * ring
    for x in range(wide):
        out[x] = line[x + radius] * taps[0]
    for r in range(1, radius + 1):
        before, after, weight = line[radius - r :], line[radius + r :], taps[r]
        for x in range(wide):
            out[x] += (before[x] + after[x]) * weight


@_inner
def _bound(top: np.ndarray, y: int, taps: np.ndarray, reflect: bool) -> np.float32:
    """What no value of filtered row y exceeds; see peaks.filtered_peaks."""
    height = len(top)
    radius = len(taps) - 1
    total = _ZERO
    for d in range(-radius, radius + 1):
        row = y + d
        if reflect:
            row = _reflected(row, height)
        if 0 <= row < height:
            total += max(top[row], _ZERO) * taps[abs(d)]
    return total * _SLACK


@_inner
def _filtered_peaks(
    maps: np.ndarray,
    raw_y: int,
    raw_x: int,
    taps: np.ndarray,
    reflect: bool,
    second: bool,
    top: np.ndarray,
    window: np.ndarray,
    columns: np.ndarray,
    around: np.ndarray,
    line: np.ndarray,
    row: np.ndarray,
) -> tuple[int, int, np.float32, int, int]:
    """Highest pixel of the filtered map, its value, and the second highest; as peaks.filtered_peaks."""
    height, width = maps.shape
    ring = 1 if second and not reflect else 0
    beside = 1 if second else 0
    _window(maps, raw_y, raw_x, len(taps) - 1 + beside, reflect, window)
    _convolve(window, 2 * beside + 1, taps, columns, around)
    sure = around[beside, beside]
    if second:
        at_border = raw_y == 0 or raw_x == 0 or raw_y == height - 1 or raw_x == width - 1
        # beside the border stand mirror images, not pixels of the map
        sure = _LOWEST if reflect and at_border else min(sure, _runner_up(around))
    words = maps.view(np.int32)
    for at in range(height):
        top[at] = 0  # a row below zero may be cut off by the border: its bound is zero
        for x in range(width):
            top[at] = max(top[at], words[at, x])
    tops = top[:height].view(np.float32)
    y, x, highest = 0, 0, _LOWEST
    # the two highest of all pixels: one of them is not the highest inside the map
    first_y, first_x, first = 0, 0, _LOWEST
    other_y, other_x, other = 0, 0, _LOWEST
    for at in range(-ring, height + ring):
        if _bound(tops, at, taps, reflect) < sure:
            continue
        _filtered_row(maps, at, taps, reflect, ring, line, row)
        for place in range(width + 2 * ring):
            value, column = row[place], place - ring
            if value > highest and 0 <= at < height and 0 <= column < width:
                y, x, highest = at, column, value
            if value > first:
                other_y, other_x, other = first_y, first_x, first
                first_y, first_x, first = at, column, value
            elif value > other:
                other_y, other_x, other = at, column, value
        if not second:
            sure = max(sure, highest)
    if first_y == y and first_x == x:
        return y, x, highest, other_y, other_x
    return y, x, highest, first_y, first_x


@_inner
def _runner_up(around: np.ndarray) -> np.float32:
    best, second = _LOWEST, _LOWEST
    for i in range(3):
        for j in range(3):
            value = around[i, j]
            second = max(second, min(best, value))
            best = max(best, value)
    return second


@_inner
def _second(maps: np.ndarray, y: int, x: int) -> tuple[int, int]:
    """The highest pixel but y, x."""
    kept = maps[y, x]
    maps[y, x] = _LOWEST
    index = _first_highest(maps.reshape(maps.size))
    maps[y, x] = kept
    return index // maps.shape[1], index % maps.shape[1]
