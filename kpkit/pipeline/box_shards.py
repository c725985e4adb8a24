"""A box list cut into shards between pictures: the parts of every job that looks at boxes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from kpkit.core.files import read_json, write_json
from kpkit.core.instances import Instances
from kpkit.data.box_list import boxes_of, open_boxes, write_boxes

SHARD = 512
"""Boxes a shard holds at least; shards end between pictures. Part of the result: batches never cross them."""


@dataclass(frozen=True)
class BoxShards:
    """A folder with a box list.

    Attributes:
        folder: holds ``boxes.npy`` and ``index.json``.
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

    def boxes_of(self, shard: int) -> Instances:
        """A shard's boxes."""
        begin, end = self.cuts[shard : shard + 2]
        return boxes_of(self.boxes[begin:end])

    @property
    def _index(self) -> Path:
        return self.folder / "index.json"

    @cached_property
    def _facts(self) -> dict[str, Any]:
        return dict(read_json(self._index))


def _cuts(image_id: np.ndarray) -> list[int]:
    """Row numbers where shards begin and end: every SHARD boxes, moved to the next picture's first box."""
    if len(image_id) == 0:
        return [0]
    first_of_picture = np.flatnonzero(np.diff(image_id, prepend=image_id[0] - 1))
    wanted = np.arange(0, len(image_id), SHARD)
    place = np.searchsorted(first_of_picture, wanted)
    starts = np.unique(first_of_picture[place[place < len(first_of_picture)]])
    return [*starts.tolist(), len(image_id)]
