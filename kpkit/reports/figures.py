"""A few plain lines on a finished artefact, for the end of a command."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from kpkit.reports.ablation import ablation_lines
from kpkit.reports.cells import HASHES, aligned, clock, one_line
from kpkit.reports.compare import comparison_of, verdicts
from kpkit.reports.judged_metrics import EnsembleMetrics
from kpkit.reports.label_table import audit_table
from kpkit.reports.ledger import ledger_of, percent
from kpkit.reports.made_metrics import LabelMetrics, TeacherMetrics
from kpkit.reports.manifests import Entry, read_entries, read_entry
from kpkit.reports.refined import drawn_lines, refined_lines
from kpkit.reports.search import SHOWN as SEARCH_COLUMNS
from kpkit.reports.search import search_sentences, search_table
from kpkit.reports.study import shown_columns, study_table_of, study_verdicts

_BLEND = ("name", "row", "weight", "AP", "AP50", "AP75", "AR")
_ORDER = {"member": 0, "ensemble": 1, "refined": 2, "refined_gaining": 3, "submission": 4}
"""Rows of a run's closing table."""
_JUDGED = ("name", "row", "split", "weight", "AP", "AP50", "AP75", "AR", "parameters_M", "GMACs", "artefact")


def artefact_lines(folder: Path) -> list[str]:
    """What a finished artefact is, where it lies, its main figures.

    Args:
        folder: ``runs/<kind>/<name>-<hash8>``.

    Returns:
        lines of plain text.

    Raises:
        InputError: the folder holds no whole artefact.
    """
    entry = read_entry(folder)
    manifest = entry.manifest
    title = f"{manifest.kind}/{one_line(manifest.name)}: {folder}"
    return [title, *(f"  {line}" for line in _LINES[manifest.kind](entry))]


def judged_table(runs: Path, folders: Sequence[Path]) -> str:
    """The closing table of a run: members, blend and refined poses on val, then what was submitted.

    Args:
        runs: the folder of artefacts, where the members' costs are looked up.
        folders: finished ensembles, refined poses and submissions; others are passed over.

    Returns:
        lines of one text: the table, then for each ensemble whether it is better than its best member.
    """
    keys = {read_entry(folder).manifest.key: place for place, folder in enumerate(folders)}
    everything = ledger_of(read_entries(runs))
    named = everything[everything["artefact"].isin(keys) & everything["AP"].notna()].copy()
    named["place"] = named["artefact"].map(keys)
    named["rank"] = named["row"].map(_ORDER)
    named = named[named["rank"].notna()]
    named = named.sort_values(["rank", "place", "AP"], ascending=[True, True, False], kind="stable")
    named["name"] = [_with_weights(row, named) for row in named.to_dict("records")]
    chosen = everything[everything["artefact"].isin(keys)]
    return "\n".join([*aligned(named, _JUDGED), "", *verdicts(comparison_of(chosen))])


def _with_weights(row: dict[str, object], table: pd.DataFrame) -> str:
    """An ensemble's name, and whether its members weigh the same."""
    if row["row"] != "ensemble":
        return str(row["name"])
    members = table[(table["artefact"] == row["artefact"]) & (table["row"] == "member")]
    if len(members) < 2:
        return str(row["name"])
    return f"{row['name']} ({'equal' if members['weight'].nunique() == 1 else 'own'} weights)"


def _recipe(entry: Entry) -> list[str]:
    told, seconds = entry.metrics, entry.manifest.timings.seconds
    rate = f", {told.crops / seconds:,.0f} crops/s" if seconds > 0 else ""
    shown = ", ".join(f"{letter} {count:,}" for letter, count in told.people.items())
    trained = (
        f"{told.crops:,} crops in {clock(seconds)}{rate}; people shown: {shown or 'none'}"
        if told.crops
        else "weights taken as they are, not trained"
    )
    lines = [f"{told.parameters / 1e6:.2f} M parameters, {told.gmacs:.2f} GMACs; {trained}"]
    if told.found:
        figures = percent(told.found)
        lines.append(
            f"AP {figures['AP']:.1f}, AP50 {figures['AP50']:.1f}, AR {figures['AR']:.1f} on {entry.split}"
        )
    if told.false_detections:
        lines.append(
            f"mean keypoint score {told.false_detections.mean_keypoint_score:.3f} on "
            f"{told.false_detections.boxes:,} false detections of {entry.split}"
        )
    return [*lines, *drawn_lines(entry)]


def _negatives(entry: Entry) -> list[str]:
    told = entry.metrics
    scores = ", ".join(f"{count:,} of score >= {score}" for score, count in told.by_score.items())
    return [
        f"{told.negatives:,} of {told.detections:,} detections on {told.pictures:,} pictures touch nobody",
        scores or "no thresholds counted",
    ]


def _teachers(entry: Entry) -> list[str]:
    told = entry.metrics
    return [
        f"teachers: {', '.join(map(one_line, entry.weights))}; pictures: {told.pictures:,} of {entry.split}",
        f"{_threshold(told)}: {told.boxes:,} in {told.shards:,} shards",
    ]


