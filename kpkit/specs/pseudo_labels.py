"""Pseudo labels: which teachers label which pictures, and what is kept."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from kpkit.specs.base import About, Spec
from kpkit.specs.datasets import DatasetSpec
from kpkit.specs.ensemble import MemberSpec
from kpkit.specs.poses import BoxSource, DecodeSpec, PosesSpec, Share


class PseudoLabelsSpec(Spec):
    """A pseudo-label document (CCM section 4.3).

    Attributes:
        teachers: recipes and weights, blended like an ensemble.
        images: the data set to label.
        boxes: where its boxes come from.
        labelled: the labelled data set whose persons per picture the detection threshold must match.
        min_box_score: ``"matched"`` solves that threshold; a number sets it.
        min_keypoint_score: keypoints below it become unlabelled.
        min_keypoints: people with fewer kept keypoints are left out.
        common_stride: brings teachers whose heatmaps differ to the first one's crop, as in an ensemble.
    """

    kind: Literal["pseudo_labels"]
    about: About = About()
    teachers: Annotated[tuple[MemberSpec, ...], Field(min_length=1)]
    images: str
    boxes: BoxSource = "detections"
    labelled: str
    min_box_score: Share | Literal["matched"] = "matched"
    min_keypoint_score: Share = 0.9
    min_keypoints: PositiveInt = 1
    common_stride: PositiveInt | None = None
    decode: DecodeSpec = DecodeSpec()
    poses: PosesSpec = PosesSpec()
    datasets: dict[str, DatasetSpec] = {}
