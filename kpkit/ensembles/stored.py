"""Members whose heatmaps are stored: an ensemble that can be blended again and again without a network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from kpkit.core.errors import InputError, KpkitError
from kpkit.core.files import read_json, write_json
from kpkit.core.instances import Instances
from kpkit.data.box_list import boxes_of, open_boxes
from kpkit.heatmaps.blend import RunningMean, common_codec
from kpkit.heatmaps.codecs import Codec
from kpkit.heatmaps.flip import blend_flipped
from kpkit.heatmaps.grid import to_codec
from kpkit.heatmaps.store import HeatmapStore

BATCH = 64
"""Boxes read at once."""
_FACTS = "member.json"


def store_name(view: int, mirrored: bool) -> str:
    """The folder of one view's maps; mirrored pictures' are brought back, but not moved."""
    return f"view{view}-mirrored" if mirrored else f"view{view}"


class StoredMember:
    """One network's stored heatmaps, by test-time view.

    Args:
        name: the recipe's.
        folder: holds ``boxes.npy``, ``member.json`` (describe) and the stores (store_name).

    Attributes:
        codec: the network's own: the grid its views are brought to where nothing else is asked.

    Raises:
        InputError: not such a folder, or a store that is not finished.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        told = read_json(folder / _FACTS)
        try:
            sizes = {key: tuple(told["codec"][key]) for key in ("input_size", "margins")}
            self.codec = Codec(**told["codec"] | sizes)
            views, mirrored = range(told["views"]), bool(told["mirrored"])
        except (KeyError, TypeError) as error:
            raise InputError(f"damaged ({error})", file=folder / _FACTS) from None
        self.plain = [HeatmapStore(folder / store_name(view, False)) for view in views]
        self.mirrored = [HeatmapStore(folder / store_name(view, True)) for view in views if mirrored]
        self._last: dict[Path, tuple[tuple[int, int], np.ndarray]] = {}

    @staticmethod
    def describe(folder: Path, codec: Codec, views: int, mirrored: bool) -> None:
        """Say what the folder holds."""
        told = {"codec": asdict(codec), "views": views, "mirrored": mirrored}
        write_json(folder / _FACTS, told, indent=None)

    def read(
        self,
        boxes: Instances,
        begin: int,
        codec: Codec,
        flip_test: bool,
        flip_shift: float | Literal["exact"],
    ) -> np.ndarray:
        """(n, K, h, w) float32 maps on a grid, the mean of all views.

        Args:
            boxes: some of the list, those from row ``begin`` on.
            codec: the grid.
            flip_test, flip_shift: whether mirrored maps are averaged in, and how far they are moved
                (specs.poses.DecodeSpec).

        Raises:
            InputError: mirrored maps were not stored, or a shard is damaged.
        """
        if flip_test and not self.mirrored:
            raise InputError("holds no mirrored pictures' heatmaps", file=self.folder)
        mean = RunningMean((len(boxes), *self.plain[0].shape[:1], *codec.shape))
        for view, store in enumerate(self.plain):
            maps = self._stored(store, begin, begin + len(boxes))
            if flip_test:
                exact = store.codec.exact_flip_shift if flip_shift == "exact" else flip_shift
                mirrored = self._stored(self.mirrored[view], begin, begin + len(boxes))
                maps = blend_flipped(maps, mirrored, exact)
            mean.add(to_codec(maps, store.codec, codec, boxes.box), 1 / len(self.plain))
        return mean.maps

    def _stored(self, store: HeatmapStore, begin: int, end: int) -> np.ndarray:
        """A store's maps; those read last are remembered, for another flip shift of the same boxes."""
        known = self._last.get(store.folder)
        if known is None or known[0] != (begin, end):
            known = self._last[store.folder] = ((begin, end), store.read(begin, end))
        return known[1]


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
        self.members = [StoredMember(*member) for member in members]
        first = self.members[0]
        for member in self.members[1:]:
            for what in ("boxes_hash", "keypoints"):
                if getattr(member.plain[0], what) != getattr(first.plain[0], what):
                    told = what.replace("boxes_hash", "boxes")
                    raise KpkitError(f"stored members {first.name} and {member.name} have other {told}")
        codecs = [member.codec for member in self.members]
        self.codec: Codec = common_codec(codecs, [member.name for member in self.members], common_stride)
        self.boxes = boxes_of(open_boxes(first.folder / "boxes.npy"))
        if self.boxes.boxes_hash() != first.plain[0].boxes_hash:
            raise InputError("is not the box list of the heatmaps beside it", file=first.folder / "boxes.npy")

    def __len__(self) -> int:
        return len(self.members)

    def batches(self, flip_test: bool, flip_shift: float | Literal["exact"]) -> Iterator[Batch]:
        """All boxes in order, BATCH at a time; flip test as in the document's ``[decode]``."""
        for begin in range(0, len(self.boxes), BATCH):
            rows = slice(begin, min(begin + BATCH, len(self.boxes)))
            boxes = self.boxes[rows]
            maps = [
                member.read(boxes, rows.start, self.codec, flip_test, flip_shift) for member in self.members
            ]
            yield Batch(rows, boxes, maps)
