"""Members whose heatmaps are stored: an ensemble that can be blended again and again without a network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kpkit.core.errors import InputError, KpkitError
from kpkit.core.instances import Instances
from kpkit.data.box_list import boxes_of, open_boxes
from kpkit.heatmaps.blend import common_codec
from kpkit.heatmaps.codecs import Codec
from kpkit.heatmaps.flip import blend_flipped
from kpkit.heatmaps.grid import to_codec
from kpkit.heatmaps.store import HeatmapStore
from kpkit.specs.poses import DecodeSpec

PLAIN, MIRRORED = "plain", "mirrored"
"""The two stores of one network; the mirrored pictures' maps are brought back, not moved."""

BATCH = 64
"""Boxes read at once."""


class StoredMember:
    """One network's stored heatmaps.

    Args:
        name: the recipe's.
        folder: holds ``boxes.npy`` and the stores ``plain`` and, where it was asked for, ``mirrored``.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        self.plain = HeatmapStore(folder / PLAIN)
        self.mirrored = HeatmapStore(folder / MIRRORED) if (folder / MIRRORED).is_dir() else None
        self.codec = self.plain.codec

    def read(self, begin: int, end: int, decoding: DecodeSpec) -> np.ndarray:
        """(n, K, h, w) float32 maps of boxes ``begin`` to ``end``, flip-tested as the document says."""
        maps = self.plain.read(begin, end)
        if not decoding.flip_test:
            return maps
        if self.mirrored is None:
            raise InputError("holds no mirrored pictures' heatmaps", file=self.folder)
        shift = decoding.flip_shift
        exact = self.codec.exact_flip_shift if shift == "exact" else shift
        return blend_flipped(maps, self.mirrored.read(begin, end), exact)


@dataclass(frozen=True)
class Batch:
    """Some boxes and what every member sees in them.

    Attributes:
        rows: of the box list.
        boxes: their boxes.
        maps: M arrays (n, K, h, w) on the common grid.
    """

    rows: slice
    boxes: Instances
    maps: list[np.ndarray]


class StoredEnsemble:
    """Stored members that match.

    Args:
        members: names and folders, in document order.
        common_stride: as in the document.

    Attributes:
        boxes: the list all looked at.
        codec: the grid they are blended on.

    Raises:
        InputError: a store that is damaged.
        KpkitError: members that looked at other boxes, have other keypoints, or other codecs without a
            common stride (promise P4).
    """

    def __init__(self, members: Sequence[tuple[str, Path]], common_stride: int | None) -> None:
        self.members = [StoredMember(name, folder) for name, folder in members]
        first = self.members[0]
        for member in self.members[1:]:
            for what in ("boxes_hash", "keypoints"):
                if getattr(member.plain, what) != getattr(first.plain, what):
                    told = what.replace("boxes_hash", "boxes")
                    raise KpkitError(f"stored members {first.name} and {member.name} have other {told}")
        codecs = [member.codec for member in self.members]
        self.codec: Codec = common_codec(codecs, [member.name for member in self.members], common_stride)
        self.boxes = boxes_of(open_boxes(first.folder / "boxes.npy"))
        if self.boxes.boxes_hash() != first.plain.boxes_hash:
            raise InputError("is not the box list of the heatmaps beside it", file=first.folder / "boxes.npy")

    def __len__(self) -> int:
        return len(self.members)

    def batches(self, decoding: DecodeSpec) -> Iterator[Batch]:
        """All boxes in order, BATCH at a time."""
        for begin in range(0, len(self.boxes), BATCH):
            rows = slice(begin, min(begin + BATCH, len(self.boxes)))
            boxes = self.boxes[rows]
            maps = [
                to_codec(member.read(rows.start, rows.stop, decoding), member.codec, self.codec, boxes.box)
                for member in self.members
            ]
            yield Batch(rows, boxes, maps)
