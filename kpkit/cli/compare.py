"""``compare``: everything run as a table, on the terminal and in files."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kpkit.cli.options import Data, Json, Runs

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

_ALL = (
    "row", "name", "ensemble", "split", "AP", "AP50", "AP75", "AR", "false_score", "parameters_M", "GMACs",
    "crops", "seconds", "artefact", "content",
)  # fmt: skip


_NO_ENSEMBLE = "no ensemble is judged yet; kpkit compare --all lists everything finished"
_LEFT_OUT: tuple[str, ...] = (
    "content",
    "APM",
    "APL",
    "crops",
    "seconds",
    "weight",
    "GMACs",
    "false_score",
    "ensemble",
    "parameters_M",
    "AP75",
)
"""On narrow terminals these columns go, in this order; --csv and --json have all of them."""


def register(app: typer.Typer) -> None:
    """Add the group's command."""
    app.command("compare")(compare)


def compare(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAMES", help="Only these ensembles (with their members) or recipes."),
    ] = None,
    runs: Runs = Path("runs"),
    csv: Annotated[Path | None, typer.Option("--csv", help="Write the table as CSV.")] = None,
    parquet: Annotated[Path | None, typer.Option("--parquet", help="Write the table as Parquet.")] = None,
    markdown: Annotated[Path | None, typer.Option("--markdown", help="Write the table as Markdown.")] = None,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write one self-contained page: table, curves, pictures.")
    ] = None,
    data: Data = None,
    everything: Annotated[
        bool, typer.Option("--all", help="The whole ledger: recipes, pseudo labels and submissions too.")
    ] = False,
    study: Annotated[
        str, typer.Option("--study", help="A finished study: means and intervals over its seeds.")
    ] = "",
    json: Json = False,
) -> None:
    """Members against ensembles, split by split; --all for everything run; --study for recipes over seeds."""
    from kpkit.core.errors import KpkitError
    from kpkit.reports.compare import SHOWN, comparison_of, verdicts
    from kpkit.reports.html import write_report
    from kpkit.reports.ledger import ledger
    from kpkit.reports.study import LEFT_OUT, shown_columns, study_table, study_verdicts
    from kpkit.reports.writers import write_csv, write_markdown, write_parquet

    if everything and names:
        raise KpkitError("--all shows everything; leave out the names or --all")
    if study and (everything or names or html):
        raise KpkitError("--study shows one study; leave out the names, --all and --html")
    if study:
        table = study_table(runs, study)
        columns, left_out, sentences = shown_columns(table), LEFT_OUT, study_verdicts(table)
    else:
        found = ledger(runs)
        judged = comparison_of(found, names)
        table, columns = (found, _ALL) if everything else (judged, SHOWN)
        left_out, sentences = _LEFT_OUT, verdicts(judged)
    if csv:
        write_csv(table, csv)
    if parquet:
        write_parquet(table, parquet)
    if markdown:
        write_markdown(table, markdown, columns, sentences)
    if html:
        root = data or (Path(os.environ["KPKIT_DATA"]) if os.environ.get("KPKIT_DATA") else None)
        if root is not None and not root.is_dir():
            raise KpkitError(f"{root}: the data folder does not exist; give --data DIR")
        for note in write_report(runs, html, names=names, data=root):
            print(note, file=sys.stderr)
    if json:
        _print_json(table, sentences)
    else:
        _print_table(table, columns, left_out, sentences, runs)
    for path in filter(None, (csv, parquet, markdown, html)):
        print(f"written: {path}", file=sys.stderr)


def _print_json(table: pd.DataFrame, sentences: list[str]) -> None:
    import json

    rows = [
        {name: None if value != value else value for name, value in row.items()}  # NaN is unequal to itself
        for row in table.to_dict("records")
    ]
    print(json.dumps({"rows": rows, "verdicts": sentences}))


def _print_table(
    table: pd.DataFrame, columns: tuple[str, ...], left_out: tuple[str, ...], sentences: list[str], runs: Path
) -> None:
    """On a terminal as much as its width allows, elsewhere all columns as aligned plain lines.

    ``left_out`` are the columns that go where the terminal is narrow, in their order.
    """
    if table.empty:
        print(f"{runs}: {'nothing is finished yet' if columns is _ALL else _NO_ENSEMBLE}")
        return
    from kpkit.reports.cells import aligned

    if sys.stdout.isatty():
        from rich.console import Console

        console = Console(highlight=False)
        for dropped in left_out:
            if len(aligned(table, columns)[0]) > console.width:
                columns = tuple(name for name in columns if name != dropped)
        _print_rich(console, table, columns)
    else:
        print("\n".join(aligned(table, columns)))
    if sentences:
        print("\n" + "\n".join(sentences))


def _print_rich(console: Console, table: pd.DataFrame, columns: tuple[str, ...]) -> None:
    from rich.table import Table
    from rich.text import Text

    from kpkit.reports.cells import heading, one_line, shown

    rows = shown(table, columns)
    out = Table(box=None, pad_edge=False)
    for place, name in enumerate(columns):
        number = all(row[place].number for row in rows)
        out.add_column(Text(heading(name)), justify="right" if number else "left", overflow="fold")
    for kind, row in zip(table["row"], rows, strict=True):
        style = "bold" if kind == "ensemble" else ""
        out.add_row(*(Text(one_line(cell.text)) for cell in row), style=style)
    console.print(out)
