"""Poses of a box list in shards: written one by one on any machine, read one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from kpkit.core.errors import InputError
from kpkit.core.files import read_json, replacing, write_json
from kpkit.core.instances import Instances
from kpkit.data.box_list import boxes_of, open_boxes, write_boxes

SHARD = 512
"""Boxes a shard holds at least; shards end between pictures. Part of the result: batches never cross them."""
_BLEND = "blend"


@dataclass(frozen=True)
class Shard:
    """Poses of some pictures: the blend's, and each member's points where they were kept."""

    blend: Instances
    members: dict[str, np.ndarray]


@dataclass(frozen=True)
class PoseShards:
    """A folder with a box list and the poses of its boxes.

    Attributes:
        folder: holds ``boxes.npy``, ``index.json`` and ``00000.npz``, ``00001.npz``, ...
    """

    folder: Path

    @property
    def begun(self) -> bool:
        """Whether the boxes are chosen."""
        return self._index.exists()

    def begin(self, boxes: Instances, choice: Mapping[str, Any]) -> None:
        """Keep the boxes, in canonical order, and what the manifest should tell about their choice."""
        write_boxes(self.folder / "boxes.npy", boxes)
        write_json(self._index, {"choice": dict(choice), "cuts": _cuts(boxes.image_id)}, indent=None)

    @cached_property
    def boxes(self) -> np.ndarray:
        """Rows of data.box_list, on disk."""
        return open_boxes(self.folder / "boxes.npy")

    @property
    def choice(self) -> dict[str, Any]:
        """What ``begin`` was told."""
        return dict(self._facts["choice"])

    @property
    def cuts(self) -> list[int]:
        """Row numbers where shards begin, and the number of boxes."""
        return list(self._facts["cuts"])

    def __len__(self) -> int:
        return len(self.cuts) - 1

    def done(self, shard: int) -> bool:
        """Whether a shard's poses are there."""
        return self._file(shard).exists()

    def boxes_of(self, shard: int) -> Instances:
        """A shard's boxes."""
        begin, end = self.cuts[shard : shard + 2]
        return boxes_of(self.boxes[begin:end])

    def write(self, shard: int, blend: Instances, members: Mapping[str, Instances]) -> None:
        """Keep a shard's poses; equal poses, equal bytes."""
        arrays = {_BLEND: blend.keypoints} | {name: poses.keypoints for name, poses in members.items()}
        with replacing(self._file(shard)) as temporary, open(temporary, "wb") as handle:
            np.savez(handle, allow_pickle=False, **arrays)

    def read(self, shard: int) -> Shard:
        """A shard's poses; raises InputError for one that is missing or damaged."""
        path = self._file(shard)
        try:
            with np.load(path, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            boxes = self.boxes_of(shard)
            blend = boxes.with_(keypoints=arrays.pop(_BLEND), source=np.full(len(boxes), "P"))
        except Exception as error:
            raise InputError(f"damaged poses ({error})", file=path, remedy="remove and run again") from None
        return Shard(blend, arrays)

    def __iter__(self) -> Iterator[Shard]:
        return (self.read(shard) for shard in range(len(self)))

    def joined(self) -> tuple[Instances, dict[str, Instances]]:
        """All poses in memory: the blend's, and each member's."""
        everything = boxes_of(self.boxes)
        shape = everything.keypoints.shape
        points: dict[str, np.ndarray] = {_BLEND: np.zeros(shape)}
        for place, shard in enumerate(self):
            rows = slice(*self.cuts[place : place + 2])
            points[_BLEND][rows] = shard.blend.keypoints
            for name, values in shard.members.items():
                points.setdefault(name, np.zeros(shape))[rows] = values
        source = np.full(len(everything), "P")
        poses = {name: everything.with_(keypoints=values, source=source) for name, values in points.items()}
        return poses.pop(_BLEND), poses

    @property
    def _index(self) -> Path:
        return self.folder / "index.json"

    @cached_property
    def _facts(self) -> dict[str, Any]:
        return dict(read_json(self._index))

    def _file(self, shard: int) -> Path:
        return self.folder / f"{shard:05d}.npz"


def _cuts(image_id: np.ndarray) -> list[int]:
    """Row numbers where shards begin and end: every SHARD boxes, moved to the next picture's first box."""
    if len(image_id) == 0:
        return [0]
    first_of_picture = np.flatnonzero(np.diff(image_id, prepend=image_id[0] - 1))
    wanted = np.arange(0, len(image_id), SHARD)
    place = np.searchsorted(first_of_picture, wanted)
    starts = np.unique(first_of_picture[place[place < len(first_of_picture)]])
    return [*starts.tolist(), len(image_id)]
