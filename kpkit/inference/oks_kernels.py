"""OKS-NMS and soft OKS-NMS, compiled. Their twins in numpy are in inference/suppression.py.

Points come divided by sqrt(2) times twice the OKS sigma: a keypoint's share of the OKS is then
exp(-d^2 / area), with the mean area of both poses. Exponentials are what costs. Suppression asks for few:
most pairs are far apart, which the bound exp(-e) <= 1 / (1 + e + e^2 / 2) settles. Decays ask for all, so
these are calculated in a way that processors do for several keypoints at once.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kpkit.core.compiled import kernel

_FAR = 64.0
"""A keypoint's share of the OKS at larger exponents (1e-28) changes no sum."""
_NOTHING = 1e-9
"""A Gaussian decay by a smaller OKS changes no score."""


@kernel(fastmath={"reassoc", "contract"}, error_model="numpy")
def suppressors(x: Any, y: Any, area: Any, starts: Any, threshold: float) -> Any:
    """(N,) row of the best kept row of the same picture whose OKS is above the threshold, or the own row.

    Args:
        x, y: (N, K) points as above, by picture and falling score.
        area: (N,) square pixels.
        starts: (P + 1,) where pictures begin.
        threshold: OKS in 0..1.
    """
    keypoints = x.shape[1]
    wanted = threshold * keypoints
    by = np.arange(len(x))
    for picture in range(len(starts) - 1):
        for worse in range(starts[picture], starts[picture + 1]):
            for better in range(starts[picture], worse):
                if by[better] != better:
                    continue
                inverse = 2.0 / (area[better] + area[worse] + 2.220446049250313e-16)
                bound = 0.0
                for k in range(keypoints):
                    dx, dy = x[better, k] - x[worse, k], y[better, k] - y[worse, k]
                    e = (dx * dx + dy * dy) * inverse
                    bound += 1.0 / (1.0 + e + 0.5 * e * e)
                if bound <= wanted:
                    continue
                total = 0.0
                for k in range(keypoints):
                    dx, dy = x[better, k] - x[worse, k], y[better, k] - y[worse, k]
                    total += math.exp(-(dx * dx + dy * dy) * inverse)
                if total / keypoints > threshold:
                    by[worse] = better
                    break
    return by


@kernel(fastmath={"reassoc", "contract"}, error_model="numpy")
def soft_selection(
    x: Any, y: Any, area: Any, score: Any, starts: Any, threshold: float, linear: bool, keep: int
) -> Any:
    """(N,) turn in which each row is selected within its picture, or -1; ``score`` decays in place.

    Args:
        x, y, area, starts: as of ``suppressors``.
        score: (N,).
        threshold: OKS from which scores decay where linear; divisor of a Gaussian decay.
        linear: times 1 - OKS; otherwise times exp(-OKS^2 / threshold).
        keep: rows of a picture to select.
    """
    keypoints = x.shape[1]
    turn = np.full(len(x), -1, np.int64)
    for picture in range(len(starts) - 1):
        begin, end = starts[picture], starts[picture + 1]
        for step in range(min(keep, end - begin)):
            best = -1
            for row in range(begin, end):
                if turn[row] < 0 and (best < 0 or score[row] > score[best]):
                    best = row
            turn[best] = step
            for row in range(begin, end):
                if turn[row] >= 0:
                    continue
                inverse = 2.0 / (area[best] + area[row] + 2.220446049250313e-16)
                total = 0.0
                for k in range(keypoints):
                    dx, dy = x[best, k] - x[row, k], y[best, k] - y[row, k]
                    # exp(-e) is exp(-e / 256), by its Taylor series, to the power of 256
                    s = -min((dx * dx + dy * dy) * inverse, _FAR) * (1 / 256)
                    v = 1 / 40320 + s * (1 / 362880)
                    v = 1 / 120 + s * (1 / 720 + s * (1 / 5040 + s * v))
                    v = 1 + s * (1 + s * (1 / 2 + s * (1 / 6 + s * (1 / 24 + s * v))))
                    v *= v
                    v *= v
                    v *= v
                    v *= v
                    v *= v
                    v *= v
                    v *= v
                    v *= v
                    total += v
                o = total / keypoints
                if linear:
                    if o >= threshold:
                        score[row] *= 1.0 - o
                elif o > _NOTHING:
                    score[row] *= math.exp(-o * o / threshold)
    return turn
