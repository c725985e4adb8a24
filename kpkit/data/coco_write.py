"""COCO person-keypoints annotation files, written whole or as a stream of people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import orjson

from kpkit.core.files import replacing
from kpkit.core.instances import ImageTable, Instances
from kpkit.core.skeletons import Skeleton
from kpkit.data.image_lists import image_rows
from kpkit.data.json_rows import check_finite, refuse_first, repeated, row_label
from kpkit.data.json_write import json_file, number_lists

Extra = Mapping[str, Sequence[object]]
"""Further keys of annotations: name -> one value per person."""


def write_annotations(
    path: str | Path,
    images: ImageTable,
    instances: Instances,
    *,
    segmentation: list[object] | None = None,
    info: dict[str, object] | None = None,
    scores: bool = False,
) -> None:
    """Write a COCO person-keypoints file that pycocotools loads (gzipped when named ``.gz``).

    Args:
        path: replaced atomically.
        images: every picture, also those without persons.
        instances: labels; third keypoint values must be visibilities. Ids of 0 become new unique ids. Weights
            of keypoints, where there are any, become ``keypoint_weight``, a list of one number each.
        segmentation: N polygons lists or RLE objects, in row order.
        info: the file's ``info`` record.
        scores: add each instance's score as ``score``.

    Raises:
        InputError: an image the table lacks, an id twice, a visibility other than 0, 1, 2, a number that
            is not finite.
    """
    people = instances.with_(id=_unique_ids(instances.id))
    extra: dict[str, Sequence[object]] = {}
    if segmentation is not None:
        extra["segmentation"] = segmentation
    if scores:
        extra["score"] = people.score.tolist()
    write_annotation_stream(path, images, [(people, extra)], info=info, skeleton=people.skeleton)


def write_annotation_stream(
    path: str | Path,
    images: ImageTable,
    blocks: Iterable[tuple[Instances, Extra]],
    *,
    skeleton: Skeleton,
    info: dict[str, object] | None = None,
) -> None:
    """As write_annotations, of people that come block by block; only one block is in memory.

    Args:
        path: replaced atomically; an error in ``blocks`` leaves the old file.
        images: every picture.
        blocks: people, each with an id that no other block has, and further keys of their annotations.
        skeleton: of all blocks.
        info: the file's ``info`` record.
    """
    head = {"info": info or {}, "licenses": [], "images": image_rows(images)}
    with replacing(path) as temporary, json_file(temporary, packed=str(path).endswith(".gz")) as file:
        file.write(orjson.dumps(head, option=orjson.OPT_SERIALIZE_NUMPY)[:-1] + b',"annotations":[')
        begun = False
        for people, extra in blocks:
            rows = _rows(path, images, people, extra)
            if rows:
                text = orjson.dumps(rows, option=orjson.OPT_SERIALIZE_NUMPY)
                file.write((b"," if begun else b"") + text[1:-1])
                begun = True
        file.write(b'],"categories":' + orjson.dumps([_category(skeleton)]) + b"}")


def _rows(path: str | Path, images: ImageTable, people: Instances, extra: Extra) -> list[dict[str, object]]:
    """Checked annotations of one block."""

    def label(row: int) -> str:
        return row_label("instances", row, f"image {people.image_id[row]}")

    refuse_first(images.rows_of(people.image_id) < 0, path, label, "the image is not in the image table")
    refuse_first(repeated(people.id), path, label, "the annotation id occurs twice")
    wrong = ~np.isin(people.keypoints[:, :, 2], (0, 1, 2)).all(axis=1)
    refuse_first(wrong, path, label, "a keypoint's visibility is not 0, 1 or 2")
    check_finite(path, label, people.keypoints, people.box, people.area, people.score)
    columns: dict[str, Sequence[object]] = {
        "id": people.id.tolist(),
        "image_id": people.image_id.tolist(),
        "category_id": [1] * len(people),
        "iscrowd": people.crowd.astype(int).tolist(),
        "bbox": people.box.tolist(),
        "area": people.area.tolist(),
        "num_keypoints": people.num_labelled.tolist(),
        "keypoints": number_lists(people.keypoints.reshape(len(people), 3 * len(people.skeleton))),
    }
    if people.keypoint_weight is not None:
        check_finite(path, label, people.keypoint_weight)
        columns["keypoint_weight"] = number_lists(people.keypoint_weight)
    columns |= extra
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _category(skeleton: Skeleton) -> dict[str, object]:
    return {
        "supercategory": "person",
        "id": 1,
        "name": "person",
        "keypoints": skeleton.keypoints,
        "skeleton": [[a + 1, b + 1] for a, b in skeleton.limb_indices],
    }


def _unique_ids(ids: np.ndarray) -> np.ndarray:
    """Ids of 0 replaced by those after the largest (COCOeval takes an id of 0 for "no match")."""
    missing = ids == 0
    first = max(int(ids.max(initial=0)), 0) + 1
    return np.where(missing, first - 1 + np.cumsum(missing), ids)
