"""The artefact of an ablation: post-processing varied on stored heatmaps, laid out as the papers' tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from kpkit.core.instances import Instances
from kpkit.core.progress import Progress
from kpkit.data.load import LoadedDataset, load_dataset
from kpkit.ensembles.blends import decoded_ways
from kpkit.ensembles.judged import Judged, finished
from kpkit.ensembles.stored import StoredEnsemble
from kpkit.inference.boxes import box_nms, soft_box_nms
from kpkit.pipeline.job import ArtefactJob
from kpkit.pipeline.settings_grid import GridTable, Setting
from kpkit.specs.datasets import Dataset
from kpkit.specs.ensemble import BoxesSpec, EnsembleSpec
from kpkit.specs.member import keypoint_weights

ORDER = ("SOA", "SSP", "Soft-NMS", "GF")
"""CCM's techniques by what each is worth alone in its Table 7, the first the most."""


@dataclass
class AblateJob(ArtefactJob):
    """Judge every setting of a grid.

    Args:
        dataset: val, labelled.
        spec: the ensemble document; its members' weights are taken as they are.
        stores: members' names and the folders of their heatmaps.
        tables: the grid.
    """

    dataset: Dataset | None = None
    spec: EnsembleSpec | None = None
    stores: tuple[tuple[str, Path], ...] = ()
    tables: tuple[GridTable, ...] = ()

    def make(self, work: Path, progress: Progress) -> dict[str, Any]:
        """Tables of rows with figures (0 to 1) and gains over each table's first row; the papers' order."""
        assert self.dataset and self.spec
        loaded = load_dataset(self.dataset, check_pictures=False)
        ensemble = StoredEnsemble(self.stores, self.spec.common_stride)
        weights = np.array([keypoint_weights(member.weight) for member in self.spec.members])
        settings = {row.setting.key: row.setting for table in self.tables for row in table.rows}
        ways = list({setting.decode: None for setting in settings.values()})
        points = dict(zip(ways, decoded_ways(ensemble, weights, ways, progress), strict=True))

        def results() -> Iterator[tuple[str, Instances]]:
            for key, setting in settings.items():
                yield key, _finished(ensemble.boxes, points[setting.decode], setting, loaded)

        grid = self.spec.grid
        told = Judged(
            loaded.people,
            loaded.images,
            results(),
            draws=grid.draws,
            seed=grid.seed,
            progress=progress,
        )
        return {
            "boxes": len(ensemble.boxes),
            "boxes_hash": ensemble.boxes.boxes_hash(),
            "pictures": len(loaded.images),
            "members": [name for name, _ in self.stores],
            "settings": len(settings),
            "tables": [_table(table, told) for table in self.tables],
            "order": _order(self.tables[0], told),
        }


def _finished(boxes: Instances, points: np.ndarray, setting: Setting, loaded: LoadedDataset) -> Instances:
    poses = boxes.with_(keypoints=points.astype(np.float64), source=np.full(len(boxes), "P"))
    kept = kept_boxes(poses, setting.boxes)
    return finished(kept, setting.poses, loaded.people, loaded.images)


def kept_boxes(boxes: Instances, wanted: BoxesSpec) -> Instances:
    """Rows of a stored list that a ``[boxes]`` table leaves, with the scores it gives them.

    Boxes below ``min_score`` have suppressed nothing above it, so a list without them loses nothing.
    """
    if wanted.nms == "hard":
        boxes = box_nms(boxes, wanted.iou_nms)
    elif wanted.nms in ("soft_linear", "soft_gaussian"):
        boxes = soft_box_nms(boxes, wanted.iou_nms, linear=wanted.nms == "soft_linear")
    return boxes[boxes.score >= wanted.min_score]


def _table(table: GridTable, told: Judged) -> dict[str, Any]:
    base = table.rows[0].setting.key
    rows = [
        {"name": row.name, "kind": "ablation", "on": list(row.techniques)}
        | told.row(row.setting.key, None if place == 0 else base)
        for place, row in enumerate(table.rows)
    ]
    return {"title": table.title, "like": table.like, "techniques": list(table.techniques), "rows": rows}


def _order(table: GridTable, told: Judged) -> list[dict[str, Any]]:
    """What of the order in CCM Table 7 shows: each technique alone against the next one alone."""
    alone = {row.techniques[0]: row.setting.key for row in table.rows if len(row.techniques) == 1}
    if not set(ORDER) <= set(alone):
        return []
    return [
        {"first": first, "second": second, "gain": told.gain(alone[first], alone[second])}
        for first, second in pairwise(ORDER)
    ]
