"""Members whose heatmaps are drawn: people at known places, each member beside them by its own noise."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from kpkit.core.instances import ImageTable, Instances
from kpkit.core.seeds import generator
from kpkit.core.skeletons import COCO17
from kpkit.data.coco_write import write_annotations
from kpkit.data.load import load_boxes, load_dataset
from kpkit.ensembles.stored import StoredMember, store_name
from kpkit.heatmaps.codecs import Codec
from kpkit.heatmaps.store import StoreWriter
from kpkit.pipeline.box_shards import BoxShards
from kpkit.specs.datasets import Dataset
from tests.heatmaps.drawn import encoded

CODEC = Codec("classic", (96, 72), 4, 1.25)


@dataclass
class DrawnStores:
    """Two people on each of some pictures, boxes from the truth.

    Args:
        folder: where all files go.
        pictures: how many.
    """

    folder: Path
    pictures: int = 15
    dataset: Dataset = field(init=False)

    def __post_init__(self) -> None:
        rng = generator(5, "drawn stores")
        ids = np.arange(1, self.pictures + 1)
        image = np.repeat(ids, 2)
        corner = np.tile([[20.0, 30.0], [300.0, 40.0]], (self.pictures, 1))
        size = rng.uniform([90, 150], [140, 220], (len(image), 2))
        points = corner[:, None] + rng.uniform(0.1, 0.9, (len(image), 17, 2)) * size[:, None]
        # coordinates that the file keeps as they are
        points, size = np.round(points, 1), np.round(size, 1)
        keypoints = np.concatenate([points, np.full((len(image), 17, 1), 2.0)], axis=2)
        box = np.concatenate([corner, size], axis=1)
        people = Instances.of(
            image, box, keypoints, area=0.6 * size.prod(axis=1), id=np.arange(1, len(image) + 1)
        )
        table = ImageTable(
            ids, tuple(f"{i}.jpg" for i in ids), np.full(len(ids), 640), np.full(len(ids), 480)
        )
        annotations = self.folder / "annotations.json"
        write_annotations(annotations, table, people)
        self.dataset = Dataset("drawn", "coco", annotations, self.folder, None, None)
        self.boxes = load_boxes(self.dataset, load_dataset(self.dataset, check_pictures=False), "truth")
        self.truth = people[people.canonical_order()]
        assert (self.truth.box == self.boxes.box).all()

    def member(
        self,
        name: str,
        noise: np.ndarray | float,
        *,
        seed: int = 0,
        mirrored_at: float = -CODEC.exact_flip_shift,
        format: str = "f16",
    ) -> tuple[str, Path]:
        """A member beside the truth by ``noise`` (one number or (K,)) heatmap pixels; a seed, a noise.

        ``mirrored_at``: pixels that the mirrored maps lie beside the plain ones before they are moved.
        Returns its name and a folder of its own.
        """
        rng = generator(seed, "noise")
        crop = CODEC.matrices(self.truth.box)
        points = self.truth.keypoints[:, :, :2]
        places = np.einsum("nij,nkj->nki", crop[:, :, :2], points) + crop[:, None, :, 2]
        off = rng.normal(size=points.shape) * np.reshape(noise, (-1, 1) if np.ndim(noise) else ())
        places = CODEC.to_heatmap(places) + off
        folder = self.folder / f"{len(list(self.folder.iterdir()))}-{name}"
        shards = BoxShards(folder)
        shards.begin(self.boxes, {})
        StoredMember.describe(folder, CODEC, 1, True)
        for mirrored in (False, True):
            maps = encoded(places + np.array([mirrored_at if mirrored else 0.0, 0.0]), CODEC.shape, 1.5)
            with StoreWriter(
                folder / store_name(0, mirrored),
                CODEC,
                COCO17.keypoints,
                self.boxes.boxes_hash(),
                len(self.boxes),
                format=format,  # type: ignore[arg-type]
            ) as writer:
                writer.append(maps)
        return name, folder
