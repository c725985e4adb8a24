"""What ``kpkit search`` and ``kpkit ablate`` refuse before anything is trained."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .conftest import DOCUMENTS, Kpkit

TWO = 'members = [{ recipe = "nano_cpn" }, { recipe = "nano_mspn" }]\n'
FAULTS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "one_member": (
        "search",
        'members = [{ recipe = "nano_cpn" }]\nval = "coco_val2017"\n',
        ("members: one member has no weights to choose; name two or more",),
    ),
    "no_val": ("search", TWO, ("val: names no data set to judge it on",)),
    "no_val_to_ablate": ("ablate", TWO, ("val: names no data set to judge it on",)),
    "val_without_truth": (
        "search",
        TWO + 'val = "coco_test-dev2017"\n',
        ("val: coco_test-dev2017 has no annotations to judge poses by; name a labelled data set",),
    ),
    "member_missing": (
        "search",
        'members = [{ recipe = "nano_cpn" }, { recipe = "nano_cnp" }]\nval = "coco_val2017"\n',
        ("no recipe is called 'nano_cnp'", "did you mean 'nano_cpn'?"),
    ),
    "two_folds": (
        "search",
        TWO + 'val = "coco_val2017"\n[search]\nfolds = 2\n',
        ("search.folds: value 2 is not allowed",),
    ),
    "grid": (
        "ablate",
        TWO + 'val = "coco_val2017"\n[grid.techniques]\nGF = { decode = { blur = 4 } }\n',
        ("grid.techniques.GF.decode.blur: value 4 is not allowed", "odd"),
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faulty_ensembles(name: str, kpkit: Kpkit, drawn: Path, tmp_path: Path) -> None:
    command, text, wanted = FAULTS[name]
    for folder in ("recipes", "pseudo_labels"):
        shutil.copytree(DOCUMENTS / folder, tmp_path / "own" / folder)
    (tmp_path / "own" / "ensembles").mkdir()
    document = tmp_path / "own" / "ensembles" / f"{name}.toml"
    document.write_text('kind = "ensemble"\n' + text)
    said = kpkit(command, document, "--data", drawn, "--runs", tmp_path / "runs", "--no-ray")
    assert said.code == 2
    for words in wanted:
        assert words in said.only_sentence
    assert not (tmp_path / "runs").exists()
