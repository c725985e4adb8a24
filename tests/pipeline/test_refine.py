"""Refined poses: inside a submission, of a results file, and never twice."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kpkit.core.errors import InputError
from kpkit.core.instances import Instances
from kpkit.data.coco import read_annotations
from kpkit.data.results import read_poses, read_results, write_results
from kpkit.inference.finish import finish_poses
from kpkit.pipeline.context import Context
from kpkit.pipeline.graph import GraphBuilder
from kpkit.pipeline.node import hashed_tables
from kpkit.pipeline.refine_nodes import refined_file, refiner_document
from kpkit.reports.manifests import read_entry
from kpkit.reports.refined import refined_lines, refined_table
from kpkit.specs.loader import load
from kpkit.specs.poses import PosesSpec
from tests.pipeline.runs import run

pytestmark = pytest.mark.xdist_group("pipeline")


@pytest.fixture(scope="module")
def runs(nano_world: Path, documents: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs folder after a refined submission."""
    folder = tmp_path_factory.mktemp("refined") / "runs"
    document = documents / "submissions/nano_refined.toml"
    done = run("run", document, "--data", nano_world, "--runs", folder, "--no-ray")
    assert done.returncode == 0, done.stderr
    return folder


def only(runs: Path, pattern: str) -> tuple[Path, dict[str, Any]]:
    (manifest,) = runs.glob(f"{pattern}-????????/manifest.json")
    return manifest.parent, json.loads(manifest.read_text())


def test_an_entry_holds_the_refined_poses_of_keypoints_that_gain(runs: Path) -> None:
    val, told = only(runs, "refined/nano_posefix-on-nano_one-on-val2017")
    metrics = told["metrics"]
    assert metrics["figures"].keys() == metrics["errors"].keys() == {"before", "whole", "accepted"}
    assert len(metrics["refined"]) == 17  # on val all are tried
    assert 0 <= metrics["better"] + metrics["worse"] <= 1
    gaining = [name for name, gain in metrics["keypoints"].items() if gain["accepted"]]
    dev, sent = only(runs, "refined/nano_posefix-on-nano_one-on-test-dev2017")
    assert sent["metrics"]["refined"] == gaining == []  # eight pictures are too few to say so
    assert sent["inputs"]["gate"] == told["key"] and "figures" not in sent["metrics"]
    before = read_poses(only(runs, "ensembles/nano_one-on-test-dev2017")[0] / "ensemble.npz")
    after = read_poses(dev / "ensemble.npz")
    same = np.array([name not in gaining for name in before.skeleton.keypoints])
    assert np.array_equal(before.keypoints[:, same], after.keypoints[:, same])
    assert np.array_equal(before.keypoints[..., 2], after.keypoints[..., 2])
    assert only(runs, "submissions/nano_refined-test-dev2017")[1]["inputs"]["poses"] == sent["key"]
    assert val != dev


def test_a_results_file_is_refined_once(
    runs: Path, nano_world: Path, documents: Path, tmp_path: Path
) -> None:
    _, people = read_annotations(nano_world / "coco/annotations/person_keypoints_val2017.json")
    people = people[(people.num_labelled > 0) & ~people.crowd]
    write_results(tmp_path / "theirs.json", people)
    options = ("--images", "coco_val2017", "--data", nano_world, "--runs", runs, "--no-ray")
    own = documents / "recipes/nano_posefix.toml"
    done = run("refine", tmp_path / "theirs.json", "--with", own, "--out", tmp_path / "better.json", *options)
    assert done.returncode == 0, done.stderr
    assert f"{len(people)} poses, 17 keypoints of each refined" in done.stdout
    assert "as they were" in done.stdout and "refined where it gains" in done.stdout
    better = read_results(tmp_path / "better.json")
    assert np.array_equal(better.image_id, people.image_id)
    assert not np.allclose(better.keypoints[..., :2], people.keypoints[..., :2])
    write_results(tmp_path / "mixed.json", better[::-1].with_(score=np.full(len(better), 0.5)))
    again = run("refine", tmp_path / "mixed.json", "--with", own, *options)
    assert again.returncode == 2
    assert f"{len(better)} of {len(better)} poses are this refiner's already" in again.stderr
    assert "Traceback" not in again.stderr and "started" not in again.stderr
    (made,) = runs.glob("refined/nano_posefix-on-val2017-????????")
    told = read_entry(made)
    assert refined_table(told)["gain"].notna().sum() == 2
    assert any("refined: " in line for line in refined_lines(told))


@pytest.fixture(scope="module")
def refined(runs: Path) -> Instances:
    """Poses that the refiner has made in a submission: all of val's, unfinished."""
    return read_poses(only(runs, "refined/nano_posefix-on-nano_one-on-val2017")[0] / "ensemble.npz")


@pytest.mark.parametrize("decimals", [2, 3])
def test_poses_are_known_again_after_a_submissions_rounding(
    runs: Path, nano_world: Path, documents: Path, tmp_path: Path, refined: Instances, decimals: int
) -> None:
    """Those of servers keep two decimals; of three most are still known, and one is enough to refuse."""
    write_results(tmp_path / "sent.json", finish_poses(refined, PosesSpec()), decimals=decimals)
    graph = GraphBuilder(Context(nano_world, runs))
    document = load(str(documents / "recipes/nano_posefix.toml"))
    with pytest.raises(InputError, match="poses are this refiner's already"):
        refined_file(graph, document, tmp_path / "sent.json", "coco_val2017")
    elsewhere = GraphBuilder(Context(nano_world, tmp_path / "other_runs"))
    node = refined_file(elsewhere, document, tmp_path / "sent.json", "coco_val2017")
    assert node.artefact.kind == "refined"  # nothing is known there