def _labels(entry: Entry) -> list[str]:
    told = entry.metrics
    lines = [
        f"teachers: {', '.join(map(one_line, entry.weights))}; pictures: {told.pictures:,} of {entry.split}",
        f"{_threshold(told)} (labelled set: {told.persons_per_picture_labelled:.2f})",
        f"{told.people:,} people kept with {told.keypoints:,} keypoints "
        f"({told.keypoints_per_person:.1f} per person)",
    ]
    if told.ignored:
        lines.append(f"{told.ignored:,} regions to ignore")
    if told.audit:
        seen = told.audit
        lines += [
            f"the same rules on {seen.pictures:,} pictures of {seen.split.removeprefix('coco_')}: "
            f"{seen.people:,} people kept, of them {seen.nobody:,} nobody and {seen.unjudged:,} not judged",
            *audit_table(seen.keypoints),
        ]
    return lines


def _threshold(told: LabelMetrics | TeacherMetrics) -> str:
    return (
        f"boxes of score >= {told.box_threshold:.4f} (CCM's detector: 0.9924): "
        f"{told.persons_per_picture:.2f} persons per picture"
    )


def _ensemble(entry: Entry) -> list[str]:
    told = entry.metrics
    lines = [f"{told.boxes:,} boxes on {told.pictures:,} pictures of {one_line(entry.split)}"]
    if not told.ensemble:
        weights = ", ".join(f"{one_line(name)} x {weight:g}" for name, weight in entry.weights.items())
        return [*lines, f"members: {weights}"]
    table = ledger_of([entry]).sort_values(["row", "AP"], ascending=False, kind="stable")
    sentences = [*verdicts(comparison_of(table)), *_learned(told)]
    return [*lines, *aligned(table, _BLEND), *map(one_line, sentences)]


def _learned(told: EnsembleMetrics) -> list[str]:
    """What learned scores gain on the pictures they were judged on, none of which they had seen."""
    if not told.mean_score:
        return []
    gain, low, high = (100 * (told.learned_gain[name] or 0.0) for name in ("value", "low", "high"))
    verdict = "a gain" if low > 0 else "a loss" if high < 0 else "NOT to be told from chance"
    return [
        f"learned scores, out of fold: {percent(told.ensemble)['AP']:.1f} AP, mean scores "
        f"{percent(told.mean_score)['AP']:.1f} AP: {gain:+.1f} ({low:+.1f} to {high:+.1f}), {verdict}"
    ]


def _submission(entry: Entry) -> list[str]:
    told = entry.metrics
    left_out = f", {told.dropped:,} more left out" if told.dropped else ""
    lines = [
        f"{one_line(told.zip_name)} (holds {one_line(told.json_name)})",
        f"{told.poses:,} poses{left_out}, {told.pictures:,} pictures",
    ]
    messages = [one_line(str(warning.get("message", ""))) for warning in told.warnings]
    lines.append(f"check: passes{_with_warnings(messages)}")
    if told.judged:
        figures = percent(told.judged)
        lines.append(
            f"judged on {told.judged_pictures:,} pictures: AP {figures['AP']:.1f}, "
            f"AP50 {figures['AP50']:.1f}, AP75 {figures['AP75']:.1f}, AR {figures['AR']:.1f}"
        )
    return lines


def _with_warnings(messages: list[str]) -> str:
    if not messages:
        return ""
    more = f" (and {len(messages) - 1} more)" if len(messages) > 1 else ""
    return f" with {len(messages)} warning{'s' if len(messages) > 1 else ''}: {messages[0]}{more}"


def _study(entry: Entry) -> list[str]:
    table = study_table_of(entry)
    return [
        f"{len(entry.metrics.runs)} trainings, judged on {entry.split}; ± is half a 95 % interval over seeds",
        *aligned(table, [name for name in shown_columns(table) if name not in HASHES]),
        *map(one_line, study_verdicts(table)),
    ]


def _heatmaps(entry: Entry) -> list[str]:
    told = entry.metrics
    both = "plain and mirrored maps" if told.mirrored else "plain maps"
    moved = told.moved
    return [
        f"{told.boxes:,} boxes on {told.pictures:,} pictures of {one_line(entry.split)}: {both}, "
        f"{told.codec}, {told.format}, {told.bytes / 1e6:,.1f} MB ({told.share_of_float32:.3f} of float32)",
        f"packing moves decoded points by {moved.p50:.4f} heatmap pixels (99 %: {moved.p99:.4f}, "
        f"most: {moved.max:.4f}; {moved.points:,} points measured)",
    ]


def _search(entry: Entry) -> list[str]:
    told, table = entry.metrics, search_table(entry)
    shown = [name for name in SEARCH_COLUMNS if name not in HASHES]
    return [
        f"{told.people:,} people in {told.boxes:,} boxes on {told.pictures:,} pictures of "
        f"{one_line(entry.split)}; {told.weights_tried:,} weights tried; members: "
        f"{', '.join(map(one_line, told.members))}",
        *aligned(table, shown),
        *map(one_line, search_sentences(entry)),
    ]


def _ablation(entry: Entry) -> list[str]:
    told = entry.metrics
    return [
        f"{told.settings:,} settings on {told.boxes:,} boxes of {told.pictures:,} pictures of "
        f"{one_line(entry.split)}; members: {', '.join(map(one_line, told.members))}",
        *ablation_lines(entry),
    ]


_LINES: dict[str, Callable[[Entry], list[str]]] = {
    "recipes": _recipe,
    "hard_negatives": _negatives,
    "teachers": _teachers,
    "pseudo_labels": _labels,
    "ensembles": _ensemble,
    "submissions": _submission,
    "refined": refined_lines,
    "studies": _study,
    "heatmaps": _heatmaps,
    "searches": _search,
    "ablations": _ablation,
}
