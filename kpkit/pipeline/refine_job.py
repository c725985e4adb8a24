"""The artefact of refined poses: an ensemble's on a data set, or those of a results file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kpkit.core.errors import InputError
from kpkit.core.files import read_json, replacing
from kpkit.core.instances import Instances
from kpkit.core.progress import Progress
from kpkit.data.crops import picture_paths
from kpkit.data.load import LoadedDataset, load_dataset
from kpkit.data.results import read_poses, read_results, write_poses, write_results
from kpkit.ensembles.members import WEIGHTS
from kpkit.evaluation.ap import judge
from kpkit.evaluation.bootstrap import difference_intervals, resample
from kpkit.evaluation.errors import KINDS, pose_errors
from kpkit.evaluation.guard import guard_pictures
from kpkit.inference.finish import finish_poses
from kpkit.inference.network import best_device, create_network
from kpkit.models.weights import load_weights
from kpkit.pipeline.artefacts import MANIFEST
from kpkit.pipeline.boxes_job import BLEND
from kpkit.pipeline.job import ArtefactJob
from kpkit.refinement.fingerprints import fingerprints
from kpkit.refinement.gate import gated, refinement_gain
from kpkit.refinement.refiner import Refiner
from kpkit.specs.datasets import Dataset
from kpkit.specs.poses import PosesSpec
from kpkit.specs.recipe import RecipeSpec

RESULTS = "results.json"
FINGERPRINTS = "fingerprints.npy"


@dataclass
class RefineJob(ArtefactJob):
    """Refine poses and, where the data set is labelled, say what that did.

    Args:
        spec: the refiner's recipe.
        refiner: the folder of its artefact.
        dataset: the poses' pictures.
        poses: the folder of an ensemble's artefact on them, or a results file.
        rules: how an ensemble's poses are finished to be judged, by mean scores; None for a results file,
            which is judged as it is.
        gate: the folder of poses refined on val, whose intervals say which keypoints are refined; None
            refines them all.
    """

    spec: RecipeSpec | None = None
    refiner: Path = Path()
    dataset: Dataset | None = None
    poses: Path = Path()
    rules: PosesSpec | None = None
    gate: Path | None = None

    def make(self, work: Path, progress: Progress) -> dict[str, Any]:
        """Look at every pose once. Crops come and go; only the poses are held."""
        assert self.spec and self.dataset
        loaded = load_dataset(self.dataset)
        before = self.given(loaded)
        pictures = picture_paths(before, loaded.images, loaded.folder)
        device = best_device()
        network = create_network(self.spec.network)
        load_weights(network, self.refiner / WEIGHTS)
        whole = Refiner(network.to(device), self.spec, device).refine(before, pictures, progress=progress)
        metrics: dict[str, Any] = {"poses": len(before)}
        accepted = np.ones(len(before.skeleton), bool)
        if self.gate:
            told = read_json(self.gate / MANIFEST)["metrics"]["keypoints"]
            accepted = np.array([told[name]["accepted"] for name in before.skeleton.keypoints])
        if len(loaded.people):
            metrics |= self._judged(before, whole, loaded)
        after = gated(before, whole, accepted)
        metrics["refined"] = [n for n, a in zip(before.skeleton.keypoints, accepted, strict=True) if a]
        write_poses(work / BLEND, after)
        if self.rules is None:
            write_results(work / RESULTS, after)
        made = np.setdiff1d(fingerprints(after), fingerprints(before))  # a pose left as it was is not ours
        with replacing(work / FINGERPRINTS) as temporary, open(temporary, "wb") as handle:
            np.save(handle, made, allow_pickle=False)
        return metrics

    def given(self, loaded: LoadedDataset) -> Instances:
        """The poses to refine.

        Args:
            loaded: their data set.

        Raises:
            InputError: a file that holds no results or results on other pictures; poses that the same
                refiner has made, as far as ``_refuse_refined`` knows them.
        """
        assert self.dataset
        if self.rules is not None:
            poses = read_poses(self.poses / BLEND)
        else:
            poses = read_results(self.poses)
            if len(poses) == 0:
                raise InputError("holds no result", file=self.poses)
            guard_pictures(poses, loaded.images, self.dataset.name, self.poses)
        self._refuse_refined(poses)
        return poses

    def _refuse_refined(self, poses: Instances) -> None:
        """Raises InputError for poses that this refiner has made.

        They are known by their places, to a hundredth of a pixel, and by their picture, since results files
        have no room for more: under any name, in any order, with other scores, among others. They are not
        known again when the artefacts of this runs folder are gone or in another folder, or when their places
        have changed since: rounded to fewer decimals, merged with others, moved.
        """
        own = fingerprints(poses)
        for path in sorted(self.artefact.runs.glob(f"refined/[!.]*/{FINGERPRINTS}")):
            if (
                read_json(path.with_name(MANIFEST))["inputs"].get("refiner")
                != self.artefact.inputs["refiner"]
            ):
                continue
            again = np.isin(own, np.load(path, allow_pickle=False))
            if again.any():
                cause = (
                    f"{int(again.sum())} of {len(own)} poses are this refiner's already ({path.parent.name})"
                )
                remedy = "refine the poses it was given, once"
                raise InputError(cause, file=self.poses, row=int(np.argmax(again)), remedy=remedy)

    def _judged(self, before: Instances, whole: Instances, loaded: LoadedDataset) -> dict[str, Any]:
        """Figures before, after, and with the keypoints that gain alone; what became of whom."""
        truth, images = loaded.people, loaded.images
        gain = refinement_gain(truth, before, whole, images.id)
        rows = {"before": before, "whole": whole, "accepted": gated(before, whole, gain.accepted)}
        matches = {
            name: judge(truth, self._finished(poses), images=images).matches() for name, poses in rows.items()
        }
        figures = {name: found.figures() for name, found in matches.items()}
        told: dict[str, Any] = {"figures": figures, "better": gain.better, "worse": gain.worse}
        for name in ("whole", "accepted"):
            drawn = resample([matches[name], matches["before"]])
            told[f"{name}_gain"] = difference_intervals(figures[name], figures["before"], drawn)[
                "AP"
            ].as_dict()
        columns = zip(truth.skeleton.keypoints, gain.value, gain.low, gain.high, gain.accepted, strict=True)
        told["keypoints"] = {
            name: {"gain": _number(value), "low": _number(low), "high": _number(high), "accepted": bool(good)}
            for name, value, low, high, good in columns
        }
        told["errors"] = {}
        for name, poses in rows.items():
            counts = pose_errors(truth, poses, images.id).counts().sum(axis=1)
            told["errors"][name] = {kind: int(count) for kind, count in zip(KINDS, counts, strict=True)}
        return told

    def _finished(self, poses: Instances) -> Instances:
        if self.rules is None:
            return poses
        return finish_poses(poses, self.rules.model_copy(update={"scoring": "mean"}))


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
