"""A study's table: what each recipe reaches over its seeds, and how sure that is."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd

from kpkit.core.errors import InputError
from kpkit.evaluation.intervals import difference_interval, mean_interval
from kpkit.reports.made_metrics import StudyRun
from kpkit.reports.manifests import Entry, read_entries
from kpkit.specs.base import did_you_mean

COLUMNS = (
    "row", "study", "split", "name", "strategy", "steps", "people", "seeds", "AP", "AP_half", "AR", "AR_half",
    "false_score", "false_score_half", "gain", "gain_half", "published", "artefact", "content",
)  # fmt: skip
"""Columns of a study's table, a row per recipe in document order.

AP and AR are means over ``seeds`` trainings, 0 to 100; what ends in ``_half`` is the half-width of the 95 %
interval (Student's t) of the column before it, empty for a single seed. ``people``: by source letter.
``false_score``: mean keypoint score where a detector found someone and nobody is, 0 to 1. ``gain``: AP less
the first recipe's (Welch's interval). ``published``: the AP on COCO that the recipe's paper tells of the
network it imitates; no measure of ours. ``artefact`` and ``content``: of the study.
"""

SHOWN = (
    "name", "strategy", "people", "seeds", "AP", "AP_half", "AR", "AR_half", "gain", "gain_half",
    "false_score", "false_score_half", "published", "artefact", "content",
)  # fmt: skip
"""The columns people are shown, where anything is in them."""

LEFT_OUT: tuple[str, ...] = (
    "content",
    "false_score_half",
    "people",
    "false_score",
    "AR_half",
    "gain_half",
    "strategy",
)
"""On narrow terminals these go, in this order."""


def study_table(runs: Path, name: str) -> pd.DataFrame:
    """The table of a finished study.

    Args:
        runs: the folder of artefacts.
        name: the study document's name, or its file. Of several results of that name the newest is taken.

    Returns:
        COLUMNS.

    Raises:
        InputError: no such study is finished; otherwise as ``read_entries``.
    """
    name = Path(name).name.removesuffix(".toml")
    studies = [entry for entry in read_entries(runs) if entry.manifest.kind == "studies"]
    named = [entry for entry in studies if entry.manifest.name == name]
    if not named:
        known = {entry.manifest.name for entry in studies}
        remedy = did_you_mean(name, known) if known else "no study is finished yet"
        raise InputError(f"no finished study is called {name!r}", file=runs, remedy=remedy)
    return study_table_of(max(named, key=lambda entry: entry.manifest.timings.finished))


def study_table_of(entry: Entry) -> pd.DataFrame:
    """As ``study_table``, of an artefact already read."""
    groups: dict[str, list[StudyRun]] = {}
    for run in entry.metrics.runs:
        groups.setdefault(run.recipe, []).append(run)
    first = _percent(next(iter(groups.values())), "AP")
    rows: list[dict[str, Any]] = []
    for recipe, group in groups.items():
        row: dict[str, Any] = {
            "row": "study",
            "study": entry.manifest.name,
            "split": entry.split,
            "name": recipe,
            "strategy": group[0].strategy,
            "steps": group[0].steps,
            "people": ", ".join(f"{letter} {count:,}" for letter, count in group[0].people.items()),
            "seeds": len(group),
            "published": entry.metrics.published.get(recipe),
            "artefact": entry.manifest.key,
            "content": entry.manifest.content,
        }
        for figure in ("AP", "AR"):
            row[figure], row[f"{figure}_half"] = mean_interval(_percent(group, figure))
        false = [run.false_score for run in group if run.false_score is not None]
        if len(false) == len(group):
            row["false_score"], row["false_score_half"] = mean_interval(false)
        if rows:
            row["gain"], row["gain_half"] = difference_interval(_percent(group, "AP"), first)
        rows.append(row)
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    numbers = [name for name in COLUMNS if name.endswith("_half")]
    return table.astype(dict.fromkeys([*numbers, "false_score", "gain", "published"], "float64"))


def shown_columns(table: pd.DataFrame) -> tuple[str, ...]:
    """SHOWN without the columns that are empty in every row."""
    return tuple(name for name in SHOWN if table[name].replace("", None).notna().any())


def study_verdicts(table: pd.DataFrame) -> list[str]:
    """One sentence per recipe after the first: does its AP differ from the first one's, beyond the seeds?"""
    first, *others = table.to_dict("records")
    sentences = []
    for row in others:
        gain, half = row["gain"], row["gain_half"]
        told = f"{row['name']}: {gain:+.1f} AP against {first['name']}"
        interval = f"(95 % interval {gain - half:+.1f} to {gain + half:+.1f})"
        if math.isnan(half):
            sentences.append(f"{told}; of one seed, so nothing is known of chance")
        elif abs(gain) > half:
            sentences.append(f"{told} {interval}")
        else:
            sentences.append(f"{told}, NOT told apart from chance {interval}")
    return sentences


def _percent(group: list[StudyRun], figure: str) -> list[float]:
    return [100 * run.val[figure] for run in group]
