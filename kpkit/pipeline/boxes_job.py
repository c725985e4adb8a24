"""Jobs that look at boxes with networks: split into parts, streaming, resumable by part."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kpkit.core.files import read_json, write_json
from kpkit.core.instances import Instances
from kpkit.core.progress import Progress
from kpkit.data.crops import CropDataset, picture_paths
from kpkit.data.load import LoadedDataset, load_dataset
from kpkit.ensembles.members import Ensemble, MemberFiles, load_ensemble
from kpkit.inference.network import best_device
from kpkit.inference.predict import predict_poses
from kpkit.pipeline.job import ArtefactJob
from kpkit.pipeline.pose_shards import PoseShards
from kpkit.specs.datasets import Dataset
from kpkit.specs.poses import DecodeSpec

BLEND = "ensemble.npz"
PARTS = "parts"


@dataclass
class BoxesJob(ArtefactJob):
    """Poses of a data set's boxes by one network or several blended. A part is a shard of the box list.

    Args:
        dataset: pictures and boxes.
        members: the trained networks' artefact folders and weights.
        common_stride, decode: how they are blended and read.
        keep_members: also keep each network's own poses.
    """

    dataset: Dataset | None = None
    members: tuple[MemberFiles, ...] = ()
    common_stride: int | None = None
    decode: DecodeSpec = DecodeSpec()
    keep_members: bool = False

    def choose_boxes(self, loaded: LoadedDataset) -> tuple[Instances, dict[str, Any]]:
        """The boxes to look at in canonical order, and what the manifest should tell about the choice."""
        raise NotImplementedError

    @staticmethod
    def shards(folder: Path) -> PoseShards:
        """Where poses lie in a work folder: among the parts, which are removed in the end."""
        return PoseShards(folder / PARTS)

    def prepare(self, progress: Progress) -> Sequence[int]:
        """Choose the boxes and cut them into parts; those already done are left out."""
        assert self.dataset
        if self.artefact.done:
            return ()
        with self.artefact.working() as work:
            shards = self.shards(work)
            if not shards.begun:
                shards.begin(*self.choose_boxes(load_dataset(self.dataset)))
            return [part for part in range(len(shards)) if not shards.done(part)]

    def open(self) -> tuple[Ensemble, LoadedDataset, PoseShards]:
        """Networks, pictures, boxes."""
        assert self.dataset
        ensemble = load_ensemble(self.members, self.common_stride, best_device())
        loaded = load_dataset(self.dataset, check_pictures=False)
        return ensemble, loaded, self.shards(self.artefact.work)

    def run_part(self, opened: Any, part: int, progress: Progress) -> None:
        """Poses of one part's boxes."""
        ensemble, loaded, shards = opened
        start = time.monotonic()
        rows = shards.boxes_of(part)
        before, total = shards.cuts[part], len(shards.boxes)
        crops = CropDataset(rows, picture_paths(rows, loaded.images, loaded.folder), ensemble.codec.geometry)
        blend, members = predict_poses(
            ensemble.predictors,
            ensemble.weights,
            ensemble.codec,
            crops,
            self.decode,
            keep_members=self.keep_members,
            progress=lambda done, _, unit="", note="": progress(before + done, total, unit, note),
        )
        write_json(self._seconds(self.artefact.work, part), time.monotonic() - start)
        shards.write(part, blend, members)

    def spent(self, finishing: float) -> float:
        """Seconds over all parts, wherever they ran."""
        work = self.artefact.work
        return finishing + sum(
            float(read_json(self._seconds(work, part))) for part in range(len(self.shards(work)))
        )

    @staticmethod
    def _seconds(work: Path, part: int) -> Path:
        return work / PARTS / f"seconds-{part:05d}.json"
