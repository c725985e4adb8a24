"""The artefact of pseudo labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kpkit.core.errors import InputError
from kpkit.core.instances import Instances
from kpkit.core.progress import Progress
from kpkit.data.coco import write_annotations
from kpkit.data.load import LoadedDataset, load_boxes, load_dataset
from kpkit.inference.nms import oks_nms
from kpkit.inference.rescore import rescore
from kpkit.pipeline.boxes_job import BoxesJob
from kpkit.pseudo_labels.selection import BoxThreshold, people_per_picture, select_labels, solve_threshold
from kpkit.specs.datasets import Dataset
from kpkit.specs.pseudo_labels import PseudoLabelsSpec

LABELS = "annotations.json"


@dataclass
class LabelJob(BoxesJob):
    """Teachers label pictures; the result is a COCO data set."""

    spec: PseudoLabelsSpec | None = None
    labelled: Dataset | None = None

    @property
    def box_source(self) -> str:
        """The document's ``boxes``."""
        assert self.spec
        return self.spec.boxes

    def choose_boxes(self, loaded: LoadedDataset) -> tuple[Instances, dict[str, Any]]:
        """Detections above the threshold that gives as many people per picture as the labelled set has."""
        assert self.dataset and self.spec and self.labelled
        known = load_dataset(self.labelled, check_pictures=False)
        _refuse_leak(loaded, known, self.labelled)
        boxes = load_boxes(self.dataset, loaded, self.box_source)
        wanted = people_per_picture(known.people, len(known.images))
        if self.spec.min_box_score == "matched":
            threshold = solve_threshold(boxes.score, len(loaded.images), wanted)
        else:
            above = boxes.score >= self.spec.min_box_score
            reached = int(above.sum()) / max(len(loaded.images), 1)
            threshold = BoxThreshold(float(self.spec.min_box_score), wanted, reached)
        chosen = boxes[boxes.score >= threshold.score]
        return chosen, {
            "box_threshold": threshold.score,
            "persons_per_picture_labelled": threshold.wanted,
            "persons_per_picture": threshold.reached,
            "pictures": len(loaded.images),
        }

    def make(self, work: Path, progress: Progress) -> dict[str, Any]:
        """Keep sure keypoints of distinct people and write them as COCO annotations."""
        assert self.dataset and self.spec
        poses, _, choice = self.collect(work)
        distinct = oks_nms(rescore(poses, self.spec.poses.score_floor), self.spec.poses.oks_nms)
        people = select_labels(
            distinct.sorted_by_image(), self.spec.min_keypoint_score, self.spec.min_keypoints
        )
        loaded = load_dataset(self.dataset, check_pictures=False)
        teachers = [member.recipe for member in self.spec.teachers]
        write_annotations(
            work / LABELS,
            loaded.images,
            people,
            info={"description": f"kpkit pseudo labels {self.artefact.name} by {', '.join(teachers)}"},
        )
        kept = int(people.num_labelled.sum())
        return choice | {
            "boxes": len(poses),
            "people": len(people),
            "keypoints": kept,
            "keypoints_per_person": kept / max(len(people), 1),
        }


def _refuse_leak(pictures: LoadedDataset, labelled: LoadedDataset, dataset: Dataset) -> None:
    """A picture both labelled and pseudo-labelled would be shown with two truths."""
    both = labelled.images.rows_of(pictures.images.id) >= 0
    if both.any() and pictures.folder == labelled.folder:
        raise InputError(
            f"image {int(pictures.images.id[both][0])} is to be pseudo-labelled but is labelled in "
            f"{dataset.name}",
            remedy="leave the labelled pictures out of the list",
        )
