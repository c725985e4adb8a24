"""AI Challenger's original keypoint format to and from Instances.

A list of records: ``image_id`` (a hash; the picture is ``<hash>.jpg``), ``human_annotations`` {human:
[x1, y1, x2, y2]} (corners), ``keypoint_annotations`` {human: 14 x (x, y, code)}. Codes are 1 visible,
2 labelled but not visible, 3 not labelled (always 0, 0): not COCO's. Right side first.
Source: AIChallenger/AI_Challenger_2017, Evaluation/keypoint_eval.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import orjson

from kpkit.core.errors import InputError
from kpkit.core.instances import ImageTable, Instances
from kpkit.core.skeletons import AIC14
from kpkit.data.coco import AREA_OF_BOX
from kpkit.data.images import image_size
from kpkit.data.json_rows import (
    Label,
    check_finite,
    decode_document,
    decode_rows,
    number_lists,
    read_bytes,
    refuse_first,
    repeated,
    write_rows,
)

_TO_COCO = np.array([-1, 2, 1, 0])
"""COCO visibility of codes 1, 2, 3."""
_TO_AIC = np.array([3, 2, 1])
"""Code of COCO visibilities 0, 1, 2."""
_DIGITS = 15


class _Record(msgspec.Struct):
    image_id: str
    human_annotations: dict[str, tuple[float, float, float, float]]
    keypoint_annotations: dict[str, list[float]]


def aic_image_id(name: str) -> int:
    """The integer id of a picture: the first 15 hexadecimal digits of its hash (60 bits).

    Raises ValueError when the name has not as many digits.
    """
    if len(name) < _DIGITS or not set(name) <= set("0123456789abcdefABCDEF"):
        raise ValueError(name)
    return int(name[:_DIGITS], 16)


def read_aic(path: str | Path, images_folder: str | Path | None = None) -> tuple[ImageTable, Instances]:
    """Read AI Challenger annotations, plain or gzipped.

    Args:
        path: the file.
        images_folder: where the pictures are; given, their sizes are read from their headers.

    Returns:
        Pictures named ``<hash>.jpg`` with stable integer ids (aic_image_id), their sizes 0 where unknown;
        and their people as AIC14 Instances with COCO visibilities, boxes as x, y, width, height, area
        0.53 x the box (AREA_OF_BOX), ids 1, 2, ... in file order, source "A".

    Raises:
        InputError: broken or another format; humans whose box or keypoints are missing; a wrong keypoint
            count; codes that contradict the format, with the evidence; a box without size; a picture or
            an integer id that occurs twice.
    """
    what = "an AI Challenger keypoint file (a list of records)"
    raws = decode_document(read_bytes(path), list[msgspec.Raw], path, what)
    records = [record for block in decode_rows(raws, _Record, path, "") for record in block]
    images = _images(records, path, images_folder)
    people = [(row, human) for row, r in enumerate(records) for human in _humans(r, row, path)]
    rows = np.array([row for row, _ in people], np.int64)

    def label(person: int) -> str:
        row, human = people[person]
        return f"row {row} (image {records[row].image_id}, {human})"

    lists = [records[row].keypoint_annotations[human] for row, human in people]
    count = np.array([len(values) for values in lists], np.int64)
    refuse_first(
        count != 3 * len(AIC14), path, label, lambda k: f"has {count[k]} keypoint numbers, must be 42"
    )
    keypoints = np.array(lists, np.float64).reshape(len(people), len(AIC14), 3)
    _check_codes(keypoints, path, label)
    keypoints[:, :, 2] = _TO_COCO[keypoints[:, :, 2].astype(np.int64)]
    corners = np.array([records[row].human_annotations[human] for row, human in people], np.float64)
    corners = corners.reshape(-1, 4)
    box = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
    refuse_first(
        (box[:, 2:] <= 0).any(axis=1), path, label,
        lambda k: f"the box {corners[k].tolist()} has no positive size",
        "AI Challenger boxes are corners x1, y1, x2, y2",
    )  # fmt: skip
    area = AREA_OF_BOX * box[:, 2] * box[:, 3]
    ids = np.arange(1, len(people) + 1)
    return images, Instances.of(
        images.id[rows], box, keypoints, area=area, source="A", id=ids, skeleton=AIC14
    )


def _images(records: list[_Record], path: str | Path, folder: str | Path | None) -> ImageTable:
    ids = np.zeros(len(records), np.int64)
    for row, record in enumerate(records):
        try:
            ids[row] = aic_image_id(record.image_id)
        except ValueError:
            cause = f"image_id {record.image_id!r} is not a hash of {_DIGITS} or more hexadecimal digits"
            raise InputError(cause, file=path, row=row) from None
    refuse_first(
        repeated(ids), path, lambda row: f"row {row} (image {records[row].image_id})",
        "an earlier record has the same image id, or the same first 15 digits of it",
        "keep one record for each picture",
    )  # fmt: skip
    names = [f"{record.image_id}.jpg" for record in records]
    size = np.zeros((len(records), 2), np.int64)
    if folder is not None:
        for row, name in enumerate(names):
            if (Path(folder) / name).exists():
                size[row] = image_size(Path(folder) / name)
    return ImageTable(ids, tuple(names), size[:, 0], size[:, 1])


def _humans(record: _Record, row: int, path: str | Path) -> list[str]:
    """The humans of a record, by name: their order differs between the two tables."""
    boxes, points = set(record.human_annotations), set(record.keypoint_annotations)
    if boxes != points:
        one = min(boxes ^ points)
        cause = f"{one} has no {'keypoints' if one in boxes else 'box'}"
        raise InputError(cause, file=path, row=f"row {row} (image {record.image_id})")
    return sorted(boxes, key=lambda human: (len(human), human))


def _check_codes(keypoints: np.ndarray, path: str | Path, label: Label) -> None:
    codes = keypoints[:, :, 2]
    known = np.isin(codes, (1, 2, 3))
    if not known.all():
        values = np.unique(codes)
        coco = set(values.tolist()) <= {0, 1, 2}
        hint = "; these are COCO's 0, 1, 2" if coco else ""
        found = ", ".join(f"{value:g}" for value in values[:6])
        refuse_first(
            ~known.all(axis=1), path, label,
            lambda k: f"keypoint code {codes[k][~known[k]][0]:g} is not 1, 2 or 3 "
            f"(in the file: {found}){hint}",
            "AI Challenger's codes are 1 visible, 2 labelled but not visible, 3 not labelled",
        )  # fmt: skip
    placed = (codes == 3) & (keypoints[:, :, :2] != 0).any(axis=2)

    def evidence(person: int) -> str:
        k = int(np.argmax(placed[person]))
        x, y, _ = keypoints[person, k]
        return (
            f"{AIC14.keypoints[k]} has code 3 (not labelled) but lies at {x:g}, {y:g} "
            f"({int(placed.sum())} such keypoints in the file)"
        )

    remedy = "the codes contradict AI Challenger's format: find out what they mean before using the labels"
    refuse_first(placed.any(axis=1), path, label, evidence, remedy)


def write_aic(path: str | Path, images: ImageTable, instances: Instances) -> None:
    """Write AI Challenger's original format; the reverse of read_aic.

    Args:
        path: replaced atomically; gzipped when named ``.gz``.
        images: pictures named ``<hash>.jpg``.
        instances: labels in any skeleton; keypoints meet by name, the others are not written.

    Raises:
        InputError: an image the table lacks, a picture not named by a hash, a crowd region (the format
            has none), a visibility other than 0, 1, 2, a number that is not finite.
    """
    names = [Path(name).stem for name in images.file_name]
    for row, name in enumerate(names):
        try:
            aic_image_id(name)
        except ValueError:
            cause = f"picture {images.file_name[row]!r} is not named by a hash, as AI Challenger's are"
            raise InputError(cause, file=path, row=row) from None
    instances = instances.speaking(AIC14)

    def label(row: int) -> str:
        return f"instances[{row}] (image {instances.image_id[row]})"

    rows = images.rows_of(instances.image_id)
    refuse_first(rows < 0, path, label, "the image is not in the image table")
    refuse_first(instances.crowd, path, label, "a crowd region has no place in AI Challenger's format")
    check_finite(path, label, instances.keypoints, instances.box)
    keypoints = instances.keypoints.copy()
    wrong = ~np.isin(keypoints[:, :, 2], (0, 1, 2)).all(axis=1)
    refuse_first(wrong, path, label, "a keypoint's visibility is not 0, 1 or 2")
    keypoints[keypoints[:, :, 2] == 0, :2] = 0
    keypoints[:, :, 2] = _TO_AIC[keypoints[:, :, 2].astype(np.int64)]
    corners = np.concatenate([instances.box[:, :2], instances.box[:, :2] + instances.box[:, 2:]], axis=1)
    points = number_lists(keypoints.reshape(len(keypoints), 3 * len(AIC14)))
    boxes = number_lists(corners)
    humans: list[dict[str, dict[str, orjson.Fragment]]] = [{"box": {}, "points": {}} for _ in names]
    for person, row in enumerate(rows.tolist()):
        human = f"human{len(humans[row]['box']) + 1}"
        humans[row]["box"][human] = boxes[person]
        humans[row]["points"][human] = points[person]
    records = [
        {"image_id": name, "keypoint_annotations": h["points"], "human_annotations": h["box"]}
        for name, h in zip(names, humans, strict=True)
    ]
    write_rows(path, records)
