"""Weights by keypoint and test-time views, as ``kpkit run`` takes them from a document."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kpkit.cli.main import run
from kpkit.data.results import read_poses

pytestmark = pytest.mark.xdist_group("pipeline")


def kpkit(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    """Run a command in this process."""
    monkeypatch.setattr(sys, "argv", ["kpkit", *map(str, arguments)])
    return int(run(debug=False))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("views") / "runs"


def manifest(runs: Path, name: str) -> tuple[Path, dict[str, Any]]:
    (folder,) = (runs / "ensembles").glob(f"{name}-on-val2017-*")
    return folder, json.loads((folder / "manifest.json").read_text())


def test_a_document_with_weights_and_views(
    nano_world: Path, documents: Path, runs: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    where = ["--data", nano_world, "--runs", runs]
    views = documents / "ensembles/nano_views.toml"
    assert kpkit(monkeypatch, "run", views, *where, "--no-ray") == 0
    folder, made = manifest(runs, "nano_views")
    first, second = made["document"]["members"]
    assert first["weight"] == {"all": 1.0, "legs": 2.0, "left_wrist": 0.0}
    assert (second["scales"], second["rotations"]) == ([0.9, 1.1], [-15.0, 15.0])
    blend = read_poses(folder / "ensemble.npz")
    one, other = (read_poses(folder / f"members/{name}.npz") for name in ("nano_c5", "nano_c"))
    assert blend.boxes_hash() == one.boxes_hash() == other.boxes_hash()
    # one member adds nothing to a keypoint: the blend is the other there
    wrist = blend.skeleton.index("left_wrist")
    np.testing.assert_allclose(blend.keypoints[:, wrist], other.keypoints[:, wrist], atol=1e-3)
    assert (blend.keypoints[:, 0] != other.keypoints[:, 0]).any()

    # the same members seen once and weighed alike are another artefact, with other poses
    plain = tmp_path / "ensembles/plain.toml"
    plain.parent.mkdir()
    recipes = documents / "recipes"
    plain.write_text(
        'kind = "ensemble"\nval = "coco_val2017"\n'
        f'members = [{{ recipe = "{recipes}/nano_c5.toml" }}, {{ recipe = "{recipes}/nano_c.toml" }}]\n'
    )
    capsys.readouterr()
    assert kpkit(monkeypatch, "run", plain, *where, "--no-ray") == 0
    plain_folder, _ = manifest(runs, "plain")
    again = read_poses(plain_folder / "members/nano_c5.npz")
    np.testing.assert_array_equal(again.keypoints, one.keypoints)
    alone = read_poses(plain_folder / "members/nano_c.npz")
    assert (alone.keypoints != other.keypoints).any()


def test_no_member_left_for_a_keypoint(
    nano_world: Path, documents: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    document = tmp_path / "ensembles/e.toml"
    document.parent.mkdir()
    recipe = documents / "recipes/nano_c5.toml"
    document.write_text(
        'kind = "ensemble"\nval = "coco_val2017"\n'
        f'members = [{{ recipe = "{recipe}", weight = {{ nose = 0 }} }}]\n'
    )
    assert kpkit(monkeypatch, "run", document, "--data", nano_world, "--runs", tmp_path, "--no-ray") == 2
    told = capsys.readouterr().err
    assert "members: weights must be 0 or more, and one of each keypoint's above 0" in told


def test_the_plan_counts_every_look(
    nano_world: Path, documents: Path, runs: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], tmp_path: Path,
) -> None:  # fmt: skip
    """Boxes times five looks, each with its mirror."""
    boxes = manifest(runs, "nano_views")[1]["metrics"]["boxes"]
    copy = tmp_path / "ensembles/nano_views.toml"
    copy.parent.mkdir()
    text = (documents / "ensembles/nano_views.toml").read_text().replace("1.1", "1.2")
    for name in ("nano_c5", "nano_c"):
        text = text.replace(f'"{name}"', f'"{documents}/recipes/{name}.toml"')
    copy.write_text(text)
    arguments = ["plan", copy, "--data", nano_world, "--runs", runs, "--json"]
    assert kpkit(monkeypatch, *arguments) == 0
    told = json.loads(capsys.readouterr().out)
    assert f"{boxes * 5 * 2}" in json.dumps(told)
