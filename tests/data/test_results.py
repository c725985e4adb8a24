"""Keypoint results, detections, stored poses."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpkit.core.errors import InputError
from kpkit.core.instances import Instances
from kpkit.core.skeletons import AIC14
from kpkit.data.results import (
    read_detections,
    read_poses,
    read_results,
    write_detections,
    write_poses,
    write_results,
)


def poses(n: int = 3, seed: int = 0) -> Instances:
    rng = np.random.default_rng(seed)
    keypoints = rng.normal(100, 200, (n, 17, 3))
    keypoints[:, :, 2] = rng.random((n, 17))
    return Instances.of(
        rng.integers(1, 10**9, n), rng.random((n, 4)) + 1, keypoints, score=rng.random(n), source="P"
    )


def rows(**change: object) -> list[dict[str, Any]]:
    good = {"image_id": 785, "category_id": 1, "keypoints": [1.5, 2, 0.5] * 17, "score": 0.5}
    return [good, {k: v for k, v in (good | change).items() if v is not ...}]


def boxes(**change: object) -> list[dict[str, Any]]:
    good = {"image_id": 785, "category_id": 1, "bbox": [1, 2, 3, 4.5], "score": 0.5}
    return [good, {k: v for k, v in (good | change).items() if v is not ...}]


def put(folder: Path, document: object) -> Path:
    path = folder / "rows.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def refusal(path: Path, read: Any, *words: str) -> None:
    with pytest.raises(InputError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")
    for word in words:
        assert word in str(caught.value), str(caught.value)


ROW = "row 1 (image 785)"
POSE_FAULTS: dict[str, tuple[object, tuple[str, ...]]] = {
    "object": ({"annotations": []}, ("COCO keypoint results", "must be a list, found an object")),
    "cut short": ("[{", ("cut short",)),
    "NaN": (rows(score=float("nan")), ("row 1 (image 785)", "NaN")),
    "null": (rows(score=None), (ROW, "'score' must be a number, found null")),
    "count": (rows(keypoints=[1, 2, 3] * 14), (ROW, "42 numbers, must be 51")),
    "nested": (rows(keypoints=[[1, 2, 3]] * 17), (ROW, "'keypoints[0]' must be a number, found a list")),
    "category": (rows(category_id=0), (ROW, "category_id is not 1")),
    "text id": (rows(image_id="785"), ("row 1", "'image_id' must be an integer, found a text")),
    "missing": (rows(score=...), (ROW, "'score' is missing")),
    "boxes": (boxes(), ("row 0 (image 785)", "'keypoints' is missing")),
}
BOX_FAULTS: dict[str, tuple[object, tuple[str, ...]]] = {
    "zero": (boxes(bbox=[1, 2, 0, 4]), (ROW, "width 0 and height 4, both must be positive", "x, y, width")),
    "negative": (boxes(bbox=[1, 2, 3, -4]), (ROW, "height -4")),
    "length": (boxes(bbox=[1, 2, 3, 4, 5]), (ROW, "'bbox' must have 4 numbers")),
    "NaN": (boxes(bbox=[1, 2, 3, float("nan")]), (ROW, "NaN")),
    "text id": (boxes(image_id="a.jpg"), ("row 1 (image a.jpg)", "must be an integer")),
    "missing": (boxes(category_id=...), (ROW, "'category_id' is missing")),
}


@pytest.mark.parametrize("name", POSE_FAULTS)
def test_results_refused(tmp_path: Path, name: str) -> None:
    document, words = POSE_FAULTS[name]
    refusal(put(tmp_path, document), read_results, *words)


@pytest.mark.parametrize("name", BOX_FAULTS)
def test_detections_refused(tmp_path: Path, name: str) -> None:
    document, words = BOX_FAULTS[name]
    refusal(put(tmp_path, document), read_detections, *words)


def test_results_give_boxes_and_areas_as_load_res_does(tmp_path: Path) -> None:
    from pycocotools.coco import COCO

    path = tmp_path / "r.json"
    write_results(path, poses(20))
    found = read_results(path)
    truth = COCO()
    truth.dataset = {"images": [{"id": int(i)} for i in found.image_id], "categories": [{"id": 1}]}
    truth.createIndex()
    peer = truth.loadRes(json.loads(path.read_text())).dataset["annotations"]
    np.testing.assert_allclose(found.box, [row["bbox"] for row in peer], atol=1e-9)
    np.testing.assert_allclose(found.area, [row["area"] for row in peer], atol=1e-6)
    assert set(found.source.tolist()) == {"P"}


def test_results_hold_exactly_four_keys_and_whole_ids(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    write_results(path, poses(), decimals=1)
    for row in json.loads(path.read_text()):
        assert list(row) == ["image_id", "category_id", "keypoints", "score"]
        assert type(row["image_id"]) is int
        assert row["keypoints"][2::3] == [1] * 17
        assert all(round(v, 1) == v for v in row["keypoints"])


@given(st.integers(0, 5), st.integers(0, 2**32), st.integers(0, 4))
@settings(max_examples=60, deadline=None)
def test_results_round_trip_within_rounding(
    tmp_path_factory: pytest.TempPathFactory, n: int, seed: int, decimals: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "results.json"
    written = poses(n, seed)
    write_results(path, written, decimals=decimals)
    back = read_results(path)
    np.testing.assert_array_equal(back.image_id, written.image_id)
    np.testing.assert_array_equal(back.score, written.score)
    error = np.abs(back.keypoints[..., :2] - written.keypoints[..., :2])
    assert error.max(initial=0) <= 0.5 * 10.0**-decimals + 1e-9


@pytest.mark.parametrize("name", ["r.json", "r.json.gz"])
@pytest.mark.parametrize("count", [0, 1, 3, 6, 7])
def test_blocks_leave_no_seam_and_equal_poses_give_equal_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, count: int
) -> None:
    path, other = tmp_path / name, tmp_path / f"other-{name}"
    write_results(path, poses(count))
    monkeypatch.setattr("kpkit.data.results._WRITTEN", 3)
    write_results(other, poses(count))
    assert path.read_bytes() == other.read_bytes()
    text = gzip.decompress(path.read_bytes()) if name.endswith("gz") else path.read_bytes()
    written = json.loads(text)
    assert [row["image_id"] for row in written] == poses(count).image_id.tolist()
    expected = np.round(poses(count).keypoints, 2)
    expected[:, :, 2] = 1
    assert [row["keypoints"] for row in written] == expected.reshape(count, 51).tolist()


def test_a_fault_in_a_later_block_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    write_results(path, poses())
    before, broken = path.read_bytes(), poses(3000)
    broken.keypoints[2500, 3, 0] = np.nan
    with pytest.raises(InputError, match=r"row 2500 \(image \d+\): a number is NaN"):
        write_results(path, broken)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["r.json"]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_writers_refuse_what_json_cannot_hold(tmp_path: Path, bad: float) -> None:
    path = tmp_path / "r.json"
    broken = poses()
    broken.keypoints[1, 3, 0] = bad
    with pytest.raises(InputError, match=r"r.json: row 1 \(image \d+\): a number is NaN"):
        write_results(path, broken)
    broken = poses()
    broken.box[2, 3] = bad
    with pytest.raises(InputError, match=r"row 2 .*NaN"):
        write_detections(path, broken)
    assert not path.exists()


def test_detections_round_trip_and_keep_persons_only(tmp_path: Path) -> None:
    path = tmp_path / "d.json.gz"
    write_detections(path, poses(4))
    back = read_detections(path)
    np.testing.assert_array_equal(back.box, poses(4).box)
    np.testing.assert_array_equal(back.score, poses(4).score)
    assert set(back.source.tolist()) == {"D"}
    assert back.num_labelled.tolist() == [0] * 4
    mixed = [*boxes(), *boxes(category_id=3, bbox=[0, 0, 0, 0])]
    assert len(read_detections(put(tmp_path, mixed))) == 3
    assert len(read_detections(put(tmp_path, []))) == 0


def test_stored_poses_are_exact_and_equal_bytes(tmp_path: Path) -> None:
    for skeleton, people in (("coco17", poses(5)), ("aic14", poses(5).speaking(AIC14))):
        write_poses(tmp_path / "a.npz", people)
        write_poses(tmp_path / "b.npz", people)
        assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
        back = read_poses(tmp_path / "a.npz")
        assert back.skeleton.name == skeleton
        for field in ("image_id", "box", "keypoints", "score", "area", "crowd", "source", "id"):
            np.testing.assert_array_equal(getattr(back, field), getattr(people, field))
            assert getattr(back, field).dtype == getattr(people, field).dtype


def test_damaged_or_foreign_pose_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.npz"
    refusal(path, read_poses, "no such file")
    write_poses(path, poses(50))
    whole = path.read_bytes()
    for length in range(0, len(whole), max(1, len(whole) // 24)):
        path.write_bytes(whole[:length])
        refusal(path, read_poses, "damaged")
    np.savez(path, image_id=np.array([object()], dtype=object), skeleton="coco17")
    refusal(path, read_poses, "damaged")
    np.savez(path, skeleton="coco17", **{f: np.zeros((2, 2)) for f in (
        "image_id", "box", "keypoints", "score", "area", "crowd", "source", "id")})  # fmt: skip
    refusal(path, read_poses, "damaged", "shape")


@pytest.mark.shared
def test_real_results_and_detections(shared: Path) -> None:
    coco = shared / "real/coco"
    path = coco / "person_detection_results/COCO_val2017_detections_AP_H_56_person_538.json.gz"
    detections = read_detections(path)
    assert len(detections) == 16_511
    raw = json.loads(gzip.decompress(path.read_bytes()))
    assert detections.box.tolist() == [row["bbox"] for row in raw]
    assert detections.score.tolist() == [row["score"] for row in raw]
    fake = read_results(coco / "results/person_keypoints_val2014_fakekeypoints100_results.json")
    assert len(fake) == 125
    extras = read_results(coco / "results/wholebody_example_pred.json")
    plain = read_results(coco / "results/wholebody_example_keypoints_results.json")
    np.testing.assert_array_equal(extras.keypoints, plain.keypoints)
    assert len(read_results(shared / "real/other/litehrnet18_1000/result_keypoints.json.gz")) == 1000
