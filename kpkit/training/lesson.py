"""What a network is taught at each step, and how it is judged while it learns: heatmaps, by default."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor, nn

from kpkit.data.crops import CropBatch
from kpkit.inference.network import codec_of, normaliser
from kpkit.models.network import PoseNetwork
from kpkit.specs.recipe import RecipeSpec
from kpkit.training.factors import LossFactors
from kpkit.training.losses import supervision_loss
from kpkit.training.phases import PhasePlan
from kpkit.training.sources import TrainingData
from kpkit.training.targets import draw_targets, shown_keypoints
from kpkit.training.validate import validate


class Lesson(Protocol):
    """One recipe's."""

    def loss(self, step: int, batch: CropBatch, model: nn.Module, shown: Tensor | None) -> Tensor:
        """The scalar to lower.

        Args:
            step: number of the step, from 0, which keys whatever is drawn.
            batch: crops of this process's people.
            model: the network, or what wraps it for several processes.
            shown: see ``LossFactors``.
        """

    def judge(self, network: PoseNetwork, data: TrainingData) -> dict[str, float]:
        """COCO's figures, 0 to 1, on the validation set, which is there."""


Teach = Callable[[RecipeSpec, PhasePlan, PoseNetwork, torch.device], Lesson]
"""Makes the lesson of a recipe, of the order of its rows, for a network on a device."""


class HeatmapLesson:
    """Heatmaps of crops, by the recipe's codec, targets and losses."""

    def __init__(self, spec: RecipeSpec, plan: PhasePlan, network: PoseNetwork, device: torch.device) -> None:
        self.spec, self.device = spec, device
        self.outputs = network.outputs
        self.codec = codec_of(spec, network)
        self.normalise = normaliser(spec.network, device)
        self.factors = LossFactors(spec, plan, network.stage_count, device)

    def loss(self, step: int, batch: CropBatch, model: nn.Module, shown: Tensor | None) -> Tensor:
        """See ``Lesson``."""
        spec, training = self.spec, self.spec.training
        images = self.normalise(batch.images).contiguous(memory_format=torch.channels_last)
        points, visibility, weight, inside, negative = (
            torch.from_numpy(array).to(self.device)
            for array in (
                batch.keypoints, batch.visibility, batch.keypoint_weight, batch.inside, batch.negative,
            )
        )  # fmt: skip
        points, weight, negative = points.float(), weight.float(), negative[:, None]
        present = (visibility > 0) & shown_keypoints(spec.codec, self.codec, points, inside) & ~negative
        targets = draw_targets(spec.codec, self.codec, self.outputs, points, present)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=spec.network.precision == "bf16"):
            predictions = model(images)
        return supervision_loss(
            predictions,
            self.outputs,
            targets,
            torch.where(negative, 1.0, present * weight),
            training.ohkm,
            empty=self._empty(batch, present & (visibility > 1)) if training.zero_unseen else None,
            factors=self.factors(batch, shown),
        )

    def judge(self, network: PoseNetwork, data: TrainingData) -> dict[str, float]:
        """See ``Lesson``."""
        assert data.val
        return validate(network, self.spec, data.val, self.device)

    def _empty(self, batch: CropBatch, visible: Tensor) -> Tensor:
        """Keypoints to learn as absent: those of COCO's people that are not visible.

        What A and U do not label may well be there.
        """
        return ~visible & torch.from_numpy(batch.source == "C").to(self.device)[:, None]
