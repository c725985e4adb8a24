"""The generated world on disk: the same bytes from the same seed, the layout, the labels' meaning."""

from __future__ import annotations

import contextlib
import io
import json
import re
import subprocess
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import pytest

from kpkit.core.boxes import box_iou
from kpkit.core.errors import InputError
from kpkit.core.files import file_hash
from kpkit.core.skeletons import AIC14
from kpkit.data.coco import read_annotations
from kpkit.data.world import WORLD_SIZES, contact_sheet, draw_world
from kpkit.data.world import splits as world_splits

FEW = {"train2017": 4, "val2017": 1, "aic": 2, "unlabeled2017": 1, "test-dev2017": 1, "test-challenge2017": 1}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("world") / "world"
    draw_world(directory, size="tiny", seed=3)
    return directory


def hashes(directory: Path) -> dict[str, str]:
    return {str(p.relative_to(directory)): file_hash(p) for p in sorted(directory.rglob("*")) if p.is_file()}


def load(path: Path) -> dict:
    return json.loads(path.read_bytes())


def test_same_seed_same_bytes_with_any_number_of_workers(tmp_path: Path) -> None:
    draw_world(tmp_path / "one", size="tiny", seed=7, counts=FEW)
    draw_world(tmp_path / "two", size="tiny", seed=7, counts=FEW, workers=2)
    draw_world(tmp_path / "other", size="tiny", seed=8, counts=FEW)
    one, two, other = hashes(tmp_path / "one"), hashes(tmp_path / "two"), hashes(tmp_path / "other")
    assert one == two
    assert not set(one.values()) & set(other.values())


def test_layout_is_complete_and_every_picture_is_there(world: Path) -> None:
    counts = dict(zip(world_splits.SPLITS, WORLD_SIZES["tiny"], strict=True))
    notes = world / "coco/annotations"
    lists = {
        "train2017": notes / "person_keypoints_train2017.json",
        "val2017": notes / "person_keypoints_val2017.json",
        "unlabeled2017": notes / "image_info_unlabeled2017.json",
        "test-dev2017": notes / "image_info_test-dev2017.json",
        "test-challenge2017": world / "sealed/person_keypoints_test-challenge2017.json",
    }
    seen: set[int] = set()
    for split, path in lists.items():
        document = load(path)
        assert len(document["images"]) == counts[split]
        for image in document["images"]:
            assert re.fullmatch(r"\d{12}\.jpg", image["file_name"])
            assert int(image["file_name"][:12]) == image["id"]
            picture = cv2.imread(str(world / world_splits.FOLDERS[split] / image["file_name"]))
            assert picture.shape == (image["height"], image["width"], 3)
        ids = {image["id"] for image in document["images"]}
        assert not ids & seen
        seen |= ids
    both = {i["id"] for i in load(notes / "image_info_test2017.json")["images"]}
    dev = {i["id"] for i in load(lists["test-dev2017"])["images"]}
    challenge = {i["id"] for i in load(lists["test-challenge2017"])["images"]}
    assert both == dev | challenge
    for split in ("unlabeled2017", "test-dev2017", "test2017"):
        assert "annotations" not in load(notes / f"image_info_{split}.json")
    for split in ("train2017", "val2017", "unlabeled2017", "test-dev2017", "test2017"):
        assert load(world / f"coco/person_detection_results/COCO_{split}_detections_person.json")
    for split in ("test-dev2017", "test-challenge2017", "unlabeled2017"):
        assert load(world / f"sealed/person_keypoints_{split}.json")["annotations"]
    assert "generated world" in load(world / "world.json")["results"]


def test_annotations_are_coco(world: Path) -> None:
    from pycocotools.coco import COCO

    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(world / "coco/annotations/person_keypoints_train2017.json"))
        truth.loadRes(str(world / "coco/person_detection_results/COCO_train2017_detections_person.json"))
    labelled = 0
    for note in truth.dataset["annotations"]:
        image = truth.imgs[note["image_id"]]
        x, y, w, h = note["bbox"]
        assert x >= 0 <= y and x + w <= image["width"] and y + h <= image["height"]
        mask = truth.annToMask(note)
        assert mask.sum() == pytest.approx(note["area"], rel=0.25, abs=40)
        points = np.array(note["keypoints"]).reshape(17, 3)
        assert note["num_keypoints"] == (points[:, 2] > 0).sum()
        assert np.array_equal(points, points.astype(int))
        assert (points[points[:, 2] == 0] == 0).all()
        there = points[points[:, 2] > 0]
        assert (there[:, :2] >= 0).all()
        assert (there[:, 0] < image["width"]).all()
        assert (there[:, 1] < image["height"]).all()
        labelled += note["num_keypoints"] > 0
        if note["iscrowd"]:
            assert note["num_keypoints"] == 0
            assert isinstance(note["segmentation"], dict)
    assert labelled > 20


def test_aic_records(world: Path) -> None:
    records = load(world / "aic/keypoint_train_annotations_20170909.json")
    assert len(records) == WORLD_SIZES["tiny"][2]
    codes = []
    for record in records:
        assert re.fullmatch("[0-9a-f]{40}", record["image_id"])
        file = world / "aic/keypoint_train_images_20170902" / f"{record['image_id']}.jpg"
        height, width = cv2.imread(str(file)).shape[:2]
        assert record["human_annotations"].keys() == record["keypoint_annotations"].keys()
        for name, box in record["human_annotations"].items():
            assert 0 <= box[0] < box[2] <= width
            assert 0 <= box[1] < box[3] <= height
            points = np.array(record["keypoint_annotations"][name]).reshape(len(AIC14), 3)
            assert (points[points[:, 2] == 3, :2] == 0).all()
            codes += points[:, 2].tolist()
    share = [codes.count(code) / len(codes) for code in (1, 2, 3)]
    assert sum(share) == pytest.approx(1)
    assert share[0] > 0.4 > share[1] > 0.05


