"""The artefact of what one network sees: its heatmaps on a data set's boxes, for search and ablation."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kpkit.core.errors import InputError
from kpkit.core.files import read_json, write_json
from kpkit.core.progress import Progress
from kpkit.data.crops import CropDataset, picture_paths
from kpkit.data.load import LoadedDataset, load_dataset
from kpkit.ensembles.members import MemberFiles, load_ensemble
from kpkit.ensembles.stored import StoredMember, store_name
from kpkit.heatmaps.codecs import Codec
from kpkit.heatmaps.decode import decode
from kpkit.heatmaps.packing import Format, pack, unpack
from kpkit.heatmaps.store import StoreWriter
from kpkit.inference.network import Predictor, best_device
from kpkit.inference.predict import BATCH
from kpkit.pipeline.box_shards import BoxShards
from kpkit.pipeline.job import ArtefactJob
from kpkit.pipeline.looked_at import looked_at
from kpkit.specs.datasets import Dataset
from kpkit.specs.ensemble import BoxesSpec


@dataclass
class HeatmapsJob(ArtefactJob):
    """One network's heatmaps in a store; the mirrored pictures' in another beside it.

    Mirrored maps are brought back (left and right exchanged) but neither moved nor averaged, so that the flip
    shift can be chosen afterwards. All lie on the grids the network made them on, a store for each test-time
    view, so that they serve every ensemble. A part is a shard of each store.

    Args:
        dataset, boxes: pictures and boxes.
        member: the trained network.
        mirrored: also look at the mirrored crops.
        format: of the store.
    """

    dataset: Dataset | None = None
    boxes: BoxesSpec = BoxesSpec()
    member: MemberFiles | None = None
    mirrored: bool = True
    format: Format = "u8"

    def prepare(self, progress: Progress) -> Sequence[int]:
        """Choose the boxes; parts already written are left out."""
        assert self.dataset
        if self.artefact.done:
            return ()
        with self.artefact.working() as work:
            shards = BoxShards(work)
            if not shards.begun:
                loaded = load_dataset(self.dataset)
                boxes = looked_at(self.dataset, loaded, self.boxes)
                if len(boxes) == 0:
                    cause = f"no box of {self.dataset.name} is left to look at"
                    raise InputError(cause, file=self.dataset.detections, remedy="lower [boxes] min_score")
                facts = {"boxes_hash": boxes.boxes_hash(), "pictures": len(loaded.images)}
                shards.begin(boxes, {"boxes": len(boxes)} | facts)
            return [part for part in range(len(shards)) if not _facts_file(work, part).exists()]

    def open(self) -> tuple[Predictor, LoadedDataset, BoxShards]:
        """Network, pictures, boxes."""
        assert self.dataset and self.member
        (predictor,) = load_ensemble([self.member], None, best_device()).predictors
        work = self.artefact.work
        StoredMember.describe(work, predictor.codec, len(predictor.views), self.mirrored)
        return predictor, load_dataset(self.dataset, check_pictures=False), BoxShards(work)

    def run_part(self, opened: Any, part: int, progress: Progress) -> None:
        """Heatmaps of one part's boxes; of its first batch also what packing does to the points."""
        predictor, loaded, shards = opened
        start = time.monotonic()
        rows = shards.boxes_of(part)
        paths = picture_paths(rows, loaded.images, loaded.folder)
        views = predictor.views
        crops = CropDataset(rows, paths, views[0].geometry)
        geometries = list(dict.fromkeys(view.geometry for view in views))
        moved = [np.zeros(0)]
        stores = [
            (view, mirrored, self._writer(store_name(number, mirrored), view, predictor, shards, part))
            for number, view in enumerate(views)
            for mirrored in ((False, True) if self.mirrored else (False,))
        ]
        for begin in range(0, len(rows), BATCH):
            batch = np.arange(begin, min(begin + BATCH, len(rows)))
            cut = zip(geometries, crops.batches(geometries, batch), strict=True)
            images = {geometry: found.images for geometry, found in cut}
            for view, mirrored, writer in stores:
                if writer.done == shards.cuts[part + 1]:
                    continue  # written whole by a process that died before it could say so
                maps = predictor.heatmaps(images[view.geometry], mirrored=mirrored)
                writer.append(maps)
                if begin == 0:
                    moved.append(decoded_error(maps, self.format))
            progress(shards.cuts[part] + begin + len(batch), len(shards.boxes), "boxes")
        facts = {"seconds": time.monotonic() - start, "moved": np.concatenate(moved).round(6).tolist()}
        write_json(_facts_file(self.artefact.work, part), facts, indent=None)

    def make(self, work: Path, progress: Progress) -> dict[str, Any]:
        """The stores are written; tell their size and how far packing moves a point (heatmap pixels)."""
        assert self.member
        shards = BoxShards(work)
        facts = [read_json(_facts_file(work, part)) for part in range(len(shards))]
        moved = np.concatenate([np.zeros(0), *(np.array(f["moved"]) for f in facts)])
        member = StoredMember(self.member.name, work)
        stores = [*member.plain, *member.mirrored]
        size = sum(path.stat().st_size for path in work.glob("view*/*"))
        whole = sum(len(store) * 4 * int(np.prod(store.shape)) for store in stores)
        middle, high = np.quantile(moved, [0.5, 0.99])
        return shards.choice | {
            "mirrored": self.mirrored,
            "format": self.format,
            "codec": member.codec.id,
            "bytes": size,
            "share_of_float32": size / whole,
            "moved": {"points": len(moved), "p50": middle, "p99": high, "max": moved.max()},
        }

    def spent(self, finishing: float) -> float:
        """Seconds over all parts, wherever they ran."""
        work = self.artefact.work
        parts = range(len(BoxShards(work)))
        return finishing + sum(float(read_json(_facts_file(work, part))["seconds"]) for part in parts)

    def _writer(
        self, name: str, view: Codec, predictor: Predictor, shards: BoxShards, part: int
    ) -> StoreWriter:
        return StoreWriter(
            self.artefact.work / name,
            view,
            predictor.skeleton.keypoints,
            shards.choice["boxes_hash"],
            len(shards.boxes),
            format=self.format,
            cuts=shards.cuts,
            shard=part,
        )


def decoded_error(maps: np.ndarray, format: Format) -> np.ndarray:
    """(N, K, h, w) maps -> (N * K,) heatmap pixels between points decoded before and after packing."""
    kept = np.empty(maps.shape, np.float32)
    unpack(pack(maps, format), kept)
    before, after = decode(maps)[0], decode(kept)[0]
    distance: np.ndarray = np.linalg.norm(before - after, axis=2).reshape(-1)
    return distance


def _facts_file(work: Path, part: int) -> Path:
    return work / "parts" / f"{part:05d}.json"
