"""CVAT's XML: its documented example, round trips, what annotators do, refusals."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings

from kpkit.core.errors import InputError
from kpkit.core.instances import ImageTable, Instances
from kpkit.core.skeletons import COCO17, SKELETONS, Skeleton
from kpkit.exporters.cvat import read_cvat, write_cvat
from kpkit.exporters.cvat.labels import place

from .drawn_labels import IMAGES, assert_equal, file_names, label_sets, one_person, replace

DOCUMENTED = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta><task><id>4</id><mode>annotation</mode></task></meta>
  <image id="0" name="filename000.jpg" width="1600" height="1200">
    <tag label="good_frame" source="manual">
    </tag>
    <skeleton label="person" source="manual" z_order="0">
      <points label="1" occluded="0" source="manual" outside="0" points="54.47,94.81">
      </points>
      <points label="2" occluded="1" source="manual" outside="0" points="68.02,162.34">
      </points>
      <points label="3" occluded="0" source="manual" outside="1" points="125.87,62.85">
      </points>
    </skeleton>
  </image>
</annotations>
"""
"""CVAT's documented skeleton (XML annotation format, 1.1); the label is ours, two flags are set."""


def test_the_documented_example(tmp_path: Path) -> None:
    path = tmp_path / "annotations.xml"
    path.write_text(DOCUMENTED)
    three = Skeleton("three", ("1", "2", "3"), (), ())
    back = read_cvat(path, ImageTable.of([5], ["filename000.jpg"], [1600], [1200]), skeleton=three)
    assert back.people.keypoints.tolist() == [[[54.47, 94.81, 2], [68.02, 162.34, 1], [0, 0, 0]]]
    np.testing.assert_allclose(back.people.box, [[54.47, 94.81, 14.55, 68.53]])
    assert (back.people.id.tolist(), back.people.source.tolist()) == ([0], ["U"])


@given(label_sets())
@settings(max_examples=60, deadline=None)
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, people: Instances) -> None:
    folder = tmp_path_factory.mktemp("cvat")
    write_cvat(folder, IMAGES, people)
    back = read_cvat(folder, IMAGES, skeleton=people.skeleton)
    assert file_names(back) == IMAGES.file_name
    assert_equal(back.people, people, "image_id", "keypoints", "score", "source", "crowd", "area")
    assert_equal(back.people, people, "box", within=1e-9)


def written(tmp_path: Path) -> tuple[Path, ImageTable, Instances]:
    """A file of three people: two with skeletons (ids 8 and 20), one box alone (id 30)."""
    images, first = one_person()
    second = first.with_(id=np.array([20]), box=first.box + np.array([60, 0, 0, 0]))
    second.keypoints[:, :, 0] += np.where(second.keypoints[:, :, 2] > 0, 60, 0)
    alone = first.with_(id=np.array([30]), keypoints=np.zeros((1, 17, 3)))
    people = Instances.concat([first, second, alone])
    write_cvat(tmp_path, images, people)
    return tmp_path / "annotations.xml", images, people


def edit(path: Path) -> ElementTree.ElementTree:
    return ElementTree.parse(path)


def test_points_moved_hidden_and_switched_off(tmp_path: Path) -> None:
    path, images, people = written(tmp_path)
    tree = edit(path)
    points = {p.get("label"): p for p in tree.iter("skeleton").__next__().iter("points")}
    points["right_eye"].set("points", "33.33,44.44")
    points["right_eye"].set("occluded", "1")
    points["left_eye"].set("outside", "1")
    points["nose"].set("outside", "0")  # it was unlabelled: outside
    tree.write(path)
    back = read_cvat(path, images).people
    first = back.keypoints[back.id == 8][0]
    assert first[2].tolist() == [33.33, 44.44, 1]
    assert first[1].tolist() == [0, 0, 0]
    assert first[0, 2] == 2
    assert 8 <= first[0, 0] <= 109 and 15 <= first[0, 1] <= 86  # it stood ready inside the person's box
    assert_equal(back[back.id != 8], people[1:], "keypoints", "box")


