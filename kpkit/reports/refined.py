"""What refinement did to poses, in plain lines and a table by keypoint."""

from __future__ import annotations

import pandas as pd

from kpkit.reports.cells import aligned
from kpkit.reports.judged_metrics import Difference
from kpkit.reports.manifests import Entry

_ROWS = {"before": "as they were", "whole": "refined", "accepted": "refined where it gains"}
_FIGURES = ("AP", "AP50", "AP75", "AR")


def refined_lines(entry: Entry) -> list[str]:
    """How many poses; where labels are known AP, errors before and after, and what each keypoint gains."""
    told = entry.metrics
    lines = [f"{told.poses:,} poses, {len(told.refined)} keypoints of each refined"]
    if not told.figures:
        return lines
    table = pd.DataFrame(
        {"poses": text, **{name: 100 * told.figures[row][name] for name in _FIGURES}, **told.errors[row]}
        for row, text in _ROWS.items()
    )
    lines += aligned(table, tuple(table.columns))
    lines += [
        f"{_ROWS[row]}: {_gain(gain)}"
        for row, gain in (("whole", told.whole_gain), ("accepted", told.accepted_gain))
        if gain
    ]
    lines.append(f"{100 * told.better:.1f} % of the people found are better, {100 * told.worse:.1f} % worse")
    known = {name: gain for name, gain in told.keypoints.items() if gain.gain is not None}
    keypoints = pd.DataFrame(
        {
            "keypoint": name,
            "similarity": 100 * gain.gain,
            "gain_low": None if gain.low is None else 100 * gain.low,
            "gain_high": None if gain.high is None else 100 * gain.high,
            "gains": "yes" if gain.accepted else "no",
        }
        for name, gain in known.items()
    )
    return [*lines, *(aligned(keypoints, tuple(keypoints.columns)) if known else [])]


def _gain(gain: Difference) -> str:
    if gain.value is None or gain.low is None or gain.high is None:
        return "nobody to judge by"
    return f"{100 * gain.value:+.1f} AP, 95 % interval {100 * gain.low:+.1f} to {100 * gain.high:+.1f}"
