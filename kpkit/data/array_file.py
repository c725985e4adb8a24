"""Named arrays in one file with a checksum: written without copies, read without trusting anything.

Layout: a magic line; the length of the header (8 bytes, little endian); the header, a JSON list of (name,
type, shape) padded with spaces to 8 bytes; the arrays' bytes in that order, wider types first, so that each
lies on a multiple of its width; the SHA-256 of all that.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import numpy as np

from kpkit.core.files import replacing

_DIGEST = 32
_Length = Annotated[int, msgspec.Meta(ge=0, le=2**40)]
_Kind = Literal["|u1", "<i2", "<i4", "<i8", "<f4", "<f8"]


class _Entry(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    name: str
    kind: _Kind
    shape: list[_Length]


def write_arrays(path: str | Path, magic: bytes, arrays: Mapping[str, np.ndarray]) -> None:
    """Replace a file atomically.

    Args:
        path: the file.
        magic: its first bytes, a multiple of 8.
        arrays: contiguous arrays of the types the layout knows, little endian.
    """
    ordered = sorted(arrays.items(), key=lambda item: -item[1].itemsize)
    header = msgspec.json.encode([(name, array.dtype.str, array.shape) for name, array in ordered])
    header += b" " * (-len(header) % 8)
    digest = hashlib.sha256()
    with replacing(path) as temporary, open(temporary, "wb") as file:
        for piece in (magic, len(header).to_bytes(8, "little"), header):
            digest.update(piece)
            file.write(piece)
        for _, array in ordered:
            digest.update(array.data)
            file.write(array.data)
        file.write(digest.digest())


def read_arrays(path: str | Path, magic: bytes) -> dict[str, np.ndarray]:
    """The arrays of a file, not to be written to.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not whole, or not such a file.
    """
    data = Path(path).read_bytes()
    body = memoryview(data)[:-_DIGEST]
    if not data.startswith(magic) or hashlib.sha256(body).digest() != data[-_DIGEST:]:
        raise ValueError("not whole, or another kind of file")
    start = len(magic) + 8
    at = start + int.from_bytes(body[len(magic) : start], "little")
    arrays = {}
    for entry in msgspec.json.decode(body[start:at], type=list[_Entry]):
        count = math.prod(entry.shape)
        if count * np.dtype(entry.kind).itemsize > len(body) - at:
            raise ValueError("the arrays go beyond the file")
        array = np.frombuffer(body, entry.kind, count, at) if count else np.empty(0, entry.kind)
        arrays[entry.name] = array.reshape(entry.shape)
        at += array.nbytes
    if at != len(body):
        raise ValueError("the arrays end before the file")
    return arrays
