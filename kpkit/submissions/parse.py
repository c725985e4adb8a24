"""From a results file's bytes to arrays, row by row, with every fault of form named.

The list is cut into undecoded rows first and decoded a block at a time: one broken row does not hide the
others, its number is known, and 420,000 poses never stand in memory as Python numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import numpy as np
import orjson

from kpkit.core.errors import InputError
from kpkit.data.json_rows import INT64, UNREADABLE
from kpkit.data.number_text import number_rows
from kpkit.submissions.grammar import cut_rows
from kpkit.submissions.problems import Findings
from kpkit.submissions.row_faults import KEYS, NUMBER_TYPES, NUMBERS, examine, name_repeated

_BLOCK = 4096
_Columns = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


class _Row(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    image_id: INT64
    category_id: Literal[1]
    keypoints: msgspec.Raw
    score: float


_PERFECT = msgspec.json.Decoder(list[_Row])


@dataclass(frozen=True, eq=False)
class Rows:
    """The well-formed rows of a file.

    Attributes:
        number: (N,) position of each in the file's list, counted from 0.
        image_id: (N,) int64.
        keypoints: (N, 17, 3) finite.
        score: (N,) finite.
        total: entries of the list, well-formed or not.
    """

    number: np.ndarray
    image_id: np.ndarray
    keypoints: np.ndarray
    score: np.ndarray
    total: int


def parse_results(data: bytes, findings: Findings) -> Rows | None:
    """Decode a results file.

    Args:
        data: the file's bytes.
        findings: receives every fault.

    Returns:
        The rows whose image id, keypoints and score can be used; None when the file is no list of rows.
    """
    raw = cut_rows(data, findings)
    if raw is None:
        return None
    blocks = [_block(raw[start : start + _BLOCK], start, findings) for start in range(0, len(raw), _BLOCK)]
    number, image_id, keypoints, score = map(np.concatenate, zip(*blocks, strict=True))
    return Rows(number, image_id, keypoints.reshape(-1, NUMBERS // 3, 3), score, len(raw))


def _block(raw: list[msgspec.Raw], start: int, findings: Findings) -> _Columns:
    """Numbers, image ids, keypoints (N, 51) and scores of a block's usable rows."""
    joined = b"[" + b",".join(raw) + b"]"
    return _perfect(joined, len(raw), start) or _examined(raw, joined, start, findings)


def _perfect(joined: bytes, count: int, start: int) -> _Columns | None:
    """Columns of a block in perfect form, the quick way past the examination; None when some row is not."""
    if joined.count(b":") != len(KEYS) * count:  # a decoder keeps the last of two equal keys without a word
        return None
    try:
        rows = _PERFECT.decode(joined)
        lists = [row.keypoints for row in rows]
        keypoints = number_rows(lists, NUMBERS, "keypoints", "", str)
    except (*UNREADABLE, InputError):
        return None
    return (
        np.arange(start, start + count),
        np.array([row.image_id for row in rows], np.int64),
        keypoints,
        np.array([row.score for row in rows], np.float64),
    )


def _examined(raw: list[msgspec.Raw], joined: bytes, start: int, findings: Findings) -> _Columns:
    """Columns of a block whose rows are looked at one by one."""
    number: list[int] = []
    image_id: list[int] = []
    score: list[float] = []
    flat: list[list[float]] = []
    for row, entry in _decode(raw, joined, start, findings):
        if _plain(entry) or examine(row, entry, findings):
            number.append(row)
            image_id.append(entry["image_id"])
            score.append(entry["score"])
            flat.append(entry["keypoints"])
    return (
        np.array(number, np.int64),
        np.array(image_id, np.int64),
        np.array(flat, np.float64).reshape(-1, NUMBERS),
        np.array(score, np.float64),
    )


def _decode(
    raw: list[msgspec.Raw], joined: bytes, start: int, findings: Findings
) -> Iterator[tuple[int, Any]]:
    """(row number, decoded entry) of a block; entries that cannot be decoded are named and left out."""
    try:
        entries = orjson.loads(joined)
    except orjson.JSONDecodeError:
        yield from _decode_singly(raw, start, findings)
        return
    # A decoder keeps the last of two equal keys without a word; the colons tell that one is gone.
    if joined.count(b":") != sum(len(e) for e in entries if type(e) is dict):
        for row, (piece, entry) in enumerate(zip(raw, entries, strict=True), start):
            name_repeated(row, bytes(piece), entry, findings)
    yield from enumerate(entries, start)


def _decode_singly(raw: list[msgspec.Raw], start: int, findings: Findings) -> Iterator[tuple[int, Any]]:
    for row, piece in enumerate(raw, start):
        try:
            entry = orjson.loads(memoryview(piece))
        except orjson.JSONDecodeError as error:
            code = "number_range" if "infinity" in str(error) else "row_not_json"
            findings.row(code, row, f"not valid JSON ({error})")
        else:
            name_repeated(row, bytes(piece), entry, findings)
            yield row, entry


def _plain(entry: Any) -> bool:
    """Whether a row is in perfect form: the quick way past the examination."""
    return (
        type(entry) is dict
        and entry.keys() == KEYS
        and type(entry["image_id"]) is int
        and type(entry["category_id"]) is int
        and entry["category_id"] == 1
        and type(entry["score"]) in NUMBER_TYPES
        and type(entry["keypoints"]) is list
        and len(entry["keypoints"]) == NUMBERS
        and NUMBER_TYPES.issuperset(map(type, entry["keypoints"]))
        and -(2**63) <= entry["image_id"] < 2**63
    )
