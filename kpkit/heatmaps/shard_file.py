"""One shard of a heatmap store: packed maps in chunks, each with its checksum.

Layout: eight bytes ``kpkmaps2``, the table's length (uint32, little-endian), the table as JSON (people, bytes
and CRC-32 of each chunk), then the chunks. A chunk is its maps' windows' corners, scales and zeros, as far as
the layout has them, then their values: float16 as it is (it hardly compresses); of ``u8`` the number of
second bytes (uint32), then, compressed with zstd, the first bytes' planes and the second bytes. First bytes
are steps from zero, 0, -1, 1, -2, ... counted 0, 1, 2, 3, ... (zigzag), and bitshuffled: noise about 0 then
fills the lowest planes only, and they come within a few percent of their entropy. Second bytes, 256ths of a
step, are those of the pixels that carry any (codes.py), in reading order.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kpkit.core.errors import InputError
from kpkit.core.files import replacing
from kpkit.heatmaps.bitshuffle import bitshuffle, unbitshuffle
from kpkit.heatmaps.codes import join, split
from kpkit.heatmaps.packing import Format, Packed

_MAGIC = b"kpkmaps2"
_COUNT = 4
"""Bytes of the number of second bytes."""
ZSTD_LEVEL = 1


@dataclass(frozen=True)
class Layout:
    """What one person's packed maps are made of.

    Attributes:
        keypoints: K.
        shape: (h, w) of what is stored: a map, or a window.
        format: ``"u8"`` or ``"f16"``.
        windowed: whether windows are stored, with their corners.
    """

    keypoints: int
    shape: tuple[int, int]
    format: Format
    windowed: bool

    @property
    def values(self) -> int:
        """Pixels stored of one person."""
        return self.keypoints * self.shape[0] * self.shape[1]

    @property
    def head(self) -> list[tuple[str, str, tuple[int, ...]]]:
        """Name, dtype and shape for one person of what precedes the values."""
        corner = [("corner", "<i2", (self.keypoints, 2))] if self.windowed else []
        if self.format == "f16":
            return corner  # type: ignore[return-value]
        return [*corner, ("scale", "<f4", (self.keypoints,)), ("zero", "u1", (self.keypoints,))]


class ShardWriter:
    """Chunks of one shard, compressed as soon as they are full, then written at once.

    Args:
        chunk_rows: people to a chunk.

    Attributes:
        rows: people added.
    """

    def __init__(self, chunk_rows: int) -> None:
        self.rows = 0
        self._chunk_rows = chunk_rows
        self._waiting: list[Packed] = []
        self._chunks: list[bytes] = []
        self._facts: list[list[int]] = []

    def add(self, packed: Packed) -> None:
        """The next people; into which parts they are cut changes no byte of the file."""
        self.rows += len(packed)
        self._waiting.append(packed)
        waiting = sum(map(len, self._waiting))
        whole = waiting - waiting % self._chunk_rows
        if whole:
            people = Packed.joined(self._waiting)
            for begin in range(0, whole, self._chunk_rows):
                self._encode(people[begin : begin + self._chunk_rows])
            self._waiting = [people[whole:]]

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all; equal maps give equal bytes."""
        if rest := Packed.joined(self._waiting):
            self._encode(rest)
        table = json.dumps(self._facts).encode()
        with replacing(path) as temporary, open(temporary, "wb") as handle:
            handle.write(_MAGIC + len(table).to_bytes(4, "little") + table)
            handle.writelines(self._chunks)

    def _encode(self, packed: Packed) -> None:
        chunk = _encode(packed)
        self._chunks.append(chunk)
        self._facts.append([len(packed), len(chunk), zlib.crc32(chunk)])


