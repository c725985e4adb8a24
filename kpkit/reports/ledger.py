"""Everything run, as one table: a row per member, ensemble, submission entry, recipe, pseudo-label set."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from kpkit.reports.manifests import Entry, read_entries

FIGURES = ("AP", "AP50", "AP75", "APM", "APL", "AR")
"""The COCO figures a report shows, 0 to 100."""

COLUMNS = (
    "row", "kind", "name", "ensemble", "split", *FIGURES, "parameters_M", "GMACs", "crops", "seconds",
    "false_score", "weight", "artefact", "content", "recipe",
)  # fmt: skip
"""Columns of the ledger.

``row``: member, ensemble, refined, refined_gaining (only the keypoints that gain on these pictures),
submission, recipe or pseudo_labels. ``kind``: the folder under runs where its figures lie. ``ensemble``: of a
member's row, the ensemble it was judged in. Figures are 0 to 100, empty where no truth was known or it holds
no person of that size, and of a refiner, which finds nobody. ``parameters_M``, ``GMACs`` (one crop, one pass)
and ``crops`` (shown in training) are a recipe's; of an ensemble, a submission and a pseudo-label set, the
sums over their networks, of poses made out of fold over those of all folds. ``false_score``: a recipe's mean
keypoint score, 0 to 1, where a detector found someone and nobody is. ``seconds``: of training for members and
recipes, else of making the artefact. ``weight``: as the document gives it. ``artefact`` and ``content``: key
and content hash of the artefact the figures came from; ``recipe``: key of the trained network's artefact, of
refined poses the refiner's.
"""

_NUMBERS = (*FIGURES, "parameters_M", "GMACs", "crops", "seconds", "false_score", "weight")


def ledger(runs: Path) -> pd.DataFrame:
    """The ledger of a runs folder.

    Args:
        runs: the folder of artefacts; unfinished ones are not looked at.

    Returns:
        COLUMNS; rows by kind and name, members behind their ensemble.

    Raises:
        InputError: no such folder, or a damaged manifest (named).
    """
    return ledger_of(read_entries(runs))


def ledger_of(entries: Iterable[Entry]) -> pd.DataFrame:
    """As ``ledger``, of artefacts already read."""
    entries = list(entries)
    by_key = {entry.manifest.key: entry for entry in entries}  # equal documents of two names share a key
    rows: list[dict[str, Any]] = []
    for entry in entries:
        kind = entry.manifest.kind
        if kind == "recipes":
            rows.append(_row("recipe", entry, entry.metrics.found, [entry], recipe=entry.manifest.key))
        elif kind == "ensembles":
            rows.append(_row("ensemble", entry, entry.metrics.ensemble, networks(entry, by_key)))
            rows += _members(entry, by_key)
        elif kind == "refined":
            rows += _refined(entry, by_key)
        elif kind == "submissions":
            poses = by_key.get(entry.manifest.inputs.get("poses", ""))
            rows.append(_row("submission", entry, entry.metrics.judged, _made_with(poses, by_key)))
        elif kind == "pseudo_labels":
            rows.append(_row("pseudo_labels", entry, {}, networks(entry, by_key)))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.astype(dict.fromkeys(_NUMBERS, "float64"))


def networks(entry: Entry, by_key: dict[str, Entry]) -> list[Entry] | None:
    """The recipes an ensemble or pseudo-label set was made with; None when one of them is not there.

    Networks trained out of fold are named with the part they learnt from (``tiny_cpn@not1of2``), and poses of
    all folds were made with those of each.
    """
    inputs = entry.manifest.inputs
    if "folds" in entry.manifest.document:
        made: dict[str, Entry] = {}
        for key in (key for role, key in inputs.items() if "@" in role):
            fold = networks(by_key[key], by_key) if key in by_key else None
            if fold is None:
                return None
            made |= {network.manifest.key: network for network in fold}
        return list(made.values())
    found = [by_key.get(_key_of(name, inputs)) for name in entry.weights]
    return None if None in found else [recipe for recipe in found if recipe is not None]


def _key_of(name: str, inputs: dict[str, str]) -> str:
    """A network's key, be it trained as its recipe says or without a fold."""
    return next((key for role, key in inputs.items() if role == name or role.startswith(f"{name}@not")), "")


def _made_with(poses: Entry | None, by_key: dict[str, Entry]) -> list[Entry] | None:
    """The recipes poses were made with, a refiner's among them; None when one is not there."""
    if poses is None:
        return None
    if poses.manifest.kind != "refined":
        return networks(poses, by_key)
    refiner = by_key.get(poses.manifest.inputs["refiner"])
    members = _made_with(by_key.get(poses.manifest.inputs["poses"]), by_key)
    return None if members is None or refiner is None else [*members, refiner]


def _refined(entry: Entry, by_key: dict[str, Entry]) -> list[dict[str, Any]]:
    """Rows of refined poses: whole, and where they gain; one without figures where no truth was known."""
    told, made_with = entry.metrics.figures, _made_with(entry, by_key)
    kinds = {"refined": "whole", "refined_gaining": "accepted"} if told else {"refined": ""}
    refiner = entry.manifest.inputs["refiner"]
    return [_row(row, entry, told.get(name, {}), made_with, refiner) for row, name in kinds.items()]


def percent(figures: dict[str, float]) -> dict[str, float]:
    """COCO figures 0 to 1 as 0 to 100; what is absent or -1 (nobody of that size) becomes NaN."""
    values = {name: figures.get(name, -1.0) for name in FIGURES}
    return {name: 100 * value if value >= 0 else float("nan") for name, value in values.items()}


def _members(entry: Entry, by_key: dict[str, Entry]) -> list[dict[str, Any]]:
    """Rows of the members that were judged one by one."""
    rows = []
    for name, figures in entry.metrics.members.items():
        key = entry.manifest.inputs.get(name, "")
        recipe = by_key.get(key)
        row = _row("member", entry, figures, [recipe] if recipe else None, recipe=key)
        row |= {"name": name, "ensemble": entry.manifest.name, "weight": entry.weights.get(name)}
        row["false_score"] = _false_score(recipe)
        rows.append(row | {"seconds": recipe.manifest.timings.seconds if recipe else None})
    return rows


def _row(
    row: str, entry: Entry, figures: dict[str, float], made_with: list[Entry] | None, recipe: str = ""
) -> dict[str, Any]:
    """One row; cost is left empty where a network's artefact is no longer there."""
    known = made_with or []
    cost = {
        "parameters_M": sum(network.metrics.parameters for network in known) / 1e6,
        "GMACs": sum(network.metrics.gmacs for network in known),
        "crops": sum(network.metrics.crops for network in known),
    }
    return {
        "row": row,
        "kind": entry.manifest.kind,
        "name": entry.manifest.name,
        "ensemble": "",
        "split": entry.split,
        **percent(figures),
        **(cost if known else dict.fromkeys(cost)),
        "seconds": entry.manifest.timings.seconds,
        "false_score": _false_score(entry) if row == "recipe" else None,
        "weight": None,
        "artefact": entry.manifest.key,
        "content": entry.manifest.content,
        "recipe": recipe,
    }


def _false_score(recipe: Entry | None) -> float | None:
    told = recipe.metrics.false_detections if recipe else None
    return told.mean_keypoint_score if told else None
