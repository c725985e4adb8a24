"""From a results file's bytes to arrays, row by row, with every fault of form named.

The list is cut into undecoded rows first and decoded a block at a time: one broken row does not hide the
others, its number is known, and 420,000 poses never stand in memory as Python numbers.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import orjson

from kpkit.submissions.grammar import cut_rows
from kpkit.submissions.problems import Findings

KEYS = frozenset(("image_id", "category_id", "keypoints", "score"))
NUMBERS = 51
"""17 keypoints, x, y and a third number each."""

_BLOCK = 4096
_NUMBER_TYPES = {int, float}
_REASONS = {
    "bbox": "servers would then take areas from it and the figures by size (APM, APL) would change",
    "area": "servers would then judge sizes by it and APM and APL would change",
    "segmentation": "the file would be judged as masks",
    "id": "servers number the rows themselves",
}


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
    number: list[int] = []
    image_id: list[int] = []
    score: list[float] = []
    blocks: list[np.ndarray] = []
    for start in range(0, len(raw), _BLOCK):
        flat: list[list[float]] = []
        for row, entry in _decode(raw[start : start + _BLOCK], start, findings):
            if _plain(entry) or _examine(row, entry, findings):
                number.append(row)
                image_id.append(entry["image_id"])
                score.append(entry["score"])
                flat.append(entry["keypoints"])
        blocks.append(np.array(flat, np.float64).reshape(-1, NUMBERS // 3, 3))
    return Rows(
        np.array(number, np.int64),
        np.array(image_id, np.int64),
        np.concatenate(blocks),
        np.array(score, np.float64),
        len(raw),
    )


def _decode(raw: list[msgspec.Raw], start: int, findings: Findings) -> Iterator[tuple[int, Any]]:
    """(row number, decoded entry) of a block; entries that cannot be decoded are named and left out."""
    joined = b"[" + b",".join(raw) + b"]"
    try:
        entries = orjson.loads(joined)
    except orjson.JSONDecodeError:
        yield from _decode_singly(raw, start, findings)
        return
    # A decoder keeps the last of two equal keys without a word; the colons tell that one is gone.
    if joined.count(b":") != sum(len(e) for e in entries if type(e) is dict):
        for row, (piece, entry) in enumerate(zip(raw, entries, strict=True), start):
            _name_repeated(row, bytes(piece), entry, findings)
    yield from enumerate(entries, start)


def _decode_singly(raw: list[msgspec.Raw], start: int, findings: Findings) -> Iterator[tuple[int, Any]]:
    for row, piece in enumerate(raw, start):
        try:
            entry = orjson.loads(memoryview(piece))
        except orjson.JSONDecodeError as error:
            code = "number_range" if "infinity" in str(error) else "row_not_json"
            findings.row(code, row, f"not valid JSON ({error})")
        else:
            _name_repeated(row, bytes(piece), entry, findings)
            yield row, entry


def _name_repeated(row: int, piece: bytes, entry: Any, findings: Findings) -> None:
    if type(entry) is not dict or piece.count(b":") == len(entry):
        return

    def look(pairs: list[tuple[str, Any]]) -> None:
        keys = [key for key, _ in pairs]
        for key in sorted({key for key in keys if keys.count(key) > 1}):
            findings.row("repeated_key", row, f"the key {key!r} occurs twice")

    with contextlib.suppress(RecursionError):  # so deep a value is a fault of its own, named with the row
        json.loads(piece, object_pairs_hook=look)


def _plain(entry: Any) -> bool:
    """Whether a row is in perfect form: the quick way past the examination."""
    return (
        type(entry) is dict
        and entry.keys() == KEYS
        and type(entry["image_id"]) is int
        and type(entry["category_id"]) is int
        and entry["category_id"] == 1
        and type(entry["score"]) in _NUMBER_TYPES
        and type(entry["keypoints"]) is list
        and len(entry["keypoints"]) == NUMBERS
        and _NUMBER_TYPES.issuperset(map(type, entry["keypoints"]))
        and -(2**63) <= entry["image_id"] < 2**63
    )


def _examine(row: int, entry: Any, findings: Findings) -> bool:
    """Name every fault of a row; True if its image id, keypoints and score can be used all the same."""
    if type(entry) is not dict:
        findings.row("row_not_object", row, f"is {_kind(entry)}, must be an object with {_listed(KEYS)}")
        return False
    image = entry.get("image_id")
    of = f" (image {image})" if type(image) is int else ""
    missing, extra = KEYS - entry.keys(), entry.keys() - KEYS
    if missing:
        findings.row("missing_key", row, f"lacks {_listed(missing)}{of}")
    for key in sorted(extra):
        reason = _REASONS.get(key, "servers may refuse the file")
        findings.row("extra_key", row, f"has the key {key!r}{of}: {reason}; write {_listed(KEYS)} only")
    usable = not missing
    if "image_id" in entry and not (type(image) is int and -(2**63) <= image < 2**63):
        findings.row("image_id_type", row, f"image_id is {_kind(image)}, must be an integer")
        usable = False
    if "category_id" in entry and not (type(entry["category_id"]) is int and entry["category_id"] == 1):
        category = entry["category_id"]
        shown = category if type(category) is int else _kind(category)
        findings.row("category", row, f"category_id is {shown}{of}, must be 1 (person)")
    if "score" in entry and type(entry["score"]) not in _NUMBER_TYPES:
        findings.row("score_type", row, f"the score is {_kind(entry['score'])}{of}, must be a number")
        usable = False
    if "keypoints" in entry:
        usable &= _examine_keypoints(row, entry["keypoints"], of, findings)
    return usable


def _examine_keypoints(row: int, points: Any, of: str, findings: Findings) -> bool:
    if type(points) is not list:
        findings.row(
            "keypoints_type", row, f"keypoints are {_kind(points)}{of}, must be a list of {NUMBERS} numbers"
        )
    elif any(type(value) in (list, dict) for value in points):
        findings.row(
            "keypoints_nested", row, f"keypoints are nested{of}, must be one flat list of {NUMBERS} numbers"
        )
    elif len(points) != NUMBERS:
        findings.row(
            "keypoints_count", row, f"has {len(points)} keypoint numbers{of}, must have {NUMBERS} (17 x 3)"
        )
    else:
        bad = [k for k, value in enumerate(points) if type(value) not in _NUMBER_TYPES]
        if not bad:
            return True
        findings.row(
            "keypoints_type",
            row,
            f"keypoint number {bad[0]} is {_kind(points[bad[0]])}{of}, must be a number",
        )
    return False


def _kind(value: Any) -> str:
    """How to call a JSON value in a message."""
    if value is None:
        return "null"
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is str:
        return f"the text {value[:40]!r}"
    if type(value) is list:
        return "a list"
    return "an object" if type(value) is dict else f"the number {value!r}"


def _listed(keys: frozenset[str] | set[str]) -> str:
    return ", ".join(sorted(keys))
