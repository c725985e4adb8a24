"""The plan as people read it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kpkit.pipeline.plan import PlanRow


def print_plan(rows: list[PlanRow], free: int, *, as_json: bool) -> None:
    """Print a plan as a table and the missing inputs below it, or as JSON."""
    total = sum(row.bytes for row in rows)
    if as_json:
        print(json.dumps({"nodes": [row.as_dict() for row in rows], "bytes": total, "free_bytes": free}))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("artefact", no_wrap=True, overflow="fold")
    table.add_column("state")
    table.add_column("crops", justify="right")
    table.add_column("disk", justify="right")
    table.add_column("waits for")
    for row in rows:
        waiting = ", ".join(need.split("/", 1)[1] for need in row.needs)
        table.add_row(row.name, row.state, _crops(row), _size(row.bytes), waiting)
    console = Console(width=None if _is_wide() else 160, highlight=False)
    console.print(table)
    left = sum(row.state != "done" for row in rows)
    disk = f"about {_size(total) or '0 MB'} of disk ({_size(free)} free)"
    console.print(f"\n{left} of {len(rows)} to build, {disk}")
    missing = list(dict.fromkeys(sentence for row in rows for sentence in row.missing))
    for sentence in missing:
        console.print(f"missing: {sentence}", soft_wrap=True, markup=False)


def _crops(row: PlanRow) -> str:
    if row.crops is None:
        return "" if row.state == "done" else "later"
    return f"{row.crops:,}" if row.crops else ""


def _is_wide() -> bool:
    import sys

    return sys.stdout.isatty()


def _size(count: int) -> str:
    if count <= 0:
        return ""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{max(count / 1e6, 0.1):.1f} MB"
