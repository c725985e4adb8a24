"""Pseudo labels held against a truth that was sealed while they were made."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec

from kpkit.core.errors import InputError
from kpkit.data.annotation_cache import FOLDER
from kpkit.data.coco import read_annotations
from kpkit.pipeline.labels import Labels, labels_of
from kpkit.pseudo_labels.judging import counts, judge
from kpkit.reports.label_table import judged_table
from kpkit.reports.made_metrics import AuditedKeypoint
from kpkit.reports.manifests import read_entry


@dataclass(frozen=True)
class JudgedLabels:
    """What a truth says of labels.

    Attributes:
        pictures: judged ones.
        people: labels on them; of them ``nobody`` where the truth has no one, and ``unjudged`` where it has
            someone without keypoints.
        keypoints: counts by name.
        audit: what the labels' own audit foretold, by name; None where they were not audited.
    """

    pictures: int
    people: int
    nobody: int
    unjudged: int
    keypoints: dict[str, AuditedKeypoint]
    audit: dict[str, AuditedKeypoint] | None

    def lines(self) -> list[str]:
        """A sentence and a table."""
        head = (
            f"{self.people:,} people labelled on {self.pictures:,} pictures, of them {self.nobody:,} nobody "
            f"and {self.unjudged:,} not judged"
        )
        return [head, *judged_table(self.keypoints, self.audit)]

    def as_dict(self) -> dict[str, Any]:
        """For --json."""
        return dict(msgspec.to_builtins(asdict(self)))


def judged_labels(source: str, truth: Path, *, data: Path | None, runs: Path) -> JudgedLabels:
    """Judge the labels of a document, an artefact, or a COCO file.

    Raises:
        InputError: no such labels or truth, or no picture in both.
    """
    labels: Labels = labels_of(source, data=data, runs=runs, images=None)
    images, people = read_annotations(truth, cache=runs / FOLDER)
    common = images.id[labels.images.rows_of(images.id) >= 0]
    if len(common) == 0:
        remedy = "name the truth of the labelled pictures"
        raise InputError(f"lists none of the pictures of {source}", file=truth, remedy=remedy)
    shown = labels.people[~labels.people.crowd & (images.rows_of(labels.people.image_id) >= 0)]
    judged = judge(shown, people)
    audit = None if labels.artefact is None else read_entry(labels.artefact).metrics.audit
    return JudgedLabels(
        pictures=len(common),
        people=len(shown),
        nobody=int(judged.nobody.sum()),
        unjudged=int(judged.unjudged.sum()),
        keypoints={
            name: AuditedKeypoint(None, **row)
            for name, row in counts(judged, shown.skeleton.keypoints).items()
        },
        audit=audit.keypoints if audit else None,
    )
