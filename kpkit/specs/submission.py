"""A submission: which split, which ensemble, which server rules."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from kpkit.specs.base import About, Spec
from kpkit.specs.datasets import DatasetSpec
from kpkit.specs.ensemble import BoxesSpec
from kpkit.specs.poses import PosesSpec


class EntrySpec(Spec):
    """``[[entries]]``: one file to send.

    Attributes:
        profile: the server's rule set.
        images: the data set of its split.
        boxes: which boxes are looked at there; without it those the ensemble's ``[boxes]`` names.
    """

    profile: Literal["val2017", "test-dev2017", "test-challenge2017"]
    images: str
    boxes: BoxesSpec | None = None


class SubmissionSpec(Spec):
    """A submission document.

    Attributes:
        refine: the PoseFix recipe that refines the ensemble's poses before they are scored and suppressed;
            ``"none"`` for none. Learned scores are then those of the ensemble's own poses on val, unrefined.
        refined: which keypoints it moves: ``"all"``, or ``"gaining"``, those of which the ensemble's val set
            says so by the whole 95 % interval.
    """

    kind: Literal["submission"]
    about: About = About()
    ensemble: str
    refine: Annotated[str, Field(min_length=1)] = "none"
    refined: Literal["all", "gaining"] = "all"
    algorithm: Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]+$")] = "kpkit"
    entries: Annotated[tuple[EntrySpec, ...], Field(min_length=1)]
    poses: PosesSpec = PosesSpec()
    datasets: dict[str, DatasetSpec] = {}
