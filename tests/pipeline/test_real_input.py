"""The whole pipeline on real COCO and AI Challenger annotations, detections, records and pictures."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pycocotools.coco import COCO

from kpkit.core.files import file_hash
from kpkit.data.coco import read_annotations
from kpkit.data.images import read_image
from kpkit.data.results import read_detections

DOCUMENT = Path(__file__).parents[1] / "documents" / "submissions" / "real.toml"
MEMBERS = ("real_cpn", "real_mspn", "real_ccm")

pytestmark = [pytest.mark.shared, pytest.mark.xdist_group("real_input")]


@dataclass(frozen=True)
class Built:
    """A finished run: its folder, the data, what was printed, its manifests by kind/name."""

    runs: Path
    data: Path
    out: str
    err: str
    manifests: Mapping[str, dict[str, Any]]
    folders: Mapping[str, Path]

    def metrics(self, name: str) -> dict[str, Any]:
        return dict(self.manifests[name]["metrics"])


def kpkit(*arguments: object) -> subprocess.CompletedProcess[str]:
    """As a user types it, from this process's folder."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    environment.pop("KPKIT_DATA", None)
    command = [sys.executable, "-m", "kpkit.cli.main", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment)


@pytest.fixture(scope="module")
def built(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    runs, data = tmp_path_factory.mktemp("real") / "runs", shared / "real"
    done = kpkit("run", DOCUMENT, "--data", data, "--runs", runs, "--no-ray")
    assert done.returncode == 0, done.stderr
    manifests, folders = {}, {}
    for path in runs.glob("*/[!.]*/manifest.json"):
        manifest = json.loads(path.read_text())
        name = f"{manifest['kind']}/{manifest['name']}"
        manifests[name], folders[name] = manifest, path.parent
    return Built(runs, data, done.stdout, done.stderr, manifests, folders)


def test_every_artefact_is_there_and_whole(built: Built) -> None:
    assert set(built.manifests) == {
        "hard_negatives/val2017_sample",
        "recipes/real_teacher",
        "teachers/real_teacher-on-unlabeled2017",
        "pseudo_labels/real",
        *(f"recipes/{name}" for name in MEMBERS),
        "ensembles/real-on-val2017_sample",
        "ensembles/real-on-test-dev2017",
        "submissions/real-test-dev2017",
    }
    for name, manifest in built.manifests.items():
        for file, facts in manifest["files"].items():
            assert file_hash(built.folders[name] / file) == facts["sha256"], (name, file)
    assert not [p for p in built.runs.rglob("*") if p.name.endswith((".tmp", ".work"))]


@pytest.mark.parametrize("member", MEMBERS)
def test_members_saw_every_source(member: str, built: Built) -> None:
    metrics = built.metrics(f"recipes/{member}")
    negatives = built.metrics("hard_negatives/val2017_sample")["negatives"]
    # 221 people of train2017 carry keypoints; 9 of AI Challenger's 1,917 are on the 3 pictures of 700 there
    assert metrics["people"] == {"A": 9, "C": 221, "H": negatives, "U": 16}
    assert metrics["pictures_skipped"] == 697
    steps = (9 + 221 + negatives + 16) // 32 + (221 + negatives) // 32
    assert metrics["steps"] == steps and metrics["crops"] == 32 * steps
    # the validation set's own detections on nobody, of the score they are mined from here
    assert metrics["false_detections"]["boxes"] == negatives
    assert 0 < metrics["false_detections"]["mean_keypoint_score"] < 1
    assert 0 < metrics["loss"] < 1 and set(metrics["val"]) == {"AP", "AP50", "AR"}
    folder = built.folders[f"recipes/{member}"]
    log = (folder / "log.csv").read_text().splitlines()
    assert [line.split(",")[1] for line in log] == ["phase", "ACHU", "CH"]


def test_the_teacher_saw_labels_alone(built: Built) -> None:
    assert built.metrics("recipes/real_teacher")["people"] == {"A": 9, "C": 221}


def test_negatives_touch_no_person(built: Built) -> None:
    metrics = built.metrics("hard_negatives/val2017_sample")
    # 1,629 of the 16,511 detections are on the 71 labelled pictures of val2017
    assert metrics["detections"] == 1629 and metrics["pictures"] == 71
    folder = built.folders["hard_negatives/val2017_sample"]
    negatives = read_detections(folder / "hard_negatives.json")
    assert len(negatives) == metrics["negatives"] > 5
    assert (negatives.score >= 0.5).all()
    _, people = read_annotations(built.data / "coco/annotations/person_keypoints_val2017.json")
    for image, (x, y, w, h) in zip(negatives.image_id, negatives.box, strict=True):
        box = people.box[people.image_id == image]
        across = (box[:, 0] < x + w) & (x < box[:, 0] + box[:, 2])
        down = (box[:, 1] < y + h) & (y < box[:, 1] + box[:, 3])
        assert not (across & down).any(), image


def test_pseudo_labels_are_a_coco_dataset(built: Built) -> None:
    metrics = built.metrics("pseudo_labels/real")
    # 16 whole pictures are looked at, one pose each
    assert (metrics["pictures"], metrics["boxes"], metrics["people"]) == (16, 16, 16)
    assert metrics["persons_per_picture_labelled"] == pytest.approx(221 / 93)
    sheet = read_image(built.folders["pseudo_labels/real"] / "doubtful.jpg")  # 16 people in rows of eight
    assert sheet.shape[0] > 2 * 240 and sheet.shape[1] > 8 * 190
    images, people = read_annotations(built.folders["pseudo_labels/real"] / "annotations.json")
    wanted = json.loads((built.data / "coco/annotations/image_info_unlabeled2017.json").read_bytes())
    assert sorted(images.id.tolist()) == sorted(row["id"] for row in wanted["images"])
    assert sorted(people.image_id.tolist()) == sorted(images.id.tolist())


def test_the_ensemble_is_judged_on_val_detections(built: Built) -> None:
    metrics = built.metrics("ensembles/real-on-val2017_sample")
    found = read_detections(
        built.data / "coco/person_detection_results/COCO_val2017_detections_AP_H_56_person_538.json.gz"
    )
    images, _ = read_annotations(built.data / "coco/annotations/person_keypoints_val2017.json")
    assert metrics["boxes"] == int(((found.score >= 0.3) & (images.rows_of(found.image_id) >= 0)).sum())
    assert set(metrics["members"]) == set(MEMBERS)
    for figures in (metrics["ensemble"], *metrics["members"].values()):
        assert len(figures) == 10 and all(0 <= value <= 1 for value in figures.values())


def test_the_entry_looks_at_whole_pictures(built: Built) -> None:
    metrics = built.metrics("ensembles/real-on-test-dev2017")
    assert metrics["boxes"] == metrics["pictures"] == 10
    document = built.manifests["ensembles/real-on-test-dev2017"]["document"]
    assert document["boxes"]["source"] == "image"
    assert built.manifests["ensembles/real-on-val2017_sample"]["document"]["boxes"]["source"] == "detections"


def test_the_submission_loads_and_passes(built: Built) -> None:
    metrics, folder = (
        built.metrics("submissions/real-test-dev2017"),
        built.folders["submissions/real-test-dev2017"],
    )
    assert metrics["json"] == "person_keypoints_test-dev2017_real_results.json"
    assert 1 <= metrics["poses"] <= 10 and metrics["pictures"] == 10
    assert "judged" not in metrics  # nobody but the server knows the truth
    info = built.data / "coco/annotations/image_info_test-dev2017.json"
    rows = json.loads((folder / metrics["json"]).read_bytes())
    assert len(rows) == metrics["poses"]
    assert all(set(row) == {"image_id", "category_id", "keypoints", "score"} for row in rows)
    with contextlib.redirect_stdout(io.StringIO()):
        loaded = COCO(info).loadRes(str(folder / metrics["json"]))
    assert len(loaded.getAnnIds()) == metrics["poses"]
    for file in (metrics["json"], metrics["zip"]):
        checked = kpkit("check", folder / file, "--images", info, "--profile", "test-dev2017")
        assert checked.returncode == 0, checked.stdout
        assert f"{folder / file}: good, 0 errors" in checked.stdout


def test_running_again_does_nothing_and_says_so(built: Built) -> None:
    def seen() -> dict[str, tuple[int, str]]:
        return {
            str(path.relative_to(built.runs)): (path.stat().st_mtime_ns, file_hash(path))
            for path in built.runs.glob("[!.]*/**/*")
            if path.is_file()
        }

    before = seen()
    again = kpkit("run", DOCUMENT, "--data", built.data, "--runs", built.runs)
    assert again.returncode == 0
    assert again.stderr == "nothing to do: everything is there already\n"
    assert again.stdout == built.out  # what was made and where it lies, as the first time
    assert seen() == before
    planned = kpkit("plan", DOCUMENT, "--data", built.data, "--runs", built.runs, "--json")
    assert {node["state"] for node in json.loads(planned.stdout)["nodes"]} == {"done"}
