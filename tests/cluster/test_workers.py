"""A recipe on two workers: TorchTrainer joins them, the result is one whole artefact."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.pipeline.runs import leftovers, run


@pytest.mark.ray
@pytest.mark.timeout(600)
@pytest.mark.xdist_group("pipeline")
def test_two_workers_train_one_recipe(nano_world: Path, documents: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    recipe = documents / "recipes/nano_two_workers.toml"
    done = run("train", recipe, "--data", nano_world, "--runs", runs, "--cpus", "2")
    assert done.returncode == 0, done.stderr
    (manifest,) = runs.glob("recipes/nano_two_workers-*/manifest.json")
    assert json.loads(manifest.read_text())["metrics"]["steps"] == 4
    assert leftovers(runs) == []


def test_two_workers_without_ray_are_refused(nano_world: Path, documents: Path, tmp_path: Path) -> None:
    recipe = documents / "recipes/nano_two_workers.toml"
    done = run("train", recipe, "--data", nano_world, "--runs", tmp_path / "runs", "--no-ray")
    assert done.returncode == 2
    assert "asks for 2 workers" in done.stderr
