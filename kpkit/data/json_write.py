"""Big JSON files of many rows, written compactly: numbers go from arrays to text without Python objects."""

from __future__ import annotations

import contextlib
import gzip
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import numpy as np
import orjson

from kpkit.core.files import replacing, write_bytes


def write_rows(path: str | Path, document: object) -> None:
    """Replace a JSON file atomically; gzipped (without a time stamp) when the name ends in ``.gz``."""
    data = orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
    write_bytes(path, gzip.compress(data, mtime=0) if str(path).endswith(".gz") else data)


def write_row_blocks(path: str | Path, blocks: Iterable[list[dict[str, object]]]) -> None:
    """As write_rows, of one list whose rows come block by block; only one block is in memory.

    Values may be arrays. Check them first (check_finite): orjson writes NaN and infinity as null without a
    word. An error in ``blocks`` leaves the old file.
    """
    with replacing(path) as temporary, json_file(temporary, packed=str(path).endswith(".gz")) as file:
        before = b"["
        for rows in blocks:
            if rows:
                text = memoryview(orjson.dumps(rows, option=orjson.OPT_SERIALIZE_NUMPY))
                file.write(before)
                file.write(text[1:-1])
                before = b","
        file.write(b"]" if before == b"," else b"[]")


@contextlib.contextmanager
def json_file(path: Path, *, packed: bool) -> Iterator[IO[bytes]]:
    """A file to write to, packed without a time stamp or a name."""
    with open(path, "wb") as plain:
        if not packed:
            yield plain
            return
        with gzip.GzipFile(filename="", mode="wb", fileobj=plain, mtime=0) as file:
            yield file  # type: ignore[misc]


def number_lists(values: np.ndarray) -> list[orjson.Fragment]:
    """(N, M) finite floats -> N ready pieces of JSON ``[12,0.5]``; whole numbers lose their ``.0``.

    Check them first (check_finite): orjson writes NaN and infinity as null without a word.
    """
    if len(values) == 0:
        return []
    text = orjson.dumps(np.ascontiguousarray(values), option=orjson.OPT_SERIALIZE_NUMPY)
    text = text.replace(b".0,", b",").replace(b".0]", b"]")
    return [orjson.Fragment(b"[" + row + b"]") for row in text[2:-2].split(b"],[")]
