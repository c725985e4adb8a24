"""Tables of an ablation: what each step between heatmaps and rows is worth, in the layout of the papers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from kpkit.core.files import write_text
from kpkit.reports.cells import aligned, one_line
from kpkit.reports.judged_metrics import AblationMetrics, AblationTable
from kpkit.reports.manifests import Entry
from kpkit.reports.search import judged_cells, percent_of
from kpkit.reports.writers import markdown_lines

FIGURES = ("AP", "AP50", "AP75", "APM", "APL", "AR", "gain", "gain_low", "gain_high")
MARK = "x"


def ablation_table(entry: Entry) -> pd.DataFrame:
    """Every row of every table, 0 to 100: ``table``, ``name``, a column per technique, the figures."""
    told: AblationMetrics = entry.metrics
    techniques = list(dict.fromkeys(name for table in told.tables for name in table.techniques))
    rows = [row for table in told.tables for row in _rows(table, techniques)]
    found = pd.DataFrame(rows)
    found["artefact"], found["content"] = entry.manifest.key, entry.manifest.content
    return found


def ablation_lines(entry: Entry) -> list[str]:
    """The tables one below the other, then what shows of the papers' order."""
    lines: list[str] = []
    for table in entry.metrics.tables:
        frame, columns = _frame(table)
        lines += ["", _title(table), *(f"  {line}" for line in aligned(frame, columns))]
    return [*lines, "", *order_sentences(entry)]


def write_ablation_markdown(entry: Entry, path: Path) -> None:
    """Every table as a section."""
    lines: list[str] = []
    for table in entry.metrics.tables:
        frame, columns = _frame(table)
        lines += [f"### {_title(table)}", "", *markdown_lines(frame, columns), ""]
    write_text(path, "\n".join([*lines, *(f"- {line}" for line in order_sentences(entry))]) + "\n")


def order_sentences(entry: Entry) -> list[str]:
    """Which of the papers' orders shows: each technique alone against the next one alone."""
    told: AblationMetrics = entry.metrics
    lines = []
    for pair in told.order:
        value, low, high = (percent_of(pair.gain[end]) for end in ("value", "low", "high"))
        holds = "holds" if value >= 0 else "does not hold"
        sure = "" if low > 0 or high < 0 else ", NOT told apart from chance"
        lines.append(
            f"{pair.first} >= {pair.second} (CCM Table 7) {holds}: {value:+.1f} AP{sure} "
            f"(95 % interval {low:+.1f} to {high:+.1f})"
        )
    return lines


def _title(table: AblationTable) -> str:
    like = f", laid out as {table.like}" if table.like else ""
    base = one_line(table.rows[0].name)
    return f"{one_line(table.title)}{like}; gains over {base!r}, 95 % intervals"


def _frame(table: AblationTable) -> tuple[pd.DataFrame, list[str]]:
    """A table as people read it, and its columns."""
    frame = pd.DataFrame(_rows(table, table.techniques))
    return frame, ["name", *table.techniques, *FIGURES]


def _rows(table: AblationTable, techniques: Sequence[str]) -> list[dict[str, object]]:
    return [
        {"table": table.title, "name": one_line(row.name)}
        | {name: MARK if name in row.on else "" for name in techniques}
        | judged_cells(row)
        for row in table.rows
    ]
