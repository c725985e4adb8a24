"""Poses of a box list in shards: written one by one on any machine, read one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kpkit.core.errors import InputError
from kpkit.core.files import replacing
from kpkit.core.instances import Instances
from kpkit.data.box_list import boxes_of
from kpkit.pipeline.box_shards import BoxShards

_BLEND = "blend"


@dataclass(frozen=True)
class Shard:
    """Poses of some pictures: the blend's, and each member's points where they were kept."""

    blend: Instances
    members: dict[str, np.ndarray]


@dataclass(frozen=True)
class PoseShards(BoxShards):
    """A folder with a box list and the poses of its boxes: ``00000.npz``, ``00001.npz``, ..."""

    def done(self, shard: int) -> bool:
        """Whether a shard's poses are there."""
        return self._file(shard).exists()

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

    def _file(self, shard: int) -> Path:
        return self.folder / f"{shard:05d}.npz"
