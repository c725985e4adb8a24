"""A refiner's table in a recipe: which errors it learns to mend, and whose poses tell them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, model_validator

from kpkit.specs.base import Spec
from kpkit.specs.ensemble import BoxesSpec
from kpkit.specs.poses import Share


class RefinementSpec(Spec):
    """``[refinement]``: what a network that refines poses learns from (PoseFix). It makes a recipe a refiner.

    Poses come from a file, ``poses``, or are made by ``ensemble``. They serve three ends: to measure errors,
    to be shown themselves, and to stand for keypoints nobody labelled (the paper takes SimpleBaseline's).
    Networks should not have learnt from the pictures: errors on those are smaller than elsewhere.

    Attributes:
        sigma: of the Gaussians that show the pose, in crop pixels (9 at 384x288 and 7 at 256x192).
        errors: how poses of C's people are drawn: with the paper's errors, or with those of the poses.
        poses: COCO results, by a path relative to the document: on pictures of C, by networks that have not
            learnt from them (out of fold); or on pictures of ``data.val``, to measure errors alone.
        real: share of the people shown with their own pose in place of a drawn one.
        ensemble: the ensemble that makes the poses. With 2 ``folds`` and more its recipes are trained for it
            without the pictures looked at, as is what they start from and the teachers of their labels.
        folds: C's pictures are dealt into this many folds, and each is looked at by networks trained without
            it; with more folds they learn from more pictures and their errors come nearer to those of the
            ensemble itself. 1 and 0 train nothing anew. 1: the ensemble looks at C as it is, which serves as
            far as its AP there is its AP on val, both of which are told. 0: it looks at ``data.val``, to
            measure errors alone.
        boxes: which boxes the ensemble looks at; without it those its own ``[boxes]`` names.
    """

    sigma: PositiveFloat
    errors: Literal["published", "measured"] = "published"
    poses: str = ""
    real: Share = 0.0
    ensemble: str = ""
    folds: Annotated[int, Field(ge=0, le=100)] = 0
    boxes: BoxesSpec | None = None

    @model_validator(mode="after")
    def _poses_are_named(self) -> RefinementSpec:
        if self.poses and self.ensemble:
            raise ValueError("poses come from a file or from an ensemble, not from both")
        if not self.ensemble and (self.folds or self.boxes):
            raise ValueError("folds and boxes say how an ensemble makes the poses; name one")
        if not (self.poses or self.ensemble) and (self.errors == "measured" or self.real):
            raise ValueError('errors = "measured" and real need poses to take them from, or an ensemble')
        if self.ensemble and not self.folds and (self.real or self.errors == "published"):
            raise ValueError('poses on val serve to measure errors alone: errors = "measured" and real = 0')
        return self
