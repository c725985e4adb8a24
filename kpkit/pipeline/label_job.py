"""The artefact of pseudo labels: what the rules keep of the teachers' poses, audited, as a COCO data set."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kpkit.core.errors import InputError
from kpkit.core.instances import Instances
from kpkit.core.progress import Progress
from kpkit.core.skeletons import COCO17
from kpkit.data.box_list import boxes_of, open_boxes, write_boxes
from kpkit.data.coco_write import Extra, write_annotation_stream
from kpkit.data.images import write_image
from kpkit.data.load import LoadedDataset, load_boxes, load_dataset
from kpkit.pipeline.boxes_job import PARTS
from kpkit.pipeline.job import ArtefactJob
from kpkit.pipeline.pose_shards import PoseShards, Shard
from kpkit.pipeline.teachers_job import POSES
from kpkit.pseudo_labels.audit import Audit, audit, given_rules
from kpkit.pseudo_labels.candidates import Candidates, candidates
from kpkit.pseudo_labels.labelling import label_block
from kpkit.reports.label_sheet import label_sheet
from kpkit.specs.datasets import Dataset
from kpkit.specs.pseudo_labels import PseudoLabelsSpec

LABELS, SHEET = "annotations.json", "doubtful.jpg"
SHOWN = 48
"""People on the contact sheet."""


@dataclass
class _Tally:
    """What was written so far, and the most doubtful of it."""

    people: int = 0
    keypoints: int = 0
    ignored: int = 0
    doubtful: Instances = field(default_factory=Instances.empty)
    doubt: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def add(self, people: Instances, sureness: np.ndarray) -> None:
        labels = people[~people.crowd]
        self.people += len(labels)
        self.keypoints += int(labels.num_labelled.sum())
        self.ignored += len(people) - len(labels)
        everyone = Instances.concat([self.doubtful, labels])
        doubt = np.concatenate([self.doubt, 1 - sureness])
        most = np.argsort(-doubt, kind="stable")[:SHOWN]
        self.doubtful, self.doubt = everyone[most], doubt[most]


@dataclass
class LabelJob(ArtefactJob):
    """Select labels from poses that teachers left in shards; one shard is in memory at a time.

    Args:
        spec: the document.
        images: the data set to label.
        audit: the labelled data set that the rules are tried on, if there is one.
        poses: the teachers' artefact folders, by ``"images"`` and ``"audit"``.
        teachers: names of the teachers' artefacts.
    """

    spec: PseudoLabelsSpec | None = None
    images: Dataset | None = None
    audit: Dataset | None = None
    poses: dict[str, Path] = field(default_factory=dict)
    teachers: tuple[str, ...] = ()

    def make(self, work: Path, progress: Progress) -> dict[str, Any]:
        """Audit the rules, then write what they keep, and draw the most doubtful of it."""
        assert self.images and self.spec
        audited = self._audited()
        loaded = load_dataset(self.images, check_pictures=False)
        shards, tally = self._shards("images"), _Tally()
        left_over = self._left_over(work, loaded, shards.choice["box_threshold"])
        by = {name: self.artefact.inputs[name] for name in self.teachers}
        write_annotation_stream(
            work / LABELS,
            loaded.images,
            self._blocks(shards, audited, left_over, tally, progress),
            skeleton=loaded.people.skeleton,
            info={"description": f"kpkit pseudo labels {self.artefact.name}", "teachers": by},
        )
        title = f"{self.artefact.name}: the most doubtful of {tally.people} people"
        sheet = label_sheet(
            loaded.folder, loaded.images, tally.doubtful, tally.doubt, count=SHOWN, title=title
        )
        write_image(work / SHEET, sheet)
        told = shards.choice | {
            "boxes": len(shards.boxes),
            "people": tally.people,
            "keypoints": tally.keypoints,
            "keypoints_per_person": tally.keypoints / tally.people,
            "ignored": tally.ignored,
        }
        if self.audit is not None:
            seen = self._shards("audit").choice
            told["audit"] = {"split": self.audit.name, "pictures": seen["pictures"]} | audited.figures
        return told

    def _shards(self, role: str) -> PoseShards:
        return PoseShards(self.poses[role] / POSES)

    def _audited(self) -> Audit:
        """The rules; judged, and solved, where there is a data set for it."""
        assert self.spec
        if self.audit is None:
            return Audit(given_rules(self.spec, len(COCO17)), None, {})
        truth = load_dataset(self.audit, check_pictures=False).people
        found = Candidates.joined(self._candidates(shard) for shard in self._shards("audit"))
        return audit(self.spec, found, truth)

    def _candidates(self, shard: Shard) -> Candidates:
        assert self.spec
        return candidates(shard.blend, list(shard.members.values()), self.spec.poses)

    def _left_over(self, work: Path, loaded: LoadedDataset, threshold: float) -> np.ndarray | None:
        """Boxes that no teacher looked at but that are to be ignored, on disk; None where none are."""
        assert self.images and self.spec
        if self.spec.ignore is None:
            return None
        boxes = load_boxes(self.images, loaded, self.spec.boxes, self.spec.ignore)
        file = work / PARTS / "left_over.npy"
        write_boxes(file, boxes[boxes.score < threshold])
        return open_boxes(file)

    def _blocks(
        self,
        shards: PoseShards,
        audited: Audit,
        left_over: np.ndarray | None,
        tally: _Tally,
        progress: Progress,
    ) -> Iterator[tuple[Instances, Extra]]:
        """Labelled people and regions to ignore, shard by shard, with what is written beside them.

        Raises InputError in the end where nobody was labelled.
        """
        assert self.spec
        several = len(self.spec.teachers) > 1
        written = 0
        for place, (shard, unseen) in enumerate(zip(shards, _parts(shards, left_over), strict=True)):
            found = self._candidates(shard)
            block = label_block(found, audited, several=several, left_over=unseen)
            people = Instances.concat([block.people, block.ignored])
            people = people.with_(id=written + np.arange(1, len(people) + 1))
            tally.add(people, block.sureness)
            extra: dict[str, list[object]] = {"score": people.score.tolist()}
            if several:
                agreement = np.concatenate([block.sureness, np.zeros(len(block.ignored))])
                extra["agreement"] = agreement.round(4).tolist()
            yield people, extra
            written += len(people)
            progress(place + 1, len(shards), "shards")
        if tally.people == 0:
            raise InputError(
                f"nothing to label: none of {len(shards.boxes)} people keeps "
                f"{self.spec.min_keypoints} keypoint(s)",
                remedy="lower min_keypoints, min_keypoint_score, min_agreement or precision",
            )


def _parts(shards: PoseShards, left_over: np.ndarray | None) -> Iterator[Instances | None]:
    """The left-over boxes on each shard's pictures and on those between it and the next shard's."""
    if left_over is None:
        yield from [None] * len(shards)
        return
    image_id = left_over["image_id"]
    first = shards.boxes["image_id"][shards.cuts[1:-1]]
    cuts = [0, *np.searchsorted(image_id, first).tolist(), len(image_id)]
    for begin, end in itertools.pairwise(cuts):
        yield boxes_of(left_over[begin:end])
