"""What a refiner is taught: the labelled pose of a person, shown with another one that has errors in it."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kpkit.core.instances import Instances
from kpkit.core.seeds import generator
from kpkit.data.crops import CropBatch
from kpkit.evaluation.ap import evaluate
from kpkit.evaluation.errors import KINDS, pose_errors
from kpkit.inference.network import codec_of, normaliser
from kpkit.models.network import PoseNetwork
from kpkit.refinement.errors import ErrorModel, published_errors
from kpkit.refinement.intended import synthesis_facts
from kpkit.refinement.maps import coarse_to_fine_loss
from kpkit.refinement.measured import measured_errors
from kpkit.refinement.refiner import Refiner, look
from kpkit.refinement.scenes import Surroundings, poses_of
from kpkit.refinement.synthesis import Scenes, Synthesised, synthesise
from kpkit.specs.recipe import RecipeSpec
from kpkit.training.factors import LossFactors
from kpkit.training.lesson import Lesson, Teach
from kpkit.training.loop import process_rank
from kpkit.training.phases import PhasePlan
from kpkit.training.sources import TrainingData, Validation


def refiner_lesson(
    spec: RecipeSpec, people: Instances, poses: Instances | None, others: Instances | None = None
) -> Teach:
    """The lesson of a recipe with ``[refinement]``.

    Args:
        spec: the recipe.
        people: everybody shown, in order of the rows.
        poses: results on their pictures, where there are any.
        others: the labelled people that ``poses`` are of where they are of others than those shown: errors
            are then measured by them, and nobody shown has a pose.

    Raises:
        InputError: too few poses to measure errors.
    """
    assert spec.refinement
    errors = published_errors()
    if spec.refinement.errors == "measured" and poses is not None:
        labelled = people if others is None else others
        errors = measured_errors(labelled, poses, np.unique(labelled.image_id))
    estimated = None if poses is None or others is not None else poses_of(people, poses)
    return partial(RefinerLesson, surroundings=Surroundings(people, errors, estimated), errors=errors)


class RefinerLesson(Lesson):
    """Coarse-to-fine places of labelled keypoints, from crops and drawn (or real) poses."""

    def __init__(
        self,
        spec: RecipeSpec,
        plan: PhasePlan,
        network: PoseNetwork,
        device: torch.device,
        *,
        surroundings: Surroundings,
        errors: ErrorModel,
    ) -> None:
        assert spec.refinement
        self.spec, self.refinement, self.device = spec, spec.refinement, device
        self.surroundings, self.errors = surroundings, errors
        self.codec = codec_of(spec, network)
        self.normalise = normaliser(spec.network, device)
        self.factors = LossFactors(spec, plan, network.stage_count, device)

    def loss(self, step: int, batch: CropBatch, model: nn.Module, shown: Tensor | None) -> Tensor:
        """See ``Lesson``."""
        points, present = self.shown_poses(step, batch)
        labelled = (batch.visibility > 0) * batch.inside * batch.keypoint_weight
        pose, there, target, weight = (
            torch.from_numpy(array).to(self.device)
            for array in (points, present, self.codec.to_heatmap(batch.keypoints), labelled)
        )
        logits = look(model, self.spec, self.normalise(batch.images), pose, there)
        return coarse_to_fine_loss(logits, target.float(), weight.float() * self.factors(batch, shown)[0])

    def shown_poses(self, step: int, batch: CropBatch) -> tuple[np.ndarray, np.ndarray]:
        """(B, K, 2) poses in crop pixels, and (B, K) bool, which keypoints they have."""
        rng = generator(self.spec.training.seed, "pose errors", step, process_rank())
        scenes = self.surroundings.cropped(batch)
        real = rng.random(len(batch)) < self.refinement.real
        drawn = synthesise(scenes, self.errors, rng)
        points, present = drawn.points, drawn.kind >= 0
        if scenes.estimated is not None:
            found = scenes.estimated[..., 2] > 0
            real &= found.any(axis=1)
            points = np.where(real[:, None, None], scenes.estimated[..., :2], points)
            present = np.where(real[:, None], found, present)
        return points, present

    def judge(self, network: PoseNetwork, data: TrainingData) -> dict[str, float]:
        """See ``Lesson``: of the validation set's labels with errors drawn into them, refined."""
        assert data.val
        _, after = refined_errors(Refiner(network, self.spec, self.device), data.val, self.errors)
        return after.figures


class Judged:
    """Poses judged: COCO's figures and their keypoints' errors.

    Attributes:
        figures: the ten, 0 to 1.
        errors: keypoints of each kind, by the names of ``evaluation.errors.KINDS``.
    """

    def __init__(self, val: Validation, poses: Instances) -> None:
        self.figures: dict[str, float] = dict(evaluate(val.truth, poses, images=val.images))
        counts = pose_errors(val.truth, poses, val.images.id).counts().sum(axis=1)
        self.errors = {name: int(count) for name, count in zip(KINDS, counts, strict=True)}


def refined_errors(refiner: Refiner, val: Validation, errors: ErrorModel) -> tuple[Judged, Judged]:
    """Labels of a validation set with errors drawn into them, judged before and after refinement.

    The draws are the same at every call.
    """
    people = val.crops.instances
    _, drawn = drawn_errors(people, errors)
    present = drawn.kind >= 0
    keypoints = np.concatenate([drawn.points, present[..., None]], axis=2)
    poses = people.with_(keypoints=keypoints, score=np.ones(len(people)), source=np.full(len(people), "P"))
    refined = refiner.refine(poses, val.crops.pictures, present=present)
    return Judged(val, poses), Judged(val, refined)


def drawn_errors(people: Instances, errors: ErrorModel) -> tuple[Scenes, Synthesised]:
    """People and a pose with errors of each; the same draws at every call."""
    scenes = Surroundings(people, errors).whole()
    return scenes, synthesise(scenes, errors, generator("validation pose errors"))


def drawn_facts(people: Instances, errors: ErrorModel, at_most: int) -> dict[str, Any]:
    """``synthesis_facts`` of ``drawn_errors``, of so many people, evenly spread, where there are more."""
    scenes, drawn = drawn_errors(people, errors)
    rows = np.linspace(0, len(people) - 1, min(len(people), at_most)).astype(np.int64)
    return synthesis_facts(scenes.part(rows), errors, Synthesised(drawn.points[rows], drawn.kind[rows]))
