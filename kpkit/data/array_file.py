"""Named arrays in one file with a checksum: kept in their smallest types, read without trusting anything.

Layout: a magic line; the length of the header (8 bytes, little endian); the header, a JSON list of (name,
type, type in the file, shape); the arrays' bytes in that order; the checksum.

The checksum is the SHA-256 of all that stands before the arrays and of sums over the arrays. Their bytes are
taken in blocks of 64 lines of 512 words of 64 bits, zeros after the last; the words of each line and of each
column are summed modulo 2^64. Sums run at the speed of memory: a file of 25 MB takes a tenth of SHA-256's
time. Damage is seen where it is likely: every change within 4 KiB, and every change of up to three words,
changes a sum; any other is missed once in 2^64 times. (None without a secret is proof against forgery.)
"""

from __future__ import annotations

import hashlib
import io
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import numpy as np

from kpkit.core.files import replacing
from kpkit.data.compact import compact

_DIGEST = 32
_LINE = 512
_BLOCK = 64 * _LINE * 8
"""Bytes summed, and widened, at a time: they stay in the processor's cache."""

_Length = Annotated[int, msgspec.Meta(ge=0, le=2**40)]
_Kind = Literal["|b1", "|u1", "<i8", "<f8"]
_Stored = Literal["|u1", "<i2", "<i4", "<i8", "<f4", "<f8"]


class _Entry(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    name: str
    kind: _Kind
    stored: _Stored
    shape: list[_Length]


class _Checksum:
    """Takes what stands before the arrays, then their blocks."""

    def __init__(self, opening: bytes) -> None:
        self.digest = hashlib.sha256(opening)

    def add(self, block: np.ndarray, size: int) -> None:
        """Add the first ``size`` bytes of ``block`` (_BLOCK,) uint8, whose rest is overwritten."""
        end = -(-size // (8 * _LINE)) * 8 * _LINE
        block[size:end] = 0
        words = block[:end].view("<u8").reshape(-1, _LINE)
        for axis in (0, 1):
            self.digest.update(words.sum(axis=axis).data)


def write_arrays(path: str | Path, magic: bytes, arrays: Mapping[str, np.ndarray]) -> None:
    """Replace a file atomically.

    Args:
        path: the file.
        magic: its first bytes.
        arrays: contiguous arrays of truth values, bytes, and integers and numbers of 64 bits, finite ones;
            little endian.
    """
    small = {name: array if array.dtype == np.uint8 else compact(array) for name, array in arrays.items()}
    header = msgspec.json.encode(
        [(name, array.dtype.str, small[name].dtype.str, array.shape) for name, array in arrays.items()]
    )
    opening = magic + len(header).to_bytes(8, "little") + header
    checksum, block = _Checksum(opening), np.empty(_BLOCK, np.uint8)
    with replacing(path) as temporary, open(temporary, "wb") as file:
        file.write(opening)
        for array in small.values():
            content = array.reshape(-1).view(np.uint8)
            for start in range(0, len(content), _BLOCK):
                part = content[start : start + _BLOCK]
                block[: len(part)] = part
                checksum.add(block, len(part))
                file.write(part.data)
        file.write(checksum.digest.digest())


def read_arrays(path: str | Path, magic: bytes) -> dict[str, np.ndarray]:
    """The arrays of a file, in memory of their own.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not whole, or not such a file, or a number in it is not finite.
    """
    # read, not mapped: a page of a mapped file that cannot be had (a network disk) ends the process
    with open(path, "rb", buffering=0) as file:
        opening = file.read(len(magic) + 8)
        left = os.fstat(file.fileno()).st_size - len(opening) - _DIGEST
        length = int.from_bytes(opening[len(magic) :], "little")
        if not opening.startswith(magic) or length > left:
            raise ValueError("not whole, or another kind of file")
        header = file.read(length)
        left -= length
        entries = msgspec.json.decode(header, type=list[_Entry])
        checksum, block = _Checksum(opening + header), np.empty(_BLOCK, np.uint8)
        arrays = {}
        for entry in entries:
            left -= math.prod(entry.shape) * np.dtype(entry.stored).itemsize
            if left < 0:
                raise ValueError("the arrays go beyond the file")
            arrays[entry.name] = _read_array(file, entry, checksum, block)
        if left or file.read(_DIGEST) != checksum.digest.digest():
            raise ValueError("not whole")
        return arrays


def _read_array(file: io.FileIO, entry: _Entry, checksum: _Checksum, block: np.ndarray) -> np.ndarray:
    """The next array of the file, widened block by block while the block is at hand."""
    array = np.empty(entry.shape, entry.kind)
    flat, stored = array.reshape(-1), block.view(entry.stored)
    for start in range(0, len(flat), len(stored)):
        part = flat[start : start + len(stored)]
        size = len(part) * stored.itemsize
        if file.readinto(block[:size].data) != size:
            raise ValueError("cut short")
        checksum.add(block, size)
        found = stored[: len(part)]
        if found.dtype.kind == "f" and not np.isfinite(found).all():
            raise ValueError("a number is not finite")
        with np.errstate(invalid="ignore"):  # numbers too great for an integer: checked as any integer is
            part[:] = found
    return array
