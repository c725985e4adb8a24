"""The error analysis of a judged ensemble, as rows people read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kpkit.evaluation.error_costs import error_costs
from kpkit.evaluation.errors import KINDS, pose_errors
from kpkit.reports.judged_poses import read_judged
from kpkit.reports.manifests import Entry

COSTS = ("error", "count", "AP", "AP50", "AP75", "AP, all so far")
"""Columns of the costs: what repairing a kind alone gains, and the AP when those above are repaired too."""


@dataclass(frozen=True)
class ErrorTables:
    """Cells of two tables, as text.

    Attributes:
        costs: a row per kind of error in the columns COSTS, AP 0 to 100.
        keypoints: a row per keypoint: its name, how many were judged, and the shares of KINDS in percent.
        learned: the ensemble's own scores are learned, and the ones analysed are not.
    """

    costs: list[list[str]]
    keypoints: list[list[str]]
    learned: bool


def ensemble_errors(entry: Entry, data: Path) -> ErrorTables:
    """Analyse an ensemble's poses on the data set it was judged on; errors as ``read_judged``."""
    judged = read_judged(entry, data)
    inputs = judged.truth, judged.poses, judged.images.id
    found = pose_errors(*inputs)
    costs = [
        [
            cost.error,
            "" if cost.count is None else f"{cost.count:,}",
            *(_percent(value, "+.1f") for value in cost.gain.values()),
            _percent(cost.repaired, ".1f"),
        ]
        for cost in error_costs(*inputs, found)
    ]
    keypoints = []
    for name, counts in zip(judged.truth.skeleton.keypoints, found.counts().T, strict=True):
        total = int(counts.sum())
        shares = [f"{100 * count / total:.1f}" if total else "" for count in counts]
        keypoints.append([name, f"{total:,}", *shares])
    return ErrorTables(costs, keypoints, judged.rules.scoring != "mean")


def keypoint_headings() -> list[str]:
    """Headings of ``ErrorTables.keypoints``."""
    return ["keypoint", "judged", *(f"{kind} %" for kind in KINDS)]


def _percent(value: float, form: str) -> str:
    return "" if value != value else f"{100 * value:{form}}"
