"""Training curves as SVG: loss and val AP over the crops shown."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from kpkit.core.errors import InputError

LOG = "log.parquet"
_NEEDED = {"phase", "crops", "loss", "val_AP"}
INK, _LOSS, _AP = "#57606a", "#b35900", "#0b6bcb"


def read_log(path: Path) -> pd.DataFrame:
    """A recipe's log: one row an epoch.

    Raises:
        InputError: missing, damaged or without the columns of a log.
    """
    try:
        log = pd.read_parquet(path)
    except FileNotFoundError:
        raise InputError("no such file", file=path, remedy="build the recipe again") from None
    except (OSError, ValueError) as error:  # pyarrow's own errors derive from these
        raise InputError(f"not a training log ({error})", file=path) from None
    missing = _NEEDED - set(log.columns)
    if missing:
        raise InputError(f"not a training log (no column {sorted(missing)[0]})", file=path)
    return log


def training_curves(log: pd.DataFrame, salt: str) -> str:
    """One ``<svg>`` element with two panels, loss (logarithmic) and val AP (0 to 100), over crops.

    Phases are told apart by dotted lines and their letters. Equal arguments give equal text; ``salt``
    (letters and digits) keeps the ids of several drawings on a page apart.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    with page_style(salt):
        figure = Figure(figsize=(9.2, 2.3), layout="constrained")
        left, right = figure.subplots(1, 2, sharex=True)
        crops = log["crops"].to_numpy(float) / 1000
        left.plot(crops, log["loss"].to_numpy(float), color=_LOSS, marker="o", markersize=3)
        left.set_yscale("log")
        left.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        left.yaxis.set_minor_locator(NullLocator())
        left.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        left.set_ylabel("training loss")
        judged = log["val_AP"].notna().to_numpy()
        points = 100 * log["val_AP"].to_numpy(float)[judged]
        right.plot(crops[judged], points, color=_AP, marker="o", markersize=4)
        for x, y in zip(crops[judged][-1:], points[-1:], strict=True):
            right.annotate(
                f"{y:.1f}", (x, y), (0, 6), textcoords="offset points", ha="right", color=_AP, weight="bold"
            )
        right.set_ylim(0, 100)
        right.set_ylabel("val AP")
        for axes in (left, right):
            axes.set_xlim(left=0)
            axes.set_xlabel("crops shown (thousands)")
            _mark_phases(axes, log, crops)
        return svg_text(figure, salt)


def _mark_phases(axes: Any, log: pd.DataFrame, crops: Any) -> None:
    """Letters of each phase where it begins, a line where the next one does."""
    phases = log["phase"].astype(str).tolist()
    begins = [0, *(i for i in range(1, len(phases)) if phases[i] != phases[i - 1])]
    for i in begins:
        x = crops[i - 1] if i else 0.0
        if i:
            axes.axvline(x, color="#8c959f", linestyle=":", linewidth=1)
        place = axes.get_xaxis_transform()
        axes.annotate(phases[i][:12], (x, 1), (2, 2), xycoords=place, textcoords="offset points",
                      va="bottom", fontsize=8, color="#8c959f", parse_math=False)  # fmt: skip


@contextmanager
def page_style(salt: str) -> Iterator[None]:
    """The page's fonts and colours, whatever a reader's own settings; ``salt`` makes the drawing's ids."""
    import matplotlib

    look: Any = {
        "svg.fonttype": "none", "svg.hashsalt": salt, "font.size": 9, "axes.edgecolor": "#c9d1d9",
        "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK, "text.color": INK,
        "axes.spines.top": False, "axes.spines.right": False, "grid.color": "#eaeef2", "axes.grid": True,
        "axes.axisbelow": True,
    }  # fmt: skip
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(look)
        yield


def svg_text(figure: Any, salt: str) -> str:
    """The bare element: no prologue, no metadata, ids of its own."""
    text = io.StringIO()
    figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    svg = text.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    for before in (' id="', "url(#", 'href="#'):
        svg = svg.replace(before, f"{before}c{salt}-")
    return svg
