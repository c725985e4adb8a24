"""COCO annotation files and image lists."""

from __future__ import annotations

import copy
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpkit.core.errors import InputError
from kpkit.core.instances import ImageTable, Instances
from kpkit.core.skeletons import AIC14, COCO17
from kpkit.data.coco import read_annotations, read_image_list, write_annotations, write_image_list
from kpkit.data.coco_write import write_annotation_stream


def good() -> dict[str, Any]:
    keypoints = [v for k in range(17) for v in (10.0 + k, 20.5, k % 3)]
    person = {"image_id": 5, "category_id": 1, "bbox": [1, 2, 30, 40], "area": 600.5, "iscrowd": 0}
    return {
        "images": [
            {"id": 5, "file_name": "train/a.jpg", "width": 64, "height": 48},
            {"id": 9, "file_name": "b.jpg", "width": 64, "height": 48},
        ],
        "annotations": [
            {"id": 11, "keypoints": keypoints, **person, "segmentation": [[1, 2, 3, 4, 5, 6]]},
            {"id": 12, "keypoints": [0] * 51, **person, "iscrowd": 1, "segmentation": {"counts": "1"}},
            {"id": 13, "image_id": 9, "category_id": 3, "bbox": [0, 0, 0, 0]},
            {"id": 14, "keypoints": keypoints, **person, "image_id": 9},
        ],
        "categories": [
            {"id": 1, "name": "person", "keypoints": list(COCO17.keypoints)},
            {"id": 3, "name": "car"},
        ],
    }


def write(folder: Path, document: object, name: str = "labels.json") -> Path:
    path = folder / name
    text = document if isinstance(document, str) else json.dumps(document)
    path.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    return path


