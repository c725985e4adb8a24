"""What is wrong with the form of one row of a results file: every fault of it, in words."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from kpkit.submissions.problems import Findings

KEYS = frozenset(("image_id", "category_id", "keypoints", "score"))
NUMBERS = 51
"""17 keypoints, x, y and a third number each."""

NUMBER_TYPES = {int, float}
"""Of a decoded JSON number; a truth value is none."""

_REASONS = {
    "bbox": "servers would then take areas from it and the figures by size (APM, APL) would change",
    "area": "servers would then judge sizes by it and APM and APL would change",
    "segmentation": "the file would be judged as masks",
    "id": "servers number the rows themselves",
}


def name_repeated(row: int, piece: bytes, entry: Any, findings: Findings) -> None:
    """Name the keys that occur twice in a row, which a decoder passes over; ``piece`` is its text."""
    if type(entry) is not dict or piece.count(b":") == len(entry):
        return

    def look(pairs: list[tuple[str, Any]]) -> None:
        keys = [key for key, _ in pairs]
        for key in sorted({key for key in keys if keys.count(key) > 1}):
            findings.row("repeated_key", row, f"the key {key!r} occurs twice")

    with contextlib.suppress(RecursionError):  # so deep a value is a fault of its own, named with the row
        json.loads(piece, object_pairs_hook=look)


def examine(row: int, entry: Any, findings: Findings) -> bool:
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
    if "score" in entry and type(entry["score"]) not in NUMBER_TYPES:
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
        bad = [k for k, value in enumerate(points) if type(value) not in NUMBER_TYPES]
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
