"""``evaluate`` and ``check``: figures equal to pycocotools, faults named by row, exit codes."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from .conftest import Kpkit

FIGURES = ["AP", "AP50", "AP75", "APM", "APL", "AR", "AR50", "AR75", "ARM", "ARL"]
VAL = "coco/annotations/person_keypoints_val2017.json"


def peer(truth: Path, results: Path) -> list[float]:
    """pycocotools, used as its own demo uses it."""
    with contextlib.redirect_stdout(io.StringIO()):
        labels = COCO(truth)
        judge = COCOeval(labels, labels.loadRes(str(results)), "keypoints")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return list(judge.stats)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("truth", "results", "published"),
    [
        (
            "person_keypoints_val2014_100.json",
            "person_keypoints_val2014_fakekeypoints100_results.json",
            [0.372, 0.636, 0.348, 0.384, 0.386, 0.514, 0.734, 0.504, 0.508, 0.522],
        ),
        (
            "wholebody_example_gt.json",
            "wholebody_example_keypoints_results.json",
            [0.854, 1.000, 0.935, 0.777, 0.923, 0.896, 1.000, 0.958, 0.827, 0.954],
        ),
    ],
    ids=["fakekeypoints100", "wholebody_example"],
)
def test_real_pairs_equal_pycocotools(
    truth: str, results: str, published: list[float], kpkit: Kpkit, shared: Path
) -> None:
    coco = shared / "real" / "coco"
    files = coco / "annotations" / truth, coco / "results" / results
    said = kpkit("evaluate", files[1], "--truth", files[0])
    assert said.code == 0
    lines = [line.split() for line in said.out.splitlines()]
    assert [name for name, _ in lines] == FIGURES
    assert [float(value) for _, value in lines] == published
    exact = json.loads(kpkit("evaluate", files[1], "--truth", files[0], "--json").out)
    assert list(exact.values()) == peer(*files)


@pytest.mark.shared
def test_real_pair_in_gzip(kpkit: Kpkit, shared: Path) -> None:
    pair = shared / "real" / "other" / "litehrnet18_1000"
    said = kpkit("evaluate", pair / "result_keypoints.json.gz", "--truth", pair / "gt.json.gz", "--json")
    found = json.loads(said.out)
    published = [0.827, 0.967, 0.912, -1, 0.830, 0.863, 0.979, 0.932, -1, 0.867]
    assert [round(value, 3) for value in found.values()] == published
    table = kpkit("evaluate", pair / "result_keypoints.json.gz", "--truth", pair / "gt.json.gz").out
    assert "APM   n/a (the truth has no such person)" in table


@pytest.fixture
def results(drawn: Path, tmp_path: Path) -> Path:
    """A perfect results file of the world's val2017."""
    truth = json.loads((drawn / VAL).read_bytes())
    rows = [
        {
            "image_id": a["image_id"],
            "category_id": 1,
            "keypoints": a["keypoints"],
            "score": 1 - 0.001 * place,
        }
        for place, a in enumerate(truth["annotations"])
        if a["num_keypoints"] and not a["iscrowd"]
    ]
    path = tmp_path / "results.json"
    path.write_text(json.dumps(rows))
    return path


def change(path: Path, row: int, **values: object) -> None:
    rows = json.loads(path.read_text())
    rows[row] |= values
    path.write_text(json.dumps(rows))


