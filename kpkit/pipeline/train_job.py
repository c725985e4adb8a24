"""The artefact of a recipe: trained weights, log, figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kpkit.core.errors import InputError
from kpkit.core.files import read_json, write_json
from kpkit.core.instances import Instances
from kpkit.core.progress import Progress
from kpkit.core.skeletons import SKELETONS
from kpkit.data.coco import read_annotations
from kpkit.data.load import LoadedDataset, load_boxes, load_dataset
from kpkit.data.results import read_detections
from kpkit.ensembles.members import WEIGHTS
from kpkit.inference.network import best_device
from kpkit.mining.hard_negatives import THRESHOLDS, mine_hard_negatives
from kpkit.models.count import count_cost
from kpkit.models.network import PoseNetwork
from kpkit.models.weights import save_weights
from kpkit.pipeline.given_poses import given_poses
from kpkit.pipeline.job import ArtefactJob
from kpkit.pipeline.label_job import LABELS
from kpkit.pipeline.mine_job import NEGATIVES
from kpkit.refinement.errors import published_errors
from kpkit.refinement.lesson import drawn_facts, refined_errors, refiner_lesson
from kpkit.refinement.refiner import Refiner
from kpkit.specs.datasets import Dataset
from kpkit.specs.poses import PosesSpec
from kpkit.specs.recipe import RecipeSpec
from kpkit.training.checkpoint import load_newest
from kpkit.training.lesson import HeatmapLesson, Teach
from kpkit.training.log import write_log
from kpkit.training.loop import build_network, process_rank, train
from kpkit.training.sources import TrainingData, Validation, join_sources, trainable, validation_of
from kpkit.training.state import TrainingState
from kpkit.training.validate import false_detections

CHECKPOINTS = "checkpoints"
VAL_FIGURES = ("AP", "AP50", "AR")
"""What a recipe's manifest keeps of its validation."""
DRAWN_POSES = 1000
"""People of the validation set, at most, whose drawn poses are held against what they are meant to be."""
FALSE_DETECTIONS = 500
"""Detections on nobody, spread over the validation pictures, that a trained network is shown at most."""


