"""Numbers as people read them: the cells of printed, Markdown and HTML tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from kpkit.evaluation.errors import KINDS

LABELS = {
    "parameters_M": "params (M)",
    "best_member": "best member",
    "delta": "Δ best",
    "seconds": "time",
    "false_score": "on nobody",
    "AP_half": "±",
    "AR_half": "±",
    "gain": "Δ first",
    "gain_half": "±",
    "gain_low": "from",
    "gain_high": "to",
    "rise": "similarity gained",
    "rise_low": "from",
    "rise_high": "to",
    "false_score_half": "±",
    "published": "published (COCO)",
}
"""Column -> heading, where they differ."""

HASHES = ("artefact", "content", "recipe")
_DECIMALS = {"parameters_M": 2, "GMACs": 2, "false_score": 3, "false_score_half": 3}
_DECIMALS |= dict.fromkeys(("intended", "drawn", "error"), 2)
_SIGNED = ("delta", "gain", "gain_low", "gain_high", "rise", "rise_low", "rise_high")
_WHOLE = ("seeds", "steps", "crops", "boxes", "pictures", "people", "poses", *KINDS)


@dataclass(frozen=True)
class Cell:
    """A value as shown, the value to sort by, and whether it is a number (aligned right)."""

    text: str
    sort: float | str
    number: bool


def cell(column: str, value: Any) -> Cell:
    """One value of a report's table: AP figures with one decimal, hashes by their first eight places."""
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return Cell("", float("-inf") if column not in (*HASHES, "name") else "", True)
    if isinstance(value, str):
        return Cell(value[:8] if column in HASHES else value, value, False)
    number = float(value)
    if column in _SIGNED:
        text = f"{number:+.1f}"
    elif column == "seconds":
        text = clock(number)
    elif column == "weight":
        text = f"{number:g}"
    elif column in _WHOLE:
        text = f"{number:,.0f}"
    else:
        text = f"{number:.{_DECIMALS.get(column, 1)}f}"
    return Cell(text, number, True)


def heading(column: str) -> str:
    """A column's heading."""
    return LABELS.get(column, column)


def clock(seconds: float) -> str:
    """``0:42``, ``1:02:03``."""
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"


def shown(table: pd.DataFrame, columns: Sequence[str]) -> list[list[Cell]]:
    """A table's cells, row by row."""
    return [[cell(name, row[name]) for name in columns] for row in table.to_dict("records")]


def aligned(table: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """Lines of a plain text table: headings, then rows; numbers to the right."""
    rows = shown(table, columns)
    texts = [[one_line(c.text) for c in row] for row in rows]
    heads = [heading(name) for name in columns]
    widths = [max([len(head), *(len(row[i]) for row in texts)]) for i, head in enumerate(heads)]
    right = [all(row[i].number for row in rows) for i in range(len(columns))]

    def line(words: Sequence[str]) -> str:
        parts = [w.rjust(n) if r else w.ljust(n) for w, n, r in zip(words, widths, right, strict=True)]
        return "  ".join(parts).rstrip()

    return [line(heads), *(line(row) for row in texts)]


def one_line(text: str) -> str:
    """A name without line breaks or control characters, which could forge lines of a terminal or table."""
    return "".join(c if c.isprintable() else "�" for c in text)
