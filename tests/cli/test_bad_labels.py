"""Pseudo labels that cannot be made: one sentence, exit code 2, no artefact; before a teacher looks."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from .conftest import DOCUMENTS, Kpkit, World

INFO = "coco/annotations/image_info_unlabeled2017.json"
VAL = "coco/annotations/person_keypoints_val2017.json"
DETECTIONS = "coco/person_detection_results/COCO_unlabeled2017_detections_person.json"


@pytest.fixture(scope="module")
def trained(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of the teacher alone."""
    from kpkit.pipeline.run import Settings, build
    from kpkit.specs.loader import load

    class Silent:
        def __getattr__(self, name: str) -> Any:
            return lambda *_: None

    runs = tmp_path_factory.mktemp("trained") / "runs"
    document = load(str(DOCUMENTS / "recipes/nano_plain.toml"))
    build([document], Settings(drawn, runs, ray=False), Silent())
    return runs


@pytest.fixture
def runs(trained: Path, tmp_path: Path) -> Path:
    shutil.copytree(trained, tmp_path / "runs")
    return tmp_path / "runs"


@pytest.fixture
def document(tmp_path: Path) -> Path:
    """A document of one's own beside the test recipes."""
    shutil.copytree(DOCUMENTS / "recipes", tmp_path / "own/recipes")
    path = tmp_path / "own/pseudo_labels/mine.toml"
    path.parent.mkdir()
    path.write_text(
        'kind = "pseudo_labels"\nteachers = [{ recipe = "nano_plain" }]\nimages = "coco_unlabeled2017"\n'
        'labelled = "coco_train2017"\nmin_keypoint_score = 0.0\ndecode = { flip_test = false }\n'
    )
    return path


def refused(kpkit: Kpkit, document: Path, world: World, runs: Path, done: int = 0) -> str:
    """The sentence; no artefact but the teacher's, and as many of its poses as ``done``, is left."""
    said = kpkit("pseudo-label", document, "--data", world, "--runs", runs, "--no-ray")
    assert said.code == 2
    assert len(list(runs.glob("teachers/[!.]*"))) == done
    assert not list(runs.glob("pseudo_labels/*"))
    return said.sentence


def listed_too(world: World, row: dict[str, Any], content: Path) -> None:
    """Put one more picture among the unlabelled ones."""
    info = world.table(INFO)
    info["images"].append(row)
    world.put(INFO, info)
    shutil.copyfile(content, world.root / "coco/unlabeled2017" / row["file_name"])


def test_an_unlabelled_picture_that_is_in_val(kpkit: Kpkit, document: Path, world: World, runs: Path) -> None:
    picture = world.table(VAL)["images"][1]
    name, content = picture["file_name"], world.root / "coco/val2017" / picture["file_name"]
    listed_too(world, picture, content)
    sentence = refused(kpkit, document, world, runs)
    assert sentence.startswith(
        f"{world.root / INFO}: picture {name} (id {picture['id']}) is to be pseudo-labelled"
    )
    assert "is one of coco_val2017: told by its id; leave the pictures of coco_val2017 out" in sentence


@pytest.mark.parametrize("split", ["val2017", "test2017", "train2017"])
def test_a_known_picture_under_another_name(
    split: str, kpkit: Kpkit, document: Path, world: World, runs: Path
) -> None:
    content = sorted((world.root / "coco" / split).iterdir())[0]
    listed_too(world, {"id": 7, "file_name": "holiday.jpg", "width": 64, "height": 64}, content)
    sentence = refused(kpkit, document, world, runs)
    assert "picture holiday.jpg (id 7) is to be pseudo-labelled" in sentence
    # a picture of the test-dev split is one of the whole test split as well: the first list found is named
    assert "told by its content" in sentence and f"is one of coco_{split[:4]}" in sentence


def test_val_itself(kpkit: Kpkit, document: Path, world: World, runs: Path) -> None:
    document.write_text(document.read_text().replace("coco_unlabeled2017", "coco_val2017"))
    assert "is one of coco_val2017: told by its id" in refused(kpkit, document, world, runs)
    document.write_text(document.read_text().replace("coco_val2017", "coco_train2017"))
    assert "is one of coco_train2017: told by its id" in refused(kpkit, document, world, runs)


@pytest.mark.parametrize(
    ("table", "content", "sentence"),
    [
        (INFO, {"images": [], "categories": []}, "there is no detection on the pictures to label"),
        (DETECTIONS, [], "there is no detection on the pictures to label"),
    ],
)
def test_an_empty_source(
    table: str, content: Any, sentence: str, kpkit: Kpkit, document: Path, world: World, runs: Path
) -> None:
    world.put(table, content)
    assert refused(kpkit, document, world, runs) == sentence


def test_no_detection_reaches_the_threshold(kpkit: Kpkit, document: Path, world: World, runs: Path) -> None:
    document.write_text("min_box_score = 1.0\n" + document.read_text())
    sentence = refused(kpkit, document, world, runs)
    assert sentence == (
        f"{world.root / DETECTIONS}: no box on the pictures of coco_unlabeled2017 scores 1 or more; "
        "lower min_box_score, or name another detector's file"
    )


def test_rules_that_keep_nobody(kpkit: Kpkit, document: Path, world: World, runs: Path) -> None:
    document.write_text(document.read_text().replace("score = 0.0", "score = 1.0"))
    sentence = refused(kpkit, document, world, runs, done=1)
    assert sentence.startswith("nothing to label: none of ") and "lower min_keypoints, " in sentence


def test_an_audit_set_without_boxes(kpkit: Kpkit, document: Path, world: World, runs: Path) -> None:
    document.write_text('audit = "coco_val2017"\n' + document.read_text())
    boxes = world.root / "coco/person_detection_results/COCO_val2017_detections_person.json"
    boxes.unlink()
    sentence = refused(kpkit, document, world, runs)
    assert sentence.startswith(f"{boxes}: data set coco_val2017: the detections file is missing")
    document.write_text('audit_boxes = "truth"\n' + document.read_text())
    said = kpkit("pseudo-label", document, "--data", world, "--runs", runs, "--no-ray")
    assert said.code == 0 and "the same rules on 4 pictures of val2017" in said.out


@pytest.mark.parametrize("rule", ["precision = 0.9", "soft_weights = true"])
def test_rules_that_need_an_audit(rule: str, kpkit: Kpkit, document: Path, world: World, runs: Path) -> None:
    document.write_text(f"{rule}\n" + document.read_text())
    sentence = refused(kpkit, document, world, runs)
    assert sentence.startswith(f"{document}: precision and soft_weights are solved on audit")
