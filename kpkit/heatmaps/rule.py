"""What decoding is asked to do, checked once, for the three ways of doing it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kpkit.core.decoding import unsound
from kpkit.core.errors import KpkitError
from kpkit.heatmaps.blur import half_kernel
from kpkit.heatmaps.refine import RADIUS

NOT_FINITE = "a heatmap holds NaN or infinity; the network that made it has diverged"


@dataclass(frozen=True)
class Rule:
    """How maps become points.

    Attributes:
        refine: one of ``core.decoding.REFINEMENTS``.
        taps: half kernel of the filter before the maximum; None for none.
        refine_taps: half kernel of the filter that only the refinement sees; None for none.
        reflect: what is outside the map is its mirror image, not zero.
        shift: pixels the flipped maps move right.
        order: (K,) keypoint k of the flipped maps is number ``order[k]`` of the array given.
        mirrored: the flipped maps are still mirrored.
    """

    refine: str
    taps: np.ndarray | None
    refine_taps: np.ndarray | None
    reflect: bool
    shift: float
    order: np.ndarray
    mirrored: bool

    @property
    def radius(self) -> int:
        """Pixels beside the highest whose filtered value the refinement reads."""
        return RADIUS[self.refine]

    @property
    def second(self) -> bool:
        """Whether the second highest pixel is asked for."""
        return self.refine == "quarter_second"


@dataclass(frozen=True)
class Found:
    """The highest pixels of M maps and what the refinement reads.

    Attributes:
        place: (M,) row-major index of the highest pixel.
        other: (2, M) x and y of the second highest, where the rule asks for it.
        highest: (M,) the value that is the highest, filtered where the rule filters before the maximum.
        score: (M,) the unfiltered value there.
        values: (M, 2 radius + 1, 2 radius + 1) filtered values around it.
    """

    place: np.ndarray
    other: np.ndarray
    highest: np.ndarray
    score: np.ndarray
    values: np.ndarray

    @classmethod
    def empty(cls, count: int, rule: Rule) -> Found:
        """Arrays to be filled for ``count`` maps."""
        size = 2 * rule.radius + 1
        return cls(
            np.empty(count, np.int64),
            np.empty((2, count), np.int64),
            np.empty(count, np.float32),
            np.empty(count, np.float32),
            np.empty((count, size, size), np.float32),
        )


def make_rule(
    keypoints: int,
    *,
    refine: str,
    blur: int,
    blur_sigma: float,
    refine_blur: int,
    refine_blur_sigma: float,
    border: str,
    flip_shift: float,
    flip_order: Sequence[int] | np.ndarray | None,
) -> Rule:
    """Check decode's arguments; raises KpkitError for what is unknown or does not go together."""
    fault = unsound(refine, (blur, blur_sigma), (refine_blur, refine_blur_sigma), border)
    if fault:
        raise KpkitError(fault)
    if not -1 <= flip_shift <= 1:
        raise KpkitError(f"flip_shift = {flip_shift} is not a number from -1 to 1")
    order = np.arange(keypoints) if flip_order is None else np.asarray(flip_order)
    if sorted(order.tolist()) != list(range(keypoints)):
        raise KpkitError(f"flip_order must name each of the {keypoints} keypoints once")
    return Rule(
        refine,
        half_kernel(blur, blur_sigma) if blur or blur_sigma else None,
        half_kernel(refine_blur, refine_blur_sigma) if refine_blur or refine_blur_sigma else None,
        border == "reflect",
        float(flip_shift),
        order.astype(np.int64),
        flip_order is not None,
    )
