"""A results file's outer form: UTF-8, JSON, one list. What breaks it is named with its row."""

from __future__ import annotations

import re

import msgspec

from kpkit.submissions.problems import Findings

_NAN = re.compile(rb"[:,\[\s](-?(?:NaN|nan|Infinity|inf))\s*[,\]\}]")


def cut_rows(data: bytes, findings: Findings) -> list[msgspec.Raw] | None:
    """The undecoded entries of the outer list; None, and the reason in ``findings``, when there is none."""
    if data.startswith(b"\xef\xbb\xbf"):
        findings.file("byte_order_mark", "the file starts with a byte order mark; save it as plain UTF-8")
        return None
    if not data.isascii():
        try:
            data.decode()
        except UnicodeDecodeError as error:
            cause = f"byte {error.start:,} of the file is not UTF-8; save it as UTF-8"
            _report("not_utf8", data, error.start, cause, findings)
            return None
    start = data[:64].lstrip()[:1]
    if not start:
        findings.file("empty_file", "the file is empty; it must hold a JSON list of poses")
        return None
    try:
        if start != b"[":
            _refuse_no_list(data, findings)
            return None
        raw = msgspec.json.decode(data, type=list[msgspec.Raw])
    except (msgspec.DecodeError, RecursionError) as error:
        _explain(data, str(error), findings)
        return None
    if not raw:
        findings.file("empty_list", "the list holds no pose; servers fail on an empty list")
        return None
    return raw


def _refuse_no_list(data: bytes, findings: Findings) -> None:
    """Say what the file holds instead of a list. Raises msgspec.DecodeError when it is no JSON at all."""
    keys: dict[str, msgspec.Raw] = {}
    try:
        keys = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        held = f"an object with the keys {', '.join(sorted(keys)[:6])}"
    except msgspec.ValidationError:
        held = "a single value"
    hint = " (this looks like an annotation file)" if {"images", "annotations"} & set(keys) else ""
    findings.file("not_a_list", f"the file holds {held}, must hold a list of poses{hint}")


def _explain(data: bytes, error: str, findings: Findings) -> None:
    """Name the cause of a syntax error and the row it is in."""
    byte = re.search(r"\(byte (\d+)\)", error)
    at = min(int(byte.group(1)), len(data)) if byte else len(data)
    literal = _NAN.search(data, max(0, at - 16), at + 16)
    if literal:
        word = literal.group(1).decode()
        cause = f"{word} is not JSON (Python writes it unless allow_nan=False); mend the pose"
        _report("nan_literal", data, literal.start(), cause, findings)
    elif "truncated" in error:
        _report("truncated", data, len(data), "the file ends in the middle; write it again", findings)
    elif "trailing characters" in error:
        findings.file("trailing_text", "text follows the end of the list; nothing may come after it")
    else:
        cause = error.removeprefix("JSON is malformed: ")
        _report("not_json", data, at, f"not valid JSON: {cause}", findings)


def _report(code: str, data: bytes, byte: int, cause: str, findings: Findings) -> None:
    """Name the row a byte lies in: rows are flat, so every brace before it opened one."""
    row = data.count(b"{", 0, byte) - 1
    if row >= 0:
        findings.row(code, row, cause)
    else:
        findings.file(code, cause)
