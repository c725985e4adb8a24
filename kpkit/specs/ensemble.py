"""An ensemble: what to fuse, on which boxes, decoded how."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from kpkit.specs.base import About, Spec
from kpkit.specs.datasets import DatasetSpec
from kpkit.specs.poses import BoxSource, DecodeSpec, PosesSpec, Share


class MemberSpec(Spec):
    """``[[members]]``: a recipe and its weight in the blend."""

    recipe: str
    weight: PositiveFloat = 1.0


class BoxesSpec(Spec):
    """``[boxes]``: which boxes are looked at."""

    source: BoxSource = "detections"
    min_score: Share = 0.0


class EnsembleSpec(Spec):
    """An ensemble document.

    ``val`` is the labelled data set it is judged on. ``common_stride`` brings members whose heatmaps
    differ (stride, input size, convention, margins) to the first member's crop at that stride, by cubic
    interpolation; without it such members are refused.
    """

    kind: Literal["ensemble"]
    about: About = About()
    members: Annotated[tuple[MemberSpec, ...], Field(min_length=1)]
    val: str = ""
    boxes: BoxesSpec = BoxesSpec()
    common_stride: PositiveInt | None = None
    decode: DecodeSpec = DecodeSpec()
    poses: PosesSpec = PosesSpec()
    datasets: dict[str, DatasetSpec] = {}

    @model_validator(mode="after")
    def _members_differ(self) -> EnsembleSpec:
        names = [member.recipe for member in self.members]
        if len(set(names)) != len(names):
            raise ValueError("a recipe is listed twice; give it a larger weight instead")
        return self
