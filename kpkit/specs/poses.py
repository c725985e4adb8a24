"""Tables that several documents share: how heatmaps become points, and how poses become an entry."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from kpkit.core.decoding import Border, Refinement, unsound
from kpkit.specs.base import Spec

Share = Annotated[float, Field(ge=0, le=1)]
KernelSize = Annotated[int, Field(ge=0, le=31)]
KernelSigma = Annotated[float, Field(ge=0, le=4)]
BoxSource = Literal["detections", "truth", "image"]
"""Where boxes come from: a detector's file, the annotations, or the whole picture as one box."""


class DecodeSpec(Spec):
    """``[decode]``: how heatmaps become points.

    Attributes:
        flip_test: average with the mirrored picture's maps.
        flip_shift: heatmap pixels the mirrored map moves right before the average, negative for left;
            ``"exact"`` is what each network's codec asks for ((stride - 1) / stride for the classic
            convention, -1 / stride for Megvii's, whose own code moves nothing, 0 for the unbiased).
        blur, blur_sigma: Gaussian filter before the maximum: odd kernel size in heatmap pixels, or sigma, or
            both; 0 for none.
        refine: sub-pixel rule after the maximum (``kpkit.decode`` describes each).
        refine_blur, refine_blur_sigma: Gaussian filter that only the sub-pixel rule sees.
        border: what the filters find outside the map: zeros, or its mirror image.
    """

    flip_test: bool = True
    flip_shift: Annotated[float, Field(ge=-1, le=1)] | Literal["exact"] = "exact"
    blur: KernelSize = 0
    blur_sigma: KernelSigma = 0.0
    refine: Refinement = "parabola"
    refine_blur: KernelSize = 0
    refine_blur_sigma: KernelSigma = 0.0
    border: Border = "zero"

    @field_validator("blur", "refine_blur")
    @classmethod
    def _has_a_middle(cls, value: int) -> int:
        if value and value % 2 == 0:
            raise ValueError("an odd kernel size, or 0 for none")
        return value

    @model_validator(mode="after")
    def _goes_together(self) -> DecodeSpec:
        fault = unsound(
            self.refine, (self.blur, self.blur_sigma), (self.refine_blur, self.refine_blur_sigma), self.border
        )
        if fault:
            raise ValueError(fault)
        return self

    @property
    def options(self) -> dict[str, Any]:
        """What ``kpkit.decode`` takes besides the maps and the flip."""
        return {name: value for name, value in self if name not in ("flip_test", "flip_shift")}


class PosesSpec(Spec):
    """``[poses]``: from points to the rows that are judged.

    Attributes:
        scoring: what a pose is ranked by: ``"mean"`` the box score times the mean keypoint score;
            ``"learned"`` the OKS that regression trees, fitted on an ensemble's val poses, expect of it.
        score_floor: keypoints above it enter the mean keypoint score (HRNet 0.2, CPN none).
        nms: what happens to poses whose OKS to a better one of their picture is above ``oks_nms``:
            ``"hard"`` they are dropped (HRNet); ``"soft_linear"`` and ``"soft_gaussian"`` lower their score
            (HRNet's and mmpose's option; ``oks_nms`` is the Gaussian's divisor); ``"fusion"`` drops them when
            the better one has become the OKS-weighted mean of both (CCM, eqs. 23 and 24).
        oks_nms: the OKS for it; 1 keeps all, but for ``"soft_gaussian"``.
        max_poses: best poses kept per picture (COCO looks at 20).
    """

    scoring: Literal["mean", "learned"] = "mean"
    score_floor: Share = 0.2
    nms: Literal["hard", "soft_linear", "soft_gaussian", "fusion"] = "hard"
    oks_nms: Share = 0.9
    max_poses: Annotated[int, Field(ge=1, le=20)] = 20

    @model_validator(mode="after")
    def _gaussian_has_a_divisor(self) -> PosesSpec:
        if self.nms == "soft_gaussian" and self.oks_nms == 0:
            raise ValueError("oks_nms divides the exponent of soft_gaussian; it must be above 0")
        return self
