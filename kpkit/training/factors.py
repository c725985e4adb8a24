"""What the loss of each keypoint counts: by its source, by its name, and by who is shown to a stage."""

from __future__ import annotations

import torch

from kpkit.core.skeletons import SKELETONS
from kpkit.data.crops import CropBatch
from kpkit.specs.recipe import RecipeSpec
from kpkit.training.phases import PhasePlan


class LossFactors:
    """Factors on the keypoints' losses, beside the weights that come with their labels.

    Args:
        spec: the recipe: loss weights by source and by keypoint.
        plan: which rows are C's.
        stages: of the network.
        device: where the factors are wanted.
    """

    def __init__(self, spec: RecipeSpec, plan: PhasePlan, stages: int, device: torch.device) -> None:
        self.by_source, self.stages, self.device = spec.data.loss_weights, stages, device
        names = SKELETONS[spec.network.skeleton].keypoints
        given = spec.training.keypoint_weights
        self.by_keypoint = torch.tensor([given.get(name, 1.0) for name in names], device=device)
        self.people = plan.rows_of("C")

    def __call__(self, batch: CropBatch, shown: torch.Tensor | None) -> torch.Tensor:
        """Factors of a batch.

        Args:
            batch: N crops of K keypoints.
            shown: (stages - 1, people of C) bool, who is shown to the second stage and those after it; None
                shows everyone to all of them.

        Returns:
            (stages, N, K) float32.
        """
        source = torch.tensor([self.by_source.get(letter, 1.0) for letter in batch.source.tolist()])
        factors = source.repeat(self.stages, 1)
        if shown is not None:
            rows = torch.from_numpy(batch.rows)
            judged = (rows >= self.people.start) & (rows < self.people.stop)
            factors[1:, judged] *= shown[:, rows[judged] - self.people.start]
        return factors.to(self.device)[..., None] * self.by_keypoint
