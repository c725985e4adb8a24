"""COCO person-keypoints annotation files to and from Instances.

Format: https://cocodataset.org/#format-data. Coordinates pass unchanged: keypoints are pixel indices, boxes
are x, y, width, height with (0, 0) at the picture's corner.
"""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import msgspec
import numpy as np

from kpkit.core.errors import InputError
from kpkit.core.instances import ImageTable, Instances
from kpkit.core.skeletons import COCO17, Skeleton
from kpkit.core.visibility import VisibilityCodes
from kpkit.data.annotation_cache import cache_folder, remembered
from kpkit.data.coco_write import write_annotations
from kpkit.data.compact import compact
from kpkit.data.image_lists import ImageRow, checked_images, image_table, read_image_list, write_image_list
from kpkit.data.json_rows import (
    INT64,
    UNREADABLE,
    Label,
    decode_document,
    decode_rows,
    read_bytes,
    refuse_first,
    row_label,
)
from kpkit.data.json_stream import UnclearError, stream_tables
from kpkit.data.label_checks import check_labels
from kpkit.data.number_text import number_rows
from kpkit.data.visibility import check_codes

__all__ = ["AREA_OF_BOX", "read_annotations", "read_image_list", "write_annotations", "write_image_list"]

AREA_OF_BOX = 0.53
"""A person's area over its box's, where a format gives no area: mmpose's figure for AI Challenger and
CrowdPose; the median over COCO's own labels is 0.527."""

_WHAT = "a COCO person-keypoints file"
_NOTHING = msgspec.Raw(b"null")


class _Category(msgspec.Struct):
    id: INT64
    name: str = ""
    keypoints: list[str] | None = None


class _File(msgspec.Struct):
    images: list[msgspec.Raw]
    annotations: list[msgspec.Raw]
    categories: list[_Category] = []


class _Annotation(msgspec.Struct, gc=False):
    id: INT64
    image_id: INT64
    category_id: INT64
    bbox: tuple[float, float, float, float]
    keypoints: msgspec.Raw = _NOTHING
    area: float | None = None
    iscrowd: int | bool = 0
    score: float | None = None
    keypoint_weight: msgspec.Raw = _NOTHING


def read_annotations(
    path: str | Path,
    *,
    skeleton: Skeleton = COCO17,
    codes: VisibilityCodes | None = None,
    cache: Path | None = None,
) -> tuple[ImageTable, Instances]:
    """Read a COCO person-keypoints file, plain or gzipped.

    Files of a megabyte and more are kept as arrays where there is a cache (data/annotation_cache.py) and then
    read from it until they change.

    Args:
        path: the file.
        skeleton: what its keypoints are; names given in the file must agree.
        codes: what the visibility codes of a converted file mean; they must agree with where its keypoints
            lie. None takes them as COCO's.
        cache: folder of the cache; KPKIT_CACHE overrides it. Without both there is none.

    Returns:
        Every picture, and every annotation of the category named "person" (or of id 1), in file order:
        crowds and persons without labelled keypoints too. Source "C"; score 1 where the file gives none.
        ``keypoint_weight`` is kpkit's own key: loss weights, 1 for rows without it. Without ``area`` it is
        0.53 x the box (AREA_OF_BOX), without ``iscrowd`` no crowd, as in AI Challenger conversions.

    Raises:
        InputError: the file is missing, broken or not COCO; a key is missing or of the wrong type; a
            wrong keypoint count; a number that is not finite; a keypoint weight outside 0..1; a visibility
            other than 0, 1, 2, or codes of a converted file that contradict ``codes``, with the evidence; a
            box of negative size, or of zero size with labelled keypoints; an image or annotation id that
            occurs twice; an unknown image; a file name that leaves its folder. A zero box without labelled
            keypoints passes: original COCO files hold such rows (cocodataset/cocoapi issue 355).
    """
    folder = cache_folder(cache)
    if folder is None:
        return _read(path, skeleton, codes)
    name = "" if codes is None else codes.name
    return remembered(path, folder, skeleton, name, lambda: _read(path, skeleton, codes))


def _read(
    path: str | Path, skeleton: Skeleton, codes: VisibilityCodes | None
) -> tuple[ImageTable, Instances]:
    """As read_annotations, from the file itself."""
    try:
        return _read_in_passing(path, skeleton, codes)
    except (UnclearError, InputError, *UNREADABLE):  # the slower reader names what is wrong, if anything is
        document = decode_document(read_bytes(path), _File, path, _WHAT)
        images = image_table(document.images, path)
        people = _People(_person(document.categories, skeleton, path), skeleton, path)
        for block in decode_rows(document.annotations, _Annotation, path, "annotations"):
            people.add(block)
        return images, people.instances(images, codes)


