"""The step from a map's highest pixel to the keypoint, from the values around the pixel.

Each rule is written once for numpy arrays and torch tensors, all keypoints at once; the compiled kernel
"""

from __future__ import annotations

from typing import Any

import numpy as np

RADIUS = {
    "argmax": 0,
    "quarter": 1,
    "quarter_second": 0,
    "parabola": 1,
    "paraboloid": 1,
    "dark": 2,
    "dark_udp": 1,
}
"""Pixels beside the highest that a rule reads; ``quarter_second`` asks for the second highest instead."""

DARK_FLOOR = 1e-10
UDP_FLOOR, UDP_CEILING = 1e-3, 50.0
UDP_EPSILON = 2.0**-23
LONGEST = 3.0
"""Pixels in x or y. A longer step of DARK's or UDP's is no step to a maximum, and the pixel stays."""


def refine_step(rule: str, values: Any, x: Any, y: Any, shape: tuple[int, int]) -> Any:
    """(M, 2) x, y steps in pixels.

    Args:
        rule: one of ``RADIUS`` but ``argmax`` and ``quarter_second``.
        values: (M, 2r + 1, 2r + 1) float64 around each highest pixel, rows are y; what is outside the map is
            not read by the result.
        x, y: (M,) the highest pixels.
        shape: (height, width) of the maps.
    """
    xp = np if isinstance(values, np.ndarray) else _torch()
    height, width = shape
    if rule == "quarter":
        away = (x > 1) & (x < width - 1) & (y > 1) & (y < height - 1)
        slope = xp.stack([values[:, 1, 2] - values[:, 1, 0], values[:, 2, 1] - values[:, 0, 1]], -1)
        return xp.sign(slope) * 0.25 * away[:, None]
    at_side, at_end = (x == 0) | (x == width - 1), (y == 0) | (y == height - 1)
    if rule == "parabola":
        return _parabola(xp, values, at_side, at_end)
    if rule == "paraboloid":
        return _paraboloid(xp, values, at_side, at_end)
    if rule == "dark":
        return _dark(xp, values, (x > 1) & (x < width - 2) & (y > 1) & (y < height - 2))
    return _dark_udp(xp, values, x, y, shape)


def towards(x: Any, y: Any, other_x: Any, other_y: Any, shape: tuple[int, int]) -> Any:
    """(M, 2) steps of a quarter pixel from the highest towards the second highest pixel, inside the map."""
    xp = np if isinstance(x, np.ndarray) else _torch()
    dx, dy = other_x - x, other_y - y
    length = (dx * dx + dy * dy) ** 0.5
    step_x, step_y = dx * 0.25 / length, dy * 0.25 / length
    last = shape[1] - 1, shape[0] - 1
    return xp.stack([(x + step_x).clip(0, last[0]) - x, (y + step_y).clip(0, last[1]) - y], -1)


def _parabola(xp: Any, v: Any, at_side: Any, at_end: Any) -> Any:
    """CCM eq. 13 in each direction."""
    step_x = _vertex(xp, v[:, 1, 0], v[:, 1, 1], v[:, 1, 2], at_side)
    step_y = _vertex(xp, v[:, 0, 1], v[:, 1, 1], v[:, 2, 1], at_end)
    return xp.stack([step_x, step_y], -1)


def _vertex(xp: Any, low: Any, centre: Any, high: Any, at_border: Any) -> Any:
    curvature = 2 * centre - low - high  # >= 0 at a maximum; 0 on a plateau, which has no vertex
    found = (curvature > 0) & ~at_border
    return xp.where(found, ((high - low) / xp.where(found, 2 * curvature, 1.0)).clip(-0.5, 0.5), 0.0)


