"""The artefact of a recipe whose weights come from elsewhere: a member without training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kpkit.core.progress import Progress
from kpkit.core.skeletons import SKELETONS
from kpkit.ensembles.members import WEIGHTS
from kpkit.inference.network import best_device, create_network
from kpkit.models.weights import load_weights, save_weights
from kpkit.pipeline.job import ArtefactJob
from kpkit.pipeline.train_job import VAL_FIGURES, cost_metrics, drawn_and_refined, read_validation
from kpkit.specs.datasets import Dataset
from kpkit.specs.recipe import RecipeSpec
from kpkit.training.validate import false_detections, validate


@dataclass
class WeightsJob(ArtefactJob):
    """Take a network's weights as they are, and judge it where the recipe names a validation set.

    Args:
        spec: a recipe without training phases.
        weights: its safetensors file.
        val: the validation data set.
    """

    spec: RecipeSpec | None = None
    weights: Path | None = None
    val: Dataset | None = None

    def make(self, work: Path, progress: Progress) -> dict[str, Any]:
        """Load strictly, judge, keep."""
        assert self.spec and self.weights
        spec = self.spec
        network = create_network(spec.network)
        load_weights(network, self.weights)
        metrics = cost_metrics(network)
        val = read_validation(spec, self.val)
        if val is not None:
            device = best_device()
            network = network.to(device)
            if spec.refinement:
                metrics["refined"] = drawn_and_refined(network, spec, val)
                figures = metrics["refined"]["after"]
            else:
                figures = validate(network, spec, val, device, progress)
            metrics["val"] = {name: figures[name] for name in VAL_FIGURES}
            if not spec.refinement and (told := false_detections(network, spec, val, device)):
                metrics["false_detections"] = told
        save_weights(network, work / WEIGHTS, SKELETONS[spec.network.skeleton])
        return metrics
