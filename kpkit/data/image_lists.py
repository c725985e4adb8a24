"""Lists of pictures: the ``images`` table of any COCO file (``image_info_*.json`` has nothing else)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np

from kpkit.core.errors import InputError
from kpkit.core.files import safe_join
from kpkit.core.instances import ImageTable
from kpkit.data.json_rows import (
    INT64,
    decode_document,
    decode_rows,
    read_bytes,
    refuse_first,
    repeated,
    row_label,
)
from kpkit.data.json_write import write_rows


class ImageRow(msgspec.Struct, gc=False):
    """One record of an ``images`` table."""

    id: INT64
    file_name: str
    width: INT64 = 0
    height: INT64 = 0


class _ImageList(msgspec.Struct):
    images: list[msgspec.Raw]


def read_image_list(path: str | Path) -> ImageTable:
    """Read the pictures a COCO file lists, in file order; annotations are ignored.

    Raises:
        InputError: not JSON, no ``images``, a missing key, an id that is no integer or occurs twice, a
            file name that leaves its folder.
    """
    document = decode_document(read_bytes(path), _ImageList, path, "a COCO image list")
    return image_table(document.images, path)


def image_table(raws: list[msgspec.Raw], path: str | Path) -> ImageTable:
    """The ``images`` table of a COCO file cut into rows, checked."""
    blocks = decode_rows(raws, ImageRow, path, "images")
    return checked_images([row for block in blocks for row in block], path)


def checked_images(rows: list[ImageRow], path: str | Path) -> ImageTable:
    """Records to a table; the first wrong one raises InputError."""
    ids = np.array([row.id for row in rows], np.int64)

    def label(row: int) -> str:
        return row_label("images", row, f"id {ids[row]}")

    refuse_first(repeated(ids), path, label, "the image id occurs twice", "keep one of the two records")
    names = [row.file_name for row in rows]
    check_names(names, path, label)
    size = np.array([(row.width, row.height) for row in rows], np.int64).reshape(-1, 2)
    refuse_first((size < 0).any(axis=1), path, label, "the picture's width or height is negative")
    return ImageTable(ids, tuple(names), size[:, 0], size[:, 1])


def check_names(names: list[str], path: str | Path, label: Callable[[int], str]) -> None:
    """Refuse file names that leave their folder (the rule of core.files.safe_join)."""
    for row, name in enumerate(names):
        # The exact rule costs microseconds a name; only a name with one of these can break it.
        if not name or name[0] == "/" or ".." in name or "\0" in name:
            try:
                safe_join("", name)
            except InputError:
                cause = f"file name {name!r} leaves its folder"
                remedy = "file names are relative to the picture folder, without '..'"
                raise InputError(cause, file=path, row=label(row), remedy=remedy) from None


def image_rows(images: ImageTable) -> list[dict[str, object]]:
    """The ``images`` table as COCO writes it; unknown sizes (0) are left out."""
    rows: list[dict[str, object]] = []
    for image_id, name, width, height in zip(
        images.id.tolist(), images.file_name, images.width.tolist(), images.height.tolist(), strict=True
    ):
        row: dict[str, object] = {"id": image_id, "file_name": name}
        rows.append(row | {"width": width, "height": height} if width and height else row)
    return rows


def write_image_list(path: str | Path, images: ImageTable, *, info: dict[str, object] | None = None) -> None:
    """Write an image list as COCO's ``image_info_*.json``: info, licenses, images, categories."""
    document = {
        "info": info or {},
        "licenses": [],
        "images": image_rows(images),
        "categories": [{"supercategory": "person", "id": 1, "name": "person"}],
    }
    write_rows(path, document)
