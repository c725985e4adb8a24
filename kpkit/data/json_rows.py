"""Big JSON files of many rows: decoded typed and in blocks, every fault named by its row.

A row decodes straight into a msgspec struct, so unused fields (segmentations are most of a COCO file) are
skipped and never become Python objects; blocks keep the float objects of only a few thousand rows alive.
"""

from __future__ import annotations

import gzip
import json
import math
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from kpkit.core.errors import InputError

BLOCK = 4096
INT64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""An integer that fits the arrays; a text, a fraction or a longer number is refused with its row."""

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What a decoder raises for a faulty text."""

BOX = "boxes are x, y, width, height"

T = TypeVar("T")
Label = Callable[[int], str]
"""Names the row of an index, for an error's text."""

_WORDS = {
    "int": "an integer", "float": "a number", "str": "a text", "array": "a list",
    "object": "an object", "bool": "true or false", "null": "null",
}  # fmt: skip


def read_bytes(path: str | Path) -> bytes:
    """A file's content, unpacked when it is gzip (told by its first bytes, not by its name)."""
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise InputError("no such file", file=path) from None
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", file=path) from None
    if data[:2] != b"\x1f\x8b":
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        remedy = "fetch the file again"
        raise InputError("gzip data are broken or cut short", file=path, remedy=remedy) from None


