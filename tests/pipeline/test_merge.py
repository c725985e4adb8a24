"""Ensembles with results files, fused boxes and learned scores, as ``kpkit`` runs them."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kpkit.cli.main import run
from kpkit.core.instances import Instances
from kpkit.data.coco import read_annotations
from kpkit.data.results import read_poses, write_detections, write_results
from kpkit.inference.learned_scores import LearnedScores
from kpkit.pipeline.scoring import SCORES

LABELS = {
    "val2017": "coco/annotations/person_keypoints_val2017.json",
    "test-dev2017": "sealed/person_keypoints_test-dev2017.json",
}


def told(world: Path, split: str, seed: int, spread: float) -> Instances:
    """What a tool might see of a split: its people with errors, some twice, and some of nobody."""
    _, truth = read_annotations(world / LABELS[split])
    people = truth[(truth.num_labelled > 0) & ~truth.crowd]
    rng = np.random.default_rng(seed)
    people = Instances.concat([people, people[::3]])
    size = np.sqrt(people.area)[:, None, None] * rng.uniform(0.2, 1, (len(people), 1, 1))
    points = people.keypoints.copy()
    points[:, :, :2] += rng.normal(0, spread, points[:, :, :2].shape) * size
    points[:, :, 2] = (1.2 - size[:, :, 0] / np.sqrt(people.area)[:, None]).clip(0, 1) * rng.uniform(0.9, 1)
    score = points[:, :, 2].mean(axis=1) * rng.uniform(0.7, 1, len(people))
    return people.with_(keypoints=points, score=score, source=np.full(len(people), "P"))


@pytest.fixture(scope="module")
def house(nano_world: Path, documents: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Documents, the two tools' results beside them, and a world with a second detector's boxes."""
    root = tmp_path_factory.mktemp("house")
    shutil.copytree(documents, root / "documents")
    shutil.copytree(nano_world, root / "world")
    for split in LABELS:
        for seed, (tool, spread) in enumerate({"theirs": 0.05, "others": 0.04}.items()):
            poses = told(nano_world, split, seed, spread)
            write_results(root / f"documents/ensembles/{tool}_{split}.json", poses)
    boxes = told(nano_world, "val2017", 5, 0.0)
    boxes = boxes.with_(box=boxes.box + np.random.default_rng(5).normal(0, 1, boxes.box.shape))
    write_detections(root / "world/more/val2017.json", boxes)
    return root


