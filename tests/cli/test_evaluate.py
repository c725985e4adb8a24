"""``evaluate`` beyond the ten figures: intervals, comparisons, errors and details, as text and as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kpkit.evaluation.rules import FIGURES

from .conftest import Kpkit

VAL = "coco/annotations/person_keypoints_val2017.json"


@pytest.fixture
def pair(drawn: Path, tmp_path: Path) -> tuple[Path, Path, Path]:
    """Truth, good results and bad results of the world's val2017."""
    truth = json.loads((drawn / VAL).read_bytes())
    people = [a for a in truth["annotations"] if a["num_keypoints"] and not a["iscrowd"]]
    files = []
    for name, spread in (("good", 0.04), ("bad", 0.12)):
        rng = np.random.default_rng(0)
        rows = []
        for a in people:
            keypoints = np.reshape(a["keypoints"], (-1, 3)).astype(float)
            keypoints[:, :2] += rng.normal(0, spread * np.sqrt(a["area"]), (len(keypoints), 2))
            rows.append(
                {"image_id": a["image_id"], "category_id": 1, "keypoints": keypoints.ravel().tolist(),
                 "score": float(rng.random())}
            )  # fmt: skip
        files.append(tmp_path / f"{name}.json")
        files[-1].write_text(json.dumps(rows))
    return drawn / VAL, files[0], files[1]


def asked(kpkit: Kpkit, *arguments: object) -> dict[str, Any]:
    said = kpkit("evaluate", *arguments, "--json")
    assert said.code == 0, said.err
    found: dict[str, Any] = json.loads(said.out)
    return found


def test_the_ten_figures_stay_as_they_are(kpkit: Kpkit, pair: tuple[Path, Path, Path]) -> None:
    truth, good, _ = pair
    plain = asked(kpkit, good, "--truth", truth)
    assert list(plain) == list(FIGURES)
    more = asked(kpkit, good, "--truth", truth, "--intervals", "--draws", 5, "--errors", "--details")
    assert {name: more[name] for name in FIGURES} == plain
    lines = kpkit("evaluate", good, "--truth", truth).out.splitlines()
    assert [line.split()[0] for line in lines] == list(FIGURES)


def test_annotations_are_kept_where_artefacts_are(
    kpkit: Kpkit, pair: tuple[Path, Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KPKIT_CACHE", "")
    monkeypatch.setattr("kpkit.data.annotation_cache.SMALLEST", 1)
    truth, good, _ = pair
    runs = tmp_path / "runs"
    first = asked(kpkit, good, "--truth", truth, "--runs", runs)
    assert not runs.exists()
    runs.mkdir()
    assert asked(kpkit, good, "--truth", truth, "--runs", runs) == first
    assert [path.suffix for path in (runs / ".cache").iterdir()] == [".annotations"]
    monkeypatch.setattr("kpkit.data.coco._read", lambda *given: pytest.fail("read again"))
    assert asked(kpkit, good, "--truth", truth, "--runs", runs) == first


def test_intervals(kpkit: Kpkit, pair: tuple[Path, Path, Path]) -> None:
    truth, good, _ = pair
    call = (good, "--truth", truth, "--intervals", "--draws", 40)
    found = asked(kpkit, *call)
    assert found["bootstrap"]["draws"] == 40 and found["bootstrap"]["seed"] == 0
    interval = found["intervals"]["AP"]
    assert interval["low"] <= interval["value"] == found["AP"] <= interval["high"]
    assert asked(kpkit, *call) == found
    few = [asked(kpkit, good, "--truth", truth, "--intervals", "--draws", 2, "--seed", s) for s in range(4)]
    assert len({json.dumps(one["intervals"]) for one in few}) > 1
    said = kpkit("evaluate", *call).out
    assert f"AP    {found['AP']:.3f}  {interval['low']:.3f} to {interval['high']:.3f}" in said
    assert "40 draws of 4 pictures, seed 0" in said


def test_against_other_results(kpkit: Kpkit, pair: tuple[Path, Path, Path]) -> None:
    truth, good, bad = pair
    found = asked(kpkit, good, "--truth", truth, "--against", bad, "--draws", 60)
    assert "intervals" not in found
    other = asked(kpkit, bad, "--truth", truth)
    assert found["against"]["figures"] == other
    difference = found["against"]["difference"]["AP"]
    assert difference["value"] == pytest.approx(found["AP"] - other["AP"])
    assert 0 < difference["low"] <= difference["high"] and difference["of_chance"] is False
    said = kpkit("evaluate", good, "--truth", truth, "--against", good, "--draws", 5).out
    assert "+0.000 to +0.000  not told apart from chance" in said


def test_errors(kpkit: Kpkit, pair: tuple[Path, Path, Path]) -> None:
    truth, _, bad = pair
    found = asked(kpkit, bad, "--truth", truth, "--errors")["errors"]
    costs = {row["error"]: row for row in found["costs"]}
    assert list(costs) == [
        "miss", "swap", "inversion", "jitter", "score", "false positive", "false negative",
    ]  # fmt: skip
    assert costs["jitter"]["count"] == sum(row["jitter"] for row in found["keypoints"]) > 0
    assert costs["miss"]["gain"]["AP"] > 0
    assert len(found["keypoints"]) == 17
    said = kpkit("evaluate", bad, "--truth", truth, "--errors").out
    assert "AP, all so far" in said and "left_wrist" in said
    row = next(line for line in said.splitlines() if line.startswith("miss"))
    assert row.split()[1] == f"{costs['miss']['count']:,}"


def test_details(kpkit: Kpkit, pair: tuple[Path, Path, Path]) -> None:
    truth, good, _ = pair
    found = asked(kpkit, good, "--truth", truth, "--details")["details"]
    assert list(found) == ["keypoints", "visibility", "labelled", "overlap"]
    assert [row["part"] for row in found["visibility"]] == ["visible", "occluded"]
    assert sum(row["labels"] for row in found["visibility"]) == sum(r["labels"] for r in found["keypoints"])
    said = kpkit("evaluate", good, "--truth", truth, "--details").out
    assert "moderate" in said and "16 to 17" in said and "-1.000" not in said


def test_options_of_draws_alone_are_refused(kpkit: Kpkit, pair: tuple[Path, Path, Path]) -> None:
    truth, good, _ = pair
    said = kpkit("evaluate", good, "--truth", truth, "--draws", 5)
    assert said.code == 2
    assert said.only_sentence == "--draws and --seed need --intervals or --against"


def test_other_results_are_guarded_too(kpkit: Kpkit, pair: tuple[Path, Path, Path], tmp_path: Path) -> None:
    truth, good, bad = pair
    rows = json.loads(bad.read_text())
    broken = tmp_path / "broken.json"
    broken.write_text(json.dumps([*rows, rows[0]]))
    said = kpkit("evaluate", good, "--truth", truth, "--against", broken)
    assert said.code == 2 and "has this very pose already" in said.only_sentence
    assert str(broken) in said.only_sentence
