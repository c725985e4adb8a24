"""Refinement on the page and in the tables: both ways of taking it, who took which, drawn poses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kpkit.core.instances import Instances
from kpkit.core.skeletons import COCO17
from kpkit.evaluation.errors import KINDS
from kpkit.pipeline.artefacts import Artefact
from kpkit.refinement.errors import published_errors
from kpkit.refinement.lesson import drawn_facts
from kpkit.reports.figures import artefact_lines
from kpkit.reports.html import write_report
from kpkit.reports.ledger import ledger
from kpkit.reports.manifests import read_entries, read_entry
from kpkit.reports.refined import COLUMNS, refined_sentences, refined_table, taken

FIGURES = ("AP", "AP50", "AP75", "APM", "APL", "AR")
AP = {"before": 0.4, "whole": 0.38, "accepted": 0.43}
ACCEPTED = ("left_wrist", "right_ankle")


def published(artefact: Artefact, metrics: dict[str, Any]) -> Artefact:
    with artefact.working():
        artefact.publish(metrics, 1.0, 0)
    return artefact


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A refiner, an ensemble refined on val and on a test split in both ways, and a submission of each."""
    folder = tmp_path_factory.mktemp("refined") / "runs"
    points = np.concatenate(
        [np.random.default_rng(0).uniform(20, 90, (40, 17, 2)), np.full((40, 17, 1), 2.0)], 2
    )
    people = Instances.of(np.arange(40), np.tile([10.0, 10.0, 90.0, 90.0], (40, 1)), points)
    judged = {"AP": 0.5, "AP50": 0.8, "AR": 0.6, "errors": dict.fromkeys(KINDS, 7)}
    refined = {"before": judged, "after": judged | {"AP": 0.75},
               "drawn": drawn_facts(people, published_errors(), 30)}  # fmt: skip
    refiner = published(
        Artefact("recipes", "pf", {"data": {"val": "coco_val2017"}}, {}, folder),
        {"parameters": 10**6, "gmacs": 0.5, "refined": refined, "val": {"AP": 0.75, "AP50": 0.9, "AR": 0.8}},
    )
    member = published(
        Artefact("recipes", "net", {"data": {}}, {}, folder), {"parameters": 3 * 10**6, "gmacs": 1.5}
    )

    def poses(split: str) -> Artefact:
        document = {"split": f"coco_{split}", "members": [{"recipe": "net.toml", "weight": 1.0}]}
        return published(
            Artefact("ensembles", f"one-on-{split}", document, {"net": member.key}, folder),
            {"boxes": 50, "pictures": 9},
        )

    val, test = poses("val2017"), poses("test-dev2017")

    def fixed(on: Artefact, split: str, metrics: dict[str, Any], **inputs: str) -> Artefact:
        told = {"refiner": refiner.key, "poses": on.key, **inputs}
        artefact = Artefact("refined", f"pf-on-{on.name}", {"split": f"coco_{split}"}, told, folder)
        return published(artefact, {"poses": 50} | metrics)

    rises = {
        name: {
            "gain": 0.02,
            "low": 0.01 if name in ACCEPTED else -0.01,
            "high": 0.04,
            "accepted": name in ACCEPTED,
        }
        for name in COCO17.keypoints
    }
    on_val = fixed(val, "val2017", {
        "refined": list(COCO17.keypoints),
        "figures": {name: dict.fromkeys(FIGURES, ap) for name, ap in AP.items()},
        "errors": {name: dict.fromkeys(KINDS, n) for n, name in enumerate(AP, 11)},
        "whole_gain": {"value": -0.02, "low": -0.03, "high": -0.01},
        "accepted_gain": {"value": 0.03, "low": 0.02, "high": 0.04},
        "better": 0.625, "worse": 0.25, "keypoints": rises,
    })  # fmt: skip
    gaining = fixed(test, "test-dev2017", {"refined": list(ACCEPTED)}, gate=on_val.key)
    whole = fixed(test, "test-dev2017", {"refined": list(COCO17.keypoints)})
    for name, sent in (("careful", gaining), ("bold", whole), ("plain", test)):
        files = {"json": "a.json", "zip": "a.zip", "poses": 9, "pictures": 9}
        document = {"entries": {"profile": "test-dev2017"}}
        published(
            Artefact("submissions", f"{name}-test-dev2017", document, {"poses": sent.key}, folder), files
        )
    return folder


