"""Label Studio: its own example, round trips, what annotators do, refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings

from kpkit.core.errors import InputError
from kpkit.core.instances import ImageTable, Instances
from kpkit.core.skeletons import COCO17
from kpkit.exporters.label_studio import read_label_studio, write_label_studio

from .drawn_labels import IMAGES, assert_equal, file_names, label_sets, one_person

PLACE = {"to_name": "image", "image_rotation": 0, "original_width": 216, "original_height": 174}


def keypoint(id: str, name: str, x: float, y: float, **more: Any) -> dict[str, Any]:
    value = {"x": x, "y": y, "width": 0.2285263987391647, "keypointlabels": [name]}
    return {"id": id, "type": "keypointlabels", "value": value, "from_name": "keypoints", **PLACE, **more}


PARENT = {"origin": "manual", "parentID": "hplPm0Szvc"}
EXPORTED: dict[str, Any] = {
    "id": 10764,
    "file_upload": "image1.jpg",
    "data": {"image": "/data/upload/18/image1.jpg"},
    "predictions": [],
    "annotations": [
        {
            "id": 11996,
            "was_cancelled": False,
            "ground_truth": False,
            "updated_at": "2025-05-02T14:46:24.793056Z",
            "result": [
                keypoint("YuLAREYKpq", "nose", 64.44444444444444, 39.290780141843975, **PARENT),
                keypoint("gD9Q-39A_4", "left_eye", 58.38849487785658, 30.78014184397163, **PARENT),
                keypoint("qwGtX1L1Nm", "right_eye", 70.50039401103231, 32.19858156028369, **PARENT),
                {
                    "id": "hplPm0Szvc",
                    "type": "rectanglelabels",
                    "value": {
                        "x": 38.849487785658, "y": 7.65957446808511, "width": 47.304964539007095,
                        "height": 50.92198581560283, "rotation": 0, "rectanglelabels": ["person"],
                    },
                    "origin": "manual",
                    "from_name": "bbox",
                    **PLACE,
                },
                {"type": "relation", "to_id": "qwGtX1L1Nm", "from_id": "hplPm0Szvc", "direction": "right"},
                {"type": "relation", "to_id": "hplPm0Szvc", "from_id": "hplPm0Szvc", "direction": "right"},
            ],
        }
    ],
}  # fmt: skip
"""A task as Label Studio's SDK keeps it to test its keypoint export."""
IMAGE = ImageTable.of([3], ["image1.jpg"], [216], [174])


def put(path: Path, *tasks: dict[str, Any]) -> Path:
    path.write_text(json.dumps(list(tasks)))
    return path


def test_label_studios_own_example(tmp_path: Path) -> None:
    people = read_label_studio(put(tmp_path / "a.json", EXPORTED), IMAGE).people
    # the SDK's converters: per cent of width and height, and whole pixels for COCO
    assert np.round(people.keypoints[0, :3]).tolist() == [[139, 68, 2], [126, 54, 2], [152, 56, 2]]
    assert people.num_labelled.tolist() == [3]
    np.testing.assert_allclose(people.box, [[83.9149, 13.3277, 102.1787, 88.6043]], atol=6e-5)
    assert (people.id.tolist(), people.source.tolist(), people.score.tolist()) == ([0], ["U"], [1])


def test_relations_and_containment_stand_in_for_parents(tmp_path: Path) -> None:
    task = json.loads(json.dumps(EXPORTED))
    result = task["annotations"][0]["result"]
    for region in result[:3]:
        del region["parentID"]
    result.append(
        {**result[3], "id": "other", "value": {**result[3]["value"], "x": 60.0}}  # both boxes hold all points
    )
    result.append({"type": "relation", "from_id": "YuLAREYKpq", "to_id": "hplPm0Szvc"})
    result.append({"type": "relation", "from_id": "gD9Q-39A_4", "to_id": "hplPm0Szvc"})
    people = read_label_studio(put(tmp_path / "a.json", task), IMAGE).people
    assert people.num_labelled.tolist() == [3, 0]
    result[4:] = []  # no relation, one box
    assert read_label_studio(put(tmp_path / "a.json", task), IMAGE).people.num_labelled.tolist() == [3]
    result.append({**result[3], "id": "other"})
    with pytest.raises(InputError, match="region 'YuLAREYKpq': keypoint nose belongs to nobody; drag it"):
        read_label_studio(put(tmp_path / "a.json", task), IMAGE)


