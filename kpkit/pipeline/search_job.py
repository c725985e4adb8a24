"""The artefact of a search: what members, weights and the choice of them are worth, on stored heatmaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kpkit.core.progress import Progress
from kpkit.data.load import load_dataset
from kpkit.ensembles.blends import blended_poses
from kpkit.ensembles.choice import SEARCHED, Chosen, search
from kpkit.ensembles.fits import EQUAL, METHODS
from kpkit.ensembles.folds import image_folds
from kpkit.ensembles.judged import Judged, finished
from kpkit.ensembles.people import PeopleMaps, error_correlation, people_and_boxes
from kpkit.ensembles.stored import StoredEnsemble
from kpkit.ensembles.tried import TriedWeights
from kpkit.pipeline.job import ArtefactJob
from kpkit.specs.datasets import Dataset
from kpkit.specs.ensemble import EnsembleSpec
from kpkit.specs.member import keypoint_weights

DOCUMENT, WITHOUT = "document", "without"
"""Rows of the document's own weights, and of all members but one."""


@dataclass
class SearchJob(ArtefactJob):
    """Judge fixed weights, choose others on folds of val, judge the choice on the pictures it did not see.

    Args:
        dataset: val, labelled.
        spec: the ensemble document.
        stores: members' names and the folders of their heatmaps.
    """

    dataset: Dataset | None = None
    spec: EnsembleSpec | None = None
    stores: tuple[tuple[str, Path], ...] = ()

    def make(self, work: Path, progress: Progress) -> dict[str, Any]:
        """Rows with figures (0 to 1) and gains over equal weights; the chosen weights of every keypoint."""
        assert self.dataset and self.spec
        asked = self.spec.search
        loaded = load_dataset(self.dataset, check_pictures=False)
        ensemble = StoredEnsemble(self.stores, self.spec.common_stride)
        folds = image_folds(loaded.images.id, asked.folds, asked.seed)
        fixed = _fixed_weights([name for name, _ in self.stores], self.spec)
        everywhere = np.zeros(len(ensemble.boxes), np.int64)
        sets = {name: weights[None] for name, weights in fixed.items()}
        poses = blended_poses(ensemble, sets, everywhere, self.spec.decode, progress)

        person, row = people_and_boxes(loaded.people, poses[EQUAL])
        truth = loaded.people[person]
        (work / "parts").mkdir(exist_ok=True)
        maps = PeopleMaps(work / "parts" / "people.npy", ensemble, truth, row, self.spec.decode, progress)
        tried = TriedWeights(maps.look, maps.labelled, len(ensemble))
        fold = np.array([folds[image] for image in truth.image_id.tolist()])
        per_fold, whole = search(tried, fold, truth.image_id, asked.rounds, progress)

        group = np.array([folds[image] for image in ensemble.boxes.image_id.tolist()], np.int64)
        chosen = [name for name in (*METHODS, SEARCHED) if name != EQUAL]
        sets = {name: np.stack([choice.weights[name] for choice in per_fold]) for name in chosen}
        poses |= blended_poses(ensemble, sets, group, self.spec.decode, progress)
        told = Judged(
            loaded.people,
            loaded.images,
            (
                (name, finished(found, self.spec.poses, loaded.people, loaded.images))
                for name, found in poses.items()
            ),
            draws=asked.draws,
            seed=asked.seed,
            progress=progress,
        )
        alone = list(np.eye(len(ensemble)))
        names = [name for name, _ in self.stores]
        return {
            "boxes": len(ensemble.boxes),
            "boxes_hash": ensemble.boxes.boxes_hash(),
            "pictures": len(loaded.images),
            "people": len(truth),
            "folds": asked.folds,
            "weights_tried": len(tried),
            "members": names,
            "rows": [_row(name, told, fixed, whole) for name in poses],
            "method": whole.method,
            "fold_methods": [choice.method for choice in per_fold],
            "weights": {
                name: dict(zip(names, whole.weights[name].T.round(6).tolist(), strict=True))
                for name in (*METHODS, SEARCHED)
            },
            "correlation": error_correlation(tried.closeness(alone), maps.labelled).round(6).tolist(),
        }


def _fixed_weights(members: Sequence[str], spec: EnsembleSpec) -> dict[str, np.ndarray]:
    """Name -> (K, M) weights nobody chose here: equal, the document's own, one member, all but one."""
    own = np.array([keypoint_weights(member.weight) for member in spec.members]).T
    everyone, alone = np.ones(len(members)), np.eye(len(members))
    fixed = {EQUAL: everyone} | dict(zip(members, alone, strict=True))
    if len(members) > 2:
        fixed |= {f"{WITHOUT} {name}": everyone - row for name, row in zip(members, alone, strict=True)}
    found = {name: np.tile(weights, (len(own), 1)) for name, weights in fixed.items()}
    return found if (own == own[:, :1]).all() else found | {DOCUMENT: own}


def _row(name: str, told: Judged, fixed: dict[str, np.ndarray], whole: Chosen) -> dict[str, Any]:
    """A row of the table; weights are means over keypoints, chosen ones those of the refit on all of val."""
    weights = fixed[name] if name in fixed else whole.weights[name]
    shares = (weights / weights.sum(axis=1, keepdims=True)).mean(axis=0)
    kind = "fixed" if name in fixed else "held out"
    return {"name": name, "kind": kind, "weights": shares.round(4).tolist()} | told.row(
        name, None if name == EQUAL else EQUAL
    )