class ShardFile:
    """A shard, read chunk by chunk.

    Args:
        path: the file.
        layout: how its maps are packed.

    Raises:
        InputError: not a shard.
    """

    def __init__(self, path: Path, layout: Layout) -> None:
        self.path, self.layout = path, layout
        try:
            with open(path, "rb") as handle:
                if handle.read(8) != _MAGIC:
                    raise ValueError("not heatmaps")
                table = handle.read(int.from_bytes(handle.read(4), "little"))
                start = handle.tell()
            rows, self._lengths, self._checksums = zip(*json.loads(table), strict=True)
            self._rows = np.cumsum([0, *rows]).tolist()
            self._offsets = np.cumsum([start, *self._lengths]).tolist()
        except (OSError, ValueError, TypeError) as error:
            raise self._damaged(str(error)) from None

    def read(self, start: int, stop: int) -> Iterator[Packed]:
        """The shard's people ``start`` to ``stop``, chunk by chunk.

        Raises:
            InputError: bytes that are not those written.
        """
        for chunk, (begin, end) in enumerate(zip(self._rows, self._rows[1:], strict=False)):
            if begin < stop and start < end:
                with open(self.path, "rb") as handle:
                    handle.seek(self._offsets[chunk])
                    data = handle.read(self._lengths[chunk])
                if zlib.crc32(data) != self._checksums[chunk]:
                    raise self._damaged(f"checksum of chunk {chunk}")
                try:
                    packed = _decode(data, end - begin, self.layout)
                except (ValueError, OSError) as error:
                    raise self._damaged(str(error)) from None
                yield packed[max(start - begin, 0) : stop - begin]

    def _damaged(self, what: str) -> InputError:
        remedy = "remove the file and write it again"
        return InputError(f"damaged heatmaps ({what})", file=self.path, remedy=remedy)


def _encode(packed: Packed) -> bytes:
    head = [packed.corner, packed.scale, packed.zero]
    before = [np.ascontiguousarray(array).tobytes() for array in head if array is not None]
    if packed.zero is None:
        return b"".join([*before, packed.values.tobytes()])
    import pyarrow as pa

    steps, parts = split(packed.values, packed.zero)
    planes = bitshuffle(_zigzag(steps, packed.zero))
    body = pa.Codec("zstd", ZSTD_LEVEL).compress(planes.tobytes() + parts.tobytes(), asbytes=True)
    return b"".join([*before, len(parts).to_bytes(_COUNT, "little"), body])


def _decode(data: bytes, rows: int, layout: Layout) -> Packed:
    head, place = {}, 0
    for name, dtype, shape in layout.head:
        count = rows * int(np.prod(shape))
        head[name] = np.frombuffer(data, dtype, count, place).reshape(rows, *shape)
        place += head[name].nbytes
    size, shape = rows * layout.values, (rows, layout.keypoints, *layout.shape)
    if layout.format == "f16":
        return Packed(np.frombuffer(data, "<f2", size, place).reshape(shape), **head)
    import pyarrow as pa

    seconds = int.from_bytes(data[place : place + _COUNT], "little")
    planes = -(-size // 8)
    compressed = memoryview(data)[place + _COUNT :]
    body = pa.Codec("zstd").decompress(compressed, decompressed_size=8 * planes + seconds)
    counted = unbitshuffle(np.frombuffer(body, np.uint8, 8 * planes).reshape(8, planes), size)
    parts = np.frombuffer(body, np.int8, seconds, 8 * planes)
    return Packed(join(_unzigzag(counted.reshape(shape), head["zero"]), parts, head["zero"]), **head)


def _zigzag(steps: np.ndarray, zero: np.ndarray) -> np.ndarray:
    """(n, K, h, w) uint8 steps -> the number of each, counted outwards from its map's zero, (n, K)."""
    away = steps - zero[:, :, None, None]  # of 256, in two's complement
    return (away << 1) ^ -(away >> 7)


def _unzigzag(counted: np.ndarray, zero: np.ndarray) -> np.ndarray:
    """The way back."""
    steps = (counted >> 1) ^ -(counted & 1)
    steps += zero[:, :, None, None]
    return steps