def test_deleted_people_are_gone_and_new_ones_have_no_id(tmp_path: Path) -> None:
    path, images, _ = written(tmp_path)
    tree = edit(path)
    image = tree.find("image")
    assert image is not None
    image.remove(image.findall("skeleton")[0])  # person 8: its box is left behind
    image.remove(image.findall("box")[1])  # the box of person 20
    new = ElementTree.SubElement(image, "skeleton", label="person", source="manual", z_order="0")
    for name, at in (("nose", "150.5,10"), ("left_hip", "160,30")):
        ElementTree.SubElement(new, "points", label=name, outside="0", occluded="0", points=at)
    ElementTree.SubElement(
        image, "box", label="person_box", occluded="0", xtl="140", ytl="1", xbr="190", ybr="40.5"
    )
    tree.write(path)
    back = read_cvat(path, images).people
    assert back.id.tolist() == [20, 0, 30]
    assert back.box[1].tolist() == [140, 1, 50, 39.5]
    assert back.keypoints[1, 0].tolist() == [150.5, 10, 2]
    tight = back.keypoints[0][back.keypoints[0, :, 2] > 0, :2]
    assert back.box[0].tolist() == [*tight.min(axis=0), *(np.ptp(tight, axis=0) + 1)]


def test_a_pasted_copy_is_a_new_person(tmp_path: Path) -> None:
    path, images, _ = written(tmp_path)
    tree = edit(path)
    image = tree.find("image")
    assert image is not None
    image.extend([image.findall("box")[0], image.findall("skeleton")[0]])
    tree.write(path)
    assert sorted(read_cvat(path, images).people.id.tolist()) == [0, 8, 20, 30]


def test_keypoints_for_a_person_that_had_none(tmp_path: Path) -> None:
    path, images, _ = written(tmp_path)
    tree = edit(path)
    image = tree.find("image")
    assert image is not None
    group = image.findall("box")[2].get("group_id") or ""
    new = ElementTree.SubElement(image, "skeleton", label="person", group_id=group)
    ElementTree.SubElement(new, "points", label="nose", outside="0", occluded="0", points="1,2")
    tree.write(path)
    back = read_cvat(path, images).people
    assert sorted(back.id.tolist()) == [8, 20, 30]
    assert back.keypoints[back.id == 30][0, 0].tolist() == [1, 2, 2]


def test_the_zip_that_cvat_makes(tmp_path: Path) -> None:
    path, images, people = written(tmp_path)
    with zipfile.ZipFile(tmp_path / "task.zip", "w") as archive:
        archive.write(path, "annotations.xml")
        archive.writestr("images/one.jpg", b"")
    assert_equal(read_cvat(tmp_path / "task.zip", images).people, people, "keypoints", "box")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("a.txt", b"")
    with pytest.raises(InputError, match=r"the zip holds no annotations\.xml"):
        read_cvat(tmp_path / "other.zip", images)
    (tmp_path / "cut.zip").write_bytes((tmp_path / "task.zip").read_bytes()[:-30])
    with pytest.raises(InputError, match="not a whole zip archive"):
        read_cvat(tmp_path / "cut.zip", images)


ENTITY = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
FAULTS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "entity": ("<annotations>", f"{ENTITY}<annotations>", ("document type declaration", "export again")),
    "cut": ("</annotations>", "", ("not valid XML", "no element found")),
    "root": ("annotations>", "notes>", ("not valid XML",)),
    "undefined entity": ('label="nose"', 'label="&x;"', ("not valid XML", "undefined entity")),
    "tracks": ("<image", '<track id="0" label="person"></track><image', ("video tracks", "for images 1.1")),
    "picture": ('name="one.jpg"', 'name="four.jpg"', ("image 0 (four.jpg)", "is not in the image list")),
    "size": ('width="200"', 'width="100"', ("'one.jpg' is 100 x 100 here but 200 x 100", "EXIF")),
    "keypoint": (
        '<points label="nose"',
        '<points label="snout"',
        ("skeleton 1: points 'snout' is no keypoint",),
    ),
    "twice": ('label="left_eye"', 'label="right_eye"', ("keypoint right_eye is there twice",)),
    "label": (
        'label="person" source',
        'label="cat" source',
        ("a skeleton labelled 'cat' is unknown", "remove"),
    ),
    "shape": ('<box label="person_box"', '<box label="car"', ("a box labelled 'car' is unknown",)),
    "number": ('xtl="8.5"', 'xtl="nan"', ("box 0: xtl, ytl, xbr, ybr must be finite numbers",)),
    "point": ('points="15.0,23.0"', 'points="15.0,23.0;1,2"', ("left_eye must have one point 'x,y'",)),
    "corners": ('xtl="8.5"', 'xtl="800.5"', ("corners are the wrong way round",)),
    "rotated": ('xtl="8.5"', 'rotation="12.50" xtl="8.5"', ("the box is rotated",)),
    "id": ('name="id">8', 'name="id">eight', ("an attribute holds no such number",)),
    "source": ('name="source">U', 'name="source">Z', ("the source 'Z' is unknown", "A, C, H, U")),
}


