"""One self-contained HTML page on everything run: nothing in it is fetched from elsewhere."""

from __future__ import annotations

import base64
import contextlib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

import kpkit
from kpkit.core.errors import InputError
from kpkit.core.files import read_json, write_text
from kpkit.reports.cells import Cell, clock, heading, shown
from kpkit.reports.compare import SHOWN, comparison_of, verdicts
from kpkit.reports.curves import LOG, read_log, training_curves
from kpkit.reports.errors import COSTS, ErrorTables, ensemble_errors, keypoint_headings
from kpkit.reports.ledger import ledger_of, percent
from kpkit.reports.made_metrics import DrawnFacts
from kpkit.reports.manifests import Entry, read_entries
from kpkit.reports.refined import KEYPOINTS, POSES, refined_sentences, refined_table, taken
from kpkit.reports.spreads import KINDS, kinds_table, spread_sentences, synthesis_figure
from kpkit.reports.strips import Picture, best_and_worst

LEDGER = ("row", "name", "split", "AP", "crops", "seconds", "artefact", "content", "recipe")

_REFINED = (("poses", POSES), ("keypoint", KEYPOINTS))

SORT = """
document.querySelectorAll("table.sortable th").forEach(head => head.addEventListener("click", () => {
  const table = head.closest("table"), body = table.tBodies[0], place = head.cellIndex;
  const up = head.getAttribute("aria-sort") !== "ascending";
  const value = row => row.cells[place].dataset.sort;
  const order = (a, b) => isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b;
  [...body.rows].sort((a, b) => (up ? 1 : -1) * order(value(a), value(b))).forEach(row => body.append(row));
  table.querySelectorAll("th").forEach(other => other.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
}));
"""
"""The page's whole script: a click on a heading sorts its table."""


@dataclass(frozen=True)
class Grid:
    """A table for the template: headings with their alignment, rows of cells, rows to set off."""

    headings: list[tuple[str, bool]]
    rows: list[list[Cell]]
    marked: list[bool]


def write_report(
    runs: Path, path: Path, *, names: Sequence[str] | None = None, data: Path | None = None, pictures: int = 4
) -> list[str]:
    """Write the report page.

    Args:
        runs: the folder of artefacts.
        path: the HTML file, replaced atomically.
        names: ensembles or recipes the comparison keeps, as in ``comparison``; None for all.
        data: the folder of data sets; without it the page says less about the data and shows no pictures.
        pictures: best and worst pictures of each ensemble.

    Returns:
        sentences on what the page had to leave out, such as pictures that are not there; also on the page.

    Raises:
        InputError: no such folder, a damaged manifest or log, an unknown name.
    """
    entries = sorted(read_entries(runs), key=_place)
    table = comparison_of(ledger_of(entries), names)
    notes: list[str] = []
    keys = set(table.loc[table["row"] == "ensemble", "artefact"])
    judged = [entry for entry in _of(entries, "ensembles") if entry.manifest.key in keys]
    text = _environment().get_template("report.html.j2").render(
        script=Markup(SORT),
        script_hash=base64.b64encode(hashlib.sha256(SORT.encode()).digest()).decode(),
        version=kpkit.__version__,
        finished=max((entry.manifest.timings.finished for entry in entries), default=""),
        world=world_of(data),
        tiles=_tiles(table, entries),
        verdicts=verdicts(table),
        comparison=_grid(table, SHOWN),
        recipes=[_recipe(entry, place) for place, entry in enumerate(_of(entries, "recipes"))],
        negatives=_of(entries, "hard_negatives"),
        labels=_of(entries, "pseudo_labels"),
        refined=[_refined(entry, entries) for entry in _of(entries, "refined")],
        submissions=[_submission(entry) for entry in _of(entries, "submissions")],
        strips=_strips(judged, data, pictures, notes),
        errors=_errors(judged, data),
        error_headings=(COSTS, keypoint_headings()),
        ledger=_grid(ledger_of(entries), LEDGER),
        notes=notes,
    )  # fmt: skip
    write_text(path, text)
    return notes


def world_of(data: Path | None) -> dict[str, Any] | None:
    """What ``world.json`` in a data folder tells; None where the data are not a generated world."""
    if data is None or not (data / "world.json").is_file():
        return None
    found = read_json(data / "world.json")
    if not isinstance(found, dict) or not isinstance(found.get("pictures"), dict):
        raise InputError("not a world's manifest", file=data / "world.json")
    people = found.get("people")
    return found | {"people": people if isinstance(people, dict) else {}}


