"""Data sets by name: both layouts of COCO, sentences for what is missing, paths that stay inside."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kpkit.core.errors import InputError
from kpkit.specs.datasets import KNOWN, DatasetSpec, data_root, resolve

COCO = [name for name in KNOWN if name.startswith("coco_")]
PICTURES = {
    "coco_train2017": "train2017",
    "coco_val2017": "val2017",
    "coco_unlabeled2017": "unlabeled2017",
    "coco_test-dev2017": "test2017",
    "coco_test2017": "test2017",
}
LISTS = {
    "coco_train2017": "person_keypoints_train2017.json",
    "coco_val2017": "person_keypoints_val2017.json",
    "coco_unlabeled2017": "image_info_unlabeled2017.json",
    "coco_test-dev2017": "image_info_test-dev2017.json",
    "coco_test2017": "image_info_test2017.json",
}


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


def own(**changes: str) -> dict[str, DatasetSpec]:
    tables = {"format": "coco", "annotations": "mine/a.json", "images": "mine/pictures"} | changes
    return {"mine": DatasetSpec(**tables)}  # type: ignore[arg-type]


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("layout", ["coco", "coco/images"])
@pytest.mark.parametrize("name", COCO)
def test_coco_in_both_layouts(tmp_path: Path, name: str, layout: str, ending: str) -> None:
    pictures = tmp_path / layout / PICTURES[name]
    pictures.mkdir(parents=True)
    annotations = touch(tmp_path / "coco/annotations" / (LISTS[name] + ending))
    found = resolve(name, tmp_path)
    assert (found.annotations, found.images) == (annotations, pictures)
    assert found.format == ("coco" if "person" in LISTS[name] else "images")
    assert found.detections is None
    assert found.truth is None
    assert not found.skip_missing


def test_the_plain_layout_and_the_plain_file_are_preferred(tmp_path: Path) -> None:
    for folder in ("coco/val2017", "coco/images/val2017"):
        (tmp_path / folder).mkdir(parents=True)
    for ending in (".gz", ""):
        touch(tmp_path / f"coco/annotations/person_keypoints_val2017.json{ending}")
    found = resolve("coco_val2017", tmp_path)
    assert found.images == tmp_path / "coco/val2017"
    assert found.annotations.name == "person_keypoints_val2017.json"


@pytest.mark.parametrize(
    "file",
    [
        "COCO_val2017_detections_person.json",
        "COCO_val2017_detections_AP_H_56_person.json",
        "COCO_val2017_detections_AP_H_609_person.json.gz",
    ],
)
def test_box_files_under_the_names_they_circulate_by(tmp_path: Path, file: str) -> None:
    (tmp_path / "coco/val2017").mkdir(parents=True)
    touch(tmp_path / "coco/annotations/person_keypoints_val2017.json")
    with pytest.raises(InputError, match="the detections file is missing"):
        resolve("coco_val2017", tmp_path, need=("detections",))
    boxes = touch(tmp_path / "coco/person_detection_results" / file)
    assert resolve("coco_val2017", tmp_path, need=("detections",)).detections == boxes


@pytest.mark.parametrize("outer", [True, False])
@pytest.mark.parametrize(
    ("name", "stem", "date", "pictures"),
    [
        ("aic_train", "keypoint_train", "20170909", "20170902"),
        ("aic_val", "keypoint_validation", "20170911", "20170911"),
    ],
)
def test_aic_flat_and_as_its_archive_unpacks(
    tmp_path: Path, name: str, stem: str, date: str, pictures: str, outer: bool
) -> None:
    root = tmp_path / "aic" / (f"ai_challenger_{stem}_{date}" if outer else "")
    annotations = touch(root / f"{stem}_annotations_{date}.json")
    (root / f"{stem}_images_{pictures}").mkdir()
    found = resolve(name, tmp_path)
    assert (found.format, found.annotations) == ("aic", annotations)
    assert found.images == root / f"{stem}_images_{pictures}"


def test_sealed_truth_of_a_practice_world(tmp_path: Path) -> None:
    (tmp_path / "coco/test2017").mkdir(parents=True)
    for split, truth in (("test-dev2017", "test-dev2017"), ("test2017", "test-challenge2017")):
        touch(tmp_path / f"coco/annotations/image_info_{split}.json")
        sealed = touch(tmp_path / f"sealed/person_keypoints_{truth}.json")
        assert resolve(f"coco_{split}", tmp_path, need=("truth",)).truth == sealed


@pytest.mark.parametrize("name", KNOWN)
def test_what_is_missing_is_named_with_its_publisher(tmp_path: Path, name: str) -> None:
    known = KNOWN[name]
    with pytest.raises(InputError) as caught:
        resolve(name, tmp_path)
    error = caught.value
    assert error.cause == f"data set {name}: the annotations file is missing"
    assert error.file == tmp_path / known.annotations[0]
    assert known.published["annotations"] in str(error)
    assert "http" in str(error)
    assert str(tmp_path / known.annotations[1]) in str(error)
    touch(tmp_path / known.annotations[0])
    with pytest.raises(InputError) as caught:
        resolve(name, tmp_path)
    assert caught.value.cause == f"data set {name}: the picture folder is missing"
    assert caught.value.file == tmp_path / known.images[0]
    assert known.published["images"] in str(caught.value)


def test_the_archives_are_coco_s_own(tmp_path: Path) -> None:
    published = {name: KNOWN[name].published for name in COCO}
    assert published["coco_train2017"]["images"].startswith("train2017.zip of https://cocodataset.org/")
    assert published["coco_val2017"]["annotations"].startswith("annotations_trainval2017.zip of ")
    assert published["coco_test-dev2017"]["annotations"].startswith("image_info_test2017.zip of ")
    assert published["coco_test-dev2017"]["images"].startswith("test2017.zip of ")
    assert published["coco_unlabeled2017"]["annotations"].startswith("image_info_unlabeled2017.zip of ")
    touch(tmp_path / KNOWN["coco_val2017"].annotations[0])
    (tmp_path / KNOWN["coco_val2017"].images[0]).mkdir(parents=True)
    with pytest.raises(InputError, match="not published by COCO: run a person detector"):
        resolve("coco_val2017", tmp_path, need=("detections",))


def test_own_data_sets(tmp_path: Path) -> None:
    annotations = touch(tmp_path / "mine/a.json")
    pictures = tmp_path / "mine/pictures"
    pictures.mkdir()
    found = resolve("mine", tmp_path, own(missing_pictures="skip"))
    assert (found.annotations, found.images, found.skip_missing) == (annotations, pictures, True)
    assert found.detections is None
    with pytest.raises(InputError) as caught:
        resolve("mine", tmp_path, own(detections="mine/boxes.json"), need=("detections",))
    assert caught.value.file == tmp_path / "mine/boxes.json"
    assert caught.value.remedy == "put it there or correct the document"
    with pytest.raises(InputError, match="the detections file is missing"):
        resolve("mine", tmp_path, own(), need=("detections",))
    elsewhere = touch(tmp_path / "absolute/b.json")
    assert resolve("mine", tmp_path, own(annotations=str(elsewhere))).annotations == elsewhere


def test_an_own_data_set_comes_before_a_known_one(tmp_path: Path) -> None:
    touch(tmp_path / "mine/a.json")
    (tmp_path / "mine/pictures").mkdir()
    mine = {"coco_val2017": own()["mine"]}
    assert resolve("coco_val2017", tmp_path, mine).annotations == tmp_path / "mine/a.json"


@pytest.mark.parametrize("key", ["annotations", "images", "detections", "truth"])
@pytest.mark.parametrize("place", ["../out.json", "mine/../../out.json"])
def test_paths_that_leave_the_data_folder(tmp_path: Path, key: str, place: str) -> None:
    root = tmp_path / "data"
    touch(root / "mine/a.json")
    (root / "mine/pictures").mkdir()
    touch(tmp_path / "out.json")
    with pytest.raises(InputError, match="leaves its folder"):
        resolve("mine", root, own(**{key: place}))


def test_unknown_names(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"unknown data set 'coco_val'; did you mean 'coco_val2017'\?"):
        resolve("coco_val", tmp_path)
    with pytest.raises(InputError, match=r"did you mean 'mine'\?"):
        resolve("mien", tmp_path, own())


def test_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KPKIT_DATA", raising=False)
    with pytest.raises(InputError, match="no data folder is named; give --data DIR or set KPKIT_DATA"):
        data_root()
    monkeypatch.setenv("KPKIT_DATA", str(tmp_path))
    assert data_root() == tmp_path
    other = tmp_path / "other"
    with pytest.raises(InputError, match="the data folder does not exist"):
        data_root(other)
    other.mkdir()
    assert data_root(other) == other
    monkeypatch.setenv("KPKIT_DATA", str(touch(tmp_path / "file")))
    with pytest.raises(InputError, match="the data folder does not exist"):
        data_root()


def test_parts_of_a_data_set(tmp_path: Path) -> None:
    """The files are the whole data set's; only who belongs to it differs."""
    (tmp_path / "coco/train2017").mkdir(parents=True)
    touch(tmp_path / "coco/annotations/person_keypoints_train2017.json")
    further = touch(tmp_path / "more/train2017.json")
    found = resolve("coco_train2017@not1of5", tmp_path, more=("more/{split}.json",))
    whole = resolve("coco_train2017", tmp_path, more=("more/{split}.json",))
    assert (found.name, found.whole, str(found.part)) == ("coco_train2017@not1of5", whole.name, "not1of5")
    assert replace(found, name=whole.name, part=None) == whole and whole.part is None
    assert found.more_detections == (further,)
    mine = {"mine@1of2": own()["mine"], "mine": own(missing_pictures="skip")["mine"]}
    touch(tmp_path / "mine/a.json")
    (tmp_path / "mine/pictures").mkdir()
    assert resolve("mine@1of2", tmp_path, mine).part is None
    assert resolve("mine@2of2", tmp_path, mine).skip_missing
    with pytest.raises(InputError, match="'3of2' is no part of it"):
        resolve("coco_train2017@3of2", tmp_path)
    with pytest.raises(InputError, match=r"unknown data set 'coco_train'; did you mean 'coco_train2017'\?"):
        resolve("coco_train@1of2", tmp_path)
