"""COCO person keypoints back from another tool, which may have numbered pictures anew."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kpkit.core.instances import ImageTable
from kpkit.core.skeletons import COCO17, Skeleton
from kpkit.data.coco import read_annotations
from kpkit.data.json_rows import row_label
from kpkit.exporters.corrected import Corrected
from kpkit.exporters.pictures import Pictures

ANNOTATIONS = "annotations.json"


def read_coco(path: Path, images: ImageTable, *, skeleton: Skeleton = COCO17) -> Corrected:
    """Read a COCO annotation file, its pictures told by name.

    Args:
        path: the file, or a folder that holds ``annotations.json``.
        images: the image list, whose ids the people get.
        skeleton: what the keypoints are.

    Returns:
        the pictures the file lists and its people in file order, of source "U".

    Raises:
        InputError: see data.coco.read_annotations; a picture the list lacks or of another size.
    """
    path = path / ANNOTATIONS if path.is_dir() else path
    table, people = read_annotations(path, skeleton=skeleton)
    pictures = Pictures(images, path)
    ids = np.zeros(len(table), np.int64)
    for k, name in enumerate(table.file_name):
        where = row_label("images", k, f"id {table.id[k]}")
        row = pictures.find(name, where)
        ids[k] = pictures.take(row, where)
        if table.width[k] and table.height[k]:
            pictures.check_size(row, int(table.width[k]), int(table.height[k]), where)
    image_id = ids[table.rows_of(people.image_id)]
    people = people.with_(image_id=image_id, source=np.full(len(people), "U"))
    return Corrected(pictures.seen, people)
