"""``kpkit run``, whole: every product of the pipeline, killed and resumed, in process and under Ray."""

from __future__ import annotations

import json
import random
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from kpkit.data.coco import read_annotations
from kpkit.data.results import read_poses
from kpkit.pipeline.artefacts import damaged_files
from tests.pipeline.runs import contents, leftovers, run, start

KINDS = {
    "hard_negatives": 1,
    "teachers": 1,
    "pseudo_labels": 1,
    "recipes": 4,
    "ensembles": 3,
    "submissions": 2,
}


@pytest.fixture(scope="module")
def unbroken(nano_world: Path, documents: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs folder of one run in process, never interrupted."""
    runs = tmp_path_factory.mktemp("unbroken") / "runs"
    done = run("run", documents / "submissions/nano.toml", "--data", nano_world, "--runs", runs, "--no-ray")
    assert done.returncode == 0, done.stderr
    return runs


def metrics(runs: Path, pattern: str) -> dict[str, object]:
    """The metrics of the one artefact whose folder matches."""
    (manifest,) = runs.glob(f"{pattern}/manifest.json")
    return dict(json.loads(manifest.read_text())["metrics"])


pytestmark = pytest.mark.xdist_group("pipeline")


def test_every_product_is_there_and_whole(unbroken: Path) -> None:
    for kind, count in KINDS.items():
        folders = [p for p in (unbroken / kind).iterdir() if not p.name.startswith(".")]
        assert len(folders) == count, kind
        for folder in folders:
            assert damaged_files(folder) == []
    assert leftovers(unbroken) == []


def test_sources_are_shown_as_the_phases_say(unbroken: Path, nano_world: Path) -> None:
    people = metrics(unbroken, "recipes/nano_cpn-*")["people"]
    assert isinstance(people, dict)
    assert set(people) == set("ACHU")
    assert set(metrics(unbroken, "recipes/nano_teacher-*")["people"]) == set("AC")  # type: ignore[call-overload]
    _, truth = read_annotations(nano_world / "coco/annotations/person_keypoints_train2017.json")
    assert people["C"] == int(((truth.num_labelled > 0) & ~truth.crowd).sum())
    assert people["H"] == metrics(unbroken, "hard_negatives/*")["negatives"]


def test_pseudo_labels_train_like_any_data_set(unbroken: Path) -> None:
    (folder,) = (unbroken / "pseudo_labels").glob("nano-*")
    images, people = read_annotations(folder / "annotations.json")
    assert len(images) == 6
    assert len(people) == metrics(unbroken, "pseudo_labels/nano-*")["people"] > 0
    assert set(people.keypoints[:, :, 2].ravel()) <= {0.0, 2.0}


def test_members_and_blend_are_judged_on_the_same_boxes(unbroken: Path) -> None:
    judged = metrics(unbroken, "ensembles/nano-on-val2017-*")
    assert set(judged["members"]) == {"nano_cpn", "nano_mspn", "nano_ccm"}  # type: ignore[call-overload]
    (folder,) = (unbroken / "ensembles").glob("nano-on-val2017-*")
    blend = read_poses(folder / "ensemble.npz")
    for member in (folder / "members").iterdir():
        assert read_poses(member).boxes_hash() == blend.boxes_hash() == judged["boxes_hash"]


def test_submission_is_named_checked_and_judged(unbroken: Path) -> None:
    made = metrics(unbroken, "submissions/nano-test-challenge2017-*")
    assert made["zip"] == "person_keypoints_test2017_nano_results.zip"
    assert made["pictures"] == 8
    # test2017 holds the pictures of both test splits, the sealed challenge truth only its own
    assert made["judged_pictures"] == 4
    assert set(made["judged"]) >= {"AP", "AR"}  # type: ignore[call-overload]


def test_running_again_does_nothing(unbroken: Path, nano_world: Path, documents: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in unbroken.rglob("*") if p.is_file() and p.name[0] != "."}
    done = run(
        "run", documents / "submissions/nano.toml", "--data", nano_world, "--runs", unbroken, "--no-ray"
    )
    assert done.returncode == 0
    assert "started" not in done.stderr
    after = {p: p.stat().st_mtime_ns for p in unbroken.rglob("*") if p.is_file() and p.name[0] != "."}
    assert after == before


def test_a_changed_document_rebuilds_what_it_touches(
    unbroken: Path, nano_world: Path, documents: Path, tmp_path: Path
) -> None:
    import shutil

    copy = tmp_path / "documents"
    shutil.copytree(documents, copy)
    recipe = copy / "recipes/nano_ccm.toml"
    recipe.write_text(recipe.read_text() + "\n[training]\nmax_steps = 4\n")
    before = contents(unbroken)
    done = run("plan", copy / "submissions/nano.toml", "--data", nano_world, "--runs", unbroken, "--json")
    states = {node["name"].rsplit("-", 1)[0]: node["state"] for node in json.loads(done.stdout)["nodes"]}
    assert states["recipes/nano_cpn"] == states["pseudo_labels/nano"] == "done"
    assert states["recipes/nano_ccm"] == states["ensembles/nano-on-val2017"] == "run"
    assert contents(unbroken) == before


@pytest.mark.timeout(900)
def test_killed_ten_times_it_ends_like_the_unbroken_run(
    unbroken: Path, nano_world: Path, documents: Path, tmp_path: Path
) -> None:
    """P1 and P2: SIGKILL at ten random moments, resumed each time."""
    document = documents / "submissions/nano.toml"
    moments = random.Random(20)
    killed = ended = 0
    while killed < 10:
        # a quick machine may end a run between two kills: it is compared, and the next one starts afresh
        runs = tmp_path / f"runs{ended}"
        process = start("run", document, "--data", nano_world, "--runs", runs, "--no-ray")
        # most of a short life is spent importing: wait until work has begun, then a random moment more
        assert process.stderr is not None
        for line in process.stderr:
            if "started" in line:
                break
        time.sleep(moments.uniform(0.0, 1.2))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            killed += 1
        else:
            assert process.returncode == 0
            assert contents(runs) == contents(unbroken)
            ended += 1
        process.wait()
        process.stderr.close()
        for folder in runs.glob("[!.]*/[!.]*"):
            assert damaged_files(folder) == []
    last = run("run", document, "--data", nano_world, "--runs", runs, "--no-ray")
    assert last.returncode == 0, last.stderr
    assert contents(runs) == contents(unbroken)
    assert leftovers(runs) == []


@pytest.mark.ray
@pytest.mark.timeout(600)
def test_under_ray_killed_and_resumed_the_artefacts_are_the_same(
    unbroken: Path, nano_world: Path, documents: Path, tmp_path: Path
) -> None:
    """P7, and P1 under Ray: the driver is killed while workers train."""
    runs = tmp_path / "runs"
    arguments = (
        "run", documents / "submissions/nano.toml", "--data", nano_world, "--runs", runs, "--cpus", "2",
    )  # fmt: skip
    process = start(*arguments)
    assert process.stderr is not None
    trained = 0
    for line in process.stderr:
        trained += "started" in line
        if trained == 5:  # negatives, teacher, its poses, labels, and a member's training
            break
    time.sleep(1.0)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stderr.close()
    last = run(*arguments)
    assert last.returncode == 0, last.stderr
    assert contents(runs) == contents(unbroken)
    assert leftovers(runs) == []
    begun = np.cumsum([(": started" in line) - (": done" in line) for line in last.stderr.splitlines()])
    assert begun.max() <= 2, "more jobs begun than slots: the last steps of some wait behind others"
    assert begun[-1] == 0
