"""The training log: a table with one row an epoch."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pandas as pd

from kpkit.core.files import replacing, write_text

COLUMNS = (
    "epoch", "phase", "step", "crops", "learning_rate", "loss", "shown", "val_AP", "val_AP50", "val_AR",
)  # fmt: skip
"""``phase``: its letters; ``crops``: shown so far; ``shown``: where stages are resampled, the shares of C's
people that the second stage and those after it see, such as ``0.61 0.35``; val_ columns are empty between
validations."""


def write_log(folder: Path, rows: list[dict[str, Any]]) -> None:
    """Write ``log.csv`` and ``log.parquet``. Same run, same bytes: times of day and speeds are not in it."""
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    text = io.StringIO()
    table.to_csv(text, index=False, float_format="%.8g")
    write_text(folder / "log.csv", text.getvalue())
    with replacing(folder / "log.parquet") as temporary:
        table.to_parquet(temporary, index=False)
