"""``kpkit pseudo-label``: audited, a COCO data set, rules tried without looking again, killed workers."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import time
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO

from kpkit.core.errors import InputError
from kpkit.core.progress import silent
from kpkit.core.skeletons import COCO17
from kpkit.data.coco import read_annotations
from kpkit.data.images import read_image
from kpkit.data.results import read_detections, write_detections
from kpkit.pipeline.artefacts import damaged_files
from kpkit.pipeline.context import Context
from kpkit.pipeline.graph import GraphBuilder
from kpkit.pipeline.judged_labels import judged_labels
from kpkit.pipeline.plan import PlanRow, plan_rows
from kpkit.pipeline.pose_shards import PoseShards
from kpkit.specs.loader import load
from tests.pipeline.runs import contents, leftovers, run, start

pytestmark = pytest.mark.xdist_group("pipeline")
TEACHERS = ("nano_teacher", "nano_plain")


def manifest_of(runs: Path, pattern: str) -> tuple[Path, dict[str, Any]]:
    """The one artefact whose folder matches, and its manifest."""
    (path,) = runs.glob(f"{pattern}/manifest.json")
    return path.parent, json.loads(path.read_text())


@pytest.fixture(scope="module")
def labelled(nano_world: Path, documents: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The runs folder of an audited document, and what the command said."""
    runs = tmp_path_factory.mktemp("labelled") / "runs"
    document = documents / "pseudo_labels/nano_audited.toml"
    done = run("pseudo-label", document, "--data", nano_world, "--runs", runs, "--no-ray")
    assert done.returncode == 0, done.stderr
    return runs, done.stdout


def test_pycocotools_loads_it_and_every_row_says_what_it_is(labelled: tuple[Path, str]) -> None:
    folder, manifest = manifest_of(labelled[0], "pseudo_labels/nano_audited-*")
    assert damaged_files(folder) == [] and leftovers(labelled[0]) == []
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(folder / "annotations.json")
    told = manifest["metrics"]
    assert len(coco.getImgIds()) == told["pictures"] == 6
    rows = coco.loadAnns(coco.getAnnIds())
    assert [row["id"] for row in rows] == list(range(1, len(rows) + 1))
    labels, regions = [r for r in rows if not r["iscrowd"]], [r for r in rows if r["iscrowd"]]
    assert (len(labels), len(regions)) == (told["people"], told["ignored"])
    assert len(labels) > 5 and len(regions) > 5
    for row in labels:
        assert 0 <= row["score"] <= 1 and 0 < row["agreement"] <= 1
        assert row["num_keypoints"] >= 2 and len(row["keypoint_weight"]) == 17
        shown = np.array(row["keypoints"]).reshape(17, 3)[:, 2] > 0
        assert not np.array(row["keypoint_weight"])[~shown].any()
    assert all(row["num_keypoints"] == 0 and row["score"] >= 0 for row in regions)


def test_the_manifest_names_the_teachers_and_their_hashes(labelled: tuple[Path, str]) -> None:
    folder, manifest = manifest_of(labelled[0], "pseudo_labels/nano_audited-*")
    for teacher in TEACHERS:
        assert manifest["inputs"][teacher] == manifest_of(labelled[0], f"recipes/{teacher}-*")[1]["key"]
    assert json.loads((folder / "annotations.json").read_text())["info"]["teachers"] == {
        teacher: manifest["inputs"][teacher] for teacher in TEACHERS
    }
    for role, split in (("images", "unlabeled2017"), ("audit", "val2017")):
        _, seen = manifest_of(labelled[0], f"teachers/nano_teacher+1-on-{split}-*")
        assert manifest["inputs"][f"{role}_poses"] == seen["key"]


def test_the_audit_is_kept_and_printed(labelled: tuple[Path, str]) -> None:
    _, manifest = manifest_of(labelled[0], "pseudo_labels/nano_audited-*")
    told = manifest["metrics"]["audit"]
    assert (told["split"], told["pictures"]) == ("coco_val2017", 8)
    assert list(told["keypoints"]) == list(COCO17.keypoints)
    lines = labelled[1].splitlines()
    assert any("persons per picture (labelled set: " in line for line in lines)
    assert any(f"of val2017: {told['people']} people kept, of them" in line for line in lines)
    for name, row in told["keypoints"].items():
        (line,) = (line for line in lines if line.split()[0] == name)
        assert line.split()[1:3] == ["0.050", str(row["kept"])]