def decode_document(data: bytes, kind: type[T], path: str | Path, what: str) -> T:
    """Decode a whole file.

    Args:
        data: its bytes.
        kind: a msgspec type whose tables are ``list[msgspec.Raw]``, for decode_rows.
        path: named in errors.
        what: what the file should be, such as "a COCO person-keypoints file".
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        raise InputError(f"is not {what}: {_plain(str(error))}", file=path) from None
    except UnicodeDecodeError:
        remedy = "fetch or write the file again"
        raise InputError("not valid JSON: a text is not UTF-8", file=path, remedy=remedy) from None
    except UNREADABLE as error:
        raise _malformed(str(error), data, path) from None


def decode_rows(raws: list[msgspec.Raw], kind: type[T], path: str | Path, table: str) -> Iterator[list[T]]:
    """Decode a table in blocks of BLOCK rows; a wrong row raises InputError naming it.

    Args:
        raws: the rows as found by decode_document.
        kind: a msgspec struct.
        path: named in errors.
        table: name of the table, such as "annotations"; "" for a file that is one list.
    """
    decoder = msgspec.json.Decoder(list[kind])  # type: ignore[valid-type]
    for start in range(0, len(raws), BLOCK):
        block = raws[start : start + BLOCK]
        try:
            yield decoder.decode(b"[" + b",".join(block) + b"]")
        except UNREADABLE:
            raise _row_fault(block, start, kind, path, table) from None


def row_label(table: str, index: int, identity: str = "") -> str:
    """``annotations[12] (id 7)`` or ``row 12 (image 785)``; counted from 0."""
    name = f"{table}[{index}]" if table else f"row {index}"
    return f"{name} ({identity})" if identity else name


def refuse_first(
    bad: npt.ArrayLike,
    path: str | Path,
    label: Label,
    cause: str | Callable[[int], str],
    remedy: str | None = None,
) -> None:
    """Raise InputError for the first row where ``bad`` (N,) is true, if there is one."""
    mask = np.asarray(bad)
    if mask.any():
        row = int(np.argmax(mask))
        text = cause if isinstance(cause, str) else cause(row)
        raise InputError(text, file=path, row=label(row), remedy=remedy)


def check_boxes(box: np.ndarray, rows: npt.ArrayLike, path: str | Path, label: Label) -> None:
    """Refuse the first of the chosen ``rows`` (N,) whose box (N, 4) has no positive width and height."""
    refuse_first(
        (box[:, 2:] <= 0).any(axis=1) & np.asarray(rows), path, label,
        lambda k: f"the box has width {box[k, 2]:g} and height {box[k, 3]:g}, both must be positive", BOX,
    )  # fmt: skip


def check_finite(path: str | Path, label: Label, *arrays: np.ndarray) -> None:
    """Refuse the first row in which one of the arrays (N, ...) holds NaN or infinity."""
    finite = [np.isfinite(a).all(axis=tuple(range(1, a.ndim))) for a in arrays]
    refuse_first(~np.logical_and.reduce(finite), path, label, "a number is NaN or infinite")


def repeated(ids: np.ndarray) -> np.ndarray:
    """(N,) bool: rows whose id an earlier row has."""
    if (ids[1:] > ids[:-1]).all():  # as most files number them
        return np.zeros(len(ids), bool)
    _, first = np.unique(ids, return_index=True)
    mask = np.ones(len(ids), bool)
    mask[first] = False
    return mask


def _row_fault(
    block: list[msgspec.Raw], start: int, kind: type[T], path: str | Path, table: str
) -> InputError:
    """The fault of the first row of a block that cannot be decoded."""
    for index, raw in enumerate(block):
        try:
            msgspec.json.decode(raw, type=kind)
        except UNREADABLE as error:
            row = row_label(table, start + index, _identity(raw))
            return InputError(row_fault(error), file=path, row=row)
    return InputError("not valid JSON", file=path)


def _identity(raw: msgspec.Raw) -> str:
    try:
        value = msgspec.json.decode(raw)
    except UNREADABLE:  # the row's own fault may keep it from being read at all
        return ""
    if isinstance(value, dict):
        for key, word in (("id", "id"), ("image_id", "image")):
            if isinstance(value.get(key), int | str):
                return f"{word} {value[key]}"
    return ""


def row_fault(error: Exception, field: str = "") -> str:
    """What is wrong with a row, or with one ``field`` of it that was decoded alone, in our words."""
    if isinstance(error, msgspec.ValidationError):
        return _plain(str(error), field)
    return f"a text in {repr(field) if field else 'it'} is not valid JSON or not UTF-8"


def _plain(message: str, within: str = "") -> str:
    """A validation message of msgspec in our words."""
    text, _, where = message.partition(" - at `$")
    field = (within + where.rstrip("`")).lstrip(".")
    subject = f"'{field}'" if field else "it"
    if missing := re.search(r"missing required field `(\w+)`", text):
        return f"{subject} has no '{missing.group(1)}'" if field else f"'{missing.group(1)}' is missing"
    if length := re.search(r"`array` of length (\d+)", text):
        return f"{subject} must have {length.group(1)} numbers"
    if got := re.search(r"got `(\w+)`", text):
        wanted = re.findall(r"`([^`]+)`", text)[0].split(" | ")
        words = " or ".join(_WORDS.get(word, word) for word in wanted)
        return f"{subject} must be {words}, found {_WORDS.get(got.group(1), got.group(1))}"
    if "out of range" in text or "<=" in text or ">=" in text:
        return f"{subject} is a number out of range (infinite or too long)"
    return f"{subject}: {text}"


def _malformed(message: str, data: bytes, path: str | Path) -> InputError:
    if "truncated" in message:
        remedy = "fetch or write the file again"
        return InputError("not valid JSON: it is cut short", file=path, remedy=remedy)
    place = re.search(r"byte (\d+)", message)
    at = int(place.group(1)) if place else 0
    if data[at : at + 3] == b"NaN" or data[at : at + 8] == b"Infinity" or data[at : at + 2] == b"-I":
        row, number = _first_not_finite(data)
        cause = f"holds {number}, which is no JSON number"
        return InputError(cause, file=path, row=row, remedy="repair or leave out that row")
    where = f" at byte {at} of {len(data)}" if place else ""
    cause = f"not valid JSON: {message.removeprefix('JSON is malformed: ').split(' (')[0]}{where}"
    return InputError(cause, file=path, remedy="fetch or write the file again")


def _first_not_finite(data: bytes) -> tuple[str | None, str]:
    """Row label and spelling of the first NaN or infinity (Python's own reader takes them)."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return None, "NaN or infinity"
    tables = document.items() if isinstance(document, dict) else [("", document)]
    for table, rows in tables:
        for index, row in enumerate(rows if isinstance(rows, list) else []):
            number = _not_finite(row)
            if number is not None:
                known = {key: row.get(key) for key in ("id", "image_id")} if isinstance(row, dict) else {}
                identity = _identity(msgspec.Raw(json.dumps(known).encode()))
                return row_label(table, index, identity), "NaN" if math.isnan(number) else "infinity"
    return None, "NaN or infinity"


def _not_finite(value: Any) -> float | None:
    if isinstance(value, float):
        return None if math.isfinite(value) else value
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next((found for part in parts if (found := _not_finite(part)) is not None), None)
