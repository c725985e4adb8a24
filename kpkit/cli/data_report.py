"""What ``data check`` found: a line for each data set, and a table of the labels where asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kpkit.data.audit import LabelAudit
    from kpkit.data.load import LoadedDataset
    from kpkit.specs.datasets import Dataset


def facts(dataset: Dataset, loaded: LoadedDataset, detections: int | None) -> dict[str, Any]:
    """What a data set holds, as ``--json`` prints it.

    Args:
        dataset: where it lies.
        loaded: its content, people in the data set's own skeleton.
        detections: boxes of its detector file; None without one.
    """
    people = loaded.people
    found: dict[str, Any] = {"name": dataset.name, "pictures": len(loaded.images)}
    if loaded.skipped:
        found["pictures_skipped"] = loaded.skipped
    if dataset.format != "images":
        found["people"] = len(people)
        found["with_keypoints"] = int(((people.num_labelled > 0) & ~people.crowd).sum())
        found["crowds"] = int(people.crowd.sum())
    if detections is not None:
        found["detections"] = detections
    found["sealed_truth"] = dataset.truth is not None
    return found


def label_facts(dataset: Dataset, audit: LabelAudit) -> dict[str, Any]:
    """A data set's labels and what becomes of them in COCO's skeleton, as ``--json`` prints them."""
    from kpkit.core.visibility import CODES

    codes = CODES[dataset.visibility]
    return {
        "skeleton": dataset.skeleton,
        "visibility": codes.name,
        "codes": {
            state: {"code": getattr(codes, state), "keypoints": audit.total(state)}
            for state in ("visible", "hidden", "unlabelled")
        },
        "labelled_outside_their_box": {"keypoints": audit.total("outside"), "people": audit.people_outside},
        "people_without_box": audit.boxless,
        "keypoints": [vars(keypoint) for keypoint in audit.keypoints],
    }


def print_facts(found: dict[str, Any]) -> None:
    """One line: ``aic_train: 700 pictures, 1917 people, ...``; below it the labels where they are known."""
    if "error" in found:
        print(f"{found['name']}: {found['error']}")
        return
    parts = [f"{found['pictures']} pictures"]
    if "pictures_skipped" in found:
        parts.append(f"{found['pictures_skipped']} skipped")
    if "people" in found:
        parts.append(
            f"{found['people']} people, {found['with_keypoints']} with keypoints, {found['crowds']} crowds"
        )
    if "detections" in found:
        parts.append(f"{found['detections']} detections")
    if found["sealed_truth"]:
        parts.append("sealed truth")
    print(f"{found['name']}: {', '.join(parts)}")
    if "labels" in found:
        _print_labels(found["labels"])


def _print_labels(labels: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    counted = ", ".join(f"{c['code']} {state} {c['keypoints']:,}" for state, c in labels["codes"].items())
    outside = labels["labelled_outside_their_box"]
    print(f'  visibility = "{labels["visibility"]}": {counted}')
    print(
        f"  outside their own box: {outside['keypoints']:,} labelled keypoints of {outside['people']:,} "
        "people, kept as labelled; beyond the crop they have no loss"
    )
    if labels["people_without_box"]:
        print(f"  {labels['people_without_box']:,} people whose box has no size, kept without labels")
    table = Table(box=None, pad_edge=False)
    table.add_column(f"  {labels['skeleton']}")
    for name in ("visible", "hidden", "unlabelled", "outside"):
        table.add_column(name, justify="right")
    table.add_column("coco17")
    for row in labels["keypoints"]:
        counts = [f"{row[name]:,}" for name in ("visible", "hidden", "unlabelled", "outside")]
        if row["name"] is None:
            table.add_row("  -", "", "", "", "", f"{row['becomes']}: unlabelled, loss weight 0")
        else:
            table.add_row(f"  {row['name']}", *counts, row["becomes"] or "dropped")
    Console(width=120, highlight=False).print(table)
