"""Stored heatmaps are what the networks saw: blended again they give the poses a run gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from kpkit.core.files import file_hash
from kpkit.core.progress import silent
from kpkit.data.crops import CropDataset, picture_paths
from kpkit.data.load import load_dataset
from kpkit.ensembles.blends import blended_poses
from kpkit.ensembles.members import WEIGHTS, MemberFiles, load_ensemble
from kpkit.ensembles.stored import StoredEnsemble
from kpkit.inference.network import create_network
from kpkit.inference.predict import predict_poses
from kpkit.pipeline.artefacts import Artefact, damaged_files
from kpkit.pipeline.heatmaps_job import HeatmapsJob
from kpkit.pipeline.node import Node
from kpkit.pipeline.plan import needed_bytes
from kpkit.reports.figures import artefact_lines
from kpkit.specs.datasets import resolve
from kpkit.specs.ensemble import BoxesSpec
from kpkit.specs.loader import load
from kpkit.specs.poses import DecodeSpec

RECIPES = ("nano_cpn", "nano_mspn")


@pytest.fixture(scope="module")
def members(documents: Path, tmp_path_factory: pytest.TempPathFactory) -> list[MemberFiles]:
    """Networks with drawn weights; the second looks at two views."""
    found = []
    for number, name in enumerate(RECIPES):
        spec = load(str(documents / f"recipes/{name}.toml")).spec
        torch.manual_seed(number)
        folder = tmp_path_factory.mktemp(name)
        save_file(create_network(spec.network).state_dict(), folder / WEIGHTS)
        looks = ((1.0, 0.0), (1.2, 10.0)) if number else ((1.0, 0.0),)
        found.append(MemberFiles(name, spec, folder, 1.0, looks))
    return found


def job_of(member: MemberFiles, world: Path, runs: Path, **asked: Any) -> HeatmapsJob:
    dataset = resolve("coco_val2017", world)
    boxes = BoxesSpec(min_score=0.3)
    artefact = Artefact("heatmaps", f"{member.name}-on-val2017", {"split": "coco_val2017", **asked}, {}, runs)
    return HeatmapsJob(artefact, dataset=dataset, boxes=boxes, member=member, **asked)


def built(job: HeatmapsJob) -> Path:
    parts = job.prepare(silent)
    opened = job.open()
    for part in parts:
        job.run_part(opened, part, silent)
    job.finish(silent)
    return job.artefact.folder


def test_blended_again_they_give_the_poses_of_a_run(
    members: list[MemberFiles], nano_world: Path, tmp_path: Path
) -> None:
    folders = [built(job_of(member, nano_world, tmp_path, format="f16")) for member in members]
    stored = StoredEnsemble([(m.name, folder) for m, folder in zip(members, folders, strict=True)], None)
    decoding = DecodeSpec()
    weights = np.array([[[0.7, 0.3]]]).repeat(17, axis=1)
    again = blended_poses(stored, {"own": weights}, np.zeros(len(stored.boxes), int), decoding)["own"]

    loaded = load_dataset(resolve("coco_val2017", nano_world))
    ensemble = load_ensemble(members, None, torch.device("cpu"))
    paths = picture_paths(stored.boxes, loaded.images, loaded.folder)
    crops = CropDataset(stored.boxes, paths, ensemble.codec.geometry)
    poses, _ = predict_poses(ensemble.predictors, [0.7, 0.3], ensemble.codec, crops, decoding)
    apart = np.linalg.norm(again.keypoints[..., :2] - poses.keypoints[..., :2], axis=2)
    # heatmaps of drawn weights are flat: half floats may prefer another of two equal peaks, seldom
    assert np.quantile(apart, 0.95) < 0.05
    np.testing.assert_allclose(again.keypoints[..., 2], poses.keypoints[..., 2], atol=2e-3)
    assert len(poses) > 5 and damaged_files(folders[1]) == []


def test_a_killed_part_goes_on_and_ends_the_same(
    members: list[MemberFiles], nano_world: Path, tmp_path: Path
) -> None:
    whole = built(job_of(members[1], nano_world, tmp_path / "whole"))
    job = job_of(members[1], nano_world, tmp_path / "killed")
    (part,) = job.prepare(silent)
    job.run_part(job.open(), part, silent)
    work = job.artefact.work
    (work / "parts" / "00000.json").unlink()  # killed before it could say that it was done,
    (work / "view1-mirrored" / "00000.maps").unlink()  # and before its last store was whole
    assert list(job.prepare(silent)) == [part]
    again = built(job)
    names = sorted(
        p.relative_to(whole) for p in whole.rglob("*") if p.is_file() and p.name != "manifest.json"
    )
    assert len(names) == 12
    for name in names:
        assert file_hash(again / name) == file_hash(whole / name), name
    assert list(job.prepare(silent)) == []


def test_the_manifest_tells_size_and_what_packing_does(
    members: list[MemberFiles], nano_world: Path, tmp_path: Path
) -> None:
    job = job_of(members[0], nano_world, tmp_path)
    node = Node(
        job.artefact, job, [], load("nano_cpn", beside=Path(__file__).parents[1] / "documents/x/y.toml")
    )
    asked = needed_bytes(node)
    folder = built(job)
    title, size, packing = artefact_lines(folder)
    assert title.startswith("heatmaps/nano_cpn-on-val2017: ")
    assert "plain and mirrored maps, classic-64x64-s4-p1.25, u8" in size
    assert packing.strip().startswith("packing moves decoded points by 0.0")
    stored = sum(path.stat().st_size for path in folder.glob("view*/*.maps"))
    assert 0 < stored <= 1.5 * asked  # counted as a byte a value; an untrained network's maps are all top
    assert needed_bytes(node) == 0


def test_no_box_to_look_at(members: list[MemberFiles], nano_world: Path, tmp_path: Path) -> None:
    job = job_of(members[0], nano_world, tmp_path)
    job.boxes = BoxesSpec(min_score=1.0)
    with pytest.raises(
        Exception, match=r"no box of coco_val2017 is left to look at; lower \[boxes\] min_score"
    ):
        job.prepare(silent)