def on_val(runs: Path) -> Path:
    return next(runs.glob("refined/pf-on-one-on-val2017-*"))


def test_the_table_holds_both_ways_and_every_keypoint(runs: Path) -> None:
    table = refined_table(read_entry(on_val(runs)))
    assert tuple(table.columns) == COLUMNS
    poses, keypoints = (table[table["row"] == row].set_index("name") for row in ("poses", "keypoint"))
    assert poses["AP"].to_dict() == pytest.approx(
        {"as they were": 40, "refined": 38, "refined where it gains": 43}
    )
    assert np.isnan(poses.loc["as they were", "gain"])
    assert poses.loc["refined", ["gain", "gain_low", "gain_high"]].tolist() == pytest.approx([-2, -3, -1])
    assert poses["miss"].tolist() == [11, 12, 13]
    assert list(keypoints.index) == list(COCO17.keypoints)
    assert set(keypoints.index[keypoints["gains"] == "yes"]) == set(ACCEPTED)
    assert keypoints["rise"].tolist() == pytest.approx([2.0] * 17)
    untold = refined_table(read_entry(next(runs.glob("refined/pf-on-one-on-test-dev2017-*"))))
    assert untold.empty and tuple(untold.columns) == COLUMNS


def test_it_says_which_of_the_two_was_taken(runs: Path) -> None:
    entries = read_entries(runs)
    entry = read_entry(on_val(runs))
    assert sorted(taken(entry, entries)) == [
        'bold-test-dev2017 takes refinement whole (refined = "all")',
        'careful-test-dev2017 takes the keypoints that gain (refined = "gaining"): left_wrist, right_ankle',
    ]
    assert refined_sentences(entry) == [
        "refined: -2.0 AP, 95 % interval -3.0 to -1.0",
        "refined where it gains: +3.0 AP, 95 % interval +2.0 to +4.0",
        "62.5 % of the people found are better, 25.0 % worse",
        "keypoints that gain, by the whole interval: left_wrist, right_ankle",
    ]


def test_the_page_shows_refinement_and_drawn_poses(runs: Path, tmp_path: Path) -> None:
    write_report(runs, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))
    for said in (
        "<h2>Refinement</h2>",
        ">refined where it gains<",
        ">+3.0<",
        ">similarity gained<",
        "left_wrist, right_ankle",
        "takes refinement whole",
        "50.0 AP, refined 75.0 AP",
        "weights taken as they are",
    ):
        assert said in page or said.replace('"', "&#34;") in page, said
    assert "30 of these poses, 510 keypoints" in words
    assert page.count("<svg") == 1  # a refiner that was not trained has no curve
    assert "OKS of poses: cumulated shares differ by" in words and "similarity of a keypoint" in words


def test_the_ledger_holds_refined_poses_with_their_networks(runs: Path) -> None:
    table = ledger(runs)
    rows = table[table["kind"] == "refined"]
    told = rows[rows["split"] == "val2017"].set_index("row")
    assert told["AP"].to_dict() == pytest.approx({"refined": 38, "refined_gaining": 43})
    assert (rows[rows["split"] == "test-dev2017"]["row"] == "refined").all()
    assert (rows["parameters_M"] == 4).all() and (rows["recipe"] != "").all()
    assert set(table[table["row"] == "submission"]["parameters_M"]) == {3, 4}
    # labels that it was shown with drawn errors are not poses it found
    assert table[(table["row"] == "recipe") & (table["name"] == "pf")]["AP"].isna().all()


def test_lines_of_a_refiner(runs: Path) -> None:
    text = "\n".join(artefact_lines(next(runs.glob("recipes/pf-*"))))
    assert "labels of val2017 with drawn errors: 50.0 AP, refined 75.0 AP" in text
    assert "AP 75.0," not in text