def _paraboloid(xp: Any, v: Any, at_side: Any, at_end: Any) -> Any:
    """CCM eqs. 14 to 22: the top of the surface of second order with the pixel's differences."""
    gx, gy = (v[:, 1, 2] - v[:, 1, 0]) / 2, (v[:, 2, 1] - v[:, 0, 1]) / 2
    xx, yy = v[:, 1, 2] - 2 * v[:, 1, 1] + v[:, 1, 0], v[:, 2, 1] - 2 * v[:, 1, 1] + v[:, 0, 1]
    xy = (v[:, 2, 2] - v[:, 2, 0] - v[:, 0, 2] + v[:, 0, 0]) / 4
    determinant = xx * yy - xy * xy
    found = (xx < 0) & (determinant > 0) & ~at_side & ~at_end
    safe = xp.where(found, determinant, 1.0)
    top = xp.stack([(xy * gy - yy * gx) / safe, (xy * gx - xx * gy) / safe], -1).clip(-1, 1)
    return xp.where(found[:, None], top, _parabola(xp, v, at_side, at_end))


def _dark(xp: Any, v: Any, inside: Any) -> Any:
    """DARK: a Newton step on the logarithm, first differences over 1 pixel and second ones over 2."""
    log = xp.log(v.clip(DARK_FLOOR, None))
    gx, gy = (log[:, 2, 3] - log[:, 2, 1]) / 2, (log[:, 3, 2] - log[:, 1, 2]) / 2
    xx = (log[:, 2, 4] - 2 * log[:, 2, 2] + log[:, 2, 0]) / 4
    yy = (log[:, 4, 2] - 2 * log[:, 2, 2] + log[:, 0, 2]) / 4
    xy = (log[:, 3, 3] - log[:, 1, 3] - log[:, 3, 1] + log[:, 1, 1]) / 4
    return _newton(xp, gx, gy, xx, xy, yy, inside)


def _dark_udp(xp: Any, v: Any, x: Any, y: Any, shape: tuple[int, int]) -> Any:
    """UDP: differences over 1 pixel, the outermost pixels repeated beyond the border."""
    columns = xp.stack([v[:, :, 0], v[:, :, 1], v[:, :, 2]], 0)
    left, right = (x == 0)[:, None], (x == shape[1] - 1)[:, None]
    low, high = xp.where(left, columns[1], columns[0]), xp.where(right, columns[1], columns[2])
    v = xp.stack([low, columns[1], high], -1)
    top, bottom = (y == 0)[:, None], (y == shape[0] - 1)[:, None]
    above, below = xp.where(top, v[:, 1], v[:, 0]), xp.where(bottom, v[:, 1], v[:, 2])
    log = xp.log(xp.stack([above, v[:, 1], below], 1).clip(UDP_FLOOR, UDP_CEILING))
    centre = log[:, 1, 1]
    gx, gy = (log[:, 1, 2] - log[:, 1, 0]) / 2, (log[:, 2, 1] - log[:, 0, 1]) / 2
    xx, yy = log[:, 1, 2] - 2 * centre + log[:, 1, 0], log[:, 2, 1] - 2 * centre + log[:, 0, 1]
    # one diagonal only: the published rule is not the same in the mirror
    xy = (log[:, 2, 2] - log[:, 1, 2] - log[:, 2, 1] + 2 * centre - log[:, 1, 0] - log[:, 0, 1]
          + log[:, 0, 0]) / 2  # fmt: skip
    return _newton(xp, gx, gy, xx + UDP_EPSILON, xy, yy + UDP_EPSILON, True)


def _newton(xp: Any, gx: Any, gy: Any, xx: Any, xy: Any, yy: Any, wanted: Any) -> Any:
    determinant = xx * yy - xy * xy
    found = wanted & (determinant != 0)
    safe = xp.where(found, determinant, 1.0)
    step = xp.stack([(xy * gy - yy * gx) / safe, (xy * gx - xx * gy) / safe], -1)
    found = found & (abs(step[:, 0]) <= LONGEST) & (abs(step[:, 1]) <= LONGEST)
    return xp.where(found[:, None], step, 0.0)


def _torch() -> Any:
    import torch

    return torch