def _environment() -> jinja2.Environment:
    loader = jinja2.PackageLoader("kpkit.reports", "")
    found = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    found.filters |= {"clock": clock, "jpeg": lambda data: base64.b64encode(data).decode()}
    return found


def _place(entry: Entry) -> int:
    """COCO's splits in the order they are used, others behind."""
    order = ("val2017", "test-dev2017", "test-challenge2017")
    return order.index(entry.split) if entry.split in order else len(order)


def _of(entries: list[Entry], kind: str) -> list[Entry]:
    return [entry for entry in entries if entry.manifest.kind == kind]


def _grid(table: pd.DataFrame, columns: Sequence[str]) -> Grid:
    rows = shown(table, columns)
    headings = [(heading(name), all(row[i].number for row in rows)) for i, name in enumerate(columns)]
    return Grid(headings, rows, (table["row"] == "ensemble").tolist())


def _tiles(table: pd.DataFrame, entries: list[Entry]) -> list[dict[str, str]]:
    """The headline: the best ensemble of each split it was judged on, and every judged submission."""
    tiles = []
    blends = table[table["row"] == "ensemble"]  # within a split by falling AP
    for row in blends.drop_duplicates("split").to_dict("records"):
        above = f"{row['delta']:+.1f} to its best member" if row["best_member"] else "no member judged"
        tiles.append({"split": row["split"], "ap": f"{row['AP']:.1f}", "what": row["name"], "more": above})
    for entry in _of(entries, "submissions"):
        if entry.metrics.judged:
            ap = percent(entry.metrics.judged)["AP"]
            pictures = f"judged on {entry.metrics.judged_pictures:,} pictures"
            tiles.append(
                {"split": entry.split, "ap": f"{ap:.1f}", "what": entry.manifest.name, "more": pictures}
            )
    return tiles


def _recipe(entry: Entry, place: int) -> dict[str, Any]:
    told = entry.metrics.refined
    return {
        "entry": entry,
        "svg": _curves(entry, place),
        "val": percent(entry.metrics.found),
        "drawn": _drawn(told.drawn, place) if told and told.drawn else None,
    }


def _curves(entry: Entry, place: int) -> Markup | None:
    """Training curves; None of weights that were taken as they are."""
    if not entry.metrics.crops:
        return None
    return Markup(training_curves(read_log(entry.folder / LOG), f"{place}"))


def _drawn(told: DrawnFacts, place: int) -> dict[str, Any]:
    """Poses a refiner was judged with, beside what they are meant to be."""
    table = kinds_table(told)
    return {
        "facts": told,
        "svg": Markup(synthesis_figure(told, f"d{place}")),
        "kinds": _grid(table, KINDS),
        "sentences": spread_sentences(told),
    }


def _refined(entry: Entry, entries: list[Entry]) -> dict[str, Any]:
    """Refined poses: tables and sentences where the truth is known."""
    table = refined_table(entry)
    parts = [(table[table["row"] == row], columns) for row, columns in _REFINED]
    return {
        "entry": entry,
        "grids": [] if table.empty else [_grid(rows, columns) for rows, columns in parts],
        "sentences": [] if table.empty else refined_sentences(entry),
        "taken": taken(entry, entries),
    }


def _submission(entry: Entry) -> dict[str, Any]:
    facts = entry.manifest.files.get(entry.metrics.zip_name)
    judged = percent(entry.metrics.judged) if entry.metrics.judged else None
    return {"entry": entry, "judged": judged, "sha256": facts.sha256 if facts else ""}


def _strips(
    judged: list[Entry], data: Path | None, count: int, notes: list[str]
) -> list[tuple[str, list[tuple[str, list[Picture]]]]]:
    """(ensemble, rows of pictures) for each judged ensemble compared; what is absent goes to notes."""
    if data is None and judged:
        notes.append("No data folder was named (--data), so no pictures are shown, and no errors.")
    if data is None:
        return []
    found = []
    for entry in judged:
        try:
            strips = best_and_worst(entry, data, count=count)
        except InputError as error:
            notes.append(f"No pictures of {entry.manifest.name}: {error}.")
            continue
        found.append((entry.manifest.name, [("Best", strips.best), ("Worst", strips.worst)]))
    return found


def _errors(judged: list[Entry], data: Path | None) -> list[tuple[str, ErrorTables]]:
    """(ensemble, its errors) where the labels are at hand; the notes on pictures say where they are not."""
    if data is None:
        return []
    found = []
    for entry in judged:
        with contextlib.suppress(InputError):
            found.append((entry.manifest.name, ensemble_errors(entry, data)))
    return found
