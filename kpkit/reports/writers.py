"""A report's table as CSV, Parquet or Markdown; every file is replaced in one step."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from kpkit.core.files import replacing, write_text
from kpkit.reports.cells import heading, one_line, shown


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write all columns, full precision, empty where a figure is not known."""
    text = io.StringIO()
    table.to_csv(text, index=False, lineterminator="\n")
    write_text(path, text.getvalue())


def write_parquet(table: pd.DataFrame, path: Path) -> None:
    """Write all columns with their types."""
    with replacing(path) as temporary:
        table.to_parquet(temporary, index=False)


def write_markdown(
    table: pd.DataFrame, path: Path, columns: Sequence[str], notes: Sequence[str] = ()
) -> None:
    """Write a pipe table, ensembles in bold, AP figures with one decimal, and the notes below it.

    Args:
        table: a comparison or ledger.
        path: replaced atomically.
        columns: what is shown, in order.
        notes: sentences, as a list.
    """
    lines = markdown_lines(table, columns)
    if notes:
        lines += ["", *(f"- {escape_markdown(note)}" for note in notes)]
    write_text(path, "\n".join(lines) + "\n")


def markdown_lines(table: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """The lines of a pipe table."""
    rows = shown(table, columns)
    right = [all(row[i].number for row in rows) for i in range(len(columns))]
    lines = [
        _line([heading(name) for name in columns]),
        _line(["--:" if r else ":--" for r in right]),
    ]
    for kind, row in zip(table["row"], rows, strict=True):
        texts = [escape_markdown(c.text) for c in row]
        bold = kind == "ensemble"
        lines.append(_line([f"**{text}**" if bold and text else text for text in texts]))
    return lines


def escape_markdown(text: str) -> str:
    """A text that no Markdown reader takes for markup."""
    text = one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for mark in "\\`*|[]":
        text = text.replace(mark, "\\" + mark)
    return text


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
