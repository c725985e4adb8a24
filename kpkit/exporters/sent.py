"""What every writer for a labelling tool needs: checked labels, known picture sizes, a folder made whole."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kpkit.core.errors import InputError
from kpkit.core.files import publish_folder, safe_join
from kpkit.core.instances import ImageTable, Instances
from kpkit.data.images import image_size
from kpkit.data.json_rows import check_finite, refuse_first, row_label


@contextlib.contextmanager
def making(folder: Path) -> Iterator[Path]:
    """A folder that appears whole or not at all.

    Yields the work folder beside it. Raises InputError when the folder is there already.
    """
    folder = Path(os.path.abspath(folder))
    if folder.exists():
        raise InputError("is there already", file=folder, remedy="give another folder, or remove it first")
    work = folder.with_name(f".{folder.name}.{os.getpid()}.work")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        yield work
        publish_folder(work, folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def checked(images: ImageTable, people: Instances) -> np.ndarray:
    """(N,) row of each person's picture.

    Raises:
        InputError: an image the table lacks, a visibility other than 0, 1, 2, a number that is not finite.
    """

    def label(row: int) -> str:
        return row_label("instances", row, f"image {people.image_id[row]}")

    where = "labels to export"
    rows = images.rows_of(people.image_id)
    refuse_first(rows < 0, where, label, "the image is not in the image table")
    wrong = ~np.isin(people.keypoints[:, :, 2], (0, 1, 2)).all(axis=1)
    refuse_first(wrong, where, label, "a keypoint's visibility is not 0, 1 or 2")
    check_finite(where, label, people.keypoints, people.box, people.area, people.score)
    return rows


def with_sizes(images: ImageTable, folder: Path | None) -> ImageTable:
    """The table with every picture's size, read from the pictures' headers where it does not tell.

    Raises InputError where a size is unknown and there is no picture to read it from.
    """
    unknown = np.flatnonzero((images.width == 0) | (images.height == 0))
    if len(unknown) == 0:
        return images
    if folder is None:
        raise InputError(
            f"the size of picture {images.file_name[int(unknown[0])]!r} is not given",
            remedy="name the picture folder with --images",
        )
    size = np.stack([images.width, images.height], axis=1)
    for row in unknown.tolist():
        size[row] = image_size(safe_join(folder, images.file_name[row]))
    return ImageTable(images.id, images.file_name, size[:, 0], size[:, 1])
