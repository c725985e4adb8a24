"""The artefact of an ensemble's poses made out of fold: those of the folds, joined."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kpkit.core.instances import Instances
from kpkit.core.progress import Progress
from kpkit.data.load import load_dataset
from kpkit.data.results import read_poses, write_poses
from kpkit.pipeline.artefacts import read_artefact
from kpkit.pipeline.boxes_job import BLEND
from kpkit.pipeline.job import ArtefactJob
from kpkit.pipeline.scoring import judge_ensemble
from kpkit.specs.datasets import Dataset
from kpkit.specs.poses import PosesSpec


@dataclass
class FoldsJob(ArtefactJob):
    """Join the poses of a data set's folds, each looked at by networks that have not learnt from it.

    Args:
        dataset: all pictures.
        rules: how poses are finished to be judged.
        folds: folders of the ensemble's artefacts, one for each fold.
    """

    dataset: Dataset | None = None
    rules: PosesSpec = PosesSpec()
    folds: tuple[Path, ...] = ()

    def make(self, work: Path, progress: Progress) -> dict[str, Any]:
        """Join, before rescoring and NMS, and judge."""
        assert self.dataset
        loaded = load_dataset(self.dataset, check_pictures=False)
        poses = Instances.concat(read_poses(folder / BLEND) for folder in self.folds).sorted_by_image()
        write_poses(work / BLEND, poses)
        seen = [read_artefact(folder).metrics for folder in self.folds]
        metrics: dict[str, Any] = {
            "boxes": len(poses),
            "boxes_hash": poses.boxes_hash(),
            "pictures": sum(int(metrics["pictures"]) for metrics in seen),
        }
        if self.dataset.format == "coco":
            metrics |= judge_ensemble(poses, {}, loaded, self.rules, work)
        return metrics