def refusal(path: Path, *words: str) -> None:
    with pytest.raises(InputError) as caught:
        read_annotations(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    for word in words:
        assert word in text, text


@pytest.mark.parametrize("name", ["labels.json", "labels.json.gz"])
def test_reads_every_person_and_no_car(tmp_path: Path, name: str) -> None:
    images, people = read_annotations(write(tmp_path, good(), name))
    assert images.id.tolist() == [5, 9]
    assert images.file_name == ("train/a.jpg", "b.jpg")
    assert images.width.tolist() == [64, 64]
    assert people.id.tolist() == [11, 12, 14]
    assert people.image_id.tolist() == [5, 5, 9]
    assert people.crowd.tolist() == [False, True, False]
    assert people.area.tolist() == [600.5] * 3
    assert people.box[0].tolist() == [1, 2, 30, 40]
    assert people.keypoints[0, 4].tolist() == [14, 20.5, 1]
    assert people.num_labelled.tolist() == [11, 0, 11]
    assert set(people.source.tolist()) == {"C"}


def test_missing_area_and_iscrowd_are_estimated(tmp_path: Path) -> None:
    document = good()
    for row in document["annotations"][:2]:
        del row["area"], row["iscrowd"]
    _, people = read_annotations(write(tmp_path, document))
    assert people.area.tolist() == [0.53 * 1200, 0.53 * 1200, 600.5]
    assert not people.crowd.any()


def test_person_category_is_found_by_name(tmp_path: Path) -> None:
    document = good()
    document["categories"] = [{"id": 1, "name": "car"}, {"id": 3, "name": "person"}]
    refusal(write(tmp_path, document), "annotations[2] (id 13)", "'keypoints' is missing", "instances file")


def test_the_known_zero_box_without_keypoints_passes(tmp_path: Path) -> None:
    document = good()
    document["annotations"][1]["bbox"] = [296.65, 388.33, 1.03, 0.0]
    assert len(read_annotations(write(tmp_path, document))[1]) == 3


def change(table: str, row: int, **values: object) -> dict[str, Any]:
    document = good()
    document[table][row].update(values)
    return document


def drop(table: str, row: int, key: str) -> dict[str, Any]:
    document = good()
    del document[table][row][key]
    return document


LABEL = "annotations[0] (id 11)"
LAST = "annotations[3] (id 14)"
FAULTS: dict[str, tuple[object, tuple[str, ...]]] = {
    "cut short": (json.dumps(good())[:900], ("not valid JSON", "cut short", "fetch")),
    "broken": (json.dumps(good()).replace('"id": 11,', '"id" 11,'), ("not valid JSON", "at byte")),
    "empty": ("", ("not valid JSON", "cut short")),
    "deep": ("[" * 100_000, ("not ",)),
    "a list": ([], ("not a COCO person-keypoints file", "found a list")),
    "no images": ({"annotations": []}, ("not a COCO", "'images' is missing")),
    "no annotations": ({"images": []}, ("not a COCO", "'annotations' is missing")),
    "count": (change("annotations", 0, keypoints=[1, 2, 2] * 16), (LABEL, "48 numbers", "must be 51")),
    "count, unlabelled": (change("annotations", 1, keypoints=[0]), ("annotations[1] (id 12)", "1 numbers")),
    "NaN": (change("annotations", 3, keypoints=[float("nan")] + [0.0] * 50), (LAST, "NaN", "repair")),
    "infinity": (change("annotations", 3, bbox=[0, 0, 5, float("inf")]), (LAST, "infinity")),
    "minus infinity": (change("annotations", 3, area=float("-inf")), (LAST, "infinity")),
    "1e999": (json.dumps(good()).replace("600.5", "1e999", 1), ("annotations[0]", "'area'", "out of range")),
    "null coordinate": (change("annotations", 0, keypoints=[None] * 51), (LABEL, "keypoints[0]", "null")),
    "visibility": (change("annotations", 3, keypoints=[1, 2, 3] * 17), (LAST, "visibility is not 0, 1 or 2")),
    "zero box": (change("annotations", 0, bbox=[1, 2, 0, 40]), (LABEL, "width 0 and height 40", "positive")),
    "negative box": (change("annotations", 1, bbox=[1, 2, 4, -40]), ("annotations[1] (id 12)", "negative")),
    "box length": (change("annotations", 0, bbox=[1, 2, 3]), (LABEL, "'bbox' must have 4 numbers")),
    "negative area": (change("annotations", 0, area=-1), (LABEL, "area is negative")),
    "image twice": (change("images", 1, id=5), ("images[1] (id 5)", "image id occurs twice", "keep one")),
    "annotation twice": (change("annotations", 3, id=11), ("annotations[3] (id 11)", "occurs twice")),
    "unknown image": (change("annotations", 0, image_id=6), (LABEL, "image 6 is not in the file's images")),
    "text id": (change("annotations", 0, id="11"), (LABEL, "'id' must be an integer, found a text")),
    "fraction id": (change("images", 0, id=5.5), ("images[0]", "'id' must be an integer, found a number")),
    "long id": (change("annotations", 0, image_id=2**70), (LABEL, "'image_id'", "too long")),
    "no bbox": (drop("annotations", 0, "bbox"), (LABEL, "'bbox' is missing")),
    "no file name": (drop("images", 1, "file_name"), ("images[1] (id 9)", "'file_name' is missing")),
    "leaves": (change("images", 0, file_name="../../etc/a.jpg"), ("images[0] (id 5)", "leaves its folder")),
    "absolute": (change("images", 0, file_name="/etc/a.jpg"), ("images[0] (id 5)", "leaves its folder")),
    "no name": (change("images", 0, file_name=""), ("images[0] (id 5)", "leaves its folder")),
    "row": ({**good(), "annotations": [7]}, ("annotations[0]", "must be an object, found an integer")),
    "other keypoints": (
        change("categories", 0, keypoints=list(COCO17.keypoints[:1] + COCO17.keypoints[:0:-1])),
        ("categories", "not those of skeleton coco17", "right_ankle"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_refused_with_file_row_and_cause(tmp_path: Path, name: str) -> None:
    document, words = FAULTS[name]
    refusal(write(tmp_path, document), *words)


def test_a_fault_beyond_the_first_block_keeps_its_row(tmp_path: Path) -> None:
    document = good()
    row = document["annotations"][0]
    document["annotations"] = [row | {"id": 100 + k} for k in range(5000)]
    document["annotations"][4500] = row | {"id": 4600, "keypoints": [1]}
    refusal(write(tmp_path, document), "annotations[4500] (id 4600)")
    document["annotations"][4500] = row | {"id": "x"}
    refusal(write(tmp_path, document), "annotations[4500] (id x)", "must be an integer")


VALUES = [None, True, -1, 0, 1.5, 2**65, "x", "", [], {}, [[]], 1e308, "../x", {"id": 1}]


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_any_damage_is_read_or_refused_by_name(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    document = good()
    path = tmp_path_factory.getbasetemp() / "damaged.json"
    for _ in range(data.draw(st.integers(0, 2))):
        where: Any = document
        while True:
            key = data.draw(
                st.sampled_from(list(where) if isinstance(where, dict) else list(range(len(where))))
            )
            if not isinstance(where[key], dict | list) or not where[key] or data.draw(st.integers(0, 3)) == 0:
                break
            where = where[key]
        where[key] = copy.deepcopy(data.draw(st.sampled_from(VALUES)))
    text = bytearray(json.dumps(document).encode())
    for _ in range(data.draw(st.integers(0, 2))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(text[: data.draw(st.integers(0, 2 * len(text)))])
    refused = ""
    try:
        images, people = read_annotations(path)
    except InputError as error:
        refused = str(error)
    if refused:
        assert refused.startswith(f"{path}: ")
    else:
        assert (images.rows_of(people.image_id) >= 0).all()
        assert np.isfinite(people.keypoints).all()


def test_missing_and_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / "latin.json"
    path.write_bytes(json.dumps(good()).encode().replace(b'"b.jpg', b'"\xff.jpg'))
    refusal(path, "images[1]", "not UTF-8")
    refusal(tmp_path / "none.json", "no such file")
    refusal(tmp_path, "cannot be read")
    path = write(tmp_path, good(), "labels.json.gz")
    path.write_bytes(path.read_bytes()[:-30])
    refusal(path, "gzip", "cut short")


coordinate = st.floats(-1e4, 1e4).map(lambda x: round(x, 3) + 0.0)


@st.composite
def datasets(draw: st.DrawFn) -> tuple[ImageTable, Instances]:
    n = draw(st.integers(0, 4))
    skeleton = draw(st.sampled_from([COCO17, AIC14]))
    images = ImageTable.of([2**59, 7], ["a b/ü.jpg", "c.0,.jpg"], [640, 0], [480, 0])
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    keypoints = np.round(rng.normal(0, 100, (n, len(skeleton), 3)), draw(st.integers(0, 9)))
    keypoints[:, :, 2] = rng.integers(0, 3, (n, len(skeleton)))
    box = np.abs(rng.normal(0, 100, (n, 4))) + np.array([draw(coordinate), draw(coordinate), 1, 1])
    return images, Instances.of(
        rng.choice(images.id, n), box, keypoints, score=rng.random(n), area=rng.random(n) * 1e5,
        crowd=rng.random(n) < 0.5, id=rng.permutation(n) + 1, skeleton=skeleton,
    )  # fmt: skip


@given(datasets())
@settings(max_examples=60, deadline=None)
def test_write_then_read_is_identity(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    images, people = data
    path = tmp_path_factory.getbasetemp() / "round_trip.json.gz"
    write_annotations(path, images, people)
    images_back, back = read_annotations(path, skeleton=people.skeleton)
    assert images_back.file_name == images.file_name
    for field in ("id", "width", "height"):
        np.testing.assert_array_equal(getattr(images_back, field), getattr(images, field))
    for field in ("image_id", "box", "keypoints", "area", "crowd", "id"):
        np.testing.assert_array_equal(getattr(back, field), getattr(people, field), field)


def test_pycocotools_loads_what_is_written(tmp_path: Path) -> None:
    from pycocotools.coco import COCO

    images, people = read_annotations(write(tmp_path, good()))
    path = tmp_path / "out.json"
    people = people.with_(id=np.array([0, 12, 0]), score=np.array([0.5, 0.25, 1]))
    polygons: list[object] = [[[1, 2, 3, 4, 5, 6.0]], [], []]
    write_annotations(path, images, people, segmentation=polygons, info={"description": "x"}, scores=True)
    coco = COCO(str(path))
    assert sorted(coco.getAnnIds()) == [12, 13, 14]
    row = json.loads(path.read_text())["annotations"][0]
    assert row["id"] == 13
    assert row["num_keypoints"] == 11
    assert row["iscrowd"] == 0
    assert row["score"] == 0.5
    assert row["segmentation"] == [[1, 2, 3, 4, 5, 6.0]]
    assert row["keypoints"][3:6] == [11, 20.5, 1]
    assert all(isinstance(v, int) for v in row["keypoints"][2::3])
    category = coco.loadCats(1)[0]
    assert category["keypoints"] == list(COCO17.keypoints)
    assert [1, 2] in category["skeleton"]


def people_of(count: int) -> Instances:
    rng = np.random.default_rng(count)
    keypoints = rng.uniform(0, 60, (count, 17, 3))
    keypoints[:, :, 2] = rng.integers(0, 3, (count, 17))
    return Instances.of(
        rng.choice([5, 9], count), np.tile([1.0, 2.0, 30.0, 40.0], (count, 1)), keypoints,
        score=rng.random(count), id=np.arange(1, count + 1),
    )  # fmt: skip


@pytest.mark.parametrize("name", ["labels.json", "labels.json.gz"])
def test_a_stream_of_people_is_the_file_of_all(tmp_path: Path, name: str) -> None:
    images = ImageTable.of([5, 9], ["a.jpg", "b.jpg"])
    people = people_of(7)
    whole, stream = tmp_path / name, tmp_path / f"stream-{name}"
    write_annotations(whole, images, people, scores=True, info={"year": 2017})
    blocks = [people[:3], people[:0], people[3:]]
    write_annotation_stream(
        stream, images, ((b, {"score": b.score.tolist()}) for b in blocks),
        skeleton=COCO17, info={"year": 2017},
    )  # fmt: skip
    assert stream.read_bytes() == whole.read_bytes()
    assert len(read_annotations(stream)[1]) == 7
    write_annotation_stream(stream, images, [], skeleton=COCO17)
    assert len(read_annotations(stream)[1]) == 0

    def broken() -> Any:
        yield people, {}
        raise InputError("enough")

    with pytest.raises(InputError, match="enough"):
        write_annotation_stream(stream, images, broken(), skeleton=COCO17)
    assert len(read_annotations(stream)[1]) == 0 and len(list(tmp_path.iterdir())) == 2


def test_keypoint_weights_are_carried(tmp_path: Path) -> None:
    path, images, people = tmp_path / "w.json", ImageTable.of([5, 9], ["a.jpg", "b.jpg"]), people_of(4)
    write_annotations(path, images, people)
    assert read_annotations(path)[1].keypoint_weight is None
    weight = np.random.default_rng(1).random((4, 17))
    write_annotations(path, images, people.with_(keypoint_weight=weight))
    np.testing.assert_array_equal(read_annotations(path)[1].keypoint_weight, weight)
    document = json.loads(path.read_bytes())
    del document["annotations"][2]["keypoint_weight"]
    mixed = read_annotations(write(tmp_path, document, "mixed.json"))[1].weights
    np.testing.assert_array_equal(mixed[2], np.ones(17))
    np.testing.assert_array_equal(mixed[[0, 1, 3]], weight[[0, 1, 3]])
    for wrong, words in (([0.5] * 16, "'keypoint_weight' has 16 numbers"), ([1.5] * 17, "not in 0..1")):
        document["annotations"][1]["keypoint_weight"] = wrong
        refusal(write(tmp_path, document, "wrong.json"), "annotations[1] (id 2)", words)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("keypoints", np.full((3, 17, 3), 0.5), ("visibility", "instances[0] (image 5)")),
        ("area", np.array([1.0, np.nan, 1.0]), ("NaN", "instances[1] (image 5)")),
        ("image_id", np.array([5, 5, 6]), ("not in the image table", "instances[2] (image 6)")),
        ("id", np.array([3, 4, 3]), ("occurs twice", "instances[2]")),
    ],
)
def test_writer_refuses_and_leaves_the_old_file(
    tmp_path: Path, field: str, value: np.ndarray, words: tuple[str, ...]
) -> None:
    path = write(tmp_path, good())
    before = path.read_bytes()
    images, people = read_annotations(path)
    with pytest.raises(InputError) as caught:
        write_annotations(path, images, people.with_(**{field: value}))
    assert all(word in str(caught.value) for word in words)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_image_list_round_trip(tmp_path: Path) -> None:
    images = ImageTable.of([3, 2**60], ["a.jpg", "b/c.jpg"], [10, 0], [20, 0])
    path = tmp_path / "list.json"
    write_image_list(path, images, info={"description": "two"})
    back = read_image_list(path)
    assert back.file_name == images.file_name
    assert back.id.tolist() == [3, 2**60]
    assert back.height.tolist() == [20, 0]
    assert json.loads(path.read_text())["info"] == {"description": "two"}
    with pytest.raises(InputError, match="image list: 'images' is missing"):
        read_image_list(write(tmp_path, {"info": {}}))


COUNTS = {
    "mmpose_test_coco.json": (4, 14, 12, 0),
    "person_keypoints_train2017.json": (93, 377, 221, 11),
    "person_keypoints_val2017.json": (71, 319, 169, 7),
    "person_keypoints_val2014_100.json": (100, 256, 139, 6),
    "person_keypoints_val2017_538.json.gz": (522, 2132, 1308, 46),
    "wholebody_example_gt.json": (5, 26, 24, 0),
}


@pytest.mark.shared
@pytest.mark.parametrize("name", COUNTS)
def test_real_files_have_their_counts(shared: Path, name: str) -> None:
    images, people = read_annotations(shared / "real/coco/annotations" / name)
    found = (len(images), len(people), int((people.num_labelled > 0).sum()), int(people.crowd.sum()))
    assert found == COUNTS[name]


@pytest.mark.shared
def test_real_annotations_equal_the_json(shared: Path) -> None:
    path = shared / "real/coco/annotations/person_keypoints_val2017_538.json.gz"
    rows = json.loads(gzip.decompress(path.read_bytes()))["annotations"]
    _, people = read_annotations(path)
    assert people.id.tolist() == [row["id"] for row in rows]
    assert people.keypoints.reshape(-1, 51).tolist() == [row["keypoints"] for row in rows]
    assert people.box.tolist() == [row["bbox"] for row in rows]
    assert people.area.tolist() == [row["area"] for row in rows]
    assert people.num_labelled.tolist() == [row["num_keypoints"] for row in rows]


@pytest.mark.shared
def test_other_skeletons_are_not_taken_for_coco(shared: Path) -> None:
    refusal(shared / "real/other/crowdpose/test_crowdpose.json", "not those of skeleton coco17")


@pytest.mark.shared
@pytest.mark.parametrize("name", ["test-dev2017", "test2017_extra", "unlabeled2017"])
def test_real_image_lists(shared: Path, name: str) -> None:
    images = read_image_list(shared / f"real/coco/annotations/image_info_{name}.json")
    assert len(images) == (16 if name == "unlabeled2017" else 10)
    assert (images.width > 0).all()
