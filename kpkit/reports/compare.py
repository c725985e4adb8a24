"""Members against their ensembles, split by split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from kpkit.core.errors import InputError
from kpkit.reports.ledger import ledger
from kpkit.specs.base import did_you_mean

COLUMNS = (
    "split", "row", "name", "ensemble", "weight", "AP", "AP50", "AP75", "APM", "APL", "AR", "delta",
    "best_member", "false_score", "parameters_M", "GMACs", "crops", "seconds", "artefact", "content",
    "recipe",
)  # fmt: skip
"""The ledger's, and ``delta``: an ensemble's AP less that of ``best_member``, in AP points."""

SHOWN = (
    "split", "row", "name", "weight", "AP", "AP50", "AP75", "APM", "APL", "AR", "delta", "false_score",
    "parameters_M", "GMACs", "crops", "seconds", "artefact", "content",
)  # fmt: skip
"""The columns people are shown."""


def comparison(runs: Path, names: Sequence[str] | None = None) -> pd.DataFrame:
    """Judged members and ensembles of a runs folder.

    Args:
        runs: the folder of artefacts.
        names: only these: an ensemble's name (with its members; the part before ``-on-`` is enough) or a
            recipe's. None takes all.

    Returns:
        COLUMNS, by split, then falling AP. ``row`` marks the ensembles.

    Raises:
        InputError: a name nothing judged has; otherwise as ``ledger``.
    """
    return comparison_of(ledger(runs), names)


def comparison_of(everything: pd.DataFrame, names: Sequence[str] | None = None) -> pd.DataFrame:
    """As ``comparison``, of a ledger already read."""
    table = everything[everything["row"].isin(["ensemble", "member"]) & everything["AP"].notna()].copy()
    blends = table["row"] == "ensemble"
    # equal documents of two names share a key, so the name tells ensembles apart as well
    owner = table["artefact"] + table["ensemble"].where(~blends, table["name"])
    members = table[~blends].assign(owner=owner)
    best = (
        members.sort_values("AP", ascending=False, kind="stable").drop_duplicates("owner").set_index("owner")
    )
    table["delta"] = np.where(blends, table["AP"] - owner.map(best["AP"]).astype(float), np.nan)
    table["best_member"] = owner.map(best["name"]).astype(object).where(blends).fillna("").astype(str)
    if names:
        table = table[_named(table, names)]
    order = ["split", "AP", "row", "name", "artefact"]
    table = table.sort_values(order, ascending=[True, False, True, True, True], kind="stable")
    return table[list(COLUMNS)].reset_index(drop=True)


def verdicts(table: pd.DataFrame) -> list[str]:
    """One sentence per ensemble of a comparison: is it better than its best member, and by how much.

    What is not better to the shown decimal is said to be NOT better.
    """
    sentences = []
    for row in table[table["row"] == "ensemble"].to_dict("records"):
        subject = f"{row['name']}: the ensemble ({row['AP']:.1f} AP)"
        delta = round(row["delta"], 1) if row["best_member"] else None
        best = f"its best member ({row['best_member']}, {row['AP'] - row['delta']:.1f} AP)"
        if delta is None:
            sentences.append(f"{subject} has no judged member to compare with")
        elif delta > 0:
            sentences.append(f"{subject} is {delta:.1f} AP above {best}")
        else:
            by = f"; it is {-delta:.1f} AP below" if delta < 0 else "; they are level"
            sentences.append(f"{subject} is NOT better than {best}{by}")
    return sentences


def _named(table: pd.DataFrame, names: Sequence[str]) -> pd.Series:
    """Rows that one of the names means; every name must mean one."""
    owner = table["ensemble"].where(table["row"] == "member", table["name"])
    short = owner.str.replace(r"-on-.*$", "", regex=True)
    chosen = pd.Series(False, index=table.index)
    for name in names:
        hit = (table["name"] == name) | (owner == name) | (short == name)
        if not hit.any():
            known = set(table["name"]) | set(short)
            remedy = did_you_mean(name, known) if known else "no ensemble is judged yet"
            raise InputError(f"nothing judged is called {name!r}", remedy=remedy)
        chosen |= hit
    return chosen
