"""YOLO-pose: Ultralytics' own numbers and rules, round trips, refusals."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings

from kpkit.core.errors import InputError
from kpkit.core.instances import ImageTable, Instances
from kpkit.core.skeletons import AIC14, COCO17
from kpkit.exporters.corrected import recognise
from kpkit.exporters.yolo_pose import LeftOut, read_yolo_pose, write_yolo_pose

from .drawn_labels import IMAGES, assert_equal, file_names, label_sets, one_person, replace

COCO8_36 = (
    "0 0.671279 0.617945 0.645759 0.726859 0.519751 0.381250 2.000000 0.550936 0.348438 2.000000 0.488565 "
    "0.367188 2.000000 0.642412 0.354687 2.000000 0.488565 0.395313 2.000000 0.738046 0.526563 2.000000 "
    "0.446985 0.534375 2.000000 0.846154 0.771875 2.000000 0.442827 0.812500 2.000000 0.925156 0.964063 "
    "2.000000 0.507277 0.698438 2.000000 0.702703 0.942187 2.000000 0.555094 0.950000 2.000000"
) + " 0.000000" * 12
"""Label of COCO's picture 36 in Ultralytics' data set coco8-pose."""
PERSON_36 = [
    (250, 244, 2), (265, 223, 2), (235, 235, 2), (309, 227, 2), (235, 253, 2), (355, 337, 2), (215, 342, 2),
    (407, 494, 2), (213, 520, 2), (445, 617, 2), (244, 447, 2), (338, 603, 2), (267, 608, 2),
    (0, 0, 0), (0, 0, 0), (0, 0, 0), (0, 0, 0),
]  # fmt: skip
"""The same person in COCO's annotations, box (167.58, 162.89, 310.61, 465.19)."""
IMAGE_36 = ImageTable.of([36], ["000000000036.jpg"], [481], [640])


def verify_image_label(lines: list[str], keypoints: int) -> np.ndarray:
    """What Ultralytics demands of a label file (ultralytics/data/utils.py), else it ignores the picture."""
    table = np.array([line.split() for line in lines], dtype=np.float32).reshape(-1, 5 + 3 * keypoints)
    points = table[:, 5:].reshape(-1, 3)[:, :2]
    assert points.max(initial=0) <= 1.01
    assert table.min(initial=0) >= -0.01
    assert (table[:, 0] == 0).all()
    assert (table[:, 1:5] <= 1).all()  # and the documentation's 0 to 1
    return table


def test_coco8_pose_both_ways(tmp_path: Path) -> None:
    people = Instances.of([36], [[167.58, 162.89, 310.61, 465.19]], [PERSON_36], id=[1])
    write_yolo_pose(tmp_path, IMAGE_36, people)
    label = tmp_path / "labels/000000000036.txt"
    ours = np.array(label.read_text().split(), float)
    np.testing.assert_allclose(ours, np.array(COCO8_36.split(), float), rtol=0, atol=0.51e-6)
    label.write_text(COCO8_36 + "\n")
    back = read_yolo_pose(tmp_path, IMAGE_36)
    np.testing.assert_allclose(back.people.box, people.box, rtol=0, atol=1e-3)
    np.testing.assert_allclose(back.people.keypoints, people.keypoints, rtol=0, atol=4e-4)


def test_the_description_is_that_of_coco8_pose(tmp_path: Path) -> None:
    images, people = one_person()
    write_yolo_pose(tmp_path, images, people)
    data = yaml.safe_load((tmp_path / "data.yaml").read_text())
    assert data["kpt_shape"] == [17, 3]
    assert data["flip_idx"] == [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]
    assert data["names"] == {0: "person"}
    assert data["kpt_names"] == {0: list(COCO17.keypoints)}
    assert data["train"] == data["val"] == "images"
    assert "path" not in data  # a relative one would be looked for in Ultralytics' own folder


@given(label_sets())
@settings(max_examples=60, deadline=None)
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, people: Instances) -> None:
    folder = tmp_path_factory.mktemp("yolo")
    left_out = write_yolo_pose(folder, IMAGES, people)
    assert left_out == LeftOut(int(people.crowd.sum()), 0)
    for label in (folder / "labels").rglob("*.txt"):
        verify_image_label(label.read_text().splitlines(), len(people.skeleton))
    back = read_yolo_pose(folder, IMAGES, skeleton=people.skeleton)
    assert file_names(back) == IMAGES.file_name  # also the one without people
    kept = people[~people.crowd]
    assert len(back.people) == len(kept)
    order = np.argsort(IMAGES.rows_of(kept.image_id), kind="stable")
    sorted_back = np.argsort(IMAGES.rows_of(back.people.image_id), kind="stable")
    named = back.people[sorted_back].with_(id=kept.id[order])
    assert_equal(named, kept, "image_id", "box", "keypoints", within=5.1e-5)


