"""Box lists: exact, the same bytes for the same boxes, read row by row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kpkit.core.errors import InputError
from kpkit.core.instances import Instances
from kpkit.data.box_list import boxes_of, open_boxes, write_boxes


def some(count: int) -> Instances:
    rng = np.random.default_rng(count)
    return Instances.of(
        rng.integers(0, 9, count), rng.random((count, 4)), score=rng.random(count), area=rng.random(count),
        id=rng.integers(0, 2**40, count), source="D",
    )  # fmt: skip


@pytest.mark.parametrize("count", [0, 1, 50])
def test_what_is_written_is_read(tmp_path: Path, count: int) -> None:
    path, boxes = tmp_path / "boxes.npy", some(count)
    write_boxes(path, boxes)
    rows = open_boxes(path)
    assert len(rows) == count
    back = boxes_of(rows)
    for name in ("image_id", "box", "score", "area", "id", "source", "crowd", "keypoints"):
        np.testing.assert_array_equal(getattr(back, name), getattr(boxes, name))
    np.testing.assert_array_equal(boxes_of(rows[10:12]).box, boxes.box[10:12])
    before = path.read_bytes()
    write_boxes(path, boxes)
    assert path.read_bytes() == before and len(before) <= 64 * count + 256


def test_rows_stay_on_disk(tmp_path: Path) -> None:
    write_boxes(tmp_path / "boxes.npy", some(5))
    rows = open_boxes(tmp_path / "boxes.npy")
    assert isinstance(rows, np.memmap) and not rows.flags.writeable
    assert not isinstance(boxes_of(rows).box, np.memmap)


@pytest.mark.parametrize("damage", ["gone", "cut", "text", "other"])
def test_damage_is_named(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "boxes.npy"
    write_boxes(path, some(20))
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "text":
        path.write_text("boxes")
    else:
        np.save(path, np.zeros(20))
    with pytest.raises(InputError, match=r"boxes\.npy"):
        open_boxes(path)
