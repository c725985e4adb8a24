"""Data sets in memory, whole and in parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kpkit.core.errors import InputError
from kpkit.core.parts import Part
from kpkit.data.load import load_boxes, load_dataset
from kpkit.specs.datasets import resolve


@pytest.mark.parametrize("name", ["coco_train2017", "coco_unlabeled2017", "aic_train"])
def test_parts_share_pictures_people_and_boxes_out(nano_world: Path, name: str) -> None:
    whole = load_dataset(resolve(name, nano_world))
    parts = [load_dataset(resolve(f"{name}@{part}", nano_world)) for part in ("1of2", "not1of2")]
    for part, held in zip(parts, (Part(1, 2), Part(2, 2)), strict=True):
        assert held.holds(part.images.id).all() and held.holds(part.people.image_id).all()
        assert set(part.people.image_id) <= set(part.images.id)
    assert sorted(np.concatenate([part.images.id for part in parts])) == sorted(whole.images.id)
    assert sum(len(part.people) for part in parts) == len(whole.people)
    for source in ("truth", "detections") if name == "coco_train2017" else ("image",):
        boxes = [load_boxes(resolve(name, nano_world), part, source) for part in (whole, *parts)]
        assert len(boxes[0]) == len(boxes[1]) + len(boxes[2]) > 0
        assert not set(boxes[1].image_id) & set(boxes[2].image_id)


def test_only_the_pictures_of_a_part_must_be_there(nano_world: Path, tmp_path: Path) -> None:
    for place in ("coco/annotations", "coco/train2017"):
        (tmp_path / place).mkdir(parents=True)
    file = "coco/annotations/person_keypoints_train2017.json"
    (tmp_path / file).write_bytes((nano_world / file).read_bytes())
    part = load_dataset(resolve("coco_train2017@1of2", nano_world))
    for name in part.images.file_name:
        (tmp_path / "coco/train2017" / name).touch()
    assert len(load_dataset(resolve("coco_train2017@1of2", tmp_path)).images) == len(part.images)
    with pytest.raises(InputError, match="missing picture"):
        load_dataset(resolve("coco_train2017@2of2", tmp_path))


def test_a_part_without_pictures_is_refused(nano_world: Path) -> None:
    ids = load_dataset(resolve("coco_val2017", nano_world)).images.id
    empty = next(part for part in (Part(n, 40) for n in range(1, 41)) if not part.holds(ids).any())
    with pytest.raises(InputError, match=rf"none of 8 pictures belongs to coco_val2017@{empty}; deal them"):
        load_dataset(resolve(f"coco_val2017@{empty}", nano_world))