@given(label_sets())
@settings(max_examples=30, deadline=None)
def test_ids_scores_and_crowds_come_back_from_the_exported_labels(
    tmp_path_factory: pytest.TempPathFactory, people: Instances
) -> None:
    # boxes that hardly overlap cannot be taken for each other
    people = people.with_(box=np.array([[20.0 * k, 3.0, 18, 90] for k in range(len(people))]).reshape(-1, 4))
    folder = tmp_path_factory.mktemp("yolo")
    write_yolo_pose(folder, IMAGES, people)
    back = recognise(read_yolo_pose(folder, IMAGES, skeleton=people.skeleton), people).people
    fields = ("image_id", "box", "keypoints", "score", "source", "crowd", "area")
    assert_equal(back, people, *fields, within=5.1e-5)


def test_what_the_format_cannot_hold_is_cut_or_left_out(tmp_path: Path) -> None:
    images, people = one_person()
    keypoints = people.keypoints.copy()
    keypoints[0, 1] = (-1.9, 50, 2)  # within Ultralytics' tolerance of 1 %
    keypoints[0, 2] = (150, 101.5, 1)  # beyond it
    people = people.with_(box=np.array([[-10.0, 15, 100, 200]]), keypoints=keypoints)
    outside = people.with_(box=np.array([[300.0, 15, 10, 10]]), id=np.array([4]))
    assert write_yolo_pose(tmp_path, images, Instances.concat([people, outside])) == LeftOut(1, 1)
    verify_image_label((tmp_path / "labels/one.txt").read_text().splitlines(), 17)
    back = read_yolo_pose(tmp_path, images).people
    assert back.box.tolist() == [[0, 15, 90, 85]]
    assert back.keypoints[0, 1].tolist() == [-1.9, 50, 2]
    assert back.keypoints[0, 2].tolist() == [0, 0, 0]


def ultralytics_label(picture: Path) -> Path:
    """Where Ultralytics looks for a picture's labels (img2label_paths)."""
    text = "/labels/".join(str(picture).rsplit("/images/", 1)).rsplit(".", 1)[0]
    return Path(text + ".txt")


@pytest.mark.parametrize("name", ["a.jpg", "train/a.b.jpg", "images/a.jpg", "labels/a.jpg"])
def test_pictures_are_linked_where_their_labels_are_looked_for(tmp_path: Path, name: str) -> None:
    pictures = tmp_path / "pictures"
    (pictures / name).parent.mkdir(parents=True)
    (pictures / name).write_bytes(b"picture")
    images, people = one_person()
    images = ImageTable.of([785], [name], [200], [100])
    folder = tmp_path / "set"
    folder.mkdir()
    write_yolo_pose(folder, images, people, pictures=pictures)
    link = folder / "images" / name
    assert link.read_bytes() == b"picture"
    assert os.path.isabs(os.readlink(link))
    assert ultralytics_label(link).read_text().startswith("0 ")
    back = read_yolo_pose(folder, images)
    assert len(back.people) == 1
    ultralytics_label(link).unlink()  # no label file: a picture without people
    back = read_yolo_pose(folder, images)
    assert (file_names(back), len(back.people)) == ((name,), 0)


