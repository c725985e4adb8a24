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
from kpkit.data.coco_write import write_annotations
from kpkit.data.image_lists import image_table, read_image_list, write_image_list
from kpkit.data.json_rows import (
    BOX,
    INT64,
    Label,
    check_boxes,
    decode_document,
    decode_rows,
    read_bytes,
    refuse_first,
    repeated,
    row_label,
)
from kpkit.data.visibility import check_codes

__all__ = ["AREA_OF_BOX", "read_annotations", "read_image_list", "write_annotations", "write_image_list"]

AREA_OF_BOX = 0.53
"""A person's area over its box's, where a format gives no area: mmpose's figure for AI Challenger and
CrowdPose; the median over COCO's own labels is 0.527."""

_WHAT = "a COCO person-keypoints file"


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
    keypoints: list[float] | None = None
    area: float | None = None
    iscrowd: int | bool = 0
    score: float | None = None
    keypoint_weight: list[float] | None = None


def read_annotations(
    path: str | Path, *, skeleton: Skeleton = COCO17, codes: VisibilityCodes | None = None
) -> tuple[ImageTable, Instances]:
    """Read a COCO person-keypoints file, plain or gzipped.

    Args:
        path: the file.
        skeleton: what its keypoints are; names given in the file must agree.
        codes: what the visibility codes of a converted file mean; they must agree with where its keypoints
            lie. None takes them as COCO's.

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
    document = decode_document(read_bytes(path), _File, path, _WHAT)
    images = image_table(document.images, path)
    category = _person(document.categories, skeleton, path)
    return images, _instances(document.annotations, images, category, skeleton, codes, path)


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


def _instances(
    raws: list[msgspec.Raw],
    images: ImageTable,
    category: int,
    skeleton: Skeleton,
    codes: VisibilityCodes | None,
    path: str | Path,
) -> Instances:
    if not raws:
        return Instances.empty(skeleton)
    # Keypoints are nearly all of the data: written in place once, not kept twice while blocks are joined.
    keypoints = np.empty((len(raws), len(skeleton), 3))
    weights: list[tuple[int, np.ndarray]] = []  # of the blocks that hold any
    parts: list[tuple[np.ndarray, ...]] = []
    rows_before = filled = 0
    for block in decode_rows(raws, _Annotation, path, "annotations"):
        kept = [k for k, row in enumerate(block) if row.category_id == category]
        rows = block if len(kept) == len(block) else [block[k] for k in kept]
        place = np.array(kept, np.int64) + rows_before
        keypoints[filled : filled + len(rows)] = _keypoints(rows, place, skeleton, path)
        if any(row.keypoint_weight is not None for row in rows):
            weights.append((filled, _weights(rows, place, skeleton, path)))
        parts.append((place, *_columns(rows)))
        rows_before += len(block)
        filled += len(rows)
    keypoints = keypoints[:filled]
    place, ids, image_id, box, area, crowd, score = map(np.concatenate, zip(*parts, strict=True))
    area = np.where(np.isnan(area), AREA_OF_BOX * box[:, 2] * box[:, 3], area)
    label = _label(place, ids)
    refuse_first(repeated(ids), path, label, "the annotation id occurs twice", "give each its own id")
    unknown = images.rows_of(image_id) < 0
    refuse_first(unknown, path, label, lambda k: f"image {image_id[k]} is not in the file's images")
    if codes is not None:
        check_codes(keypoints, codes, skeleton, path, label)
        keypoints[:, :, 2] = codes.to_coco(keypoints[:, :, 2])
    visibility = keypoints[:, :, 2]
    wrong = ~np.isin(visibility, (0, 1, 2)).all(axis=1)
    refuse_first(wrong, path, label, "a keypoint's visibility is not 0, 1 or 2", "see COCO's data format")
    refuse_first((box[:, 2:] < 0).any(axis=1), path, label, "the box's width or height is negative", BOX)
    check_boxes(box, (visibility > 0).any(axis=1), path, label)
    refuse_first(area < 0, path, label, "the area is negative")
    weight = None
    if weights:
        weight = np.ones(keypoints.shape[:2])
        for start, block_weights in weights:
            weight[start : start + len(block_weights)] = block_weights
    return Instances.of(
        image_id, box, keypoints, score=score, area=area, crowd=crowd, source="C", id=ids, skeleton=skeleton,
        keypoint_weight=weight,
    )  # fmt: skip


def _columns(rows: list[_Annotation]) -> tuple[np.ndarray, ...]:
    """Ids, image ids, boxes, areas (NaN where missing), crowd flags and scores of one block."""
    return (
        np.array([row.id for row in rows], np.int64),
        np.array([row.image_id for row in rows], np.int64),
        np.array([row.bbox for row in rows], np.float64).reshape(-1, 4),
        np.array([np.nan if row.area is None else row.area for row in rows], np.float64),
        np.array([row.iscrowd for row in rows], bool),
        np.array([1.0 if row.score is None else row.score for row in rows], np.float64),
    )


def _keypoints(
    rows: list[_Annotation], place: np.ndarray, skeleton: Skeleton, path: str | Path
) -> np.ndarray:
    """(N, K, 3) keypoints of one block; refuses a wrong count."""
    label = _label(place, np.array([row.id for row in rows], np.int64))
    lists = [row.keypoints for row in rows]
    count = np.array([-1 if k is None else len(k) for k in lists], np.int64)
    remedy = "read a person_keypoints file, not an instances file"
    refuse_first(count < 0, path, label, "'keypoints' is missing", remedy)
    wanted = 3 * len(skeleton)
    refuse_first(
        count != wanted, path, label,
        lambda k: f"'keypoints' has {count[k]} numbers, must be {wanted} "
        f"(x, y, visibility of the {len(skeleton)} keypoints of {skeleton.name})",
    )  # fmt: skip
    flat = np.fromiter(chain.from_iterable(k for k in lists if k), np.float64, wanted * len(rows))
    return flat.reshape(len(rows), len(skeleton), 3)


def _weights(rows: list[_Annotation], place: np.ndarray, skeleton: Skeleton, path: str | Path) -> np.ndarray:
    """(N, K) keypoint weights of one block, 1 where a row gives none; refuses a wrong count or value."""
    label = _label(place, np.array([row.id for row in rows], np.int64))
    ones = [1.0] * len(skeleton)
    lists = [ones if row.keypoint_weight is None else row.keypoint_weight for row in rows]
    count = np.array([len(weights) for weights in lists], np.int64)
    refuse_first(
        count != len(skeleton), path, label,
        lambda k: f"'keypoint_weight' has {count[k]} numbers, must be {len(skeleton)}",
    )  # fmt: skip
    weights = np.array(lists)
    outside = ~((weights >= 0) & (weights <= 1)).all(axis=1)
    refuse_first(outside, path, label, "a keypoint weight is not in 0..1")
    return weights


def _label(place: np.ndarray, ids: np.ndarray) -> Label:
    return lambda row: row_label("annotations", int(place[row]), f"id {ids[row]}")
