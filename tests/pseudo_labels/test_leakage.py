"""No picture is labelled twice or judged on: told by id, content or name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kpkit.core.errors import InputError
from kpkit.core.instances import ImageTable
from kpkit.core.parts import Part
from kpkit.data.image_lists import write_image_list
from kpkit.pseudo_labels.leakage import refuse_leak
from kpkit.specs.datasets import Dataset, known_lists

HALF = Part(1, 2)


def made(
    root: Path, name: str, pictures: Sequence[tuple[int, str, bytes | None]], folder: str | None = None
) -> Dataset:
    """A data set of (id, file name, content or None for a picture that is not there)."""
    images = root / (folder or name)
    for _, file, content in pictures:
        if content is not None:
            (images / file).parent.mkdir(parents=True, exist_ok=True)
            (images / file).write_bytes(content)
    listed = root / f"{name}.json"
    write_image_list(listed, ImageTable.of([p[0] for p in pictures], [p[1] for p in pictures]))
    return Dataset(name, "images", listed, images, None, None)


def noise(seed: int, size: int = 20000) -> bytes:
    return np.random.default_rng(seed).bytes(size)


def refusal(ours: Dataset, *lists: Dataset) -> str:
    with pytest.raises(InputError) as caught:
        refuse_leak(ours, lists)
    assert str(caught.value).startswith(f"{ours.annotations}: ")
    return str(caught.value)


def test_different_pictures_pass(tmp_path: Path) -> None:
    ours = made(tmp_path, "mine", [(1, "a.jpg", noise(1)), (2, "deep/b.jpg", noise(2))])
    theirs = made(tmp_path, "coco_val2017", [(1, "a.jpg", noise(3)), (2, "c.jpg", noise(4, 100))])
    gone = made(tmp_path, "aic_val", [(7, "0123456789abcdef.jpg", None), (8, "a.jpg", None)])
    refuse_leak(ours, [theirs, gone])
    refuse_leak(ours, [])


def test_parts_of_one_data_set_are_told_apart(tmp_path: Path) -> None:
    listed = made(tmp_path, "coco_train2017", [(n, f"{n}.jpg", None) for n in range(20)])
    one, other = (replace(listed, name=f"{listed.name}@{part}", part=part) for part in (HALF, HALF.rest))
    refuse_leak(one, [other])
    assert "is one of coco_train2017@1of2: told by its id" in refusal(listed, one)


def test_by_id_among_coco_s_own_splits(tmp_path: Path) -> None:
    ours = made(tmp_path, "coco_unlabeled2017", [(4, "000000000004.jpg", None), (9, "9.jpg", None)])
    theirs = made(tmp_path, "coco_test2017", [(9, "000000000009.jpg", None)])
    text = refusal(ours, theirs)
    assert (
        "picture 9.jpg (id 9) is to be pseudo-labelled, but is one of coco_test2017: told by its id" in text
    )
    assert "leave the pictures of coco_test2017 out" in text
    # ids of other people's data sets mean nothing here, but those of one folder do
    refuse_leak(made(tmp_path, "mine", [(9, "x.jpg", None)]), [theirs])
    same = made(tmp_path, "mine", [(9, "x.jpg", None)], folder="coco_test2017")
    assert "told by its id" in refusal(same, theirs)


def test_by_content_under_any_name(tmp_path: Path) -> None:
    copied = noise(5)
    ours = made(tmp_path, "mine", [(1, "a.jpg", noise(1)), (2, "b.jpg", copied), (3, "c.jpg", copied)])
    # of one size with the copies: another picture, and one that differs in its first byte alone
    others = [(31, "y.jpg", noise(6)), (32, "z.jpg", b"\0" + copied[1:])]
    refuse_leak(ours, [made(tmp_path, "coco_val2017", others)])
    theirs = made(tmp_path, "coco_val2017", [*others, (30, "renamed.jpg", copied)])
    text = refusal(ours, made(tmp_path, "aic_val", [(1, "q.jpg", noise(8))]), theirs)
    assert "picture b.jpg (id 2) (and 1 more)" in text and "coco_val2017: told by its content" in text


def test_by_name_where_the_other_picture_is_not_there(tmp_path: Path) -> None:
    theirs = made(tmp_path, "coco_test2017", [(77, "000000000077.jpg", None)])
    for name in ("000000000077.jpg", "sub/000000000077.png", "COCO_test2014_000000000077.jpg"):
        assert "told by its name" in refusal(made(tmp_path, "mine", [(1, name, noise(1))]), theirs)
    refuse_leak(made(tmp_path, "mine", [(1, "000000000078.jpg", noise(1))]), [theirs])
    there = made(tmp_path, "coco_test2017", [(77, "000000000077.jpg", noise(2))])
    refuse_leak(made(tmp_path, "mine", [(1, "000000000077.jpg", noise(1))]), [there])


def test_lists_are_known_without_their_pictures(nano_world: Path, tmp_path: Path) -> None:
    names = [dataset.name for dataset in known_lists(nano_world)]
    assert names == [
        "coco_train2017", "coco_val2017", "coco_unlabeled2017", "coco_test-dev2017", "coco_test2017",
        "aic_train",
    ]  # fmt: skip
    (tmp_path / "coco").mkdir()
    (tmp_path / "coco/annotations").symlink_to(nano_world / "coco/annotations")
    found = {dataset.name: dataset for dataset in known_lists(tmp_path)}
    assert set(found) == set(names) - {"aic_train"}
    assert found["coco_val2017"].images == tmp_path / "coco/val2017"
