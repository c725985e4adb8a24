"""Box lists on disk that need no reading as a whole: rows of an array mapped into memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kpkit.core.errors import InputError
from kpkit.core.files import replacing
from kpkit.core.instances import Instances
from kpkit.core.skeletons import COCO17, Skeleton

_ROW = np.dtype([("image_id", "<i8"), ("id", "<i8"), ("box", "<f8", (4,)), ("score", "<f8"), ("area", "<f8")])


def write_boxes(path: str | Path, boxes: Instances) -> None:
    """Keep image ids, ids, boxes, scores and areas exactly (.npy); equal input, equal bytes."""
    rows = np.zeros(len(boxes), _ROW)
    for name in _ROW.names or ():
        rows[name] = getattr(boxes, name)
    with replacing(path) as temporary, open(temporary, "wb") as handle:
        np.save(handle, rows, allow_pickle=False)


def open_boxes(path: str | Path) -> np.ndarray:
    """The rows that write_boxes wrote, read from disk as they are looked at; slice, then boxes_of.

    Raises InputError for a file that is missing, damaged or not of this kind.
    """
    try:
        rows = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise InputError("no such file", file=path) from None
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"damaged, or not a list of boxes ({error})", file=path) from None
    if rows.dtype != _ROW or rows.ndim != 1:
        raise InputError("not a list of boxes", file=path)
    return rows


def boxes_of(rows: np.ndarray, skeleton: Skeleton = COCO17) -> Instances:
    """Some rows as Instances without keypoints, of source ``"D"``."""
    columns = {name: np.array(rows[name]) for name in _ROW.names or ()}
    return Instances.of(columns.pop("image_id"), columns.pop("box"), source="D", skeleton=skeleton, **columns)
