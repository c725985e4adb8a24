"""Networks as people read them: the catalogue as a table, one network as a tree of its modules."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

    from kpkit.models.anatomy import Part

_LEFT_OUT = ("family", "backbone", "no aux.", "source", "published M")
"""On narrow terminals these columns go, in this order; --json has all of them."""


def print_models(rows: Sequence[dict[str, Any]], published_convention: bool) -> None:
    """Print the rows of ``kpkit models``, further publications of a network on lines of their own below it.

    Args:
        rows: as ``--json`` prints them.
        published_convention: show its GFLOPs in place of GMACs.
    """
    unit, key = ("GFLOPs*", "gflops_published_convention") if published_convention else ("GMACs", "gmacs")
    columns = ["network", "family", "backbone", "input", "params M", "no aux.", unit, "no aux.",
               "published M", "GFLOPs", "AP", "source"]  # fmt: skip
    lines = []
    for place, row in enumerate(rows):
        params, work = (_both(row, "parameters", 1e6), _both(row, key, 1))
        measured = [row["name"], row["family"], row["backbone"], _size(row["input_size"]), *params, *work]
        measured.append(_text(row["published_parameters_millions"]))
        known = place > 0 and rows[place - 1]["name"] == row["name"]
        said = [p for p in row["published"] if p["input_size"] or not known]
        for i, publication in enumerate(said or [{}]):
            where = publication.get("source", "")
            if publication and not publication["input_size"]:
                where += " (input size not known)"
            start = measured if i == 0 else [""] * len(measured)
            lines.append([*start, _text(publication.get("gflops")), _text(publication.get("ap")), where])
    _print(columns, lines, left=("network", "family", "backbone", "source"))
    print("no aux.: without the heads and decoders that serve training alone")
    if published_convention:
        print("* as HRNet's tables count: in 2^30, transposed convolutions at their output positions")


def print_tree(part: Part, depth: int) -> None:
    """Print a network's modules to a depth, those alike in a row as one with ``×N`` and one's figures."""
    lines = [
        [
            f"{guide}{part.name}" + (f" ×{part.times}" if part.times > 1 else ""),
            part.kind,
            f"{part.params:,}",
            f"{part.gmacs:.3f}",
            _outputs(part.shapes),
        ]
        for guide, part in _walk(part, depth)
    ]
    _print(["module", "type", "parameters", "GMACs", "output"], lines, left=("module", "type", "output"))


def _walk(part: Part, depth: int, guide: str = "", below: str = "") -> Iterator[tuple[str, Part]]:
    yield guide, part
    for i, child in enumerate(part.parts if depth else ()):
        branch, rest = ("└─ ", "   ") if i == len(part.parts) - 1 else ("├─ ", "│  ")
        yield from _walk(child, depth - 1, below + branch, below + rest)


def _outputs(shapes: Sequence[tuple[int, ...]]) -> str:
    """``256x64x48``, equal ones as ``5 of 17x64x48``."""
    counts: dict[str, int] = {}
    for shape in map(_size, shapes):
        counts[shape] = counts.get(shape, 0) + 1
    return ", ".join(shape if count == 1 else f"{count} of {shape}" for shape, count in counts.items())


def _both(row: dict[str, Any], key: str, unit: float) -> list[str]:
    """A figure of the whole network, and without what serves training alone where there is such."""
    whole, rest = row[key], row[f"{key}_without_auxiliary"]
    return [f"{whole / unit:.2f}", "" if rest == whole else f"{rest / unit:.2f}"]


def _size(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


def _text(value: float | None) -> str:
    return "" if value is None else str(value)


def _print(columns: Sequence[str], lines: Sequence[Sequence[str]], left: Sequence[str]) -> None:
    """A table as wide as it is; on a terminal as wide as that allows."""
    from rich.console import Console

    keep = list(range(len(columns)))
    widths = [max(len(column), *(len(line[i]) for line in lines)) for i, column in enumerate(columns)]
    console = Console(highlight=False, markup=False)
    dropped = list(_LEFT_OUT) if sys.stdout.isatty() else []
    while dropped and sum(widths[i] + 2 for i in keep) > console.width:
        name = dropped.pop(0)
        keep = [i for i in keep if columns[i] != name]
    if "source" in columns and columns.index("source") not in keep:
        lines = [line for line in lines if line[0]]  # further publications say nothing without it
    if not sys.stdout.isatty():
        console = Console(highlight=False, markup=False, width=sum(widths) + 2 * len(widths))
    table = _table([columns[i] for i in keep], left)
    for line in lines:
        table.add_row(*(line[i] for i in keep))
    console.print(table)


def _table(columns: Sequence[str], left: Sequence[str]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="left" if column in left else "right", no_wrap=True)
    return table
