"""One shard of a heatmap store: packed maps in chunks, each with its checksum.

Layout: eight bytes ``kpkmaps1``, the table's length (uint32, little-endian), the table as JSON (bytes and
CRC-32 of each chunk), then the chunks. A chunk is its maps' scales and zeros (``u8``), then their values;
those of ``u8`` are bitshuffled and compressed with zstd, float16 is stored as it is (it hardly compresses).
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kpkit.core.errors import InputError
from kpkit.core.files import replacing
from kpkit.heatmaps.bitshuffle import bitshuffle, unbitshuffle
from kpkit.heatmaps.packing import Packed

_MAGIC = b"kpkmaps1"
ZSTD_LEVEL = 1


def write_shard(path: Path, packed: Packed, chunk_rows: int) -> None:
    """Write people's maps; the file is whole or absent, equal maps give equal bytes."""
    chunks = [_encode(packed[begin : begin + chunk_rows]) for begin in range(0, len(packed), chunk_rows)]
    table = json.dumps([[len(chunk), zlib.crc32(chunk)] for chunk in chunks]).encode()
    with replacing(path) as temporary, open(temporary, "wb") as handle:
        handle.write(_MAGIC + len(table).to_bytes(4, "little") + table)
        handle.writelines(chunks)


class ShardFile:
    """A shard's table of chunks.

    Raises:
        InputError: not a shard.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with open(path, "rb") as handle:
                if handle.read(8) != _MAGIC:
                    raise ValueError("another beginning")
                table = handle.read(int.from_bytes(handle.read(4), "little"))
                self.lengths, self.checksums = map(list, zip(*json.loads(table), strict=True))
                self.offsets = np.cumsum([handle.tell(), *self.lengths]).tolist()
        except (OSError, ValueError, TypeError) as error:
            raise damaged(path, str(error)) from None

    def read(self, chunk: int) -> bytes:
        """A chunk's bytes; raises InputError where they are not those written."""
        with open(self.path, "rb") as handle:
            handle.seek(self.offsets[chunk])
            data = handle.read(self.lengths[chunk])
        if zlib.crc32(data) != self.checksums[chunk]:
            raise damaged(self.path, f"checksum of chunk {chunk}")
        return data


def read_chunks(
    shard: ShardFile, rows: slice, shape: tuple[int, int, int], format: str, chunk_rows: int
) -> Iterator[Packed]:
    """Some of a shard's people, chunk by chunk."""
    for chunk in range(rows.start // chunk_rows, -(-rows.stop // chunk_rows)):
        begin = chunk * chunk_rows
        try:
            packed = _decode(shard.read(chunk), shape, format, chunk_rows)
        except (ValueError, OSError, IndexError) as error:
            raise damaged(shard.path, str(error)) from None
        yield packed[max(rows.start - begin, 0) : rows.stop - begin]


def damaged(path: Path, what: str) -> InputError:
    """A shard that cannot be read."""
    return InputError(f"damaged heatmaps ({what})", file=path, remedy="remove the file and write it again")


def _encode(packed: Packed) -> bytes:
    if packed.scale is None or packed.zero is None:
        return packed.values.tobytes()
    import pyarrow as pa

    body = pa.Codec("zstd", ZSTD_LEVEL).compress(bitshuffle(packed.values), asbytes=True)
    return b"".join([len(packed).to_bytes(4, "little"), packed.scale.tobytes(), packed.zero.tobytes(), body])


def _decode(data: bytes, shape: tuple[int, int, int], format: str, chunk_rows: int) -> Packed:
    if format == "f16":
        return Packed(np.frombuffer(data, np.float16).reshape(-1, *shape))
    import pyarrow as pa

    n = int.from_bytes(data[:4], "little")
    maps = n * shape[0]
    scale = np.frombuffer(data, np.float32, maps, 4).reshape(n, -1)
    zero = np.frombuffer(data, np.uint8, maps, 4 + 4 * maps).reshape(n, -1)
    size = n * int(np.prod(shape))
    body = pa.Codec("zstd").decompress(data[4 + 5 * maps :], decompressed_size=-(-size // 8) * 8)
    planes = np.frombuffer(body, np.uint8)
    return Packed(unbitshuffle(planes, size).reshape(n, *shape), scale, zero)