def test_the_truth_itself_is_perfect(kpkit: Kpkit, drawn: Path, results: Path) -> None:
    said = kpkit("evaluate", results, "--truth", drawn / VAL, "--json")
    figures = json.loads(said.out)
    assert said.code == 0 and list(figures) == FIGURES
    assert figures["AP"] == pytest.approx(1) and figures["AR"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"keypoints": [1.0] * 48}, ("'keypoints' has 48 numbers, must be 51",)),
        ({"keypoints": [float("nan")] * 51}, ("NaN",)),
        ({"score": float("inf")}, ("infinity",)),
        ({"score": "high"}, ("'score' must be a number, found a text",)),
        ({"category_id": 2}, ("category_id is not 1",)),
        ({"image_id": 123456789}, ("image id 123456789 is not in the truth", "same split")),
    ],
    ids=["count", "nan", "infinite", "text", "category", "image"],
)
def test_evaluate_refuses(
    values: dict[str, object], words: tuple[str, ...], kpkit: Kpkit, drawn: Path, results: Path
) -> None:
    change(results, 2, **values)
    said = kpkit("evaluate", results, "--truth", drawn / VAL)
    assert said.code == 2
    assert said.only_sentence.startswith(f"{results}: row 2")
    for word in words:
        assert word in said.sentence


def test_evaluate_refuses_a_pose_given_twice(kpkit: Kpkit, drawn: Path, results: Path) -> None:
    rows = json.loads(results.read_text())
    results.write_text(json.dumps([*rows, rows[1]]))
    said = kpkit("evaluate", results, "--truth", drawn / VAL)
    assert said.code == 2
    assert f"row {len(rows)}: " in said.only_sentence and "already in row 1" in said.sentence


def test_evaluate_refuses_broken_files(kpkit: Kpkit, drawn: Path, results: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    for good, pair in ((results, (broken, drawn / VAL)), (drawn / VAL, (results, broken))):
        broken.write_bytes(good.read_bytes()[:-9])
        said = kpkit("evaluate", pair[0], "--truth", pair[1])
        assert said.code == 2
        assert said.only_sentence.startswith(f"{broken}: not valid JSON")
    said = kpkit("evaluate", results, "--truth", results)
    assert said.code == 2 and "is not a COCO person-keypoints file" in said.only_sentence
    nowhere = tmp_path / "nowhere.json"
    assert kpkit("evaluate", nowhere, "--truth", drawn / VAL).only_sentence == f"{nowhere}: no such file"
    said = kpkit("evaluate", tmp_path, "--truth", drawn / VAL)
    assert said.code == 2 and said.only_sentence.startswith(f"{tmp_path}: cannot be read")


def test_check_says_good_and_names_faults(kpkit: Kpkit, drawn: Path, results: Path) -> None:
    said = kpkit("check", results, "--images", drawn / VAL)
    assert said.code == 0, said.out
    assert said.out.splitlines()[-1].startswith(f"{results}: good, 0 errors")
    assert said.err == ""
    change(results, 1, image_id=123456789)
    change(results, 3, keypoints=[1.0] * 48)
    said = kpkit("check", results, "--images", drawn / VAL)
    assert said.code == 1 and said.err == ""
    errors = [line for line in said.out.splitlines() if line.startswith("error: ")]
    assert len(errors) == 2
    assert all(line.count("row ") == 1 for line in errors)
    assert any("row 1" in line and "123456789" in line for line in errors)
    assert any("row 3" in line and "51" in line for line in errors)
    assert f"{results}: would be refused, 2 errors" in said.out.splitlines()[-1]
    problems = json.loads(kpkit("check", results, "--images", drawn / VAL, "--json").out)
    found = {(p["row"], p["severity"]) for p in problems}
    assert {(1, "error"), (3, "error")} <= found
    assert all(set(p) == {"code", "row", "message", "severity"} for p in problems)


def test_check_of_files_that_are_not_there(kpkit: Kpkit, drawn: Path, results: Path, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere.zip"
    said = kpkit("check", nowhere, "--images", drawn / VAL)
    assert said.code == 2 and said.only_sentence.startswith(f"{nowhere}: no such file")
    said = kpkit("check", results, "--images", nowhere)
    assert said.code == 2 and said.only_sentence.startswith(f"{nowhere}: no such file")
    said = kpkit("check", results, "--images", drawn / VAL, "--profile", "test-dev2018")
    assert said.code == 2 and "test-dev2017" in said.only_sentence
