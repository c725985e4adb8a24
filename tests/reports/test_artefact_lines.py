"""What a command prints at its end, for every kind of artefact."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from kpkit.core.errors import InputError
from kpkit.reports.figures import artefact_lines, judged_table

from .fake_runs import FakeRuns, make_runs

EXPECTED = {
    "tiny_mspn": [
        "recipes/tiny_mspn: ",
        "0.90 M parameters, 0.50 GMACs; 5,760 crops in 1:01, 94 crops/s; "
        "people shown: A 51, C 80, H 12, U 30",
        "AP 72.0, AP50 90.0, AR 81.0 on val2017",
        "mean keypoint score 0.100 on 40 false detections of val2017",
    ],
    "coco_train2017": [
        "hard_negatives/coco_train2017: ",
        "57 of 1,234 detections on 40 pictures touch nobody",
        "57 of score >= 0.5, 8 of score >= 0.9",
    ],
    "tiny_labels": [
        "pseudo_labels/tiny_labels: ",
        "teachers: tiny_cpn, tiny_mspn; pictures: 16 of unlabeled2017",
        "boxes of score >= 0.4375 (CCM's detector: 0.9924): 1.98 persons per picture (labelled set: 2.00)",
        "27 people kept with 300 keypoints (11.1 per person)",
    ],
    "tiny-on-test-dev2017": [
        "ensembles/tiny-on-test-dev2017: ",
        "40 boxes on 12 pictures of test-dev2017",
        "members: tiny_cpn x 1, tiny_mspn x 1, tiny_ccm x 1",
    ],
    "tiny-test-dev2017": [
        "submissions/tiny-test-dev2017: ",
        "person_keypoints_test-dev2017_kpkit_results.zip "
        "(holds person_keypoints_test-dev2017_kpkit_results.json)",
        "38 poses, 2 more left out, 12 pictures",
        "check: passes with 1 warning: all scores are <b>equal</b>",
        "judged on 12 pictures: AP 61.0, AP50 61.0, AP75 61.0, AR 61.0",
    ],
}


def test_an_audit_is_a_table(finished: FakeRuns, tmp_path: Path) -> None:
    folder = tmp_path / "audited"
    shutil.copytree(finished.folders["tiny_labels"], folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    nose = {"floor": 0.75, "kept": 1000, "right_50": 970, "right_75": 912, "unknown": 21}
    ear = {"floor": None, "kept": 0, "right_50": 0, "right_75": 0, "unknown": 0}
    manifest["metrics"] |= {
        "ignored": 1234,
        "audit": {
            "split": "coco_val2017", "pictures": 40, "people": 1200, "nobody": 3, "unjudged": 2,
            "keypoints": {"nose": nose, "left_ear": ear},
        },
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(manifest))
    lines = [line[2:] for line in artefact_lines(folder)[4:]]
    assert lines[:2] == [
        "1,234 regions to ignore",
        "the same rules on 40 pictures of val2017: 1,200 people kept, of them 3 nobody and 2 not judged",
    ]
    assert [line.split() for line in lines[2:]] == [
        ["keypoint", "floor", "kept", "right", "at", ".5", "right", "at", ".75", "no", "truth"],
        ["nose", "0.750", "1,000", "97.0", "%", "±1.1", "91.2", "%", "21"],
        ["left_ear", "none", "0", "0"],
        ["all", "1,000", "97.0", "%", "±1.1", "91.2", "%", "21"],
    ]
    assert len({len(line) for line in lines[2:]}) == 1


@pytest.mark.parametrize("name", EXPECTED)
def test_lines(finished: FakeRuns, name: str) -> None:
    lines = artefact_lines(finished.folders[name])
    assert lines[0] == EXPECTED[name][0] + str(finished.folders[name])
    assert [line.strip() for line in lines[1:]] == EXPECTED[name][1:]


def test_an_ensemble_shows_its_members(finished: FakeRuns) -> None:
    lines = [line.strip() for line in artefact_lines(finished.folders["tiny-on-val2017"])]
    assert lines[1] == "12 boxes on 6 pictures of val2017"
    assert lines[2].split() == ["name", "row", "weight", "AP", "AP50", "AP75", "AR"]
    assert [line.split()[0] for line in lines[3:7]] == [
        "tiny_mspn",
        "tiny_cpn",
        "tiny_ccm",
        "tiny-on-val2017",
    ]
    assert "AP above its best member (tiny_mspn" in lines[7] and len(lines) == 8


def test_the_closing_table(finished: FakeRuns) -> None:
    wanted = ("tiny-on-val2017", "tiny-test-dev2017", "tiny-test-challenge2017")
    text = judged_table(finished.runs, [finished.folders[name] for name in wanted])
    rows = text.splitlines()
    assert rows[0].split() == [
        "name", "row", "split", "weight", "AP", "AP50", "AP75", "AR", "params", "(M)", "GMACs", "artefact"
    ]  # fmt: skip
    assert [row.split()[0] for row in rows[1:4]] == ["tiny_mspn", "tiny_cpn", "tiny_ccm"]
    assert rows[4].startswith("tiny-on-val2017 (equal weights)")
    assert rows[5].split()[:4] == ["tiny-test-dev2017", "submission", "test-dev2017", "61.0"]
    assert rows[6].split()[:4] == ["tiny-test-challenge2017", "submission", "test-challenge2017", "58.4"]
    for row, name in zip(rows[4:7], wanted, strict=True):
        assert row.endswith(finished.folders[name].name[-8:])
    assert len({len(row) for row in rows[1:7]}) == 1
    assert "above its best member" in rows[-1]


def test_the_closing_table_says_when_blending_did_not_help(tmp_path: Path) -> None:
    made = make_runs(tmp_path, blend_error=6.0)
    assert "NOT better" in judged_table(made.runs, [made.folders["tiny-on-val2017"]])


def test_names_cannot_forge_lines(tmp_path: Path) -> None:
    made = make_runs(tmp_path, names=("a\nb", "\x1b[31mred", "c"))
    for folder in made.folders.values():
        for line in artefact_lines(folder)[1:]:
            assert line.isprintable()


def test_no_artefact(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"manifest\.json: no such file"):
        artefact_lines(tmp_path)
