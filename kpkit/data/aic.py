"""AI Challenger's original keypoint format to and from Instances.

A list of records: ``image_id`` (a hash; the picture is ``<hash>.jpg``), ``human_annotations`` {human:
[x1, y1, x2, y2]} (corners), ``keypoint_annotations`` {human: 14 x (x, y, code)}. Codes are 1 visible,
2 labelled but not visible, 3 not labelled (always 0, 0): not COCO's. Right side first.
Source: AIChallenger/AI_Challenger_2017, Evaluation/keypoint_eval.

Boxes go round what is seen of a person, so hidden keypoints may lie outside their own box (3 % of the
labelled ones, by 13 % of the box at the median). Both stay as they are annotated: a detector's boxes go round
what is seen, too, and training on boxes grown to every keypoint would show smaller people than there are at
test time. A crop takes in a quarter more than the box, and a keypoint beyond the crop has no loss.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import msgspec
import numpy as np
import orjson

from kpkit.core.errors import InputError
from kpkit.core.instances import ImageTable, Instances
from kpkit.core.skeletons import AIC14
from kpkit.core.visibility import CODES, VisibilityCodes
from kpkit.data.coco import AREA_OF_BOX
from kpkit.data.images import image_size
from kpkit.data.json_rows import (
    Label,
    check_finite,
    decode_document,
    decode_rows,
    read_bytes,
    refuse_first,
    repeated,
)
from kpkit.data.json_write import number_lists, write_rows
from kpkit.data.visibility import ENOUGH, STRAY, check_codes

_DIGITS = 15
_NUMBERS = 3 * len(AIC14)


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


def read_aic(
    path: str | Path,
    images_folder: str | Path | None = None,
    *,
    codes: VisibilityCodes = CODES["aic"],
) -> tuple[ImageTable, Instances]:
    """Read AI Challenger annotations, plain or gzipped.

    Args:
        path: the file.
        images_folder: where the pictures are; given, their sizes are read from their headers.
        codes: what its visibility codes mean.

    Returns:
        Pictures named ``<hash>.jpg`` with stable integer ids (aic_image_id), their sizes 0 where unknown;
        and their people as AIC14 Instances with COCO visibilities, boxes as x, y, width, height, area
        0.53 x the box (AREA_OF_BOX), ids 1, 2, ... in file order, source "A". The few humans whose box has
        no size, which public loaders skip, are kept without labels: there is nothing to crop.

    Raises:
        InputError: broken or another format; humans whose box or keypoints are missing; a wrong keypoint
            count; codes that contradict ``codes``, or boxes that are not corners, each with the evidence; a
            picture or an integer id that occurs twice.
    """
    what = "an AI Challenger keypoint file (a list of records)"
    raws = decode_document(read_bytes(path), list[msgspec.Raw], path, what)
    names: list[str] = []
    humans: list[str] = []
    # every number of a record is a Python object; few records are alive at a time
    parts = [(np.zeros(0, np.int64), np.zeros((0, 4)), np.zeros((0, len(AIC14), 3)))]
    for block in decode_rows(raws, _Record, path, ""):
        parts.append(_block(block, len(names), humans, path))
        names += [record.image_id for record in block]
    rows, corners, keypoints = map(np.concatenate, zip(*parts, strict=True))
    images = _images(names, path, images_folder)

    def label(person: int) -> str:
        return f"row {rows[person]} (image {names[rows[person]]}, {humans[person]})"

    check_codes(keypoints, codes, AIC14, path, label)
    keypoints[:, :, 2] = codes.to_coco(keypoints[:, :, 2])
    box = np.concatenate([corners[:, :2], np.maximum(corners[:, 2:] - corners[:, :2], 0)], axis=1)
    _check_corners(corners, box, keypoints, path, label)
    keypoints[(box[:, 2:] == 0).any(axis=1)] = 0
    area = AREA_OF_BOX * box[:, 2] * box[:, 3]
    ids = np.arange(1, len(box) + 1)
    return images, Instances.of(
        images.id[rows], box, keypoints, area=area, source="A", id=ids, skeleton=AIC14
    )


def _block(
    records: list[_Record], start: int, humans: list[str], path: str | Path
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Record rows, corners and keypoints of some records' humans, whose names are added to ``humans``."""
    rows: list[int] = []
    corners: list[Iterable[float]] = []
    points: list[list[float]] = []
    for row, record in enumerate(records, start):
        for human in _humans(record, row, path):
            found = record.keypoint_annotations[human]
            if len(found) != _NUMBERS:
                cause = f"has {len(found)} keypoint numbers, must be {_NUMBERS}"
                raise InputError(cause, file=path, row=f"row {row} (image {record.image_id}, {human})")
            rows.append(row)
            humans.append(human)
            corners.append(record.human_annotations[human])
            points.append(found)
    return (
        np.array(rows, np.int64),
        np.fromiter(chain.from_iterable(corners), np.float64, 4 * len(rows)).reshape(-1, 4),
        np.fromiter(chain.from_iterable(points), np.float64, _NUMBERS * len(rows)).reshape(-1, len(AIC14), 3),
    )


