"""Any damage to a tool's file is read, or refused in one sentence that names the file."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpkit.core.errors import InputError
from kpkit.core.instances import ImageTable
from kpkit.exporters.corrected import Corrected
from kpkit.exporters.cvat import read_cvat, write_cvat
from kpkit.exporters.label_studio import read_label_studio, write_label_studio
from kpkit.exporters.yolo_pose import read_yolo_pose, write_yolo_pose

from .drawn_labels import one_person

WORDS = [
    "",
    "0",
    "-1",
    "1e400",
    "nan",
    "person",
    "nose",
    "crowd",
    "person_box",
    "two.jpg",
    "ü\t",
    "9" * 30,
    "1,2",
]
VALUES: list[Any] = [
    None,
    True,
    -1,
    0,
    1.5,
    2**65,
    "x",
    "",
    [],
    {},
    [[]],
    1e308,
    "../x",
    {"id": 1},
    [1],
    ["x"],
]


def survives(read: Callable[[Path, ImageTable], Corrected], path: Path, images: ImageTable) -> None:
    refused = ""
    try:
        corrected = read(path, images)
    except InputError as error:
        refused = str(error)
    if refused:
        assert str(path) in refused
        assert "\n" not in refused
        return
    people = corrected.people
    assert (corrected.images.rows_of(people.image_id) >= 0).all()
    assert np.isfinite(people.keypoints).all()
    assert np.isfinite(people.box).all()


def scattered(data: st.DataObject, content: bytes) -> bytes:
    """A few bytes replaced, now and then the end cut off."""
    text = bytearray(content)
    for _ in range(data.draw(st.integers(0, 2))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    return bytes(text[: data.draw(st.integers(1, 4 * len(text)))])


@given(st.data())
@settings(max_examples=70, deadline=None)
def test_cvat(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    images, people = one_person()
    folder = tmp_path_factory.mktemp("cvat")
    write_cvat(folder, images, people)
    path = folder / "annotations.xml"
    tree = ElementTree.parse(path)
    nodes = list(tree.iter())[-45:]  # the image and its shapes
    for _ in range(data.draw(st.integers(0, 3))):
        node = data.draw(st.sampled_from(nodes))
        kind = data.draw(st.integers(0, 4))
        if kind == 0:
            node.tag = data.draw(st.sampled_from(["box", "points", "skeleton", "attribute", "image", "mask"]))
        elif kind == 1:
            node.text = data.draw(st.sampled_from(WORDS))
        elif kind == 2:
            node.append(copy.deepcopy(data.draw(st.sampled_from(nodes[-5:]))))
        elif node.attrib:
            key = data.draw(st.sampled_from(sorted(node.attrib)))
            if kind == 3:
                del node.attrib[key]
            else:
                node.attrib[key] = data.draw(st.sampled_from(WORDS))
    tree.write(path, encoding="utf-8", xml_declaration=True)
    path.write_bytes(scattered(data, path.read_bytes()))
    survives(read_cvat, path, images)


@given(st.data())
@settings(max_examples=70, deadline=None)
def test_label_studio(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    images, people = one_person()
    folder = tmp_path_factory.mktemp("ls")
    write_label_studio(folder, images, people)
    path = folder / "tasks.json"
    tasks: Any = json.loads(path.read_text())
    for task in tasks:
        task["annotations"] = [{"result": task["predictions"][0]["result"]}]
    for _ in range(data.draw(st.integers(0, 3))):
        where = tasks
        while True:
            keys = list(where) if isinstance(where, dict) else list(range(len(where)))
            if not keys:
                break
            key = data.draw(st.sampled_from(keys))
            if not isinstance(where[key], dict | list) or data.draw(st.integers(0, 5)) == 0:
                where[key] = copy.deepcopy(data.draw(st.sampled_from([*VALUES, *WORDS])))
                break
            where = where[key]
    path.write_bytes(scattered(data, json.dumps(tasks).encode()))
    survives(read_label_studio, path, images)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_yolo_pose(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    images, people = one_person()
    folder = tmp_path_factory.mktemp("yolo")
    write_yolo_pose(folder, images, people)
    path = folder / data.draw(st.sampled_from(["data.yaml", "labels/one.txt"]))
    words = path.read_text().split(" ")
    for _ in range(data.draw(st.integers(0, 2))):
        words[data.draw(st.integers(0, len(words) - 1))] = data.draw(
            st.sampled_from([*WORDS, "[", "{a", "*x"])
        )
    path.write_bytes(scattered(data, " ".join(words).encode()))
    survives(read_yolo_pose, folder, images)
