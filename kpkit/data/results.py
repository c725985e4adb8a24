"""COCO results files: keypoint results and detections; and exact storage of poses inside the pipeline."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np

from kpkit.core.errors import InputError, KpkitError
from kpkit.core.files import replacing
from kpkit.core.instances import Instances
from kpkit.core.skeletons import COCO17, SKELETONS, Skeleton
from kpkit.data.json_rows import (
    INT64,
    Label,
    check_boxes,
    check_finite,
    decode_document,
    decode_rows,
    read_bytes,
    refuse_first,
    row_label,
)
from kpkit.data.json_stream import UnclearError, stream_rows
from kpkit.data.json_write import write_row_blocks
from kpkit.data.number_text import number_rows

_FIELDS = ("image_id", "box", "keypoints", "score", "area", "crowd", "source", "id")
PERSON = 1
"""COCO's category id of persons."""


class _Pose(msgspec.Struct, gc=False):
    image_id: INT64
    category_id: INT64
    keypoints: msgspec.Raw
    score: float


class _Detection(msgspec.Struct, gc=False):
    image_id: INT64
    category_id: INT64
    bbox: tuple[float, float, float, float]
    score: float


_WRITTEN = 1024
"""Rows written at once: their numbers and their text stay in the processor's cache."""
_Row = TypeVar("_Row", _Pose, _Detection)


def read_results(path: str | Path, *, skeleton: Skeleton = COCO17) -> Instances:
    """Read COCO keypoint results, plain or gzipped; extra keys are ignored.

    Returns:
        Source "P", in file order. The third value of each keypoint is kept as its score. Box and area are
        those pycocotools' loadRes derives: the extent of all K points, whatever their third value.

    Raises:
        InputError: not a list of results, a missing key, a wrong keypoint count, a category other than 1,
            a number that is not finite.
    """
    wanted = 3 * len(skeleton)
    form = f" (x, y, score of the {len(skeleton)} keypoints of {skeleton.name})"

    def columns(rows: list[_Pose], start: int) -> tuple[np.ndarray, ...]:
        image_id, score, category = _shared_columns(rows)
        label = _label(image_id, start)
        keypoints = number_rows([row.keypoints for row in rows], wanted, "keypoints", path, label, form)
        remedy = "write persons as category 1: the server scores any other as nothing"
        refuse_first(category != PERSON, path, label, "category_id is not 1", remedy)
        return image_id, score, keypoints

    found = _columns_of(path, _Pose, "COCO keypoint results", columns)
    if found is None:
        return Instances.empty(skeleton)
    image_id, score, flat = found
    keypoints = flat.reshape(len(flat), len(skeleton), 3)
    points = keypoints[:, :, :2].transpose(1, 2, 0)  # a fold over the first axis runs along memory
    low, high = points.min(axis=0).T, points.max(axis=0).T
    box = np.concatenate([low, high - low], axis=1)
    return Instances.of(image_id, box, keypoints, score=score, source="P", skeleton=skeleton)


def write_results(path: str | Path, instances: Instances, *, decimals: int = 2) -> None:
    """Write COCO keypoint results: exactly image_id, category_id, keypoints, score in each row.

    Further keys are left out on purpose: ``bbox`` or ``area`` would change APM and APL. The third value of
    each keypoint is written as 1; the server ignores it.

    Args:
        path: replaced atomically; gzipped when named ``.gz``.
        instances: poses, written in row order.
        decimals: places of the coordinates.

    Raises:
        InputError: a coordinate or score that is not finite.
    """
    write_row_blocks(path, _pose_blocks(path, instances, decimals))


def _pose_blocks(path: str | Path, instances: Instances, decimals: int) -> Iterator[list[dict[str, object]]]:
    for start in range(0, len(instances), _WRITTEN):
        part = slice(start, start + _WRITTEN)
        image_id, score, keypoints = (
            instances.image_id[part],
            instances.score[part],
            instances.keypoints[part].copy(),
        )
        keypoints[:, :, 2] = 1
        check_finite(path, _label(image_id, start), score, keypoints)
        flat = np.round(keypoints, decimals, out=keypoints).reshape(len(keypoints), -1)
        rows = zip(image_id.tolist(), flat, score.tolist(), strict=True)
        yield [{"image_id": i, "category_id": PERSON, "keypoints": k, "score": s} for i, k, s in rows]