@pytest.fixture
def kpkit(
    house: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """``kpkit("run", "ensembles/x")`` in this process; what it printed, or the error sentence."""

    def call(command: str, document: str, *, world: Path | None = None, documents: Path | None = None) -> str:
        path = (documents or house / "documents") / f"{document}.toml"
        ray = ["--no-ray"] if command != "plan" else []
        arguments = [command, path, "--data", world or house / "world", "--runs", house / "runs", *ray]
        monkeypatch.setattr(sys, "argv", ["kpkit", *map(str, arguments)])
        capsys.readouterr()
        code = run(debug=False)
        printed = capsys.readouterr()
        return printed.out if code == 0 else f"exit {code}: {printed.err.splitlines()[-1]}"

    return call


def manifest(house: Path, pattern: str) -> dict[str, Any]:
    """The manifest of the one artefact whose folder matches."""
    (path,) = house.glob(f"runs/{pattern}/manifest.json")
    return dict(json.loads(path.read_text()))


pytestmark = pytest.mark.xdist_group("merge")


def test_results_alone_need_no_picture(house: Path, kpkit: Callable[..., str], tmp_path: Path) -> None:
    world = tmp_path / "world"
    shutil.copytree(house / "world", world, ignore=shutil.ignore_patterns("*.jpg", "*.png"))
    for pictures in (world / "coco").glob("*2017"):
        shutil.rmtree(pictures)
    out = kpkit("run", "submissions/nano_results", world=world)
    assert "learned scores, out of fold" in out, out
    found = manifest(house, "ensembles/nano_results-on-val2017-*")
    told = found["metrics"]
    assert set(told["members"]) == {"theirs", "others"}
    # two tools together are better than each of them, whichever way poses are ranked
    best = max(figures["AP"] for figures in told["members"].values())
    assert told["mean_score"]["AP"] > best > 0.2
    assert told["learned_gain"]["low"] <= told["learned_gain"]["value"] <= told["learned_gain"]["high"]
    gain = told["ensemble"]["AP"] - told["mean_score"]["AP"]
    assert told["learned_gain"]["value"] == pytest.approx(gain)
    # the files' hashes are part of what it was made from, and the submission's scores are learned on val
    assert {"theirs", "others"} <= set(found["inputs"])
    entry = manifest(house, "submissions/nano_results-test-dev2017-*")
    assert entry["inputs"]["scores"] == found["key"]
    assert entry["metrics"]["judged"]["AP"] > 0.2


def test_scores_are_learned_on_val_and_on_nothing_else(house: Path, kpkit: Callable[..., str]) -> None:
    kpkit("run", "submissions/nano_results")
    (folder,) = house.glob("runs/ensembles/nano_results-on-val2017-*")
    forest = LearnedScores.read(folder / SCORES)
    poses = read_poses(folder / "ensemble.npz")
    assert set(poses.source.tolist()) == {"M"}
    predicted = forest.predict(poses)
    assert np.ptp(predicted) > 0.05 and 0 <= predicted.min() <= predicted.max() <= 1
    # other results on test-dev make another entry, and leave the val artefact as it is
    before = manifest(house, "ensembles/nano_results-on-val2017-*")
    file = house / "documents/ensembles/theirs_test-dev2017.json"
    write_results(file, told(house / "world", "test-dev2017", 9, 0.01))
    assert "started" not in kpkit("run", "ensembles/nano_results")
    kpkit("run", "submissions/nano_results")
    assert len(list(house.glob("runs/submissions/nano_results-*"))) == 2
    assert manifest(house, "ensembles/nano_results-on-val2017-*") == before


def test_results_are_merged_with_a_networks_poses(house: Path, kpkit: Callable[..., str]) -> None:
    out = kpkit("run", "ensembles/nano_merged")
    assert "blend" in out and "theirs" in out, out
    merged = manifest(house, "ensembles/nano_merged-on-val2017-*")
    recipes = manifest(house, "ensembles/nano_merged-recipes-on-val2017-*")
    assert merged["inputs"]["blend"] == recipes["key"]
    assert set(merged["metrics"]["members"]) == {"blend", "theirs", "others"}
    assert merged["metrics"]["ensemble"]["AP"] > 0.2
    assert "exit 2" in kpkit("run", "ensembles/nano_merged", documents=_without_split(house))


def _without_split(house: Path) -> Path:
    """The same documents, naming a file of val that is not there."""
    other = house / "elsewhere"
    if not other.exists():
        shutil.copytree(house / "documents", other, ignore=shutil.ignore_patterns("*.json"))
    return other


def test_boxes_of_two_detectors_are_fused_and_scores_learned(house: Path, kpkit: Callable[..., str]) -> None:
    out = kpkit("run", "ensembles/nano_options")
    assert "learned scores, out of fold" in out, out
    found = manifest(house, "ensembles/nano_options-on-val2017-*")
    assert {"boxes_detections", "boxes_detections_2"} <= set(found["inputs"])
    (folder,) = house.glob("runs/ensembles/nano_options-on-val2017-*")
    boxes = read_poses(folder / "ensemble.npz")
    assert 0 < len(boxes) == found["metrics"]["boxes"]
    assert boxes.score.min() >= 0.2
    assert LearnedScores.read(folder / SCORES).predict(boxes).shape == (len(boxes),)


FAULTS: dict[str, tuple[Callable[[list[dict[str, Any]]], object], str]] = {
    "category": (lambda rows: rows[2].update(category_id=3), "category"),
    "nan": (lambda rows: rows[2]["keypoints"].__setitem__(0, float("nan")), "NaN"),
    "twice": (lambda rows: rows.append(rows[0]), "this very pose already"),
    "unknown_picture": (lambda rows: rows[2].update(image_id=99), "99 is no picture of coco_val2017"),
    "score": (lambda rows: rows[2].update(score=3.5), "score 3.5 is not in 0 to 1"),
    "points": (lambda rows: rows[2]["keypoints"].pop(), "50 numbers"),
    "empty": (lambda rows: rows.clear(), "holds no result"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faulty_results_are_refused_in_one_sentence(
    fault: str, house: Path, kpkit: Callable[..., str], tmp_path: Path
) -> None:
    shutil.copytree(house / "documents", tmp_path / "documents")
    file = tmp_path / "documents/ensembles/theirs_val2017.json"
    rows = json.loads(file.read_text())
    spoil, sentence = FAULTS[fault]
    spoil(rows)
    file.write_text(json.dumps(rows))
    said = kpkit("ensemble", "ensembles/nano_results", documents=tmp_path / "documents")
    assert said.startswith("exit 2: error: ") and sentence in said and "theirs_val2017.json" in said


def test_what_is_missing_is_told_by_plan(house: Path, kpkit: Callable[..., str]) -> None:
    said = kpkit("plan", "ensembles/nano_results", documents=_without_split(house))
    assert "no such results file" in said and "theirs_val2017.json" in said
    (house / "world/more/val2017.json").rename(house / "world/more/hidden.json")
    try:
        said = kpkit("plan", "ensembles/nano_options")
    finally:
        (house / "world/more/hidden.json").rename(house / "world/more/val2017.json")
    assert "a further detector's file is missing" in said


def test_learned_entries_need_an_ensemble_that_learns(
    house: Path, kpkit: Callable[..., str], tmp_path: Path
) -> None:
    shutil.copytree(house / "documents", tmp_path / "documents")
    document = tmp_path / "documents/submissions/nano.toml"
    document.write_text(document.read_text() + 'poses = { scoring = "learned" }\n')
    said = kpkit("plan", "submissions/nano", documents=tmp_path / "documents")
    assert "the ensemble nano learns none" in said
