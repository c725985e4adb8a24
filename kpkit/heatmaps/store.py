"""Heatmaps on disk: packed, in shards that are whole or absent, read in any order.

A store is a folder with ``index.json`` and one ``.maps`` file per shard (shard_file.py). It says on which
grid its maps lie, for which keypoints and which box list, so that members are matched by what they are.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from kpkit.core.errors import InputError, KpkitError
from kpkit.core.files import read_json, write_json
from kpkit.heatmaps.codecs import Codec
from kpkit.heatmaps.packing import FORMATS, Format, Packed, pack, unpack
from kpkit.heatmaps.shard_file import Layout, ShardFile, ShardWriter

SHARD_ROWS = 256
"""Boxes a shard holds unless told otherwise: 120 MiB of 96x72 maps in float32."""
CHUNK_BYTES = 1 << 19
"""Values compressed together; a read unpacks whole chunks. What fits a core's cache."""
_INDEX = "index.json"
KIND = "heatmaps 2"
"""What an index calls its store; the number rises with every change of what the files mean."""
_OTHER = re.compile(r"heatmaps [0-9]+")


class StoreWriter:
    """Writes heatmaps box by box in the order of the list; shards already there are kept.

    A process that dies loses the shard it was filling. Used as a context: leaving it without an error
    demands that every row was written.

    Args:
        folder: made if absent; one that holds a store of something else is refused.
        codec: the grid the maps lie on.
        keypoints: names of the K maps.
        boxes_hash: the list's (Instances.boxes_hash).
        rows: number of boxes in the list.
        format: ``"u8"`` (8 bits and a scale per map, 16 bits near its top, compressed) or ``"f16"``.
        window: (height, width) of the pixels kept round each map's maximum; None keeps whole maps. A warning
            is given: where members disagree, the blend's maximum may lie in what was not kept.
        shard_rows: boxes per shard.
        cuts: row numbers where shards begin, and ``rows``, in place of ``shard_rows``.
        shard: write only this one; several writers may fill a folder, each its own shard.

    Raises:
        InputError: the folder holds another store.
    """

    def __init__(
        self,
        folder: str | Path,
        codec: Codec,
        keypoints: Sequence[str],
        boxes_hash: str,
        rows: int,
        *,
        format: Format = "u8",
        window: tuple[int, int] | None = None,
        shard_rows: int = SHARD_ROWS,
        cuts: Sequence[int] | None = None,
        shard: int | None = None,
    ) -> None:
        if format not in FORMATS:
            raise KpkitError(f"format = {format!r} is not one of {', '.join(FORMATS)}")
        if cuts is None:
            cuts = [*range(0, rows, shard_rows), rows]
        if list(cuts) != sorted({0, *cuts, rows}) and rows:
            raise KpkitError(f"cuts of {rows} rows must rise from 0 to {rows}")
        if window is not None:
            warnings.warn(
                "windows keep one peak of each map: where members disagree, points of their blend can be far "
                "off (benchmarks/store.py measures it); leave the window out to keep whole maps",
                stacklevel=2,
            )
        self._folder, self._format, self._window = Path(folder), format, window
        self._shape = (len(keypoints), *codec.shape)
        cuts = [int(cut) for cut in cuts]
        facts = {
            "kind": KIND,
            "codec": asdict(codec),
            "keypoints": list(keypoints),
            "boxes_hash": boxes_hash,
            "cuts": cuts,
            "format": format,
            "window": None if window is None else list(window),
        }
        _begin(self._folder, facts)
        values = _layout(self._shape, format, window).values
        self._chunk_rows = max(CHUNK_BYTES // (values * (1 if format == "u8" else 2)), 1)
        spans = list(pairwise(cuts))
        self._todo = list(enumerate(spans)) if shard is None else [(shard, spans[shard])]
        self.done = self._todo[0][1][0] if self._todo else 0
        while self._todo and _shard(self._folder, self._todo[0][0]).exists():
            self.done = self._todo.pop(0)[1][1]
        self._shard = ShardWriter(self._chunk_rows)

    def append(self, maps: np.ndarray) -> None:
        """The maps of the next boxes, from row ``done`` on.

        Args:
            maps: (n, K, h, w) float32, any n.

        Raises:
            KpkitError: another shape, more rows than the list has, NaN or infinity.
        """
        if maps.shape[1:] != self._shape:
            raise KpkitError(f"maps of shape {maps.shape[1:]} in a store of {self._shape}")
        while len(maps):
            if not self._todo:
                raise KpkitError(f"{len(maps)} more maps than the store has rows")
            number, (_, end) = self._todo[0]
            taken = maps[: end - self.done - self._shard.rows]
            self._shard.add(pack(taken, self._format, self._window))
            if self.done + self._shard.rows == end:
                self._shard.write(_shard(self._folder, number))
                self._shard, self.done = ShardWriter(self._chunk_rows), end
                self._todo.pop(0)
            maps = maps[len(taken) :]

    def __enter__(self) -> StoreWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and self._todo:
            missing = self._todo[-1][1][1] - self.done - self._shard.rows
            raise KpkitError(f"{missing} rows of the store {self._folder} were not written")


class HeatmapStore:
    """A finished store, read in any order.

    Args:
        folder: what a StoreWriter filled.

    Attributes:
        codec: the grid the maps lie on.
        keypoints: names of the K maps.
        boxes_hash: the box list's.
        format, window: how they are packed (StoreWriter).

    Raises:
        InputError: no store, one of another version, or one that is not finished.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        facts = read_json(self.folder / _INDEX)
        if not isinstance(facts, dict) or facts.get("kind") != KIND:
            raise _not_ours(facts, self.folder / _INDEX)
        try:
            codec = facts["codec"]
            sizes = {name: tuple(codec[name]) for name in ("input_size", "margins")}
            self.codec = Codec(**codec | sizes)
            self.keypoints: tuple[str, ...] = tuple(facts["keypoints"])
            self.boxes_hash: str = facts["boxes_hash"]
            self.format: Format = facts["format"]
            self._cuts: list[int] = facts["cuts"]
            window = facts["window"]
            self.window: tuple[int, int] | None = None if window is None else tuple(window)
        except (KeyError, TypeError) as error:
            raise InputError(f"a heatmap store's index without {error}", file=self.folder / _INDEX) from None
        absent = [k for k in range(len(self._cuts) - 1) if not _shard(self.folder, k).exists()]
        if absent:
            cause = f"{len(absent)} of {len(self._cuts) - 1} shards are missing"
            raise InputError(
                cause, file=self.folder, remedy="run again what writes it; it goes on from there"
            )
        self._open: dict[int, ShardFile] = {}

    def __len__(self) -> int:
        return self._cuts[-1]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(K, h, w) of one box's maps."""
        return len(self.keypoints), *self.codec.shape

    def read(self, start: int, stop: int) -> np.ndarray:
        """(n, K, h, w) float32 maps of the boxes ``start`` to ``stop``, which is not one of them.

        Raises:
            InputError: a shard that is damaged.
        """
        stop = min(stop, len(self))
        out = np.empty((max(stop - start, 0), *self.shape), np.float32)
        place = 0
        for packed in self.chunks(start, stop):
            unpack(packed, out[place : place + len(packed)])
            place += len(packed)
        return out

    def chunks(self, start: int, stop: int) -> Iterator[Packed]:
        """The same boxes as they are stored, piece by piece."""
        if start >= stop:
            return
        first = int(np.searchsorted(self._cuts, start, side="right")) - 1
        for number in range(max(first, 0), len(self._cuts) - 1):
            begin, end = self._cuts[number : number + 2]
            if begin >= stop:
                return
            if number not in self._open:
                layout = _layout(self.shape, self.format, self.window)
                self._open[number] = ShardFile(_shard(self.folder, number), layout)
            yield from self._open[number].read(max(start - begin, 0), min(stop, end) - begin)


def _begin(folder: Path, facts: dict[str, Any]) -> None:
    """Write the index, or check that the one there says the same."""
    index = folder / _INDEX
    if not index.exists():
        write_json(index, facts)
        return
    there = read_json(index)
    if not isinstance(there, dict) or there.get("kind") != KIND:
        raise _not_ours(there, index)
    facts = json.loads(json.dumps(facts))  # where a tuple is a list, as in the file
    differing = [key for key in facts if there.get(key) != facts[key]]
    if differing:
        cause = f"holds a store of other {', '.join(differing)}"
        raise InputError(cause, file=index, remedy="remove the folder, or write to another")


def _not_ours(there: Any, index: Path) -> InputError:
    """What to say of an index that is not a store's of this version."""
    kind = there.get("kind") if isinstance(there, dict) else None
    if not isinstance(kind, str) or not _OTHER.fullmatch(kind):
        return InputError("not a heatmap store's index", file=index)
    cause = f'a heatmap store of another version of kpkit ("{kind}", this one reads "{KIND}")'
    return InputError(cause, file=index, remedy="remove the folder and run again what writes it")


def _layout(shape: tuple[int, int, int], format: Format, window: tuple[int, int] | None) -> Layout:
    keypoints, height, width = shape
    kept = (height, width) if window is None else (min(window[0], height), min(window[1], width))
    return Layout(keypoints, kept, format, window is not None)


def _shard(folder: Path, number: int) -> Path:
    return folder / f"{number:05d}.maps"
