"""Finished artefacts read back for reports: their manifests, with the figures of each kind typed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from kpkit.core.errors import InputError
from kpkit.core.files import read_json
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
        metrics: by kind; see the structs below.
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


class FalseDetections(msgspec.Struct):
    """Detections on nobody that a recipe's network was shown, and its keypoints' mean score there."""

    boxes: int
    mean_keypoint_score: float


class RecipeMetrics(msgspec.Struct):
    """A training: crops shown, people per source letter, cost of one crop, figures 0 to 1.

    Of weights that were taken as they are: no crops, and no loss.
    """

    parameters: int
    gmacs: float
    crops: int = 0
    loss: float | None = None
    people: dict[str, int] = {}
    val: dict[str, float] = {}
    false_detections: FalseDetections | None = None


class EnsembleMetrics(msgspec.Struct):
    """A blend or a merge: figures 0 to 1 of it and of its members, empty where the truth is not known.

    With learned scores: ``mean_score``, the figures by mean scores instead, and ``learned_gain``, the AP that
    learning gains (value, low, high).
    """

    boxes: int
    pictures: int
    boxes_hash: str = ""
    ensemble: dict[str, float] = {}
    members: dict[str, dict[str, float]] = {}
    mean_score: dict[str, float] = {}
    learned_gain: dict[str, float | None] = {}


class AuditedKeypoint(msgspec.Struct):
    """Labels of one keypoint name on an audit set: kept, right within two OKS, where the truth has none."""

    floor: float | None
    kept: int
    right_50: int
    right_75: int
    unknown: int


class AuditMetrics(msgspec.Struct):
    """The rules of pseudo labels tried on a labelled set.

    Attributes:
        split: the data set.
        people: labelled there; of them ``nobody`` where the truth has no one, and ``unjudged`` where it has
            someone without keypoints.
        keypoints: by name.
    """

    split: str
    pictures: int
    people: int
    nobody: int
    unjudged: int
    keypoints: dict[str, AuditedKeypoint]


class LabelMetrics(msgspec.Struct):
    """Pseudo labels: how boxes were chosen, what was kept."""

    box_threshold: float
    persons_per_picture: float
    persons_per_picture_labelled: float
    pictures: int
    boxes: int
    people: int
    keypoints: int
    keypoints_per_person: float
    ignored: int = 0
    audit: AuditMetrics | None = None


class TeacherMetrics(msgspec.Struct):
    """Poses of a pseudo-label document's teachers: how boxes were chosen, and the files they lie in."""

    box_threshold: float
    persons_per_picture: float
    persons_per_picture_labelled: float
    pictures: int
    boxes: int
    shards: int


class NegativeMetrics(msgspec.Struct):
    """Hard negatives: how many reach each score."""

    detections: int
    negatives: int
    pictures: int
    by_score: dict[str, int]


class StudyRun(msgspec.Struct):
    """One training of a study: who was shown by source letter, figures 0 to 1, its artefact's key."""

    recipe: str
    seed: int
    strategy: str
    steps: int
    people: dict[str, int]
    val: dict[str, float]
    artefact: str
    false_score: float | None = None


class StudyMetrics(msgspec.Struct):
    """A study: its trainings in document order, and the AP that papers tell of their recipes' originals."""

    runs: list[StudyRun]
    published: dict[str, float] = {}


class SubmissionMetrics(msgspec.Struct, rename={"json_name": "json", "zip_name": "zip"}):
    """A written entry: its files, the check's warnings, the verdict where the truth is known."""

    json_name: str
    zip_name: str
    poses: int
    pictures: int
    dropped: int = 0
    warnings: list[dict[str, Any]] = []
    judged: dict[str, float] = {}
    judged_pictures: int = 0


class Moved(msgspec.Struct):
    """How far packing moves decoded points, heatmap pixels."""

    points: int
    p50: float
    p99: float
    max: float


class HeatmapMetrics(msgspec.Struct):
    """A member's stored heatmaps."""

    boxes: int
    boxes_hash: str
    pictures: int
    mirrored: bool
    format: str
    codec: str
    bytes: int
    share_of_float32: float
    moved: Moved


class JudgedRow(msgspec.Struct):
    """A result among several on the same pictures: figures 0 to 1, intervals (value, low, high).

    ``weights``: the members' shares, of a search; ``on``: techniques that are on, of an ablation.
    """

    name: str
    kind: str
    figures: dict[str, float]
    AP: dict[str, float | None]
    gain: dict[str, float | None] | None = None
    weights: list[float] = []
    on: list[str] = []


class AblationTable(msgspec.Struct):
    """A table of settings, gains over its first row; ``techniques`` are its columns, none for a sweep."""

    title: str
    like: str
    techniques: list[str]
    rows: list[JudgedRow]


class Ordered(msgspec.Struct):
    """One technique alone against the next of the papers' order alone: AP of the first less the second's."""

    first: str
    second: str
    gain: dict[str, float | None]


class AblationMetrics(msgspec.Struct):
    """Post-processing varied on stored heatmaps."""

    boxes: int
    pictures: int
    members: list[str]
    settings: int
    tables: list[AblationTable]
    order: list[Ordered]


class SearchMetrics(msgspec.Struct):
    """A search for weights.

    Attributes:
        rows: what was judged.
        method: the rule's on all pictures; ``fold_methods`` fold by fold.
        weights: method -> member -> one weight per keypoint, of the refit on all pictures.
        correlation: of the members' errors.
    """

    boxes: int
    pictures: int
    people: int
    folds: int
    weights_tried: int
    members: list[str]
    rows: list[JudgedRow]
    method: str
    fold_methods: list[str]
    weights: dict[str, dict[str, list[float]]]
    correlation: list[list[float]]


Metrics = (
    RecipeMetrics | EnsembleMetrics | TeacherMetrics | LabelMetrics | NegativeMetrics | SubmissionMetrics
)


class KeypointGain(msgspec.Struct):
    """Mean rise of a keypoint's similarity with its place by refinement, -1..1, with its 95 % interval."""

    accepted: bool
    gain: float | None = None
    low: float | None = None
    high: float | None = None


class Difference(msgspec.Struct):
    """A difference of AP, -1..1, with its 95 % interval over pictures."""

    value: float | None
    low: float | None
    high: float | None


class RefinedMetrics(msgspec.Struct):
    """Refined poses; all but the first two only where the data set is labelled.

    Attributes:
        poses: how many.
        refined: names of the keypoints that were moved.
        figures: COCO's, of the poses ``before``, refined ``whole``, and refined only where the gain's
            interval ``accepted`` a keypoint.
        errors: of the same, keypoints by kind of error.
        better, worse: shares of the people found whose OKS rose or fell.
    """

    poses: int
    refined: list[str]
    figures: dict[str, dict[str, float]] = {}
    errors: dict[str, dict[str, int]] = {}
    whole_gain: Difference | None = None
    accepted_gain: Difference | None = None
    better: float = 0.0
    worse: float = 0.0
    keypoints: dict[str, KeypointGain] = {}


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
