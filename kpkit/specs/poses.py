"""Tables that several documents share: how heatmaps become points, and how poses become an entry."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from kpkit.specs.base import Spec

Share = Annotated[float, Field(ge=0, le=1)]
BoxSource = Literal["detections", "truth", "image"]
"""Where boxes come from: a detector's file, the annotations, or the whole picture as one box."""


class DecodeSpec(Spec):
    """``[decode]``: how heatmaps become points.

    Attributes:
        flip_test: average with the mirrored picture's maps.
        flip_shift: heatmap pixels the mirrored map moves right before the average, negative for left;
            ``"exact"`` is what each network's codec asks for ((stride - 1) / stride for the classic
            convention, -1 / stride for Megvii's, whose own code moves nothing, 0 for the unbiased).
        blur: Gaussian kernel size in heatmap pixels before the maximum (odd), 0 for none.
        refine: sub-pixel rule after the maximum.
    """

    flip_test: bool = True
    flip_shift: Annotated[float, Field(ge=-1, le=1)] | Literal["exact"] = "exact"
    blur: Annotated[int, Field(ge=0, le=31)] = 0
    refine: Literal["argmax", "quarter", "parabola"] = "parabola"

    @field_validator("blur")
    @classmethod
    def _has_a_middle(cls, value: int) -> int:
        if value and value % 2 == 0:
            raise ValueError("an odd kernel size, or 0 for none")
        return value


class PosesSpec(Spec):
    """``[poses]``: from points to the rows that are judged.

    Attributes:
        score_floor: keypoints above it enter the mean keypoint score (HRNet 0.2, CPN none).
        oks_nms: a pose with a larger OKS to a better one is dropped; 1 keeps all.
        max_poses: best poses kept per picture (COCO looks at 20).
    """

    score_floor: Share = 0.2
    oks_nms: Share = 0.9
    max_poses: Annotated[int, Field(ge=1, le=20)] = 20
