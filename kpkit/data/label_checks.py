"""What labelled people of a file must agree with: their pictures, each other, COCO's visibilities."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kpkit.core.instances import ImageTable
from kpkit.data.json_rows import BOX, Label, check_boxes, refuse_first, repeated


def check_labels(
    images: ImageTable,
    ids: np.ndarray,
    image_id: np.ndarray,
    box: np.ndarray,
    area: np.ndarray,
    keypoints: np.ndarray,
    path: str | Path,
    label: Label,
) -> None:
    """Refuse the first annotation that cannot be.

    Args:
        images: the file's pictures.
        ids, image_id: (N,) integers.
        box: (N, 4) x, y, width, height.
        area: (N,).
        keypoints: (N, K, 3), the third a visibility of COCO's meaning.
        path, label: name the file and its rows.

    Raises:
        InputError: an id twice, an unknown image, a visibility other than 0, 1, 2, a box of negative size,
            or of zero size with labelled keypoints, a negative area.
    """
    refuse_first(repeated(ids), path, label, "the annotation id occurs twice", "give each its own id")
    unknown = images.rows_of(image_id) < 0
    refuse_first(unknown, path, label, lambda k: f"image {image_id[k]} is not in the file's images")
    visibility = keypoints[:, :, 2]
    with np.errstate(invalid="ignore"):
        codes = visibility.astype(np.uint8)
    if codes.max(initial=0) > 2 or not np.array_equal(codes, visibility):
        wrong = ((codes > 2) | (codes != visibility)).any(axis=1)
        remedy = "see COCO's data format"
        refuse_first(wrong, path, label, "a keypoint's visibility is not 0, 1 or 2", remedy)
    refuse_first((box[:, 2:] < 0).any(axis=1), path, label, "the box's width or height is negative", BOX)
    if box[:, 2:].min(initial=1) <= 0:
        check_boxes(box, codes.any(axis=1), path, label)
    refuse_first(area < 0, path, label, "the area is negative")
