"""Every finished artefact has its rows, with the figures, costs and hashes of its manifest."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kpkit.core.errors import InputError
from kpkit.pipeline.artefacts import Artefact
from kpkit.reports.ledger import COLUMNS, FIGURES, ledger, percent

from .fake_runs import NAMES, FakeRuns, make_runs, publish, recipe

POSES = {"boxes": 40, "boxes_hash": "b" * 64, "pictures": 12}


def _manifest(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "manifest.json").read_text()))


def test_one_row_for_each_thing(finished: FakeRuns) -> None:
    table = ledger(finished.runs)
    assert tuple(table.columns) == COLUMNS
    counts = table["row"].value_counts().to_dict()
    assert counts == {"recipe": 3, "member": 3, "ensemble": 2, "submission": 2, "pseudo_labels": 1}
    assert dict(zip(table["name"], table["split"], strict=True)) == {
        "tiny-on-val2017": "val2017", "tiny-on-test-dev2017": "test-dev2017",
        "tiny-test-dev2017": "test-dev2017",
        "tiny-test-challenge2017": "test-challenge2017", "tiny_labels": "unlabeled2017",
        **dict.fromkeys(NAMES, "val2017"),
    }  # fmt: skip


def test_every_row_names_its_hashes(finished: FakeRuns) -> None:
    owners = {m["key"]: m for m in map(_manifest, finished.folders.values())}
    table = ledger(finished.runs)
    for row in table.to_dict("records"):
        assert row["content"] == owners[row["artefact"]]["content"]
        assert row["kind"] == owners[row["artefact"]]["kind"]
    members = table[table["row"] == "member"]
    for row in members.to_dict("records"):
        assert row["recipe"] == _manifest(finished.folders[row["name"]])["key"]
        assert row["artefact"] == _manifest(finished.folders["tiny-on-val2017"])["key"]


def test_members_have_the_figures_of_the_ensemble_and_the_cost_of_their_recipe(finished: FakeRuns) -> None:
    told = _manifest(finished.folders["tiny-on-val2017"])["metrics"]
    table = ledger(finished.runs)
    members = table[table["row"] == "member"].set_index("name")
    for place, name in enumerate(NAMES):
        for figure in FIGURES:
            expected = percent(told["members"][name])[figure]
            assert members.loc[name, figure] == pytest.approx(expected, nan_ok=True)
        assert members.loc[name, "AP"] == pytest.approx(100 * told["members"][name]["AP"])
        assert members.loc[name, "parameters_M"] == pytest.approx(0.8 + 0.1 * place)
        assert members.loc[name, "GMACs"] == pytest.approx(0.25 * (place + 1))
        assert members.loc[name, "crops"] == 5760
        false = float("nan") if place == 0 else 0.1 * place
        assert members.loc[name, "false_score"] == pytest.approx(false, nan_ok=True)
        assert members.loc[name, "seconds"] == 60 + place
        assert members.loc[name, "weight"] == 1
    blend = table[table["name"] == "tiny-on-val2017"].iloc[0]
    assert blend["parameters_M"] == pytest.approx(2.7)
    assert blend["AP"] == pytest.approx(100 * told["ensemble"]["AP"])
    assert blend["seconds"] == 12.5
    sent = table[table["row"] == "submission"].iloc[0]
    assert sent["GMACs"] == pytest.approx(1.5)


def test_figures_are_percent_and_nobody_of_a_size_is_no_figure() -> None:
    figures = percent({"AP": 0.4567, "APL": -1.0})
    assert figures["AP"] == pytest.approx(45.67)
    assert math.isnan(figures["APL"]) and math.isnan(figures["AR"])


def test_cost_is_unknown_when_a_member_is_gone(tmp_path: Path) -> None:
    made = make_runs(tmp_path)
    shutil.rmtree(made.folders[NAMES[0]])
    table = ledger(made.runs).set_index("name")
    assert math.isnan(table.loc[NAMES[0], "GMACs"])
    assert math.isnan(table.loc["tiny-on-val2017", "GMACs"])
    assert table.loc[NAMES[0], "AP"] > 0


def test_poses_made_out_of_fold_cost_what_all_folds_networks_cost(tmp_path: Path) -> None:
    """One member is trained without each fold, the other has seen no picture of either."""
    runs = tmp_path / "runs"
    networks = [recipe(runs, name, seed) for seed, name in enumerate(("a@not1of2", "a@not2of2", "b"))]
    members = {"members": [{"recipe": "a.toml"}, {"recipe": "b.toml"}]}
    folds = []
    for place, own in enumerate(networks[:2], 1):
        inputs = {own.name: own.key, "b": networks[2].key}
        document = members | {"split": f"coco_train2017@{place}of2"}
        name = f"ab@not{place}of2-on-train2017@{place}of2"
        folds.append(publish(Artefact("ensembles", name, document, inputs, runs), POSES, {"e": b""}))
    inputs = {"boxes_annotations": "a" * 64} | {fold.name: fold.key for fold in folds}
    document = members | {"split": "coco_train2017", "folds": 2}
    publish(Artefact("ensembles", "joined", document, inputs, runs), POSES, {"e": b""})
    table = ledger(runs).set_index("name")
    assert table.loc[folds[1].name, "GMACs"] == pytest.approx(0.5 + 0.75)
    assert table.loc["joined", "GMACs"] == pytest.approx(0.25 + 0.5 + 0.75)
    assert table.loc["joined", "crops"] == 3 * 5760
    shutil.rmtree(networks[1].folder)
    table = ledger(runs).set_index("name")
    assert table.loc[folds[0].name, "GMACs"] == pytest.approx(0.25 + 0.75)
    assert math.isnan(table.loc[folds[1].name, "GMACs"]) and math.isnan(table.loc["joined", "GMACs"])


def test_hidden_folders_are_not_read(finished: FakeRuns) -> None:
    assert (finished.runs / "recipes/.half-12345678.work/manifest.json").read_text() == "{broken"
    assert "half" not in set(ledger(finished.runs)["name"])


def test_an_empty_folder_gives_an_empty_table(tmp_path: Path) -> None:
    table = ledger(tmp_path)
    assert table.empty and tuple(table.columns) == COLUMNS


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere: no such folder of artefacts; name one with --runs"):
        ledger(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("spoil", "cause"),
    [
        (lambda m: None, "not valid JSON"),
        (lambda m: m.pop("content"), "content"),
        (lambda m: m["metrics"].pop("parameters"), "parameters"),
        (lambda m: m["metrics"].update(crops="many"), r"crops"),
        (lambda m: m.update(kind="teapots"), "unknown kind 'teapots'"),
        (lambda m: m["document"].update(data=[1]), "document: damaged manifest"),
    ],
)
def test_a_damaged_manifest_is_named(
    tmp_path: Path, spoil: Callable[[dict[str, Any]], object], cause: str
) -> None:
    made = make_runs(tmp_path)
    path = made.folders[NAMES[1]] / "manifest.json"
    manifest = json.loads(path.read_text())
    before = json.dumps(manifest)
    spoil(manifest)
    path.write_text(before[:-9] if json.dumps(manifest) == before else json.dumps(manifest))
    with pytest.raises(InputError, match=cause) as caught:
        ledger(made.runs)
    assert str(path) in str(caught.value)
