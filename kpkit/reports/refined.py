"""What refinement did to poses: whole, and where it gains; a table by keypoint; who took which."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from kpkit.evaluation.errors import KINDS
from kpkit.reports.cells import aligned, one_line
from kpkit.reports.judged_metrics import Difference
from kpkit.reports.manifests import Entry

COLUMNS = (
    "row", "name", "AP", "AP50", "AP75", "AR", "gain", "gain_low", "gain_high", *KINDS, "rise", "rise_low",
    "rise_high", "gains", "artefact", "content",
)  # fmt: skip
"""Columns of refined poses on labelled pictures.

``row`` poses: as they were, refined, and refined where it gains; figures 0 to 100, ``gain`` the AP more than
as they were with its 95 % interval over pictures (paired bootstrap), then keypoints by kind of error. ``row``
keypoint: ``rise`` is the mean similarity gained, -100 to 100, with its interval, and ``gains`` whether that
is above 0 as a whole, so that a gate accepts the keypoint.
"""
POSES = ("name", "AP", "AP50", "AP75", "AR", "gain", "gain_low", "gain_high", *KINDS)
KEYPOINTS = ("name", "rise", "rise_low", "rise_high", "gains")
"""The columns people are shown, of either row."""

_ROWS = {"before": "as they were", "whole": "refined", "accepted": "refined where it gains"}


def refined_table(entry: Entry) -> pd.DataFrame:
    """COLUMNS of refined poses; no row where no truth was known."""
    told = entry.metrics
    gains = {"before": None, "whole": told.whole_gain, "accepted": told.accepted_gain}
    rows: list[dict[str, object]] = []
    for name in told.figures:
        figures = {figure: 100 * told.figures[name][figure] for figure in ("AP", "AP50", "AP75", "AR")}
        rows.append(
            {"row": "poses", "name": _ROWS[name], **figures, **told.errors[name]}
            | _interval("gain", gains[name])
        )
    for name, found in told.keypoints.items():
        rise = _interval("rise", Difference(found.gain, found.low, found.high))
        rows.append({"row": "keypoint", "name": name, **rise, "gains": "yes" if found.accepted else "no"})
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table["artefact"], table["content"] = entry.manifest.key, entry.manifest.content
    texts = ("row", "name", "gains", "artefact", "content")
    return table.astype({name: "float64" for name in COLUMNS if name not in texts})


def refined_lines(entry: Entry) -> list[str]:
    """How many poses; where labels are known AP, errors before and after, and what each keypoint gains."""
    told, table = entry.metrics, refined_table(entry)
    lines = [f"{told.poses:,} poses, {len(told.refined)} keypoints of each refined"]
    if table.empty:
        return lines
    poses, keypoints = (table[table["row"] == row] for row in ("poses", "keypoint"))
    return [*lines, *aligned(poses, POSES), *refined_sentences(entry), *aligned(keypoints, KEYPOINTS)]


def drawn_lines(entry: Entry) -> list[str]:
    """What a refiner makes of its validation set's labels with drawn errors; nothing of other recipes."""
    told = entry.metrics.refined
    if told is None:
        return []
    before, after = (f"{100 * judged.AP:.1f} AP" for judged in (told.before, told.after))
    return [f"labels of {entry.split} with drawn errors: {before}, refined {after}"]


def refined_sentences(entry: Entry) -> list[str]:
    """Both gains with their intervals, the shares of poses better and worse, the keypoints that gain."""
    told = entry.metrics
    gains = (("whole", told.whole_gain), ("accepted", told.accepted_gain))
    lines = [f"{_ROWS[row]}: {_gain(gain)}" for row, gain in gains if gain]
    accepted = [name for name, gain in told.keypoints.items() if gain.accepted]
    return [
        *lines,
        f"{100 * told.better:.1f} % of the people found are better, {100 * told.worse:.1f} % worse",
        f"keypoints that gain, by the whole interval: {', '.join(accepted) or 'none'}",
    ]


def taken(entry: Entry, entries: Sequence[Entry]) -> list[str]:
    """Which submissions were made with what these poses on a labelled set say, and what each took of it.

    An entry that takes only keypoints that gain names these poses as its gate; one that takes refinement
    whole has the same refiner and an ensemble of the same name.
    """
    by_key = {other.manifest.key: other for other in entries}
    lines = []
    for sent in (other for other in entries if other.manifest.kind == "submissions"):
        poses = by_key.get(sent.manifest.inputs.get("poses", ""))
        if poses is None or poses.manifest.kind != "refined":
            continue
        gate = poses.manifest.inputs.get("gate")
        if gate == entry.manifest.key:
            moved = ", ".join(poses.metrics.refined) or "none"
            lines.append(
                f'{one_line(sent.manifest.name)} takes the keypoints that gain (refined = "gaining"): {moved}'
            )
        elif gate is None and _kin(entry) == _kin(poses):
            lines.append(f'{one_line(sent.manifest.name)} takes refinement whole (refined = "all")')
    return lines


def _kin(entry: Entry) -> tuple[str, str]:
    """A refiner's key, and the name of refiner and ensemble without the pictures'."""
    return entry.manifest.inputs["refiner"], entry.manifest.name.rpartition("-on-")[0]


def _interval(name: str, found: Difference | None) -> dict[str, float | None]:
    """Three cells, 0 to 100."""
    ends = (None, None, None) if found is None else (found.value, found.low, found.high)
    cells = zip((name, f"{name}_low", f"{name}_high"), ends, strict=True)
    return {cell: None if value is None else 100 * value for cell, value in cells}


def _gain(gain: Difference) -> str:
    if gain.value is None or gain.low is None or gain.high is None:
        return "nobody to judge by"
    return f"{100 * gain.value:+.1f} AP, 95 % interval {100 * gain.low:+.1f} to {100 * gain.high:+.1f}"
