"""The artefact of hard negatives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kpkit.core.progress import Progress
from kpkit.data.load import load_boxes, load_dataset
from kpkit.data.results import write_detections
from kpkit.mining.hard_negatives import THRESHOLDS, counts_by_score, mine_hard_negatives
from kpkit.pipeline.job import ArtefactJob
from kpkit.specs.datasets import Dataset
from kpkit.specs.recipe import HardNegativesSpec

NEGATIVES = "hard_negatives.json"


@dataclass
class MineJob(ArtefactJob):
    """Compare a detector's boxes with the annotated people."""

    dataset: Dataset | None = None
    spec: HardNegativesSpec | None = None

    def make(self, work: Path, progress: Progress) -> dict[str, Any]:
        """Write the negatives as detections."""
        assert self.dataset and self.spec
        loaded = load_dataset(self.dataset)
        detections = load_boxes(self.dataset, loaded, "detections")
        # counted down to the paper's lowest score, whichever the document takes
        found = mine_hard_negatives(detections, loaded.people, min(self.spec.min_score, THRESHOLDS[0]))
        negatives = found[found.score >= self.spec.min_score]
        write_detections(work / NEGATIVES, negatives)
        return {
            "detections": len(detections),
            "negatives": len(negatives),
            "by_score": counts_by_score(found),
            "pictures": len(loaded.images),
        }
