"""What labelled people of a file must agree with: their pictures, each other, COCO's visibilities."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kpkit.core.instances import ImageTable, Instances
from kpkit.data.json_rows import BOX, Label, check_boxes, refuse_first, repeated

_ROWS = 4096
"""People whose visibilities are looked at together: they stay in the processor's cache."""


def check_labels(images: ImageTable, people: Instances, path: str | Path, label: Label) -> None:
    """Refuse the first annotation that cannot be.

    Args:
        images: the file's pictures.
        people: its annotations, visibilities of COCO's meaning.
        path, label: name the file and its rows.

    Raises:
        InputError: an id twice, an unknown image, a visibility other than 0, 1, 2, a box of negative size,
            or of zero size with labelled keypoints, a negative area.
    """
    refuse_first(repeated(people.id), path, label, "the annotation id occurs twice", "give each its own id")
    image_id, box = people.image_id, people.box
    unknown = images.rows_of(image_id) < 0
    refuse_first(unknown, path, label, lambda k: f"image {image_id[k]} is not in the file's images")
    visibility = people.keypoints[:, :, 2]
    if not all(_is_coco(visibility[start : start + _ROWS]) for start in range(0, len(people), _ROWS)):
        wrong = ~np.isin(visibility, (0, 1, 2)).all(axis=1)
        remedy = "see COCO's data format"
        refuse_first(wrong, path, label, "a keypoint's visibility is not 0, 1 or 2", remedy)
    least = box[:, 2:].min(initial=1)
    if least < 0:
        refuse_first((box[:, 2:] < 0).any(axis=1), path, label, "the box's width or height is negative", BOX)
    if least == 0:
        check_boxes(box, people.num_labelled > 0, path, label)
    refuse_first(people.area < 0, path, label, "the area is negative")


def _is_coco(visibility: np.ndarray) -> bool:
    """Whether all (N, K) are 0, 1 or 2."""
    visibility = np.ascontiguousarray(visibility)
    with np.errstate(invalid="ignore"):
        codes = visibility.astype(np.uint8)
    return bool(codes.max(initial=0) <= 2 and (codes == visibility).all())
