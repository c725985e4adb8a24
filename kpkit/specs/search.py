"""Tables of an ensemble document that ask what its members and its post-processing are worth."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from kpkit.specs.base import Spec


class StoreSpec(Spec):
    """``[heatmaps]``: how heatmaps are kept for search and ablation.

    Attributes:
        format: ``"u8"`` (a scale per map, compressed: about 1/16 of float32) or ``"f16"`` (1/2).
    """

    format: Literal["u8", "f16"] = "u8"


class SearchSpec(Spec):
    """``[search]``: how ``kpkit search`` chooses weights and judges the choice.

    Attributes:
        folds: of val's pictures; each is judged by weights chosen on the others.
        rounds: members the greedy selection adds.
        draws: of pictures, for the intervals.
        seed: deals the folds and draws.
    """

    folds: Annotated[int, Field(ge=3, le=20)] = 5
    rounds: Annotated[int, Field(ge=1, le=200)] = 16
    draws: Annotated[int, Field(ge=100, le=20000)] = 1000
    seed: Annotated[int, Field(ge=0)] = 0
