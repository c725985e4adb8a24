"""The artefact of what teachers see: their poses on the boxes that may hold people, in shards."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kpkit.core.errors import InputError
from kpkit.core.instances import Instances
from kpkit.core.progress import Progress
from kpkit.data.load import LoadedDataset, load_boxes, load_dataset
from kpkit.pipeline.boxes_job import BoxesJob
from kpkit.pipeline.pose_shards import PoseShards
from kpkit.pseudo_labels.leakage import refuse_leak
from kpkit.pseudo_labels.selection import BoxThreshold, people_per_picture, solve_threshold
from kpkit.specs.datasets import Dataset
from kpkit.specs.pseudo_labels import PseudoLabelsSpec

POSES = "poses"


@dataclass
class TeachersJob(BoxesJob):
    """Teachers look at the pictures to label, or at the audit set's.

    The detection threshold is solved on the pictures to label in both cases. Selecting labels reads the
    shards, so that other rules cost no look at a picture.

    Args:
        spec: the document.
        images: the data set to label; ``dataset`` is this one or the audit set.
        labelled: the labelled data set.
        lists: data sets that must share no picture with ``images``.
    """

    spec: PseudoLabelsSpec | None = None
    images: Dataset | None = None
    labelled: Dataset | None = None
    lists: tuple[Dataset, ...] = ()

    @staticmethod
    def shards(folder: Path) -> PoseShards:
        """They are the artefact itself."""
        return PoseShards(folder / POSES)

    def choose_boxes(self, loaded: LoadedDataset) -> tuple[Instances, dict[str, Any]]:
        """Boxes above the threshold that gives as many people per picture as the labelled set has."""
        assert self.dataset and self.spec and self.images and self.labelled
        audits = self.dataset != self.images
        to_label = load_dataset(self.images, check_pictures=False) if audits else loaded
        boxes = load_boxes(self.images, to_label, self.spec.boxes)
        threshold = self._threshold(boxes, len(to_label.images))
        if audits:
            boxes = load_boxes(self.dataset, loaded, self.spec.audit_boxes)
        chosen = boxes[boxes.score >= threshold.score]
        if len(chosen) == 0:
            raise InputError(
                f"no box on the pictures of {self.dataset.name} scores {threshold.score:g} or more",
                file=self.dataset.detections,
                remedy="lower min_box_score, or name another detector's file",
            )
        return chosen, {
            "box_threshold": threshold.score,
            "persons_per_picture_labelled": threshold.wanted,
            "persons_per_picture": len(chosen) / max(len(loaded.images), 1),
            "pictures": len(loaded.images),
        }

    def prepare(self, progress: Progress) -> Any:
        """As every job that looks at boxes, once no picture turns out to be one of those kept apart."""
        assert self.dataset and self.images
        if self.dataset == self.images and not self.artefact.done and not self._begun:
            refuse_leak(self.images, self.lists)
        return super().prepare(progress)

    def make(self, work: Path, progress: Progress) -> dict[str, Any]:
        """The shards are written; count them."""
        shards = self.shards(work)
        return shards.choice | {"boxes": len(shards.boxes), "shards": len(shards)}

    @property
    def _begun(self) -> bool:
        return self.shards(self.artefact.work).begun

    def _threshold(self, boxes: Instances, pictures: int) -> BoxThreshold:
        assert self.spec and self.labelled
        known = load_dataset(self.labelled, check_pictures=False)
        wanted = people_per_picture(known.people, len(known.images))
        if self.spec.min_box_score == "matched":
            return solve_threshold(boxes.score, pictures, wanted)
        reached = int((boxes.score >= self.spec.min_box_score).sum()) / max(pictures, 1)
        return BoxThreshold(float(self.spec.min_box_score), wanted, reached)