@dataclass
class TrainJob(ArtefactJob):
    """Train one recipe.

    Args:
        spec: the recipe.
        sources: data set per letter; for H the one whose detections were mined, for U the labelled pictures.
        val: the validation data set.
        made: folders of the artefacts that H and U come from.
        weights, source: file that training starts from, and how it is read (``load_weights``).
        poses: results that a refiner learns from, or an ensemble's poses.
        rules: how the ensemble's are finished; None for results, which are taken as they are.
        loader_workers: processes that prepare crops beside the training process.
    """

    spec: RecipeSpec | None = None
    sources: dict[str, Dataset] = field(default_factory=dict)
    val: Dataset | None = None
    made: dict[str, Path] = field(default_factory=dict)
    weights: Path | None = None
    source: str = "kpkit"
    poses: Path | None = None
    rules: PosesSpec | None = None
    loader_workers: int = 0

    @property
    def seed(self) -> int | None:
        """The recipe's."""
        return self.spec.training.seed if self.spec else None

    def prepare(self, progress: Progress) -> Sequence[int]:
        """One part, the training; none once it has reached its end."""
        return () if self.artefact.done or self._trained.exists() else (0,)

    def open(self) -> TrainingData:
        """Read the sources."""
        return self._data()

    def run_part(self, opened: Any, part: int, progress: Progress) -> None:
        """Train to the end. With several workers every one of them comes here; rank 0 alone writes."""
        assert self.spec
        if process_rank() != 0:
            self._train(TrainingData(opened.counts, opened.crops, None), progress)
            return
        with self.artefact.working():
            state = self._train(opened, progress)
            told: dict[str, Any] = {"steps": state.step, "seconds": state.seconds}
            if opened.val is not None and self.spec.refinement:
                told["refined"] = drawn_and_refined(state.judged, self.spec, opened.val)
            elif opened.val is not None:
                told["false_detections"] = false_detections(
                    state.judged, self.spec, opened.val, best_device()
                )
            write_json(self._trained, told)

    def make(self, work: Path, progress: Progress) -> dict[str, Any]:
        """Keep the weights and the log of the finished training, and count the network's cost."""
        assert self.spec
        found = load_newest(work / CHECKPOINTS)
        if found is None:
            raise InputError("the finished training left no whole checkpoint", file=work / CHECKPOINTS)
        state = TrainingState.fresh(build_network(self.spec), self.spec.training)
        state.from_checkpoint(found[1])
        save_weights(state.judged, work / WEIGHTS, SKELETONS[self.spec.network.skeleton])
        write_log(work, state.log)
        data = self._people()
        metrics: dict[str, Any] = {
            "steps": state.step,
            "crops": state.step * self.spec.training.batch_size,
            "people": {letter: len(people) for letter, (people, _) in data.items()},
            "pictures_skipped": sum(loaded.skipped for _, loaded in data.values()),
            "loss": state.log[-1]["loss"],
            **cost_metrics(state.judged),
        }
        if "val_AP" in state.log[-1]:
            metrics["val"] = {name: state.log[-1][f"val_{name}"] for name in VAL_FIGURES}
        told = read_json(self._trained)
        metrics |= {name: told[name] for name in ("false_detections", "refined") if told.get(name)}
        return metrics

    def spent(self, finishing: float) -> float:
        """Seconds of training over all resumptions, and of finishing."""
        return finishing + float(read_json(self._trained)["seconds"])

    @property
    def _trained(self) -> Path:
        return self.artefact.work / CHECKPOINTS / "trained.json"

    def _train(self, data: TrainingData, progress: Progress) -> TrainingState:
        assert self.spec
        return train(
            self.spec,
            data,
            self.artefact.work / CHECKPOINTS,
            device=best_device(),
            weights=self.weights,
            source=self.source,
            progress=progress,
            loader_workers=self.loader_workers,
            teach=self._teach(data),
        )

    def _teach(self, data: TrainingData) -> Teach:
        """The lesson: heatmaps, or better poses."""
        assert self.spec
        if not self.spec.refinement:
            return HeatmapLesson
        people = data.crops.instances
        if self.poses is None:
            return refiner_lesson(self.spec, people, None)
        poses, others = given_poses(self.poses, self.rules, self.spec.refinement, self.sources["C"], self.val)
        return refiner_lesson(self.spec, people, poses, others)

    def _people(self) -> dict[str, tuple[Instances, LoadedDataset]]:
        """Whom each source shows, with their pictures' data set; all in the network's skeleton."""
        assert self.spec
        shown = {}
        skeleton = SKELETONS[self.spec.network.skeleton]
        for letter, dataset in self.sources.items():
            loaded = load_dataset(dataset, skeleton)
            if letter == "H":
                people = read_detections(self.made["H"] / NEGATIVES).speaking(skeleton)
            elif letter == "U":
                _, labels = read_annotations(self.made["U"] / LABELS, cache=dataset.cache)
                people = trainable(labels.speaking(skeleton))
            else:
                people = trainable(loaded.people)
            shown[letter] = (people.with_(source=np.full(len(people), letter)), loaded)
        return shown

    def _data(self) -> TrainingData:
        assert self.spec
        return join_sources(self.spec, self._people(), read_validation(self.spec, self.val))


def read_validation(spec: RecipeSpec, dataset: Dataset | None) -> Validation | None:
    """The recipe's validation set, with the boxes it names, and some of its hard negatives.

    A refiner is shown the labelled people themselves.
    """
    if dataset is None:
        return None
    loaded = load_dataset(dataset, SKELETONS[spec.network.skeleton])
    if spec.refinement:
        return validation_of(spec, trainable(loaded.people), loaded)
    nobody = None
    if dataset.detections is not None:
        detections = load_boxes(dataset, loaded, "detections", THRESHOLDS[0])
        nobody = mine_hard_negatives(detections, loaded.people, THRESHOLDS[0])
        nobody = nobody[np.linspace(0, len(nobody) - 1, min(len(nobody), FALSE_DETECTIONS)).astype(int)]
    return validation_of(spec, load_boxes(dataset, loaded, spec.data.val_boxes), loaded, nobody)


def drawn_and_refined(network: PoseNetwork, spec: RecipeSpec, val: Validation) -> dict[str, Any]:
    """The validation set's labels with the paper's errors drawn into them, ``before`` and ``after``.

    Each has VAL_FIGURES, 0 to 1, and how many keypoints have which of ``errors``. ``drawn``: some of the
    drawn poses beside what they are meant to be (``refinement.intended``).
    """
    errors = published_errors()
    before, after = refined_errors(Refiner(network, spec, best_device()), val, errors)
    told: dict[str, Any] = {
        when: {name: judged.figures[name] for name in VAL_FIGURES} | {"errors": judged.errors}
        for when, judged in (("before", before), ("after", after))
    }
    return told | {"drawn": drawn_facts(val.crops.instances, errors, DRAWN_POSES)}


def cost_metrics(network: PoseNetwork) -> dict[str, Any]:
    """What a recipe's manifest tells of its network's cost."""
    cost = count_cost(network)
    return {
        "parameters": cost.inference_params,
        "parameters_training": cost.params,
        "gmacs": cost.inference_gmacs,
    }
