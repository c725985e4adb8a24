"""Annotations of a COCO person-keypoints file as they are read: rows in blocks, gathered into Instances."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import msgspec
import numpy as np

from kpkit.core.instances import ImageTable, Instances
from kpkit.core.skeletons import Skeleton
from kpkit.core.visibility import VisibilityCodes
from kpkit.data.compact import compact
from kpkit.data.json_rows import INT64, Label, refuse_first, row_label
from kpkit.data.label_checks import check_labels
from kpkit.data.number_text import number_rows
from kpkit.data.visibility import check_codes

AREA_OF_BOX = 0.53
"""A person's area over its box's, where a format gives no area: mmpose's figure for AI Challenger and
CrowdPose; the median over COCO's own labels is 0.527."""

_NOTHING = msgspec.Raw(b"null")


class AnnotationRow(msgspec.Struct, gc=False):
    """One annotation; what kpkit has no use for is skipped."""

    id: INT64
    image_id: INT64
    category_id: INT64
    bbox: tuple[float, float, float, float]
    keypoints: msgspec.Raw = _NOTHING
    area: float | None = None
    iscrowd: int | bool = 0
    score: float | None = None
    keypoint_weight: msgspec.Raw = _NOTHING


class PeopleRows:
    """Annotations of one category, gathered block by block."""

    def __init__(self, category: int, skeleton: Skeleton, path: str | Path) -> None:
        self.category, self.skeleton, self.path = category, skeleton, path
        self.rows = 0
        self.columns: list[tuple[np.ndarray, ...]] = []
        # Keypoints are nearly all of the data: whole pixels wait in two bytes each until all are there.
        self.keypoints: list[np.ndarray] = []
        self.weights: list[tuple[int, np.ndarray]] = []  # of the blocks that hold any

    def add(self, block: list[AnnotationRow]) -> None:
        """Take the next rows of the file; refuses wrong keypoints and weights."""
        kept = [k for k, row in enumerate(block) if row.category_id == self.category]
        rows = block if len(kept) == len(block) else [block[k] for k in kept]
        place = np.array(kept, np.int64) + self.rows
        self.rows += len(block)
        if not rows:
            return
        label = _label(place, np.array([row.id for row in rows], np.int64))
        if any(row.keypoint_weight != _NOTHING for row in rows):
            filled = sum(map(len, self.keypoints))
            self.weights.append((filled, self._weights(rows, label)))
        self.keypoints.append(compact(self._keypoints(rows, label)))
        self.columns.append((place, *_columns(rows)))

    def _keypoints(self, rows: list[AnnotationRow], label: Label) -> np.ndarray:
        """(N, 3 K) keypoints of one block; refuses a wrong count."""
        missing = [row.keypoints == _NOTHING for row in rows]
        remedy = "read a person_keypoints file, not an instances file"
        refuse_first(missing, self.path, label, "'keypoints' is missing", remedy)
        form = f" (x, y, visibility of the {len(self.skeleton)} keypoints of {self.skeleton.name})"
        lists = [row.keypoints for row in rows]
        return number_rows(lists, 3 * len(self.skeleton), "keypoints", self.path, label, form)

    def _weights(self, rows: list[AnnotationRow], label: Label) -> np.ndarray:
        """(N, K) keypoint weights of one block, 1 where a row gives none; refuses a wrong count or value."""
        ones = msgspec.Raw(msgspec.json.encode([1] * len(self.skeleton)))
        lists = [ones if row.keypoint_weight == _NOTHING else row.keypoint_weight for row in rows]
        weights = number_rows(lists, len(self.skeleton), "keypoint_weight", self.path, label)
        outside = ~((weights >= 0) & (weights <= 1)).all(axis=1)
        refuse_first(outside, self.path, label, "a keypoint weight is not in 0..1")
        return weights

    def instances(self, images: ImageTable, codes: VisibilityCodes | None) -> Instances:
        """Everyone, checked against the pictures and each other; may be asked once."""
        if not self.columns:
            return Instances.empty(self.skeleton)
        place, ids, image_id, box, area, crowd, score = map(np.concatenate, zip(*self.columns, strict=True))
        keypoints = self._joined(len(ids))
        area = np.where(np.isnan(area), AREA_OF_BOX * box[:, 2] * box[:, 3], area)
        path, label = self.path, _label(place, ids)
        if codes is not None:
            check_codes(keypoints, codes, self.skeleton, path, label)
            keypoints[:, :, 2] = codes.to_coco(keypoints[:, :, 2])
        weight = None
        if self.weights:
            weight = np.ones(keypoints.shape[:2])
            for start, block in self.weights:
                weight[start : start + len(block)] = block
        people = Instances.of(
            image_id, box, keypoints, score=score, area=area, crowd=crowd, source="C", id=ids,
            skeleton=self.skeleton, keypoint_weight=weight,
        )  # fmt: skip
        check_labels(images, people, path, label)
        return people

    def _joined(self, count: int) -> np.ndarray:
        """(count, K, 3) keypoints of all blocks."""
        keypoints = np.empty((count, 3 * len(self.skeleton)))
        filled = 0
        for block in self.keypoints:
            keypoints[filled : filled + len(block)] = block
            filled += len(block)
        self.keypoints.clear()
        return keypoints.reshape(count, len(self.skeleton), 3)


def _columns(rows: list[AnnotationRow]) -> tuple[np.ndarray, ...]:
    """Ids, image ids, boxes, areas (NaN where missing), crowd flags and scores of one block."""
    return (
        np.array([row.id for row in rows], np.int64),
        np.array([row.image_id for row in rows], np.int64),
        np.fromiter(chain.from_iterable(row.bbox for row in rows), np.float64, 4 * len(rows)).reshape(-1, 4),
        np.array([np.nan if row.area is None else row.area for row in rows], np.float64),
        np.array([row.iscrowd for row in rows], bool),
        np.array([1.0 if row.score is None else row.score for row in rows], np.float64),
    )


def _label(place: np.ndarray, ids: np.ndarray) -> Label:
    return lambda row: row_label("annotations", int(place[row]), f"id {ids[row]}")
