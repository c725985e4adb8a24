"""The artefact of an ensemble on one data set: poses, and figures where the truth is known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kpkit.core.instances import Instances
from kpkit.core.progress import Progress
from kpkit.data.load import LoadedDataset, load_dataset
from kpkit.data.results import write_poses
from kpkit.pipeline.boxes_job import BLEND, BoxesJob
from kpkit.pipeline.looked_at import looked_at
from kpkit.pipeline.scoring import judge_ensemble
from kpkit.specs.ensemble import EnsembleSpec


@dataclass
class EnsembleJob(BoxesJob):
    """Blend the members on a data set's boxes; poses are kept before rescoring and NMS."""

    spec: EnsembleSpec | None = None

    def choose_boxes(self, loaded: LoadedDataset) -> tuple[Instances, dict[str, Any]]:
        """What the document's ``[boxes]`` says."""
        assert self.dataset and self.spec
        boxes = looked_at(self.dataset, loaded, self.spec.boxes)
        return boxes, {
            "boxes": len(boxes),
            "boxes_hash": boxes.boxes_hash(),
            "pictures": len(loaded.images),
        }

    def make(self, work: Path, progress: Progress) -> dict[str, Any]:
        """Write the poses; judge blend and members on a labelled data set."""
        assert self.dataset and self.spec
        shards = self.shards(work)
        blend, members = shards.joined()
        write_poses(work / BLEND, blend)
        for name, poses in members.items():
            write_poses(work / "members" / f"{name}.npz", poses)
        metrics: dict[str, Any] = shards.choice
        if self.dataset.format == "coco":
            metrics |= judge_ensemble(blend, members, load_dataset(self.dataset), self.spec.poses, work)
        return metrics