@pytest.mark.parametrize("name", FAULTS)
def test_refused_by_picture_and_shape(tmp_path: Path, name: str) -> None:
    images, people = one_person()
    write_cvat(tmp_path, images, people)
    old, new, words = FAULTS[name]
    path = tmp_path / "annotations.xml"
    # the person's own attributes stand in the box and in the skeleton, and the latter's count
    text = path.read_text()
    before, mark, after = text.partition("  <image")
    changed = text.replace(old, new) if old not in after else before + mark + _edited(after, old, new)
    assert changed != text
    path.write_text(changed)
    with pytest.raises(InputError) as caught:
        read_cvat(path, images)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert all(word in message for word in words), message


def _edited(text: str, old: str, new: str) -> str:
    return text.replace(old, new) if "name=" in old and "jpg" not in old else text.replace(old, new, 1)


def test_a_box_of_nobody(tmp_path: Path) -> None:
    path, images, _ = written(tmp_path)
    box = '<box label="person_box" occluded="0" xtl="1" ytl="1" xbr="2" ybr="2"></box>\n  </image>'
    replace(path, ("</image>", box))
    with pytest.raises(InputError, match="belongs to no skeleton; group it with its skeleton"):
        read_cvat(path, images)


@pytest.mark.parametrize("encoding", ["utf-16", "cp037", "utf-7"])
def test_no_encoding_hides_a_document_type(tmp_path: Path, encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?>{ENTITY}<annotations>&x;</annotations>'
    path = tmp_path / "a.xml"
    path.write_bytes(text.encode(encoding))
    with pytest.raises(InputError, match=r"UTF-8|document type|not valid XML"):
        read_cvat(path, IMAGES)


def test_names_that_xml_cannot_hold(tmp_path: Path) -> None:
    people = one_person()[1]
    odd = ImageTable.of([785], ["a\x07.jpg"], [200], [100])
    with pytest.raises(InputError, match="XML cannot hold the picture name"):
        write_cvat(tmp_path, odd, people)


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=lambda s: s.name)
def test_the_drawing_has_every_keypoint_and_limb(tmp_path: Path, skeleton: Skeleton) -> None:
    images, people = one_person(skeleton)
    write_cvat(tmp_path, images, people)
    person, box, crowd = json.loads((tmp_path / "labels.json").read_text())
    assert [s["name"] for s in person["sublabels"]] == list(skeleton.keypoints)
    assert (box["name"], crowd["name"]) == ("person_box", "crowd")
    assert all(a["values"] and isinstance(a["mutable"], bool) for a in person["attributes"])
    drawing = ElementTree.fromstring(f"<svg>{person['svg']}</svg>")
    nodes = {c.get("data-node-id"): c.get("data-label-name") for c in drawing.iter("circle")}
    assert list(nodes.values()) == list(skeleton.keypoints)
    edges = {(nodes[e.get("data-node-from")], nodes[e.get("data-node-to")]) for e in drawing.iter("line")}
    assert edges == set(skeleton.limbs)
    assert len({place(name) for name in skeleton.keypoints}) == len(skeleton)
    # CVAT's meta data describe the same labels
    meta = ElementTree.parse(tmp_path / "annotations.xml").find("meta/task/labels")
    assert meta is not None
    parents = {e.findtext("name"): e.findtext("parent") for e in meta}
    assert [name for name, parent in parents.items() if parent == "person"] == list(skeleton.keypoints)
    assert meta.findtext("label/svg") == person["svg"]


def test_left_is_on_the_right_of_a_person_seen_from_the_front() -> None:
    assert place("left_wrist")[0] > 50 > place("right_wrist")[0]
    assert place("nose")[1] < place(COCO17.keypoints[-1])[1]
