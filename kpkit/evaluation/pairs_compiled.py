"""Compiled kernel of ``pairs``: the same operations in the same order as its plain twin."""

from __future__ import annotations

import numpy as np

from kpkit.core.compiled import kernel
from kpkit.evaluation.pairs import EPS, Pairs

_ROOM = 16_384
"""Exponentials taken at once: numpy's are quicker than a loop's, and are those pycocotools takes."""


def similarity(
    keypoints: np.ndarray,
    box: np.ndarray,
    area: np.ndarray,
    poses: np.ndarray,
    pairs: Pairs,
    variance: np.ndarray,
) -> None:
    """Fill ``pairs.similarity``: keypoints, box and area of its people, keypoints of all poses."""
    result = pairs.similarity
    image = np.repeat(np.arange(len(pairs.people_from) - 1), np.diff(pairs.poses_from))
    first, end = pairs.people_from[image], pairs.people_from[image + 1]
    room = np.empty(_ROOM + len(variance))
    count = np.empty(_ROOM, np.int64)
    pose, person, pair = 0, 0, 0
    while pair < len(result):
        pose, person, used, made = _fill(
            keypoints, box, area, poses, pairs.poses, first, end, variance, pose, person, room, count
        )
        np.exp(room[:used], out=room[:used])
        _add_up(room, count[:made], result[pair : pair + made])
        pair += made


@kernel(error_model="numpy")
def _fill(  # type: ignore[no-untyped-def]
    keypoints, box, area, poses, rows, first, end, variance, pose, person, room, count
):
    """Exponents of the pairs from (pose, person) on, until the room is full.

    Returns the next pair, how many exponents there are and of how many pairs.
    """
    k_all = len(variance)
    used = made = 0
    while pose < len(rows):
        at = rows[pose]
        g = max(person, first[pose])
        while g < end[pose]:
            if used + k_all > len(room) or made == len(count):
                return pose, g, used, made
            scale = area[g] + EPS
            n = 0
            for k in range(k_all):
                if keypoints[g, k, 2] > 0:
                    dx = poses[at, k, 0] - keypoints[g, k, 0]
                    dy = poses[at, k, 1] - keypoints[g, k, 1]
                    room[used + n] = -((dx * dx + dy * dy) / variance[k] / scale / 2)
                    n += 1
            if n == 0:
                x0, x1 = box[g, 0] - box[g, 2], box[g, 0] + box[g, 2] * 2
                y0, y1 = box[g, 1] - box[g, 3], box[g, 1] + box[g, 3] * 2
                for k in range(k_all):
                    x, y = poses[at, k, 0], poses[at, k, 1]
                    dx = max(0.0, x0 - x) + max(0.0, x - x1)
                    dy = max(0.0, y0 - y) + max(0.0, y - y1)
                    room[used + k] = -((dx * dx + dy * dy) / variance[k] / scale / 2)
                n = k_all
            count[made] = n
            used += n
            made += 1
            g += 1
        pose += 1
        person = 0
    return pose, person, used, made


@kernel(error_model="numpy")
def _add_up(values, count, result):  # type: ignore[no-untyped-def]
    """Means of runs of values. From eight values on, numpy adds in eight lanes and joins them in pairs."""
    start = 0
    lane = np.empty(8)
    for pair in range(len(count)):
        n = count[pair]
        total = 0.0
        whole = 0
        if n >= 8:
            whole = n - n % 8
            for j in range(8):
                lane[j] = values[start + j]
            for i in range(8, whole, 8):
                for j in range(8):
                    lane[j] += values[start + i + j]
            total = ((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7]))
        for i in range(whole, n):
            total += values[start + i]
        result[pair] = total / n
        start += n
