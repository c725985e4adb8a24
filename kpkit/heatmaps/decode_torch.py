"""Decoding of tensors on their device, batched; the arithmetic is that of decode_numpy.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from kpkit.core.errors import KpkitError
from kpkit.heatmaps.blur import blur_maps, convolve, padded
from kpkit.heatmaps.flip import blend_flipped, bring_back
from kpkit.heatmaps.refine import refine_step, towards
from kpkit.heatmaps.rule import NOT_FINITE, Rule

_CHUNK_BYTES = 1 << 25
"""Heatmaps per pass: the filters' intermediate maps then stay in a large GPU's cache."""


def as_arrays(maps: Tensor | None) -> Any:
    """A CPU tensor's memory as an array; bfloat16, which numpy has not, as float32."""
    if maps is None:
        return None
    return (maps.detach().float() if maps.dtype == torch.bfloat16 else maps.detach()).numpy()


def as_tensors(points: np.ndarray, scores: np.ndarray) -> tuple[Tensor, Tensor]:
    """Arrays as CPU tensors of the same memory."""
    return torch.from_numpy(points), torch.from_numpy(scores)


@torch.inference_mode()
def decode_tensors(maps: Tensor, flipped: Tensor | None, rule: Rule) -> tuple[Tensor, Tensor]:
    """(N, K, 2) points and (N, K) scores of (N, K, h, w) maps; ``decode`` says the rest.

    The device is waited for once, at the end, to learn whether all values were finite.
    """
    n, keypoints, height, width = maps.shape
    exact = torch.float32 if maps.device.type == "mps" else torch.float64  # mps has no float64
    step = max(1, _CHUNK_BYTES // max(1, keypoints * height * width * 4))
    points = torch.zeros(n, keypoints, 2, dtype=exact, device=maps.device)
    scores = torch.zeros(n, keypoints, dtype=exact, device=maps.device)
    finite = torch.ones((), dtype=torch.bool, device=maps.device)
    for begin in range(0, n, step):
        people = slice(begin, begin + step)
        mean = maps[people].float()
        if flipped is not None:
            back = flipped[people].float()
            mean = blend_flipped(mean, bring_back(back, rule.order) if rule.mirrored else back, rule.shift)
        finite &= torch.isfinite(mean.sum())
        points[people], scores[people] = _decode(mean, rule, exact)
    if not bool(finite):
        raise KpkitError(NOT_FINITE)
    return points, scores


def _decode(mean: Tensor, rule: Rule, exact: torch.dtype) -> tuple[Tensor, Tensor]:
    n, keypoints, height, width = mean.shape
    ring = 1 if rule.second and rule.taps is not None and not rule.reflect else 0
    seen = mean if rule.taps is None else blur_maps(padded(mean, ring, False), rule.taps, rule.reflect)
    inside = seen[:, :, ring : ring + height, ring : ring + width]
    highest, place = inside.reshape(n * keypoints, -1).max(1)
    x, y = place % width, place // width
    score = mean.reshape(n * keypoints, -1).gather(1, place[:, None])[:, 0].to(exact)
    points = torch.stack([x, y], 1).to(exact)
    if rule.second:
        others = seen.reshape(n * keypoints, -1).clone()
        wide = width + 2 * ring
        others.scatter_(1, ((y + ring) * wide + x + ring)[:, None], -torch.inf)
        other = others.max(1).indices
        other_x, other_y = other % wide - ring, other // wide - ring
        points = points + towards(x.to(exact), y.to(exact), other_x, other_y, (height, width))
    elif rule.radius:
        taps = rule.refine_taps
        reach = rule.radius + (len(taps) - 1 if taps is not None else 0)
        around = _windows(seen, x, y, reach, rule.reflect)
        if taps is not None:
            around = convolve(around, taps)
        points = points + refine_step(rule.refine, around.to(exact), x, y, (height, width))
    points = torch.where((highest > 0)[:, None], points, 0.0)
    return points.view(n, keypoints, 2), score.view(n, keypoints)


def _windows(maps: Tensor, x: Tensor, y: Tensor, reach: int, reflect: bool) -> Tensor:
    """(N K, 2 reach + 1, 2 reach + 1) pixels around x, y; outside zero or reflected."""
    height, width = maps.shape[2:]
    offsets = torch.arange(-reach, reach + 1, device=maps.device)
    rows, columns = y[:, None] + offsets, x[:, None] + offsets
    inside_y, inside_x = (rows >= 0) & (rows < height), (columns >= 0) & (columns < width)
    if reflect:
        rows, columns = _reflected(rows, height), _reflected(columns, width)
    else:
        rows, columns = rows.clamp(0, height - 1), columns.clamp(0, width - 1)
    index = rows[:, :, None] * width + columns[:, None, :]
    found = maps.reshape(len(x), -1).gather(1, index.flatten(1)).view_as(index)
    return found if reflect else found * (inside_y[:, :, None] & inside_x[:, None, :])


def _reflected(places: Tensor, length: int) -> Tensor:
    period = max(2 * (length - 1), 1)
    inside = places.abs() % period
    return torch.minimum(inside, period - inside) if length > 1 else places.clamp(0, 0)
