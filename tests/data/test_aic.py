"""AI Challenger's original format."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpkit.core.errors import InputError
from kpkit.core.instances import ImageTable, Instances
from kpkit.core.skeletons import AIC14, COCO17
from kpkit.data.aic import aic_image_id, read_aic, write_aic
from kpkit.data.coco import read_annotations

HASHES = ("d8eeddddcc042544a2570d4c452778b912726720", "054d9ce9201beffc76e5ff2169d2af2f027002ca")


def record(**change: Any) -> dict[str, Any]:
    points = [v for k in range(14) for v in ((10 + k, 50, 1 + k % 2) if k % 3 else (0, 0, 3))]
    return {
        "url": "", "image_id": HASHES[0],
        "keypoint_annotations": {"human2": points, "human1": points},
        "human_annotations": {"human1": [5, 6, 25, 96], "human2": [50, 60, 70, 90]},
    } | change  # fmt: skip


def put(folder: Path, *records: object) -> Path:
    path = folder / "aic.json"
    path.write_text(json.dumps(list(records)))
    return path


def test_humans_meet_by_name_and_codes_become_visibilities(tmp_path: Path) -> None:
    images, people = read_aic(put(tmp_path, record(), record(image_id=HASHES[1])))
    assert images.file_name == tuple(f"{h}.jpg" for h in HASHES)
    assert images.id[0] == int(HASHES[0][:15], 16) == aic_image_id(HASHES[0])
    assert images.width.tolist() == [0, 0]
    assert people.skeleton is AIC14
    assert people.box.tolist()[:2] == [[5, 6, 20, 90], [50, 60, 20, 30]]
    assert people.area[0] == 0.53 * 20 * 90
    assert people.id.tolist() == [1, 2, 3, 4]
    assert people.image_id.tolist() == np.repeat(images.id, 2).tolist()
    assert people.keypoints[0, :3].tolist() == [[0, 0, 0], [11, 50, 1], [12, 50, 2]]
    assert set(people.source.tolist()) == {"A"}


def with_points(points: Sequence[float]) -> dict[str, Any]:
    return record(keypoint_annotations={"human1": points, "human2": [0, 0, 3] * 14})


FIRST = f"row 0 (image {HASHES[0]}"
FAULTS: dict[str, tuple[list[object], tuple[str, ...]]] = {
    "code 3 placed": (
        [with_points([0, 0, 3] * 12 + [7, 8, 3] * 2)],
        (
            FIRST,
            "human1): the codes contradict visibility",
            "2 of 28 keypoints of code 3 (not labelled) do not lie at 0, 0, first head_top at 7, 8",
            "none of aic, coco, inverted, openpose fits: find out",
        ),
    ),
    "COCO codes": (
        [with_points([1, 1, 0] * 14)],
        (FIRST, "human1", "14 keypoints have code 0, first right_shoulder at 1, 1"),
    ),
    "all COCO codes": (
        [record(keypoint_annotations={h: [1, 1, 2, 0, 0, 0] * 7 for h in ("human1", "human2")})],
        (
            "14 keypoints have code 0",
            "14 (14) of code 0, 14 (0) of code 2",
            'visibility = "coco" (0 not labelled, ',
        ),
    ),
    "code 4": (
        [with_points([1, 1, 4] * 14)],
        ("14 keypoints have code 4", "14 (14) of code 3, 14 (0) of code 4"),
    ),
    "count": ([with_points([1, 1, 1] * 13)], (FIRST, "human1", "has 39 keypoint numbers, must be 42")),
    "no box": ([record(human_annotations={"human1": [1, 2, 3, 4]})], (FIRST, "human2 has no box")),
    "no points": ([record(keypoint_annotations={"human2": [0, 0, 3] * 14})], ("human1 has no keypoints",)),
    "zero box": (
        [record(human_annotations={"human1": [5, 6, 5, 9], "human2": [0, 0, 1, 1]})],
        (FIRST, "[5.0, 6.0, 5.0, 9.0] has no positive size, nor have 0 of the 1 others", "corners"),
    ),
    "same image": ([record(), record()], ("row 1", "an earlier record has the same image id")),
    "collision": ([record(), record(image_id=HASHES[0][:15] + "ff")], ("row 1", "first 15 digits")),
    "no hash": ([record(image_id="picture.jpg")], ("row 0", "'picture.jpg' is not a hash")),
    "number": ([record(image_id=12)], ("row 0", "'image_id' must be a text, found an integer")),
    "key": ([{"image_id": HASHES[0]}], ("row 0", "'human_annotations' is missing")),
    "NaN": ([with_points([float("nan")] * 42)], ("row 0", "NaN")),
}


@pytest.mark.parametrize("name", FAULTS)
def test_refused_with_evidence(tmp_path: Path, name: str) -> None:
    records, words = FAULTS[name]
    path = put(tmp_path, *records)
    with pytest.raises(InputError) as caught:
        read_aic(path)
    assert str(caught.value).startswith(f"{path}: ")
    for word in words:
        assert word in str(caught.value), str(caught.value)


def crowd_of(boxes: Iterable[list[float]], points: Sequence[float]) -> list[object]:
    """One picture of people who are alike but for their boxes."""
    people = {f"human{k}": box for k, box in enumerate(boxes, 1)}
    return [record(human_annotations=people, keypoint_annotations=dict.fromkeys(people, points))]


WHOLE = [v for k in range(14) for v in (110 + k, 150, 1)]


def test_boxes_of_another_format_are_told_by_the_keypoints(tmp_path: Path) -> None:
    corners, sizes = [100.0, 90.0, 180.0, 200.0], [100.0, 90.0, 80.0, 110.0]
    _, people = read_aic(put(tmp_path, *crowd_of([corners] * 40, WHOLE)))
    assert not people.labelled_outside.any()
    with pytest.raises(InputError) as caught:
        read_aic(put(tmp_path, *crowd_of([sizes] * 40, WHOLE)))
    words = (
        "[100.0, 90.0, 80.0, 110.0] has no positive size, nor have 39 of the 39 others",
        "(560 of 560 labelled keypoints lie outside their own box)",
        "these look like x, y, width, height, with which it would be 0: make them corners",
    )
    assert all(word in str(caught.value) for word in words), str(caught.value)
    # every box has a size as corners, and holds nothing of its human
    with pytest.raises(InputError, match="does not hold its human's keypoints") as caught:
        read_aic(put(tmp_path, *crowd_of([[10.0, 20.0, 140.0, 141.0]] * 40, WHOLE)))
    assert "these look like x, y, width, height, with which it would be 0" in str(caught.value)


def test_the_odd_human_whose_box_has_no_size_is_kept_without_labels(tmp_path: Path) -> None:
    boxes = [[100.0, 90.0, 180.0, 200.0]] * 199
    _, people = read_aic(put(tmp_path, *crowd_of([*boxes, [60.0, 60.0, 60.0, 50.0]], WHOLE)))
    assert len(people) == 200
    assert people.box[-1].tolist() == [60, 60, 0, 0]
    assert people.num_labelled.tolist() == [14] * 199 + [0]
    with pytest.raises(InputError, match="has no positive size, nor have 2 of the 199 others"):
        read_aic(put(tmp_path, *crowd_of([*boxes[2:], *[[60.0, 60.0, 60.0, 50.0]] * 3], WHOLE)))


def test_labelled_keypoints_outside_their_box_stay_as_they_are(tmp_path: Path) -> None:
    points = [*WHOLE[:-3], 190, 150, 2]
    _, people = read_aic(put(tmp_path, *crowd_of([[100.0, 90.0, 180.0, 200.0]], points)))
    assert people.box.tolist() == [[100, 90, 80, 110]]
    assert people.keypoints[0, -1].tolist() == [190, 150, 1]
    assert np.argwhere(people.labelled_outside).tolist() == [[0, 13]]


@given(st.integers(0, 2**32), st.integers(0, 5))
@settings(max_examples=50, deadline=None)
def test_coco_to_aic_to_coco_keeps_the_twelve_shared(
    tmp_path_factory: pytest.TempPathFactory, seed: int, n: int
) -> None:
    rng = np.random.default_rng(seed)
    images = ImageTable.of([aic_image_id(h) for h in HASHES], [f"{h}.jpg" for h in HASHES])
    keypoints = np.round(rng.normal(200, 50, (n, 17, 3)), 1)
    keypoints[:, :, 2] = rng.integers(0, 3, (n, 17))
    keypoints[keypoints[:, :, 2] == 0] = 0
    box = np.round(rng.random((n, 4)) * 100) + 1
    people = Instances.of(np.sort(rng.choice(images.id, n)), box, keypoints)
    order = np.argsort(images.rows_of(people.image_id), kind="stable")
    people = people[order]
    path = tmp_path_factory.getbasetemp() / "aic.json"
    write_aic(path, images, people)
    images_back, back = read_aic(path)
    assert images_back.id.tolist() == images.id.tolist()
    np.testing.assert_array_equal(back.box, people.box)
    shared = COCO17.positions_in(AIC14) >= 0
    assert shared.sum() == 12
    coco = back.speaking(COCO17).keypoints
    np.testing.assert_array_equal(coco[:, shared], people.keypoints[:, shared])
    assert not coco[:, ~shared].any()


def test_writer_refuses_what_the_format_lacks(tmp_path: Path) -> None:
    images = ImageTable.of([1], [f"{HASHES[0]}.jpg"])
    people = Instances.of([1], [[0, 0, 5, 5]])
    with pytest.raises(InputError, match="crowd"):
        write_aic(tmp_path / "a.json", images, people.with_(crowd=np.array([True])))
    with pytest.raises(InputError, match="not in the image table"):
        write_aic(tmp_path / "a.json", images, people.with_(image_id=np.array([2])))
    with pytest.raises(InputError, match=r"'0001\.jpg' is not named by a hash"):
        write_aic(tmp_path / "a.json", ImageTable.of([1], ["0001.jpg"]), people)
    assert not list(tmp_path.iterdir())


@pytest.mark.shared
def test_real_records(shared: Path) -> None:
    folder = shared / "real/aic"
    images, people = read_aic(folder / "keypoint_annotations_example.json", folder / "images")
    assert (len(images), len(people)) == (700, 1917)
    codes = people.keypoints[:, :, 2]
    assert [int((codes == v).sum()) for v in (2, 1, 0)] == [16_653, 6_030, 4_155]
    assert int((images.width > 0).sum()) == 3
    assert int(people.labelled_outside.sum()) == 717


@pytest.mark.shared
def test_real_records_agree_with_the_coco_style_conversion(shared: Path) -> None:
    folder = shared / "real/aic"
    images, people = read_aic(folder / "keypoint_annotations_example.json", folder / "images")
    other_images, other = read_annotations(folder / "mmpose_test_aic.json", skeleton=AIC14)
    assert len(other) == 9
    names = {Path(name).name: row for row, name in enumerate(images.file_name)}
    for row in range(len(other_images)):
        mine = names[Path(other_images.file_name[row]).name]
        assert images.width[mine] == other_images.width[row]
        ours = people[people.image_id == images.id[mine]].speaking(COCO17)
        theirs = other[other.image_id == other_images.id[row]].speaking(COCO17)
        assert sorted(ours.keypoints.tolist()) == sorted(theirs.keypoints.tolist())
        assert sorted(ours.box.tolist()) == sorted(theirs.box.tolist())