def test_folders_that_other_tools_make_are_read(tmp_path: Path) -> None:
    images, people = one_person()
    write_yolo_pose(tmp_path, images, people)
    line = (tmp_path / "labels/one.txt").read_text()
    for file in (tmp_path / "labels").rglob("*.txt"):
        file.unlink()
    for place in ("labels/train/one.txt", "valid/labels/sub/two.txt"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(line)
    (tmp_path / "labels/classes.txt").write_text("person\n")
    (tmp_path / "train.txt").write_text("./images/one.jpg\n")
    assert read_yolo_pose(tmp_path, images).people.image_id.tolist() == [785, 9]


LINE = "labels/one.txt"
FAULTS: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
    "class": (LINE, "0 ", "3 ", ("one.txt: line 1", "class 3 is no person")),
    "count": (LINE, "0 ", "0 0.5 ", ("line 1", "has 57 numbers, must be 56", "coco17")),
    "not a number": (LINE, "0 ", "zero ", ("line 1", "no finite number")),
    "nan": (LINE, "0 0", "0 nan", ("line 1", "no finite number")),
    "shape": ("data.yaml", "[17, 3]", "[17, 2]", ("kpt_shape is [17, 2]", "x, y and visibility")),
    "flip": ("data.yaml", "[0, 2, 1", "[0, 1, 2", ("flip_idx", "is not that of skeleton coco17")),
    "names": ("data.yaml", "0: person", "0: dog", ("names", "class 0 is not called person")),
    "keypoints": ("data.yaml", "- nose", "- snout", ("kpt_names", "not those of skeleton coco17")),
    "yaml": ("data.yaml", "train: images", "train: {", ("data.yaml: not valid YAML",)),
    "no mapping": ("data.yaml", "# skeleton", "just text\n...\n# s", ("data.yaml",)),
}


@pytest.mark.parametrize("name", FAULTS)
def test_refused_by_file_and_line(tmp_path: Path, name: str) -> None:
    images, people = one_person()
    write_yolo_pose(tmp_path, images, people)
    file, old, new, words = FAULTS[name]
    replace(tmp_path / file, (old, new))
    with pytest.raises(InputError) as caught:
        read_yolo_pose(tmp_path, images)
    text = str(caught.value)
    assert text.startswith(f"{tmp_path}/")
    assert "\n" not in text
    assert all(word in text for word in words), text


def test_other_refusals(tmp_path: Path) -> None:
    images, people = one_person()
    (tmp_path / "set").mkdir()
    with pytest.raises(InputError, match=r"data\.yaml: no such file; give the folder"):
        read_yolo_pose(tmp_path / "set", images)
    write_yolo_pose(tmp_path / "set", images, people)
    label = tmp_path / "set/labels/one.txt"
    row = label.read_text().split()
    label.write_text(" ".join([*row[:7], "0.93", *row[8:]]))  # yolo predict writes scores there
    with pytest.raises(InputError, match=r"visibility is not 0, 1 or 2; .* predictions hold scores"):
        read_yolo_pose(tmp_path / "set", images)
    label.write_text(" ".join([*row[:3], "0", *row[4:]]))
    with pytest.raises(InputError, match="line 1: the box has no positive size"):
        read_yolo_pose(tmp_path / "set", images)
    label.rename(label.with_name("three.txt"))
    with pytest.raises(InputError, match=r"labels/three\.txt: picture 'three\.txt' is not in the image list"):
        read_yolo_pose(tmp_path / "set", images)
    with pytest.raises(InputError, match="would share one label file"):
        write_yolo_pose(tmp_path / "b", ImageTable.of([785, 9], ["a.jpg", "a.png"], [9, 9], [9, 9]), people)
    with pytest.raises(InputError, match=r"one\.jpg: missing picture"):
        write_yolo_pose(tmp_path / "c", images, people, pictures=tmp_path)
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    (tmp_path / "set/data.yaml").write_text(bomb + "kpt_shape: *i\n")
    with pytest.raises(InputError, match="kpt_shape is"):
        read_yolo_pose(tmp_path / "set", images)


def test_another_skeleton(tmp_path: Path) -> None:
    images, people = one_person(AIC14)
    write_yolo_pose(tmp_path, images, people)
    with pytest.raises(InputError, match=r"kpt_shape is \[14, 3\]"):
        read_yolo_pose(tmp_path, images)
    back = read_yolo_pose(tmp_path, images, skeleton=AIC14)
    assert back.people.skeleton == AIC14


@pytest.mark.shared
def test_real_labels_pass_ultralytics_rules(shared: Path, tmp_path: Path) -> None:
    from kpkit.data.coco import read_annotations

    images, people = read_annotations(shared / "real/coco/annotations/person_keypoints_val2017.json")
    assert write_yolo_pose(tmp_path, images, people) == LeftOut(7, 0)
    for label in (tmp_path / "labels").rglob("*.txt"):
        verify_image_label(label.read_text().splitlines(), 17)
    back = recognise(read_yolo_pose(tmp_path, images), people).people
    # whole pixels come back as they were
    assert_equal(back, people, "image_id", "keypoints", "crowd")