def test_the_most_doubtful_are_drawn(labelled: tuple[Path, str]) -> None:
    folder, _ = manifest_of(labelled[0], "pseudo_labels/nano_audited-*")
    sheet = read_image(folder / "doubtful.jpg")
    assert sheet.shape[0] > 200 and sheet.shape[1] > 300 and sheet.std() > 20


def test_labels_are_judged_by_the_truth_beside_their_audit(
    labelled: tuple[Path, str], nano_world: Path
) -> None:
    folder, manifest = manifest_of(labelled[0], "pseudo_labels/nano_audited-*")
    truth = nano_world / "sealed/person_keypoints_unlabeled2017.json"
    judged = judged_labels(str(folder), truth, data=None, runs=labelled[0])
    told = judged.as_dict()
    assert told["people"] == manifest["metrics"]["people"] and told["pictures"] == 6
    _, labels = read_annotations(folder / "annotations.json")
    kept = (labels.keypoints[:, :, 2] > 0).sum(axis=0)
    for k, name in enumerate(COCO17.keypoints):
        assert kept[k] - told["unjudged"] <= told["keypoints"][name]["kept"] <= kept[k]
    assert told["audit"] == manifest["metrics"]["audit"]["keypoints"]
    table = judged.lines()
    assert table[1].split()[:2] == ["keypoint", "labels"] and table[1].split()[-1] == "gap"
    assert [line.split()[0] for line in table[2:]] == [*COCO17.keypoints, "all"]
    # any COCO file can be judged, also the truth itself
    own = judged_labels(str(truth), truth, data=None, runs=labelled[0])
    assert own.audit is None and own.nobody == 0
    assert all(row.kept == row.right_75 for row in own.keypoints.values())
    other = nano_world / "sealed/person_keypoints_test-dev2017.json"
    with pytest.raises(InputError, match="lists none of the pictures"):
        judged_labels(str(truth), other, data=None, runs=labelled[0])


def plan_of(document: Path, data: Path, runs: Path) -> list[PlanRow]:
    builder = GraphBuilder(Context(data, runs))
    builder.add(load(str(document)))
    return plan_rows(list(builder.nodes.values()))