def _read_in_passing(
    path: str | Path, skeleton: Skeleton, codes: VisibilityCodes | None
) -> tuple[ImageTable, Instances]:
    """As read_annotations, in one pass; a fault of the file raises whatever finds it first."""
    pictures: list[ImageRow] = []
    categories: list[_Category] = []
    # COCO's own files name their categories last: until then the person's id is taken to be the usual one.
    people = _People(_person(categories, skeleton, path), skeleton, path)
    met = set()
    for key, value in stream_tables(path, {"images": ImageRow, "annotations": _Annotation}):
        met.add(key)
        if key == "images":
            pictures += value
        elif key == "annotations":
            people.add(value)
        elif key == "categories":
            categories = msgspec.json.decode(value, type=list[_Category])
            if "annotations" not in met:
                people.category = _person(categories, skeleton, path)
    if not met >= {"images", "annotations"} or people.category != _person(categories, skeleton, path):
        raise UnclearError
    images = checked_images(pictures, path)
    return images, people.instances(images, codes)


def _person(categories: list[_Category], skeleton: Skeleton, path: str | Path) -> int:
    """Id of the person category; refuses keypoint names that are not the skeleton's."""
    person = next((c for c in categories if c.name == "person"), None)
    if person is None:
        person = next((c for c in categories if c.id == 1), None)
    if person is None or not person.keypoints:
        return 1 if person is None else person.id
    names = tuple(name.lower().replace(" ", "_") for name in person.keypoints)
    if names != skeleton.keypoints:
        found = [n for n, m in zip(names, skeleton.keypoints, strict=False) if n != m]
        what = f"first other name: {found[0]!r}" if found else f"{len(names)} names"
        cause = f"the file's keypoints are not those of skeleton {skeleton.name} ({what})"
        remedy = "name the skeleton the file speaks"
        raise InputError(cause, file=path, row="categories", remedy=remedy)
    return person.id


class _People:
    """Annotations of one category, gathered block by block."""

    def __init__(self, category: int, skeleton: Skeleton, path: str | Path) -> None:
        self.category, self.skeleton, self.path = category, skeleton, path
        self.rows = 0
        self.columns: list[tuple[np.ndarray, ...]] = []
        # Keypoints are nearly all of the data: whole pixels wait in two bytes each until all are there.
        self.keypoints: list[np.ndarray] = []
        self.weights: list[tuple[int, np.ndarray]] = []  # of the blocks that hold any

    def add(self, block: list[_Annotation]) -> None:
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

    def _keypoints(self, rows: list[_Annotation], label: Label) -> np.ndarray:
        """(N, 3 K) keypoints of one block; refuses a wrong count."""
        missing = [row.keypoints == _NOTHING for row in rows]
        remedy = "read a person_keypoints file, not an instances file"
        refuse_first(missing, self.path, label, "'keypoints' is missing", remedy)
        form = f" (x, y, visibility of the {len(self.skeleton)} keypoints of {self.skeleton.name})"
        lists = [row.keypoints for row in rows]
        return number_rows(lists, 3 * len(self.skeleton), "keypoints", self.path, label, form)

    def _weights(self, rows: list[_Annotation], label: Label) -> np.ndarray:
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
        check_labels(images, ids, image_id, box, area, keypoints, path, label)
        weight = None
        if self.weights:
            weight = np.ones(keypoints.shape[:2])
            for start, block in self.weights:
                weight[start : start + len(block)] = block
        return Instances.of(
            image_id, box, keypoints, score=score, area=area, crowd=crowd, source="C", id=ids,
            skeleton=self.skeleton, keypoint_weight=weight,
        )  # fmt: skip

    def _joined(self, count: int) -> np.ndarray:
        """(count, K, 3) keypoints of all blocks."""
        keypoints = np.empty((count, 3 * len(self.skeleton)))
        filled = 0
        for block in self.keypoints:
            keypoints[filled : filled + len(block)] = block
            filled += len(block)
        self.keypoints.clear()
        return keypoints.reshape(count, len(self.skeleton), 3)


def _columns(rows: list[_Annotation]) -> tuple[np.ndarray, ...]:
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