def _images(names: list[str], path: str | Path, folder: str | Path | None) -> ImageTable:
    ids = np.zeros(len(names), np.int64)
    for row, name in enumerate(names):
        try:
            ids[row] = aic_image_id(name)
        except ValueError:
            cause = f"image_id {name!r} is not a hash of {_DIGITS} or more hexadecimal digits"
            raise InputError(cause, file=path, row=row) from None
    refuse_first(
        repeated(ids), path, lambda row: f"row {row} (image {names[row]})",
        "an earlier record has the same image id, or the same first 15 digits of it",
        "keep one record for each picture",
    )  # fmt: skip
    files = [f"{name}.jpg" for name in names]
    size = np.zeros((len(names), 2), np.int64)
    if folder is not None:
        for row, name in enumerate(files):
            if (Path(folder) / name).exists():
                size[row] = image_size(Path(folder) / name)
    return ImageTable(ids, tuple(files), size[:, 0], size[:, 1])


def _humans(record: _Record, row: int, path: str | Path) -> list[str]:
    """The humans of a record, by name: their order differs between the two tables."""
    boxes, points = record.human_annotations.keys(), record.keypoint_annotations.keys()
    if boxes != points:
        one = min(boxes ^ points)
        cause = f"{one} has no {'keypoints' if one in boxes else 'box'}"
        raise InputError(cause, file=path, row=f"row {row} (image {record.image_id})")
    return sorted(boxes, key=lambda human: (len(human), human))


def _check_corners(
    corners: np.ndarray, box: np.ndarray, keypoints: np.ndarray, path: str | Path, label: Label
) -> None:
    """Refuse boxes that cannot be corners: more than a few have no size, or most keypoints lie outside."""
    people = Instances.of(np.zeros(len(box)), box, keypoints, skeleton=AIC14)
    sizeless = (box[:, 2:] == 0).any(axis=1)
    outside, labelled = people.labelled_outside, int(people.num_labelled.sum())
    lost = int(outside.sum())
    if sizeless.sum() > STRAY * len(box):
        faulty, cause = (
            sizeless,
            f"has no positive size, nor have {int(sizeless.sum()) - 1} of the {len(box) - 1} others",
        )
    elif labelled >= ENOUGH and lost > labelled / 2:
        faulty, cause = outside.any(axis=1), "does not hold its human's keypoints"
    else:
        return
    remedy = "AI Challenger boxes are corners x1, y1, x2, y2"
    otherwise = int(people.with_(box=corners).labelled_outside.sum())
    if otherwise < lost:
        remedy += (
            f"; these look like x, y, width, height, with which it would be {otherwise}: make them corners"
        )
    refuse_first(
        faulty, path, label,
        lambda k: f"the box {corners[k].tolist()} {cause} "
        f"({lost} of {labelled} labelled keypoints lie outside their own box)",
        remedy,
    )  # fmt: skip


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
    keypoints[:, :, 2] = CODES["aic"].from_coco(keypoints[:, :, 2])
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