def test_other_rules_cost_no_look_at_a_picture(
    labelled: tuple[Path, str], nano_world: Path, documents: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "documents"
    shutil.copytree(documents, copy)
    document = copy / "pseudo_labels/nano_audited.toml"
    text = document.read_text().replace("min_keypoints = 2", "min_keypoints = 3")
    document.write_text(text)
    rows = plan_of(document, nano_world, labelled[0])
    assert {row.name.split("/")[0] for row in rows if row.state == "run"} == {"pseudo_labels"}
    document.write_text(text.replace("flip_test = false", "flip_test = true"))
    seen = [row for row in plan_of(document, nano_world, labelled[0]) if row.name.startswith("teachers/")]
    assert [row.state for row in seen] == ["run", "run"]
    # two teachers, and the mirrored picture: only boxes above the threshold are looked at
    _, manifest = manifest_of(labelled[0], "teachers/nano_teacher+1-on-val2017-*")
    assert seen[0].crops == 4 * manifest["metrics"]["boxes"]


def test_a_recipe_trains_on_weighted_labels(
    labelled: tuple[Path, str], nano_world: Path, documents: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "documents"
    shutil.copytree(documents, copy)
    pupil = copy / "recipes/pupil.toml"
    pupil.write_text(
        'extends = "nano_plain"\n[data]\nU = "nano_audited"\n[training]\nphases = ["CU"]\nmax_steps = 2\n'
    )
    done = run("train", pupil, "--data", nano_world, "--runs", labelled[0], "--no-ray")
    assert done.returncode == 0, done.stderr
    people = manifest_of(labelled[0], "recipes/pupil-*")[1]["metrics"]["people"]
    # regions to ignore are nobody to train on
    assert people["U"] == manifest_of(labelled[0], "pseudo_labels/nano_audited-*")[1]["metrics"]["people"]


# --- many boxes, several shards, dying workers


@pytest.fixture(scope="module")
def crowded(nano_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The world with 600 detections on each unlabelled picture: as many shards as pictures."""
    root = tmp_path_factory.mktemp("crowded") / "world"
    shutil.copytree(nano_world, root, copy_function=os.link)
    path = root / "coco/person_detection_results/COCO_unlabeled2017_detections_person.json"
    found = read_detections(path)
    rng = np.random.default_rng(0)
    images = np.unique(found.image_id)
    rows = np.concatenate(
        [rng.choice(np.flatnonzero(found.image_id == image), 600) for image in images.tolist()]
    )
    many = found[rows]
    jitter = rng.normal(1, 0.05, (len(many), 4))
    path.unlink()
    write_detections(path, many.with_(box=np.abs(many.box * jitter), score=rng.uniform(0.9, 1, len(many))))
    return root


@pytest.fixture(scope="module")
def many(crowded: Path, documents: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A document that labels them, and the runs folder of one run in process."""
    folder = tmp_path_factory.mktemp("many")
    document, runs = folder / "documents/pseudo_labels/many.toml", folder / "runs"
    shutil.copytree(documents, folder / "documents")
    document.write_text('extends = "nano"\nmin_box_score = 0.9\nposes = { max_poses = 5 }\n')
    done = run("pseudo-label", document, "--data", crowded, "--runs", runs, "--no-ray")
    assert done.returncode == 0, done.stderr
    return document, runs


def test_shards_are_read_one_by_one_and_joined(many: tuple[Path, Path]) -> None:
    _, runs = many
    folder, manifest = manifest_of(runs, "teachers/nano_teacher-on-unlabeled2017-*")
    shards = PoseShards(folder / "poses")
    assert manifest["metrics"]["shards"] == len(shards) == 6
    assert manifest["metrics"]["boxes"] == shards.cuts[-1] == 3600
    blend, members = shards.joined()
    assert members == {}
    parts = [shard.blend for shard in shards]
    for part, begin in zip(parts, shards.cuts, strict=False):
        assert len(np.unique(part.image_id)) == 1
        np.testing.assert_array_equal(part.keypoints, blend.keypoints[begin : begin + len(part)])
    _, people = read_annotations(manifest_of(runs, "pseudo_labels/many-*")[0] / "annotations.json")
    assert (np.unique(people.image_id, return_counts=True)[1] <= 5).all()


def test_the_sheet_shows_the_file_s_own_people(
    crowded: Path, many: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the least sure keypoints in all shards, by the ids they have in the file."""
    document, runs = many
    shown: dict[str, Any] = {}

    def noting(folder: Path, images: Any, people: Any, key: np.ndarray, **_: Any) -> np.ndarray:
        shown.update(people=people, key=key)
        return np.zeros((9, 9, 3), np.uint8)

    monkeypatch.setattr("kpkit.pipeline.label_job.label_sheet", noting)
    monkeypatch.setattr("kpkit.pipeline.label_job.SHOWN", 7)
    job = GraphBuilder(Context(crowded, runs)).pseudo_labels(load(str(document))).job
    job.make(tmp_path, silent)
    _, people = read_annotations(tmp_path / "annotations.json")
    assert len(shown["people"]) == 7 and len(np.unique(shown["people"].image_id)) > 1
    rows = np.searchsorted(people.id, shown["people"].id)
    np.testing.assert_array_equal(people.keypoints[rows], shown["people"].keypoints)
    assert (np.diff(shown["key"]) <= 0).all() and shown["key"].max() <= 1


@pytest.mark.ray
@pytest.mark.timeout(300)
def test_a_killed_labelling_actor_loses_nothing_and_labels_nothing_twice(
    crowded: Path, many: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document, plain = many
    runs, mark = tmp_path / "runs", uuid.uuid4().hex
    shutil.copytree(plain / "recipes", runs / "recipes")
    monkeypatch.setenv("KPKIT_TEST_MARK", mark)
    process = start("pseudo-label", document, "--data", crowded, "--runs", runs, "--cpus", "1")
    done: dict[Path, int] = {}
    killed: set[int] = set()
    deadline = time.monotonic() + 120
    while not killed and process.poll() is None and time.monotonic() < deadline:
        # two of six parts are there and the third is under way
        done = {p: p.stat().st_mtime_ns for p in runs.glob("teachers/.*.work/poses/0*.npz")}
        if len(done) >= 2:
            killed = actors(mark)
            for pid in killed:
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
    _, said = process.communicate()
    assert process.returncode == 0, said
    assert killed, "the run ended before its actor could be killed"
    assert contents(runs) == contents(plain)
    assert leftovers(runs) == []
    for path, written in done.items():
        final = path.parents[1].name.removeprefix(".").removesuffix(".work")
        assert (path.parents[2] / final / "poses" / path.name).stat().st_mtime_ns == written


def actors(mark: str) -> set[int]:
    """Ray's actor processes that inherited a mark in their environment."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (folder / "cmdline").read_bytes().startswith(b"ray::_PartWorker") and (
                f"KPKIT_TEST_MARK={mark}".encode() in (folder / "environ").read_bytes()
            ):
                found.add(int(folder.name))
    return found