def test_a_results_file_is_looked_at_before_anything_is_trained(
    nano_world: Path, documents: Path, tmp_path: Path, refined: Instances
) -> None:
    document = load(str(documents / "recipes/nano_posefix.toml"))
    path = tmp_path / "theirs.json"

    def refused(said: str, images: str = "coco_val2017") -> None:
        with pytest.raises(InputError, match=said):
            refined_file(GraphBuilder(Context(nano_world, tmp_path / "runs")), document, path, images)

    refused("no such file")
    path.write_text('{"annotations": []}')
    refused("COCO keypoint results")
    path.write_text("[]")
    refused("holds no result")
    write_results(path, refined)
    refused("is no picture of coco_train2017", "coco_train2017")
    write_results(path, refined.with_(image_id=refined.image_id + 10**9))
    refused(f"no picture of coco_val2017 .{len(refined)} of {len(refined)} rows")


def test_a_recipe_that_refines_nothing_is_refused(documents: Path) -> None:
    submission = load(str(documents / "submissions/nano_refined.toml"))
    with pytest.raises(InputError, match="nano_c does not refine poses"):
        refiner_document("nano_c", submission, "refine")


def test_a_refiner_is_no_member(nano_world: Path, documents: Path, tmp_path: Path) -> None:
    path = tmp_path / "one.toml"
    recipe = documents / "recipes/nano_posefix.toml"
    path.write_text(f'kind = "ensemble"\nmembers = [{{ recipe = "{recipe}" }}]\nval = "coco_val2017"\n')
    with pytest.raises(InputError, match="refines poses and has no heatmaps to blend"):
        GraphBuilder(Context(nano_world, tmp_path / "runs")).add(load(str(path)))


@pytest.mark.parametrize(
    ("name", "text"),
    [("posefix_resnet50", ""), ("simplebaseline_resnet50", "[refinement]\nsigma = 2.0\n")],
)
def test_networks_and_their_tables_go_together(
    nano_world: Path, documents: Path, tmp_path: Path, name: str, text: str
) -> None:
    base = (
        (documents / "recipes/base/nano.toml")
        .read_text()
        .replace('phases = ["ACHU", "CH"]', 'phases = ["C"]')
    )
    path = tmp_path / "own.toml"
    path.write_text(
        base.replace("epochs = [1, 1]", "epochs = [1]").replace("[network]", f'[network]\nname = "{name}"')
        + text
    )
    with pytest.raises(InputError, match=r"(refines|does not refine) poses"):
        GraphBuilder(Context(nano_world, tmp_path / "runs")).add(load(str(path)))


def test_documents_without_refinement_keep_their_hashes(documents: Path) -> None:
    plain = hashed_tables(load(str(documents / "submissions/nano.toml")).spec)
    assert plain["refine"] == "none" and "refined" not in plain
    assert "refinement" not in hashed_tables(load(str(documents / "recipes/nano_c.toml")).spec)


def test_results_on_a_data_set_of_the_recipe_s_own(
    nano_world: Path, documents: Path, tmp_path: Path, refined: Instances
) -> None:
    own = Path(shutil.copytree(documents, tmp_path / "documents")) / "recipes/mine.toml"
    own.write_text(
        'extends = "nano_posefix"\n[datasets.mine]\nformat = "coco"\nimages = "coco/val2017"\n'
        'annotations = "coco/annotations/person_keypoints_val2017.json"\n'
    )
    write_results(tmp_path / "theirs.json", refined)
    graph = GraphBuilder(Context(nano_world, tmp_path / "runs"))
    node = refined_file(graph, load(str(own)), tmp_path / "theirs.json", "mine")
    assert node.job.dataset.name == "mine"  # type: ignore[attr-defined]
    with pytest.raises(InputError, match=r"^unknown data set 'mien'; did you mean 'mine'"):
        refined_file(graph, load(str(own)), tmp_path / "theirs.json", "mien")


def test_no_table_is_written_where_nobody_is_labelled(
    runs: Path, nano_world: Path, documents: Path, tmp_path: Path
) -> None:
    poses = read_poses(only(runs, "ensembles/nano_one-on-test-dev2017")[0] / "ensemble.npz")
    write_results(tmp_path / "theirs.json", poses)
    options = ("--images", "coco_test-dev2017", "--data", nano_world, "--runs", runs, "--no-ray")
    files = ("--csv", tmp_path / "told.csv", "--out", tmp_path / "better.json")
    own = documents / "recipes/nano_posefix.toml"
    done = run("refine", tmp_path / "theirs.json", "--with", own, *files, *options)
    assert done.returncode == 2 and "nobody is labelled on coco_test-dev2017" in done.stderr
    assert len(read_results(tmp_path / "better.json")) == len(poses) and not (tmp_path / "told.csv").exists()
