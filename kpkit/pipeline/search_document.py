"""An ensemble document with the weights a search found, and in its header what they are worth."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

from kpkit.core.errors import InputError
from kpkit.core.files import write_text
from kpkit.core.skeletons import COCO17
from kpkit.reports.cells import one_line
from kpkit.reports.judged_metrics import SearchMetrics
from kpkit.reports.manifests import Entry
from kpkit.reports.search import verdict
from kpkit.specs.base import did_you_mean, parse
from kpkit.specs.ensemble import EnsembleSpec
from kpkit.specs.loader import Document, load
from kpkit.specs.toml_text import toml_text


def write_ensemble(path: Path, document: Document, search: Entry, method: str) -> None:
    """Write the searched document with other weights; members that weigh nothing are left out.

    The weights are those fitted on all of val. The gain the header tells is of the same procedure on folds
    that it did not see.

    Args:
        path: the file, replaced atomically.
        document: the one searched.
        search: its finished search.
        method: whose weights: a row of the search's chosen ones.

    Raises:
        InputError: no such method.
    """
    told: SearchMetrics = search.metrics
    if method not in told.weights:
        raise InputError(f"no method is called {method!r}", remedy=did_you_mean(method, told.weights))
    weights = _readable([told.weights[method][name] for name in told.members])
    members = []
    for member, weight in zip(document.spec.members, weights, strict=True):
        if weight:
            given = member.model_dump(mode="json", exclude_unset=True)
            recipe = _named_from(path, member.recipe, document)
            members.append(given | {"recipe": recipe, "weight": weight})
    rest = document.spec.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    for name in ("kind", "about", "members"):
        rest.pop(name, None)
    tables: dict[str, Any] = {"kind": "ensemble", "members": members} | rest
    text = "\n".join([*_header(document, search, method), toml_text(tables)])
    parse(EnsembleSpec, tomllib.loads(text), path)
    write_text(path, text)


def _header(document: Document, search: Entry, method: str) -> list[str]:
    told: SearchMetrics = search.metrics
    row = next(row for row in told.rows if row.name == method)
    took = f" (the rule takes {told.method!r})" if method == "searched" else ""
    gain = "the base of comparison" if row.gain is None else verdict(row.gain, "equal weights")
    return [
        f"# {document.path.name} with the weights of 'kpkit search', method {method!r}{took}, chosen on "
        f"{one_line(search.split)}.",
        f"# Held out: {gain}; {told.folds} folds of {told.pictures:,} pictures, {told.people:,} people.",
        f"# Search {search.manifest.key[:16]}.",
    ]


def _readable(weights: list[list[float]]) -> list[float | dict[str, float] | None]:
    """(M, K) shares as a document says them: over the smallest where they are the same for every keypoint.

    None for a member that weighs nothing; the others by keypoint where keypoints differ.
    """
    if all(len(set(row)) == 1 for row in weights):
        least = min(row[0] for row in weights if row[0] > 0)
        return [round(row[0] / least, 3) or None for row in weights]
    return [dict(zip(COCO17.keypoints, row, strict=True)) if any(row) else None for row in weights]


def _named_from(path: Path, recipe: str, document: Document) -> str:
    """A recipe's name as a document at ``path`` must say it: as it was, or by its path from there."""
    wanted = load(recipe, "recipe", beside=document.path).path.resolve()
    try:
        if load(recipe, "recipe", beside=path).path.resolve() == wanted:
            return recipe
    except InputError:
        pass
    return os.path.relpath(wanted, path.resolve().parent)
