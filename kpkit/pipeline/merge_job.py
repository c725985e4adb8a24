"""The artefact of an ensemble with results files among its members: poses merged by OKS, without pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kpkit.core.errors import InputError
from kpkit.core.instances import Instances
from kpkit.core.progress import Progress
from kpkit.data.load import LoadedDataset, load_dataset
from kpkit.data.results import read_poses, read_results, write_poses
from kpkit.ensembles.oks_merge import oks_merge
from kpkit.evaluation.guard import guard_pictures, guard_results
from kpkit.inference.finish import finish_poses
from kpkit.pipeline.boxes_job import BLEND
from kpkit.pipeline.job import ArtefactJob
from kpkit.pipeline.scoring import judge_ensemble
from kpkit.specs.datasets import Dataset
from kpkit.specs.ensemble import EnsembleSpec

HEATMAPS = "blend"
"""The name under which the recipes' blend takes part in a merge."""


@dataclass
class MergeJob(ArtefactJob):
    """Merge results files, and the recipes' blend where there are recipes.

    Args:
        spec: the document.
        dataset: whose poses they are.
        results: name, file and weight of each.
        blend: the folder of the recipes' artefact; None without recipes.
        blend_weight: its weight.
    """

    spec: EnsembleSpec | None = None
    dataset: Dataset | None = None
    results: tuple[tuple[str, Path, float], ...] = ()
    blend: Path | None = None
    blend_weight: float = 1.0

    def make(self, work: Path, progress: Progress) -> dict[str, Any]:
        """Check and merge; judge the merge and each file on a labelled data set."""
        assert self.spec and self.dataset
        loaded = load_dataset(self.dataset, check_pictures=False)
        members = {name: checked_results(path, loaded, self.dataset.name) for name, path, _ in self.results}
        weights = [weight for _, _, weight in self.results]
        if self.blend is not None:
            plain = self.spec.poses.model_copy(update={"scoring": "mean"})
            members[HEATMAPS] = finish_poses(read_poses(self.blend / BLEND), plain)
            weights.append(self.blend_weight)
        for name, poses in members.items():
            write_poses(work / "members" / f"{name}.npz", poses)
        merged = oks_merge(list(members.values()), self.spec.merge_oks, weights)
        write_poses(work / BLEND, merged)
        metrics: dict[str, Any] = {
            "boxes": sum(map(len, members.values())),
            "merged": len(merged),
            "pictures": len(loaded.images),
        }
        if self.dataset.format == "coco":
            metrics |= judge_ensemble(merged, members, loaded, self.spec.poses, work)
        return metrics


def checked_results(path: Path, loaded: LoadedDataset, split: str) -> Instances:
    """A file of results of any tool, fit to be merged.

    Returns:
        Rows of source ``"M"``: their scores are the poses' own.

    Raises:
        InputError: no results file; a category other than 1, NaN, a wrong number of keypoints, a pose given
            twice, an unknown picture, or a score outside 0..1.
    """
    poses = read_results(path, skeleton=loaded.people.skeleton)
    if len(poses) == 0:
        raise InputError("holds no result", file=path, remedy="leave this member out")
    guard_results(poses, loaded.people, path)
    guard_pictures(poses, loaded.images, split, path, '; "{split}" in the name stands for it')
    outside = (poses.score < 0) | (poses.score > 1)
    if outside.any():
        row = int(np.flatnonzero(outside)[0])
        raise InputError(
            f"score {poses.score[row]:g} is not in 0 to 1 ({int(outside.sum())} of {len(poses)} rows)",
            file=path,
            row=row,
            remedy="rescale its scores: members are weighed by them",
        )
    return poses.with_(source=np.full(len(poses), "M"))
