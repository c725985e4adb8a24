"""Drawn poses beside what they are meant to be: a figure, a table and sentences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from kpkit.reports.curves import INK, page_style, svg_text
from kpkit.reports.made_metrics import DrawnFacts

KINDS = ("name", "intended", "drawn", "error")
"""Columns of the table of kinds, in percent of the keypoints."""
_COLOURS = ("#8ec3a7", "#7fb2e5", "#e5b567", "#c792d6", "#d98880")


def kinds_table(told: DrawnFacts) -> pd.DataFrame:
    """KINDS: what share of the keypoints has each kind of error, and the standard error of the drawn one."""
    rows = [
        {"row": "kind", "name": name}
        | {column: 100 * getattr(kind, column) for column in ("intended", "drawn", "error")}
        for name, kind in told.kinds.items()
    ]
    return pd.DataFrame(rows, columns=["row", *KINDS])


def spread_sentences(told: DrawnFacts) -> list[str]:
    """How far the drawn shares are from the intended ones, beside what chance explains."""
    lines = []
    for name, text in (("similarity", "similarities of keypoints"), ("oks", "OKS of poses")):
        far, bound = told.distance[name], told.distance[f"{name}_bound"]
        verdict = "as chance has it" if far <= bound else "MORE than chance explains"
        lines.append(
            f"{text}: cumulated shares differ by {100 * far:.2f} % at most, {verdict} "
            f"(a hundredth of samples of this size exceeds {100 * bound:.2f} %)"
        )
    return lines


def synthesis_figure(told: DrawnFacts, salt: str) -> str:
    """One ``<svg>`` element: similarities of keypoints, stacked by kind, and OKS of poses.

    Bars are drawn, the line is intended. Equal arguments give equal text; ``salt`` as in ``training_curves``.
    """
    from matplotlib.figure import Figure

    with page_style(salt):
        figure = Figure(figsize=(9.2, 2.6), layout="constrained")
        left, right = figure.subplots(1, 2)
        below = np.zeros(len(told.oks.drawn))
        for (name, spread), colour in zip(told.similarity.items(), _COLOURS, strict=True):
            _bars(left, spread.drawn, below, colour, name)
            below = below + spread.drawn
        _outline(left, np.sum([spread.intended for spread in told.similarity.values()], axis=0))
        left.set_xlabel("similarity of a keypoint with its place")
        left.set_ylabel("% of keypoints")
        _bars(right, told.oks.drawn, np.zeros(len(below)), "#7fb2e5", "drawn")
        _outline(right, np.array(told.oks.intended))
        right.set_xlabel("OKS of a pose")
        right.set_ylabel("% of poses")
        for axes in (left, right):
            axes.set_xlim(0, 1)
            axes.legend(fontsize=8, frameon=False, loc="upper left")
        return svg_text(figure, salt)


def _bars(axes: Any, shares: list[float], below: np.ndarray, colour: str, label: str) -> None:
    edges = np.linspace(0, 1, len(shares) + 1)
    heights = 100 * np.array(shares)
    axes.bar(
        edges[:-1], heights, np.diff(edges), 100 * below, align="edge", color=colour, label=label, linewidth=0
    )


def _outline(axes: Any, shares: np.ndarray) -> None:
    edges = np.linspace(0, 1, len(shares) + 1)
    axes.stairs(100 * shares, edges, color=INK, linewidth=1.4, label="intended")
