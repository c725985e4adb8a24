"""Jobs that look at boxes with networks: split into parts, streaming, resumable by part."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kpkit.core.files import read_json, replacing, write_json
from kpkit.core.instances import Instances
from kpkit.core.progress import Progress
from kpkit.data.crops import CropDataset, picture_paths
from kpkit.data.load import LoadedDataset, load_dataset
from kpkit.data.results import read_poses, write_poses
from kpkit.ensembles.members import Ensemble, MemberFiles, load_ensemble
from kpkit.inference.network import best_device
from kpkit.inference.predict import predict_poses
from kpkit.pipeline.job import ArtefactJob
from kpkit.specs.datasets import Dataset
from kpkit.specs.poses import DecodeSpec

PART = 512
"""Boxes a part holds at least; parts end between pictures. Part of the result: batches never cross parts."""
BOXES, BLEND = "boxes.npz", "ensemble.npz"


@dataclass
class BoxesJob(ArtefactJob):
    """Poses of a data set's boxes by one network or several blended.

    Args:
        dataset: pictures and boxes.
        members: the trained networks' artefact folders and weights.
        common_stride, decode: how they are blended and read.
        keep_members: also keep each network's own poses (for judging it).
    """

    dataset: Dataset | None = None
    members: tuple[MemberFiles, ...] = ()
    common_stride: int | None = None
    decode: DecodeSpec = DecodeSpec()
    keep_members: bool = False

    @property
    def box_source(self) -> str:
        """Where the document takes boxes from."""
        raise NotImplementedError

    @property
    def min_box_score(self) -> float:
        """The score below which the document looks at no box."""
        return 0.0

    def choose_boxes(self, loaded: LoadedDataset) -> tuple[Instances, dict[str, Any]]:
        """The boxes to look at in canonical order, and what the manifest should tell about the choice."""
        raise NotImplementedError

    def prepare(self, progress: Progress) -> Sequence[int]:
        """Choose the boxes and cut them into parts; those already done are left out."""
        assert self.dataset
        if self.artefact.done:
            return ()
        with self.artefact.working() as work:
            boxes_file, choice_file = work / "parts" / BOXES, work / "parts" / "choice.json"
            if not choice_file.exists():
                boxes, choice = self.choose_boxes(load_dataset(self.dataset))
                write_poses(boxes_file, boxes)
                write_json(choice_file, choice)
            boxes = read_poses(boxes_file)
            return [i for i in range(len(_cuts(boxes)) - 1) if not self._part(work, i).exists()]

    def open(self) -> tuple[Ensemble, LoadedDataset, Instances]:
        """Networks, pictures, boxes."""
        assert self.dataset
        ensemble = load_ensemble(self.members, self.common_stride, best_device())
        loaded = load_dataset(self.dataset, check_pictures=False)
        return ensemble, loaded, read_poses(self.artefact.work / "parts" / BOXES)

    def run_part(self, opened: Any, part: int, progress: Progress) -> None:
        """Poses of one part's boxes."""
        ensemble, loaded, boxes = opened
        start = time.monotonic()
        cuts = _cuts(boxes)
        rows = boxes[cuts[part] : cuts[part + 1]]
        codec = ensemble.codec
        paths = picture_paths(rows, loaded.images, loaded.folder)
        crops = CropDataset(rows, paths, codec.geometry)
        blend, members = predict_poses(
            ensemble.predictors,
            ensemble.weights,
            codec,
            crops,
            self.decode,
            keep_members=self.keep_members,
            progress=lambda done, total, unit="", note="": progress(
                int(cuts[part]) + done, len(boxes), unit, note
            ),
        )
        named: dict[str, Any] = {"blend": blend.keypoints} | {n: m.keypoints for n, m in members.items()}
        named["seconds"] = np.array(time.monotonic() - start)
        with (
            replacing(self._part(self.artefact.work, part)) as temporary,
            open(temporary, "wb") as handle,
        ):
            np.savez(handle, **named)

    def collect(self, work: Path) -> tuple[Instances, dict[str, Instances], dict[str, Any]]:
        """All parts joined: the blend's poses, the members' poses, the choice of boxes."""
        boxes = read_poses(work / "parts" / BOXES)
        parts = [np.load(self._part(work, i), allow_pickle=False) for i in range(len(_cuts(boxes)) - 1)]
        names = [name for name in (parts[0].files if parts else ["blend"]) if name != "seconds"]
        poses = {
            name: boxes.with_(
                keypoints=np.concatenate([part[name] for part in parts])
                if parts
                else np.zeros((0, len(boxes.skeleton), 3)),
                source=np.full(len(boxes), "P"),
            )
            for name in names
        }
        self._part_seconds = float(sum(part["seconds"] for part in parts))
        return poses.pop("blend"), poses, read_json(work / "parts" / "choice.json")

    def spent(self, finishing: float) -> float:
        """Seconds over all parts, wherever they ran."""
        return finishing + getattr(self, "_part_seconds", 0.0)

    @staticmethod
    def _part(work: Path, index: int) -> Path:
        return work / "parts" / f"part-{index:05d}.npz"


def _cuts(boxes: Instances) -> list[int]:
    """Row numbers where parts begin and end: every PART boxes, moved to the next picture's first box."""
    if len(boxes) == 0:
        return [0]
    first_of_picture = np.flatnonzero(np.diff(boxes.image_id, prepend=boxes.image_id[0] - 1))
    wanted = np.arange(0, len(boxes), PART)
    place = np.searchsorted(first_of_picture, wanted)
    starts = np.unique(first_of_picture[place[place < len(first_of_picture)]])
    return [*starts.tolist(), len(boxes)]