@given(label_sets())
@settings(max_examples=60, deadline=None)
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, people: Instances) -> None:
    folder = tmp_path_factory.mktemp("ls")
    write_label_studio(folder, IMAGES, people)
    back = read_label_studio(folder, IMAGES, skeleton=people.skeleton)
    assert file_names(back) == IMAGES.file_name
    assert_equal(
        back.people, people, "image_id", "box", "keypoints", "score", "source", "crowd", "area", within=5.1e-5
    )


def written(tmp_path: Path) -> tuple[list[dict[str, Any]], ImageTable, Instances]:
    images, people = one_person()
    write_label_studio(tmp_path, images, people)
    return json.loads((tmp_path / "tasks.json").read_text()), images, people


def annotated(task: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The task after an annotator accepted the prediction."""
    return {**task, "annotations": [{"result": task["predictions"][0]["result"], **more}]}


def test_moved_hidden_deleted_and_added(tmp_path: Path) -> None:
    (task, _), images, people = written(tmp_path)
    task = annotated(task)
    regions = task["annotations"][0]["result"]
    by_id = {(r["id"], r["type"]): r for r in regions}
    assert ("person-8-left_eye", "choices") in by_id  # visibility 1
    assert ("person-8-nose", "keypointlabels") not in by_id  # visibility 0
    regions.remove(by_id["person-8-left_eye", "choices"])
    regions.remove(by_id["person-8-left_shoulder", "keypointlabels"])
    by_id["person-8-right_eye", "keypointlabels"]["value"]["x"] = 50.0
    by_id["person-8", "rectanglelabels"]["value"]["width"] = 60.0
    old = by_id["person-8", "rectanglelabels"]
    value = {"x": 90, "y": 0, "width": 5, "height": 9.5, "rotation": 0, "rectanglelabels": ["person"]}
    regions.append({"id": "Ab1", "type": "rectanglelabels", "value": value, "original_width": 200})
    regions.append({**keypoint("Ab2", "nose", 91.0, 2.0, parentID="Ab1"), **_size(old)})
    regions.append({"id": "Ab3", "type": "choices", "value": {"choices": ["blurred picture"]}})
    back = read_label_studio(put(tmp_path / "back.json", task), images)
    assert file_names(back) == ("one.jpg",)  # the other task was not exported
    assert back.people.id.tolist() == [8, 0]
    kept = back.people.keypoints[0]
    assert kept[1, 2] == 2
    assert kept[2].tolist() == [100, people.keypoints[0, 2, 1], 2]
    assert kept[5].tolist() == [0, 0, 0]
    assert back.people.box.tolist() == [[8.5, 15.25, 120, 70], [180, 0, 10, 9.5]]
    np.testing.assert_allclose(back.people.area[0], 3000 * 120 / 100.5)  # the same share of the new box
    assert back.people.keypoints[1, 0].tolist() == [182, 2, 2]


def _size(region: dict[str, Any]) -> dict[str, Any]:
    return {key: region[key] for key in ("original_width", "original_height")}


def test_which_annotation_counts(tmp_path: Path) -> None:
    (task, second), images, people = written(tmp_path)
    result = task["predictions"][0]["result"]
    nobody: list[dict[str, Any]] = []

    def count(*annotations: dict[str, Any]) -> int:
        path = put(tmp_path / "a.json", {**task, "annotations": list(annotations)}, second)
        return len(read_label_studio(path, images).people)

    old, new = {"result": nobody, "updated_at": "2025-01-01"}, {"result": result, "updated_at": "2025-01-02"}
    assert count(new, old) == 1
    assert count(old, new) == 1
    assert count({**old, "ground_truth": True}, new) == 0
    assert count({**new, "was_cancelled": True}, old) == 0
    assert count() == 1  # nobody looked at it: as it was sent
    skipped = put(tmp_path / "b.json", {**task, "annotations": [{**new, "was_cancelled": True}]}, second)
    assert file_names(read_label_studio(skipped, images)) == ("sub/two.jpg",)
    other = {**task["predictions"][0], "model_version": "yolo"}
    strange: dict[str, Any] = {"model_version": 4, "result": None}
    foreign = put(tmp_path / "c.json", {**task, "annotations": [], "predictions": [other, strange, 17]})
    assert len(read_label_studio(foreign, images).images) == 0
    assert_equal(read_label_studio(tmp_path, images).people, people, "keypoints")


@pytest.mark.parametrize(
    "link",
    [
        "/data/upload/18/0a1b2c3d-two.jpg",
        "/data/local-files/?d=storage/sub/two.jpg",
        "s3://bucket/sub/two.jpg",
        "https://example.org/x/two.jpg?token=1",
        "two.jpg",
    ],
)
def test_pictures_of_foreign_tasks_are_found_by_their_links(tmp_path: Path, link: str) -> None:
    images = one_person()[0]
    task = {"data": {"img": link}, "annotations": [{"result": []}]}
    assert file_names(read_label_studio(put(tmp_path / "a.json", task), images)) == ("sub/two.jpg",)


def test_links_and_labelling_interface(tmp_path: Path) -> None:
    images = ImageTable.of([785], ["a b/ü&.jpg"], [200], [100])
    people = one_person()[1]
    for prefix in ("/data/local-files/?d=photos/", "s3://bucket/"):
        write_label_studio(tmp_path, images, people, url_prefix=prefix)
        link = json.loads((tmp_path / "tasks.json").read_text())[0]["data"]["image"]
        assert (unquote(link) if "?" in prefix else link) == f"{prefix}a b/ü&.jpg"
        assert (" " in link) == ("?" not in prefix)
    config = ElementTree.parse(tmp_path / "label_config.xml")
    labels = {e.get("value"): e.get("model_index") for e in config.findall("KeyPointLabels/Label")}
    assert labels == {name: str(k) for k, name in enumerate(COCO17.keypoints)}
    choices = config.find("Choices")
    assert choices is not None
    assert (choices.get("perRegion"), choices.get("whenTagName")) == ("true", "keypoints")
    names = {e.get("name") for e in config.iter() if e.get("name")}
    tasks = json.loads((tmp_path / "tasks.json").read_text())
    assert {r["from_name"] for r in tasks[0]["predictions"][0]["result"]} <= names


POINT = "person-8-left_eye"
FAULTS: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "keypoint": (POINT, {"value": {"keypointlabels": ["snout"]}}, ("labelled 'snout'", "one of nose")),
    "no label": (POINT, {"value": {"x": 1, "y": 1}}, ("keypointlabels region is labelled nothing",)),
    "twice": (
        POINT, {"value": {"keypointlabels": ["right_eye"]}}, ("has keypoint right_eye twice",),
    ),
    "person": ("person-8", {"value": {"rectanglelabels": ["car"]}}, ("labelled 'car'; one of person",)),
    "rotated": ("person-8", {"value": {"rotation": 3, "rectanglelabels": ["person"]}}, ("is rotated",)),
    "turned": (POINT, {"image_rotation": 90}, ("the picture is rotated",)),
    "polygon": (POINT, {"type": "polygonlabels"}, ("a region of type 'polygonlabels' is unknown", "remove")),
    "size": (POINT, {"original_width": 100}, ("'one.jpg' is 100 x 100 here but 200 x 100", "EXIF")),
    "source": ("person-8", {"meta": {"source": "Q"}}, ("meta holds no known source",)),
    "text": (POINT, {"value": {"x": "1"}}, ("row 0", "must be a number, found a text")),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_refused_by_task_and_region(tmp_path: Path, name: str) -> None:
    (task, _), images, _ = written(tmp_path)
    key, update, words = FAULTS[name]
    task = annotated(task)
    region = next(r for r in task["annotations"][0]["result"] if r["id"] == key)
    region.update(update)
    path = put(tmp_path / "back.json", task)
    with pytest.raises(InputError) as caught:
        read_label_studio(path, images)
    message = str(caught.value)
    assert message.startswith(f"{path}: row 0")
    assert "\n" not in message
    assert all(word in message for word in words), message


def test_other_files_are_refused(tmp_path: Path) -> None:
    images = one_person()[0]
    mini = {"image": "/data/upload/1/one.jpg", "id": 1, "annotator": 1}
    with pytest.raises(InputError, match="'data' is missing"):
        read_label_studio(put(tmp_path / "a.json", mini), images)
    with pytest.raises(InputError, match="neither annotations nor predictions; export as JSON"):
        read_label_studio(put(tmp_path / "a.json", {"data": {"image": "one.jpg"}}), images)
    with pytest.raises(InputError, match=r"row 0: picture 'three\.jpg' is not in the image list"):
        read_label_studio(
            put(tmp_path / "a.json", {"data": {"image": "three.jpg"}, "annotations": [{"result": []}]}),
            images,
        )
    task = {"data": {"image": "one.jpg"}, "annotations": [{"result": []}]}
    with pytest.raises(InputError, match=r"row 1: picture 'one\.jpg' is there twice \(first at row 0\)"):
        read_label_studio(put(tmp_path / "a.json", task, task), images)
    (tmp_path / "b.json").write_text('{"tasks": []}')
    with pytest.raises(InputError, match="is not Label Studio's JSON export"):
        read_label_studio(tmp_path / "b.json", images)
