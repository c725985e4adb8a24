"""What manifests tell of poses that are judged: ensembles, searches, ablations, refinement, submissions."""

from __future__ import annotations

from typing import Any

import msgspec


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
