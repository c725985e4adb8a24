"""Files whose codes are not what their data set declares."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from kpkit.core.errors import InputError
from kpkit.core.skeletons import AIC14, COCO17
from kpkit.core.visibility import CODES
from kpkit.data.aic import read_aic
from kpkit.data.coco import read_annotations
from kpkit.data.load import load_dataset
from kpkit.specs.datasets import DatasetSpec, resolve

PEOPLE = 60


def coco_file(path: Path, keypoints: np.ndarray) -> Path:
    """A COCO-style file of (N, 14, 3) keypoints, as AI Challenger's are converted."""
    images = [{"id": 1, "file_name": "1.jpg", "width": 640, "height": 480}]
    annotations = [
        {"id": k + 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 600, 400], "keypoints": row}
        for k, row in enumerate(keypoints.reshape(len(keypoints), -1).tolist())
    ]
    path.write_text(json.dumps({"images": images, "annotations": annotations}))
    return path


def people(codes: str, number: int = PEOPLE) -> np.ndarray:
    """(N, 14, 3): of each person's keypoints eight are visible, three hidden, three not labelled."""
    visibility = np.tile([2] * 8 + [1] * 3 + [0] * 3, (number, 1))
    keypoints = np.zeros((number, 14, 3))
    keypoints[:, :11, 0] = 50 + np.arange(11)
    keypoints[:, :11, 1] = 60 + np.arange(number)[:, None]
    keypoints[:, :, 2] = CODES[codes].from_coco(visibility)
    return keypoints


@pytest.mark.parametrize("declared", CODES)
@pytest.mark.parametrize("written", CODES)
def test_a_declaration_is_held_against_the_file(tmp_path: Path, written: str, declared: str) -> None:
    path = coco_file(tmp_path / "a.json", people(written))
    if written == declared:
        _, read = read_annotations(path, skeleton=AIC14, codes=CODES[declared])
        assert read.keypoints[:, :, 2].tolist() == [[2] * 8 + [1] * 3 + [0] * 3] * PEOPLE
        return
    with pytest.raises(InputError) as caught:
        read_annotations(path, skeleton=AIC14, codes=CODES[declared])
    error = caught.value
    assert error.cause.startswith(f'the codes contradict visibility = "{declared}" ({CODES[declared]}): ')
    counts = {CODES[written].visible: 480, CODES[written].hidden: 180, CODES[written].unlabelled: 180}
    held = ", ".join(
        f"{counts[c]} ({counts[c] if c == CODES[written].unlabelled else 0}) of code {c}"
        for c in sorted(counts)
    )
    assert f"(the file holds, with those at 0, 0: {held})" in error.cause
    assert error.remedy == (
        f'visibility = "{written}" ({CODES[written]}) would fit: '
        "declare it in the data set's table of the document"
    )
    assert "\n" not in str(error)


def test_first_place_and_number_of_the_contradiction(tmp_path: Path) -> None:
    keypoints = people("coco")
    keypoints[40, 12:, :2] = 7, 8
    keypoints[7, 12, :2] = 9, 10
    with pytest.raises(InputError) as caught:
        read_annotations(coco_file(tmp_path / "a.json", keypoints), skeleton=AIC14, codes=CODES["coco"])
    assert "3 of 180 keypoints of code 0 (not labelled) do not lie at 0, 0, first head_top at 9, 10" in str(
        caught.value
    )
    assert "annotations[7] (id 8)" in str(caught.value)
    assert "none of aic, coco, inverted, openpose fits" in str(caught.value)


def test_labelled_keypoints_at_the_origin(tmp_path: Path) -> None:
    keypoints = people("coco")
    keypoints[3:6, 2, :2] = 0
    read_annotations(
        coco_file(tmp_path / "a.json", keypoints), skeleton=AIC14, codes=CODES["coco"]
    )  # three slips of 480
    keypoints[:6, 2, :2] = 0
    with pytest.raises(
        InputError, match=r"6 of 480 keypoints of code 2 \(labelled\) lie at 0, 0, first right_wrist"
    ):
        read_annotations(coco_file(tmp_path / "a.json", keypoints), skeleton=AIC14, codes=CODES["coco"])


def test_few_people_are_no_evidence_of_exchanged_codes(tmp_path: Path) -> None:
    path = coco_file(tmp_path / "a.json", people("inverted", 4))
    _, read = read_annotations(path, skeleton=AIC14, codes=CODES["coco"])
    assert read.keypoints[0, :3, 2].tolist() == [1, 1, 1]


def test_both_readings_are_named_where_the_file_allows_both(tmp_path: Path) -> None:
    path = coco_file(tmp_path / "a.json", people("coco", 4))
    with pytest.raises(InputError) as caught:
        read_annotations(path, skeleton=AIC14, codes=CODES["openpose"])
    assert '; visibility = "coco" (' in str(caught.value)
    assert ') or visibility = "inverted" (' in str(caught.value)


def test_coco_s_own_files_keep_unlabelled_places(tmp_path: Path) -> None:
    keypoints = np.zeros((3, 17, 3))
    keypoints[:, :, :2] = 5
    _, read = read_annotations(coco_file(tmp_path / "a.json", keypoints))
    assert read.skeleton is COCO17
    assert read.keypoints[:, :, :2].min() == 5


def test_a_document_s_table_says_how_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    coco_file(tmp_path / "a.json", people("openpose"))
    table = {
        "format": "coco", "annotations": "a.json", "images": "pictures", "missing_pictures": "skip",
        "skeleton": "aic14", "visibility": "openpose",
    }  # fmt: skip
    dataset = resolve("mine", tmp_path, {"mine": DatasetSpec.model_validate(table)})
    loaded = load_dataset(dataset, check_pictures=False)
    assert loaded.people.skeleton is COCO17
    left_shoulder = loaded.people.keypoints[:, COCO17.index("left_shoulder")]
    assert left_shoulder.tolist() == [[53, 60 + k, 2] for k in range(PEOPLE)]
    assert not loaded.people.keypoints[:, :5].any()
    aic = load_dataset(dataset, AIC14, check_pictures=False).people
    assert aic.keypoints[0, 11:].tolist() == [[0, 0, 0]] * 3


@pytest.mark.shared
@pytest.mark.parametrize("declared", CODES)
def test_real_ai_challenger_codes(shared: Path, declared: str) -> None:
    path = shared / "real/aic/keypoint_annotations_example.json"
    if declared == "aic":
        assert len(read_aic(path, codes=CODES[declared])[1]) == 1917
        return
    with pytest.raises(InputError, match=r'4155 keypoints have code 3, .* visibility = "aic" .* would fit'):
        read_aic(path, codes=CODES[declared])
