"""Finished artefacts read back for reports: their manifests, with the figures of each kind typed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from kpkit.core.errors import InputError
from kpkit.core.files import read_json
from kpkit.reports.judged_metrics import (
    AblationMetrics,
    EnsembleMetrics,
    RefinedMetrics,
    SearchMetrics,
    SubmissionMetrics,
)
from kpkit.reports.made_metrics import (
    HeatmapMetrics,
    LabelMetrics,
    NegativeMetrics,
    RecipeMetrics,
    StudyMetrics,
    TeacherMetrics,
)
from kpkit.specs.ensemble import member_name

MANIFEST = "manifest.json"


class Timings(msgspec.Struct):
    """Seconds of work, and when it ended (UTC)."""

    seconds: float
    finished: str = ""


class FileFacts(msgspec.Struct):
    """One file of an artefact."""

    sha256: str
    bytes: int


class Manifest(msgspec.Struct):
    """What every artefact says of itself.

    Attributes:
        key: SHA-256 over the document and the inputs.
        content: SHA-256 over the files' names and contents.
        document: the resolved tables.
        inputs: role -> hash of a file, or key of another artefact.
        metrics: by kind; see KINDS.
    """

    kind: str
    name: str
    key: str
    content: str
    document: dict[str, Any]
    inputs: dict[str, str]
    metrics: dict[str, Any]
    timings: Timings
    files: dict[str, FileFacts]


Metrics = (
    RecipeMetrics | EnsembleMetrics | TeacherMetrics | LabelMetrics | NegativeMetrics | SubmissionMetrics
)


KINDS: dict[str, type[Any]] = {
    "recipes": RecipeMetrics,
    "hard_negatives": NegativeMetrics,
    "teachers": TeacherMetrics,
    "pseudo_labels": LabelMetrics,
    "ensembles": EnsembleMetrics,
    "submissions": SubmissionMetrics,
    "refined": RefinedMetrics,
    "studies": StudyMetrics,
    "heatmaps": HeatmapMetrics,
    "searches": SearchMetrics,
    "ablations": AblationMetrics,
}
"""Kind -> its figures."""

StructT = TypeVar("StructT")


@dataclass(frozen=True)
class Entry:
    """A finished artefact: where it lies, its manifest, its kind's figures (a struct of KINDS)."""

    folder: Path
    manifest: Manifest
    metrics: Any

    @property
    def split(self) -> str:
        """The data set it speaks of, without COCO's prefix; empty where it speaks of none."""
        document, kind = self.manifest.document, self.manifest.kind
        if kind == "submissions":
            return str(_table(document, "entries").get("profile", ""))
        if kind == "recipes":
            name = _table(document, "data").get("val")
        elif kind == "hard_negatives":
            name = document.get("boxes")
        else:
            name = document.get("images" if kind == "pseudo_labels" else "split")
        return str(name or "").removeprefix("coco_")

    @property
    def weights(self) -> dict[str, float]:
        """Members (or teachers) of the document and their weights (NaN: by keypoint), in document order."""
        found: dict[str, float] = {}
        for row in self.manifest.document.get("members") or self.manifest.document.get("teachers") or []:
            weight = row.get("weight", 1.0)
            name = member_name(row["recipe"], row.get("results", ""))
            found[name] = math.nan if isinstance(weight, dict) else float(weight)  # one of each keypoint
        return found


def read_entry(folder: Path) -> Entry:
    """Read one finished folder.

    Raises:
        InputError: no manifest, or one that is broken or lacks what its kind must tell.
    """
    path = folder / MANIFEST
    manifest = _converted(read_json(path), Manifest, path)
    if manifest.kind not in KINDS:
        raise InputError(f"unknown kind {manifest.kind!r}", file=path, row="kind", remedy=_REMEDY)
    metrics = _converted(manifest.metrics, KINDS[manifest.kind], path)
    entry = Entry(folder, manifest, metrics)
    try:
        _ = entry.weights, entry.split
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InputError("damaged manifest", file=path, row="document", remedy=_REMEDY) from None
    return entry


def read_entries(runs: Path) -> list[Entry]:
    """Every finished artefact under a runs folder, by kind and folder name; hidden ones are unfinished.

    Raises:
        InputError: no such folder, or a damaged manifest.
    """
    if not runs.is_dir():
        raise InputError("no such folder of artefacts", file=runs, remedy="name one with --runs")
    return [read_entry(path.parent) for path in sorted(runs.glob(f"[!.]*/[!.]*/{MANIFEST}"))]


_REMEDY = "remove the folder and run its document again"


def _converted(value: object, struct: type[StructT], path: Path) -> StructT:
    try:
        return msgspec.convert(value, struct)
    except msgspec.ValidationError as error:
        raise InputError(f"damaged manifest ({error})", file=path, remedy=_REMEDY) from None


def _table(document: dict[str, Any], name: str) -> dict[str, Any]:
    table = document.get(name, {})
    if not isinstance(table, dict):
        raise TypeError(name)
    return table
