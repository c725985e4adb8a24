"""COCO results files: keypoint results and detections; and exact storage of poses inside the pipeline."""

from __future__ import annotations

import zipfile
from itertools import chain
from pathlib import Path

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
    number_lists,
    read_bytes,
    refuse_first,
    row_label,
    write_rows,
)

_FIELDS = ("image_id", "box", "keypoints", "score", "area", "crowd", "source", "id")
PERSON = 1
"""COCO's category id of persons."""


class _Pose(msgspec.Struct, gc=False):
    image_id: INT64
    category_id: INT64
    keypoints: list[float]
    score: float


class _Detection(msgspec.Struct, gc=False):
    image_id: INT64
    category_id: INT64
    bbox: tuple[float, float, float, float]
    score: float


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
    parts: list[tuple[np.ndarray, ...]] = []
    start = 0
    for rows in decode_rows(_list_of_rows(path, "COCO keypoint results"), _Pose, path, ""):
        image_id, score, category = _shared_columns(rows)
        label = _label(image_id, start)
        count = np.array([len(row.keypoints) for row in rows], np.int64)
        _check_counts(count, wanted, skeleton, path, label)
        remedy = "write persons as category 1: the server scores any other as nothing"
        refuse_first(category != PERSON, path, label, "category_id is not 1", remedy)
        flat = np.fromiter(chain.from_iterable(row.keypoints for row in rows), np.float64, wanted * len(rows))
        parts.append((image_id, score, flat.reshape(len(rows), len(skeleton), 3)))
        start += len(rows)
    if not parts:
        return Instances.empty(skeleton)
    image_id, score, keypoints = map(np.concatenate, zip(*parts, strict=True))
    low, high = keypoints[:, :, :2].min(axis=1), keypoints[:, :, :2].max(axis=1)
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
    check_finite(path, _label(instances.image_id, 0), instances.score, instances.keypoints[..., :2])
    keypoints = instances.keypoints.copy()
    keypoints[:, :, :2] = np.round(keypoints[:, :, :2], decimals)
    keypoints[:, :, 2] = 1
    rows = zip(
        instances.image_id.tolist(), number_lists(_flat(keypoints)), instances.score.tolist(), strict=True
    )
    write_rows(
        path,
        [{"image_id": i, "category_id": PERSON, "keypoints": k, "score": s} for i, k, s in rows],
    )


def read_detections(path: str | Path) -> Instances:
    """Read person detections in COCO's results format, plain or gzipped.

    Detectors write all 80 classes: rows of a category other than 1 are passed over.

    Returns:
        Source "D", in file order; no keypoints (all zero), area the box's.

    Raises:
        InputError: not a list of results, a missing key, a box that has not four numbers or no positive
            size, a number that is not finite.
    """
    parts = []
    start = 0
    for rows in decode_rows(_list_of_rows(path, "COCO detections"), _Detection, path, ""):
        image_id, score, category = _shared_columns(rows)
        box = np.array([row.bbox for row in rows], np.float64).reshape(-1, 4)
        person = category == PERSON
        check_boxes(box, person, path, _label(image_id, start))
        parts.append((image_id[person], box[person], score[person]))
        start += len(rows)
    if not parts:
        return Instances.empty()
    image_id, box, score = map(np.concatenate, zip(*parts, strict=True))
    return Instances.of(image_id, box, score=score, source="D")


def write_detections(path: str | Path, instances: Instances) -> None:
    """Write boxes and scores in COCO's results format (gzipped when named ``.gz``); atomic.

    Raises InputError for a number that is not finite.
    """
    check_finite(path, _label(instances.image_id, 0), instances.score, instances.box)
    rows = zip(
        instances.image_id.tolist(), number_lists(instances.box), instances.score.tolist(), strict=True
    )
    write_rows(path, [{"image_id": i, "category_id": PERSON, "bbox": b, "score": s} for i, b, s in rows])


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


def _list_of_rows(path: str | Path, what: str) -> list[msgspec.Raw]:
    return decode_document(read_bytes(path), list[msgspec.Raw], path, f"a file of {what} (a list of rows)")


def _shared_columns(rows: list[_Pose] | list[_Detection]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return (
        np.array([row.image_id for row in rows], np.int64),
        np.array([row.score for row in rows], np.float64),
        np.array([row.category_id for row in rows], np.int64),
    )


def _check_counts(count: np.ndarray, wanted: int, skeleton: Skeleton, path: str | Path, label: Label) -> None:
    refuse_first(
        count != wanted, path, label,
        lambda k: f"'keypoints' has {count[k]} numbers, must be {wanted} "
        f"(x, y, score of the {len(skeleton)} keypoints of {skeleton.name})",
    )  # fmt: skip


def _label(image_id: np.ndarray, start: int) -> Label:
    return lambda row: row_label("", start + row, f"image {image_id[row]}")


def _flat(keypoints: np.ndarray) -> np.ndarray:
    return keypoints.reshape(len(keypoints), 3 * keypoints.shape[1])
