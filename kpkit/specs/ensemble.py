"""An ensemble: what to fuse, on which boxes, decoded how."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from kpkit.specs.base import About, Spec
from kpkit.specs.datasets import DatasetSpec
from kpkit.specs.member import Rotations, Scales, Weight
from kpkit.specs.poses import BoxSource, DecodeSpec, PosesSpec, Share
from kpkit.specs.search import GridSpec, SearchSpec, StoreSpec


class MemberSpec(Spec):
    """``[[members]]``: a recipe, or a file of results, and its weight.

    Attributes:
        recipe: a recipe's name or path: its heatmaps are blended with the other recipes'.
        results: a COCO results file of any tool, relative to the document. ``{split}`` in it stands for the
            data set's name without ``coco_``: ``"theirs_{split}.json"``. Such poses are merged with the
            blend's by OKS (``EnsembleSpec.merge_oks``).
        weight: in the blend, or in the merge; in the blend also a table by keypoint
            (specs.member.keypoint_weights).
        scales, rotations: test-time views. The network looks at each box once for every pair of a scale
            (factor on the region shown: above 1 the person is smaller) and a rotation (degrees, the picture
            turned counter-clockwise about the box's middle). Maps are brought back to the upright crop; the
            views share the member's weight equally, each flip-tested as ``[decode]`` says.
    """

    recipe: str = ""
    results: str = ""
    weight: Weight = 1.0
    scales: Scales = (1.0,)
    rotations: Rotations = (0.0,)

    @model_validator(mode="after")
    def _is_one_thing(self) -> MemberSpec:
        if bool(self.recipe) == bool(self.results):
            raise ValueError("a member is either a recipe or results")
        if self.results and (self.views != ((1.0, 0.0),) or not isinstance(self.weight, float)):
            raise ValueError("results have one weight, and no scales or rotations")
        return self

    @property
    def name(self) -> str:
        """What it is called in figures."""
        return member_name(self.recipe, self.results)

    @property
    def views(self) -> tuple[tuple[float, float], ...]:
        """Scale and rotation of every look at a box."""
        return tuple(product(self.scales, self.rotations))


def member_name(recipe: str, results: str = "") -> str:
    """What a member is called: its file's name, without endings and the split."""
    if recipe:
        return Path(recipe).name.removesuffix(".toml")
    stem = Path(results).name.removesuffix(".gz").removesuffix(".json")
    return stem.replace("{split}", "").strip("-_. ") or "results"


class DetectorSpec(Spec):
    """``[[boxes.more]]``: a further detector's file and its weight beside the data set's own, which has 1.

    ``detections`` is relative to the data folder; ``{split}`` in it stands for the data set's name without
    ``coco_``.
    """

    detections: str
    weight: PositiveFloat = 1.0


class BoxesSpec(Spec):
    """``[boxes]``: which boxes are looked at.

    Attributes:
        source: where they come from.
        min_score: boxes below are left out, after ``nms``.
        nms: what happens to detections whose IoU with a better one of their picture is above ``iou_nms``
            (CPN, Table 1): nothing; ``"hard"`` they are dropped; ``"soft_linear"`` and ``"soft_gaussian"``
            lower their score (``iou_nms`` is the Gaussian's divisor); ``"fusion"`` makes one box of them
            (weighted boxes fusion, arXiv 1910.13302).
        iou_nms: the IoU for it.
        more: further detectors, whose boxes are fused with the data set's own.
    """

    source: BoxSource = "detections"
    min_score: Share = 0.0
    nms: Literal["none", "hard", "soft_linear", "soft_gaussian", "fusion"] = "none"
    iou_nms: Share = 0.5
    more: tuple[DetectorSpec, ...] = ()

    @model_validator(mode="after")
    def _is_of_detections(self) -> BoxesSpec:
        if self.nms != "none" and self.source != "detections":
            raise ValueError('nms goes with source = "detections"')
        if self.more and self.nms != "fusion":
            raise ValueError('more detectors go with nms = "fusion"')
        if self.nms == "soft_gaussian" and self.iou_nms == 0:
            raise ValueError("iou_nms divides the exponent of soft_gaussian; it must be above 0")
        return self


class EnsembleSpec(Spec):
    """An ensemble document.

    ``val`` is the labelled data set it is judged on. ``common_stride`` brings members whose heatmaps
    differ (stride, input size, convention, margins) to the first member's crop at that stride, by cubic
    interpolation; without it such members are refused. ``merge_oks``: poses of results files, and of the
    recipes' blend, are one person where their OKS is above it. ``heatmaps`` and ``search`` are for
    ``kpkit search``.
    """

    kind: Literal["ensemble"]
    about: About = About()
    members: Annotated[tuple[MemberSpec, ...], Field(min_length=1)]
    val: str = ""
    boxes: BoxesSpec = BoxesSpec()
    common_stride: PositiveInt | None = None
    merge_oks: Share = 0.8
    decode: DecodeSpec = DecodeSpec()
    poses: PosesSpec = PosesSpec()
    heatmaps: StoreSpec = StoreSpec()
    search: SearchSpec = SearchSpec()
    grid: GridSpec = GridSpec()
    datasets: dict[str, DatasetSpec] = {}

    @model_validator(mode="after")
    def _members_differ(self) -> EnsembleSpec:
        names = [member.recipe or member.results for member in self.members]
        if len(set(names)) != len(names):
            raise ValueError("a member is listed twice; give it a larger weight instead")
        return self
