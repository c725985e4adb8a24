"""A trial of the agreement rule: errors planted into teachers' heatmaps, and how many labels they spoil."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kpkit.core.skeletons import Skeleton

DRIFT = (0.15, 0.3)
"""How far a drifting teacher's points lie off: shares of the map's height."""


@dataclass(frozen=True)
class Planted:
    """One teacher's maps with errors in them.

    Attributes:
        heatmaps: (N, K, h, w).
        swapped: (N,) bool, left and right are exchanged.
        drifted: (N,) bool, the whole pose is moved.
    """

    heatmaps: np.ndarray
    swapped: np.ndarray
    drifted: np.ndarray


def plant_errors(
    heatmaps: np.ndarray,
    skeleton: Skeleton,
    rng: np.random.Generator,
    *,
    swaps: float = 0.1,
    drifts: float = 0.1,
) -> Planted:
    """Spoil some people's maps.

    Args:
        heatmaps: (N, K, h, w) of one teacher; left as they are.
        skeleton: what mirrors what.
        rng: draws who is spoilt, and where a pose drifts.
        swaps, drifts: shares of people whose sides are exchanged, or who are moved; nobody suffers both.
    """
    n, _, height, width = heatmaps.shape
    draw = rng.random((n,))
    swapped, drifted = draw < swaps, (draw >= swaps) & (draw < swaps + drifts)
    spoilt = heatmaps.copy()
    spoilt[swapped] = spoilt[swapped][:, skeleton.flip_order]
    angle: np.ndarray = rng.uniform(0, 2 * np.pi, (n,))
    far: np.ndarray = rng.uniform(*DRIFT, (n,)) * height
    move = np.stack([far * np.cos(angle), far * np.sin(angle)], axis=1).round().astype(int)
    move = move.clip([1 - width, 1 - height], [width - 1, height - 1])
    for row in np.flatnonzero(drifted):
        spoilt[row] = _moved(heatmaps[row], *move[row].tolist())
    return Planted(spoilt, swapped, drifted)


def _moved(maps: np.ndarray, x: int, y: int) -> np.ndarray:
    """(K, h, w) maps moved by whole pixels, zeros moving in."""
    moved = np.zeros_like(maps)
    height, width = maps.shape[1:]
    to = slice(max(y, 0), height + min(y, 0)), slice(max(x, 0), width + min(x, 0))
    source = slice(max(-y, 0), height + min(-y, 0)), slice(max(-x, 0), width + min(-x, 0))
    moved[:, *to] = maps[:, *source]
    return moved


@dataclass(frozen=True)
class Effect:
    """What planted errors do to labels, and what a rule saves.

    Attributes:
        spoilt: labels that are right without the errors and wrong with them.
        removed: of them, those the rule takes away.
        right: labels that are right with the errors.
        kept: of them, those the rule keeps.
    """

    spoilt: int
    removed: int
    right: int
    kept: int

    @classmethod
    def of(cls, before: np.ndarray, after: np.ndarray, kept: np.ndarray) -> Effect:
        """From (N, K) bools: right without the errors, right with them, and kept by the rule."""
        spoilt = before & ~after
        return cls(
            spoilt=int(spoilt.sum()),
            removed=int((spoilt & ~kept).sum()),
            right=int(after.sum()),
            kept=int((after & kept).sum()),
        )
