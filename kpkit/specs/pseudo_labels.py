"""Pseudo labels: which teachers label which pictures, what is kept, and how it is audited."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from kpkit.specs.base import About, Spec
from kpkit.specs.datasets import DatasetSpec
from kpkit.specs.ensemble import MemberSpec
from kpkit.specs.poses import BoxSource, DecodeSpec, PosesSpec, Share

Certainty = Annotated[float, Field(gt=0, lt=1)]


class PseudoLabelsSpec(Spec):
    """A pseudo-label document: CCM section 4.3, and rules beyond it.

    Attributes:
        teachers: recipes and weights, blended like an ensemble.
        images: the data set to label.
        boxes: where its boxes come from.
        labelled: the labelled data set whose persons per picture the detection threshold must match.
        audit: a labelled data set, on whose boxes the same teachers and rules are judged before anything is
            written; what ``precision`` and ``soft_weights`` are solved on. Never one that was trained on.
        audit_boxes: where its boxes come from; by default as ``boxes``.
        min_box_score: ``"matched"`` solves the detection threshold; a number sets it.
        precision: share of right keypoints wished for: a floor of the score per keypoint name is solved on
            ``audit`` for it.
        right_oks: a keypoint is right when its OKS with the truth's is at least this.
        min_keypoint_score: keypoints below it become unlabelled; by default 0.9, with ``precision`` 0.
        min_agreement: keypoints where some teacher's own point has a smaller OKS with the blend's become
            unlabelled; 0 asks no teacher.
        min_keypoints: people with fewer kept keypoints are not labelled.
        ignore: who becomes no label is written as a crowd region, which never counts as background: people
            with too few keypoints or beyond ``poses.max_poses``, and detections below the threshold down to
            this score. None leaves them out.
        soft_weights: labels carry the probability of being right, as solved on ``audit``, as loss weights.
        common_stride: brings teachers whose heatmaps differ to the first one's crop, as in an ensemble.
    """

    kind: Literal["pseudo_labels"]
    about: About = About()
    teachers: Annotated[tuple[MemberSpec, ...], Field(min_length=1)]
    images: str
    boxes: BoxSource = "detections"
    labelled: str
    audit: str = ""
    audit_boxes: BoxSource = Field(default_factory=lambda given: given.get("boxes", "detections"))
    min_box_score: Share | Literal["matched"] = "matched"
    precision: Certainty | None = None
    right_oks: Certainty = 0.5
    min_keypoint_score: Share = Field(default_factory=lambda given: 0.0 if given.get("precision") else 0.9)
    min_agreement: Share = 0.0
    min_keypoints: PositiveInt = 1
    ignore: Share | None = None
    soft_weights: bool = False
    common_stride: PositiveInt | None = None
    decode: DecodeSpec = DecodeSpec()
    poses: PosesSpec = PosesSpec()
    datasets: dict[str, DatasetSpec] = {}

    @model_validator(mode="after")
    def _rules_have_what_they_need(self) -> PseudoLabelsSpec:
        if (self.precision or self.soft_weights) and not self.audit:
            raise ValueError("precision and soft_weights are solved on audit; name a labelled data set there")
        if self.audit and self.audit == self.images:
            raise ValueError("audit and images are the same data set")
        if self.poses.scoring == "learned":
            raise ValueError('poses.scoring = "learned" is for ensembles; labels have rules of their own')
        if self.min_agreement and len(self.teachers) < 2:
            raise ValueError("min_agreement takes two teachers or more")
        return self