def read_detections(path: str | Path) -> Instances:
    """Read person detections in COCO's results format, plain or gzipped.

    Detectors write all 80 classes: rows of a category other than 1 are passed over.

    Returns:
        Source "D", in file order; no keypoints (all zero), area the box's.

    Raises:
        InputError: not a list of results, a missing key, a box that has not four numbers or no positive
            size, a number that is not finite.
    """

    def columns(rows: list[_Detection], start: int) -> tuple[np.ndarray, ...]:
        image_id, score, category = _shared_columns(rows)
        box = np.array([row.bbox for row in rows], np.float64).reshape(-1, 4)
        person = category == PERSON
        check_boxes(box, person, path, _label(image_id, start))
        return image_id[person], score[person], box[person]

    found = _columns_of(path, _Detection, "COCO detections", columns)
    if found is None:
        return Instances.empty()
    image_id, score, box = found
    return Instances.of(image_id, box, score=score, source="D")


def write_detections(path: str | Path, instances: Instances) -> None:
    """Write boxes and scores in COCO's results format (gzipped when named ``.gz``); atomic.

    Raises InputError for a number that is not finite.
    """
    check_finite(path, _label(instances.image_id, 0), instances.score, instances.box)
    box = np.ascontiguousarray(instances.box)
    rows = zip(instances.image_id.tolist(), box, instances.score.tolist(), strict=True)
    write_row_blocks(
        path, [[{"image_id": i, "category_id": PERSON, "bbox": b, "score": s} for i, b, s in rows]]
    )


def write_poses(path: str | Path, instances: Instances) -> None:
    """Keep Instances exactly (every array, no rounding) in a compressed .npz; equal input, equal bytes."""
    arrays = {name: getattr(instances, name) for name in _FIELDS}
    if instances.keypoint_weight is not None:
        arrays["keypoint_weight"] = instances.keypoint_weight
    with replacing(path) as temporary, open(temporary, "wb") as handle:
        np.savez_compressed(handle, allow_pickle=False, skeleton=np.array(instances.skeleton.name), **arrays)


def read_poses(path: str | Path) -> Instances:
    """Read what write_poses wrote; nothing in the file is run.

    Raises InputError for a file that is missing, damaged or not of this kind.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            weight = [name for name in ("keypoint_weight",) if name in stored.files]
            arrays = {name: stored[name] for name in (*_FIELDS, "skeleton", *weight)}
        return Instances(skeleton=SKELETONS[str(arrays.pop("skeleton"))], **arrays)
    except FileNotFoundError:
        raise InputError("no such file", file=path) from None
    except (OSError, ValueError, KeyError, EOFError, AttributeError, TypeError) as error:
        raise _not_poses(path, error) from None
    except (zipfile.BadZipFile, KpkitError) as error:
        raise _not_poses(path, error) from None


def _not_poses(path: str | Path, error: Exception) -> InputError:
    remedy = "build it again"
    return InputError(f"damaged, or not a file of poses ({error})", file=path, remedy=remedy)


def _columns_of(
    path: str | Path,
    kind: type[_Row],
    what: str,
    columns: Callable[[list[_Row], int], tuple[np.ndarray, ...]],
) -> tuple[np.ndarray, ...] | None:
    """Checked columns of a file that is one list; None when the list is empty.

    Args:
        path: the file.
        kind: struct of a row.
        what: what the file should be, for an error's text.
        columns: from a block of rows, and the number of the first, to arrays of as many rows or fewer.
    """

    def joined(blocks: Iterable[list[_Row]]) -> tuple[np.ndarray, ...] | None:
        parts, start = [], 0
        for rows in blocks:
            if rows:
                parts.append(columns(rows, start))
                start += len(rows)
        return tuple(map(np.concatenate, zip(*parts, strict=True))) if parts else None

    try:
        return joined(stream_rows(path, kind))
    except (UnclearError, InputError):  # the slower reader names what is wrong, if anything is
        wanted = f"a file of {what} (a list of rows)"
        raws = decode_document(read_bytes(path), list[msgspec.Raw], path, wanted)
        return joined(decode_rows(raws, kind, path, ""))


def _shared_columns(rows: list[_Pose] | list[_Detection]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return (
        np.array([row.image_id for row in rows], np.int64),
        np.array([row.score for row in rows], np.float64),
        np.array([row.category_id for row in rows], np.int64),
    )


def _label(image_id: np.ndarray, start: int) -> Label:
    return lambda row: row_label("", start + row, f"image {image_id[row]}")
