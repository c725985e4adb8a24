"""A search's table: what every way of weighting the members is worth, and how sure that is."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from kpkit.reports.cells import one_line
from kpkit.reports.judged_metrics import JudgedRow, SearchMetrics
from kpkit.reports.manifests import Entry

COLUMNS = (
    "row", "name", "weights", "AP", "AP_low", "AP_high", "AP50", "AP75", "APM", "APL", "AR", "gain",
    "gain_low", "gain_high", "artefact", "content",
)  # fmt: skip
"""Columns of a search's table, a row per way of weighting.

AP and AR 0 to 100. ``gain``: AP less that of equal weights; ``_low`` and ``_high`` are the ends of 95 %
intervals over drawn pictures, the same draws for both. ``row``: ``fixed`` weights were chosen by nobody;
``held out`` ones fold by fold on the other folds. ``weights``: in the members' order, of sum 1; of a held-out
row those of the refit on all pictures, means over keypoints.
"""

SHOWN = ("name", "row", "weights", "AP", "AP50", "AP75", "AR", "gain", "gain_low", "gain_high")
"""The columns people are shown."""


def search_table(entry: Entry) -> pd.DataFrame:
    """COLUMNS of a finished search."""
    told: SearchMetrics = entry.metrics
    rows = [judged_cells(row) | {"weights": _weights(row.weights)} for row in told.rows]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table["artefact"], table["content"] = entry.manifest.key, entry.manifest.content
    return table


def judged_cells(row: JudgedRow) -> dict[str, Any]:
    """The figures of a judged row, 0 to 100."""
    cells: dict[str, Any] = {"row": row.kind, "name": row.name}
    cells |= {name: 100 * value if value >= 0 else math.nan for name, value in row.figures.items()}
    for name, interval in (("AP", row.AP), ("gain", row.gain)):
        ends = {"low": None, "high": None} if interval is None else interval
        cells |= {f"{name}_{end}": percent_of(ends[end]) for end in ("low", "high")}
    cells["gain"] = math.nan if row.gain is None else percent_of(row.gain["value"])
    return cells


def search_sentences(entry: Entry) -> list[str]:
    """What was found, what it is worth, and how members err together."""
    told: SearchMetrics = entry.metrics
    methods = ", ".join(told.fold_methods)
    found = {row.name: row for row in told.rows}
    gain = found["searched"].gain
    lines = [
        f"searched: on all pictures the rule takes {told.method!r}; in its {told.folds} folds {methods}",
        f"searched: {verdict(gain, 'equal weights')} on pictures the weights were not chosen on",
    ]
    for name in told.members:
        row = found.get(f"without {name}")
        if row is not None and row.gain is not None:
            lost = {end: None if value is None else 0.0 - value for end, value in row.gain.items()}
            lost["low"], lost["high"] = lost["high"], lost["low"]
            lines.append(f"{one_line(name)} adds {verdict(lost, 'the others')}")
    lines.append("correlation of members' errors (1: they lose the same keypoints): " + _pairs(told))
    return lines


def verdict(gain: dict[str, float | None] | None, other: str) -> str:
    """``+0.3 AP against X (95 % interval +0.1 to +0.5)``, and whether that may be chance."""
    if gain is None or gain["value"] is None or gain["low"] is None or gain["high"] is None:
        return f"nothing known against {other}"
    value, low, high = (100 * number for number in (gain["value"], gain["low"], gain["high"]))
    interval = f"(95 % interval {low:+.1f} to {high:+.1f})"
    chance = "" if low > 0 or high < 0 else ", NOT told apart from chance"
    return f"{value:+.1f} AP against {other}{chance} {interval}"


def _pairs(told: SearchMetrics) -> str:
    pairs = [
        f"{one_line(told.members[a])} and {one_line(told.members[b])} {told.correlation[a][b]:.2f}"
        for a in range(len(told.members))
        for b in range(a + 1, len(told.members))
    ]
    return ", ".join(pairs)


def _weights(weights: list[float]) -> str:
    return " ".join(f"{weight:.2f}" for weight in weights)


def percent_of(value: float | None) -> float:
    """0 to 1 as 0 to 100; NaN where nothing is known."""
    return math.nan if value is None else 100 * value