def test_statues_are_detected_and_never_annotated(world: Path) -> None:
    """Confident detections that touch nobody: what hard-negative mining looks for."""
    images, people = read_annotations(world / "coco/annotations/person_keypoints_train2017.json")
    rows = load(world / "coco/person_detection_results/COCO_train2017_detections_person.json")
    by_image = defaultdict(list)
    for row in rows:
        assert set(row) == {"image_id", "category_id", "bbox", "score"}
        by_image[row["image_id"]].append([*row["bbox"], row["score"]])
    found = alone = labelled = 0
    for image in images.id.tolist():
        boxes = np.array(by_image[image]).reshape(-1, 5)
        truth = people[people.image_id == image]
        overlap = box_iou(truth.box, boxes[:, :4])
        some = truth.num_labelled > 0
        found += int((overlap[some].max(axis=1, initial=0) >= 0.5).sum())
        labelled += int(some.sum())
        alone += int(((overlap.max(axis=0, initial=0) == 0) & (boxes[:, 4] >= 0.5)).sum())
    assert 0.85 <= found / labelled <= 1.0
    assert alone >= 3


def test_drawing_again_does_nothing_and_other_folders_are_refused(world: Path, tmp_path: Path) -> None:
    stamp = (world / "world.json").stat().st_mtime_ns
    assert draw_world(world, size="tiny", seed=3)["seed"] == 3
    assert (world / "world.json").stat().st_mtime_ns == stamp
    with pytest.raises(InputError, match="another world"):
        draw_world(world, size="tiny", seed=4)
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters/mine.txt").write_text("keep")
    with pytest.raises(InputError, match="other files"):
        draw_world(tmp_path / "letters", size="tiny")
    assert (tmp_path / "letters/mine.txt").read_text() == "keep"
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="not a folder"):
        draw_world(tmp_path / "file", size="tiny")
    with pytest.raises(InputError, match="unknown world size"):
        draw_world(tmp_path / "new", size="huge")
    with pytest.raises(InputError, match="val2018"):
        draw_world(tmp_path / "new", size="tiny", counts={"val2018": 3})
    with pytest.raises(InputError, match="no such file"):
        draw_world(tmp_path / "new", size="tiny", poses=tmp_path / "none.json")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "letters"]


def test_interrupted_drawing_leaves_no_world(tmp_path: Path) -> None:
    def stop(done: int, total: int, unit: str = "", note: str = "") -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        draw_world(tmp_path / "world", size="tiny", counts=FEW, progress=stop)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "world").mkdir()
    killed = subprocess.Popen(["true"])
    killed.wait()
    (tmp_path / f".world.{killed.pid}.drawing/coco").mkdir(parents=True)  # what SIGKILL leaves
    draw_world(tmp_path / "world", size="tiny", counts=FEW)  # an empty folder is taken
    assert (tmp_path / "world/world.json").is_file()
    assert [p.name for p in tmp_path.iterdir()] == ["world"]


def test_contact_sheet(world: Path) -> None:
    plain = contact_sheet(world, "val2017", 4, draw_keypoints=False)
    drawn = contact_sheet(world, "val2017", 4)
    assert plain.shape == drawn.shape
    assert plain.dtype == np.uint8
    assert (plain != drawn).any()
    assert contact_sheet(world, "test-dev2017", 2).any()
    with pytest.raises(InputError, match="no split"):
        contact_sheet(world, "aic", 2)


@pytest.mark.shared
def test_real_layouts_keep_labelled_keypoints(tmp_path: Path, shared: Path) -> None:
    check_layouts(tmp_path, shared / "real/coco/annotations/person_keypoints_val2017_538.json.gz", 20)


def test_layouts_of_a_world_keep_labelled_keypoints(tmp_path: Path, world: Path) -> None:
    check_layouts(tmp_path, world / "coco/annotations/person_keypoints_train2017.json", 12)


def check_layouts(tmp_path: Path, source: Path, least: int) -> None:
    some = {**FEW, "train2017": 24}
    draw_world(tmp_path / "world", size="tiny", counts=some, poses=source)
    real_images, real = read_annotations(source)
    images, drawn = read_annotations(tmp_path / "world/coco/annotations/person_keypoints_train2017.json")
    sizes = np.column_stack([real_images.width, real_images.height])
    scale = np.minimum(1.0, 400 / sizes.max(axis=1))
    small = np.round(sizes * scale[:, None])
    compared = 0
    for image, width, height in zip(images.id, images.width, images.height, strict=True):
        people = drawn[(drawn.image_id == image) & (drawn.num_labelled > 0)]
        fits = np.flatnonzero((small == (width, height)).all(axis=1))
        candidates = [real[real.image_id == real_images.id[row]] for row in fits]
        for keypoints in people.keypoints:
            some_labelled = keypoints[:, 2] > 0
            best = min(
                (
                    np.abs(other[some_labelled, :2] * scale[row] - keypoints[some_labelled, :2]).max()
                    for row, group in zip(fits, candidates, strict=True)
                    for other in group.keypoints[
                        ((group.keypoints[:, :, 2] > 0) == some_labelled).all(axis=1)
                    ]
                ),
                default=np.inf,
            )
            assert best <= 1.0
            compared += 1
    assert compared >= least
