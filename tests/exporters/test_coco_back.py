"""COCO files back from tools that number pictures anew."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from kpkit.core.errors import InputError
from kpkit.core.instances import ImageTable
from kpkit.data.coco import write_annotations
from kpkit.exporters.coco import read_coco

from .drawn_labels import assert_equal, one_person


def test_pictures_are_told_by_name(tmp_path: Path) -> None:
    images, people = one_person()
    renumbered = ImageTable.of([1, 2], ["images/sub/two.jpg", "one.jpg"], [200, 200], [100, 100])
    path = tmp_path / "annotations.json"
    write_annotations(path, renumbered, people.with_(image_id=np.array([2])), scores=True)
    back = read_coco(tmp_path, images)
    assert back.images.id.tolist() == [785, 9]
    assert_equal(back.people, people, "image_id", "box", "area", "score", "source")
    table = json.loads(path.read_text())
    table["images"][0]["height"] = 200
    path.write_text(json.dumps(table))
    with pytest.raises(InputError, match=r"images\[0\] \(id 1\): picture 'sub/two.jpg' is 200 x 200 here"):
        read_coco(path, images)
    table["images"][0]["file_name"] = "three.jpg"
    path.write_text(json.dumps(table))
    with pytest.raises(
        InputError, match=r"images\[0\] \(id 1\): picture 'three.jpg' is not in the image list"
    ):
        read_coco(path, images)
