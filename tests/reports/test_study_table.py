"""A study's table and its sentences, from manifests alone."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kpkit.core.errors import InputError
from kpkit.evaluation.intervals import difference_interval
from kpkit.pipeline.artefacts import Artefact
from kpkit.reports.figures import artefact_lines
from kpkit.reports.study import COLUMNS, SHOWN, shown_columns, study_table, study_verdicts

AP = {"plain": (40.0, 41.0, 42.0), "better": (50.0, 51.0, 52.5), "same": (40.5, 41.5, 41.4)}


def row(recipe: str, seed: int, ap: float, false_score: float | None) -> dict[str, Any]:
    return {
        "recipe": recipe, "seed": seed, "strategy": "AC -> C", "steps": 9, "people": {"A": 1200, "C": 30},
        "val": {"AP": ap / 100, "AP50": 0.9, "AR": ap / 100 + 0.05}, "false_score": false_score,
        "artefact": f"{recipe}{seed}",
    }  # fmt: skip


def publish(runs: Path, rows: list[dict[str, Any]], **published: float) -> Path:
    resolved = {"split": "coco_val2017", "rows": len(rows)}
    made = Artefact("studies", "mine", resolved, {}, runs)
    made.work.mkdir(parents=True)
    made.publish({"runs": rows, "published": published}, 1.0)
    return made.folder


def test_means_intervals_and_differences(tmp_path: Path) -> None:
    rows = [row(name, seed, ap, 0.1 * seed) for name, aps in AP.items() for seed, ap in enumerate(aps)]
    folder = publish(tmp_path, rows, better=75.6)
    table = study_table(tmp_path, "mine")
    assert tuple(table.columns) == COLUMNS
    assert table["name"].tolist() == list(AP)
    assert table["AP"].tolist() == pytest.approx([np.mean(aps) for aps in AP.values()])
    assert table["AR"].tolist() == pytest.approx([np.mean(aps) + 5 for aps in AP.values()])
    assert table["AP_half"][0] == pytest.approx(4.3027 / math.sqrt(3), rel=1e-4)
    assert table["false_score"].tolist() == pytest.approx([0.1] * 3)
    assert math.isnan(table["gain"][0]) and math.isnan(table["gain_half"][0])
    wanted = difference_interval(AP["better"], AP["plain"])
    assert (table["gain"][1], table["gain_half"][1]) == pytest.approx(wanted)
    assert table["published"].tolist()[1] == 75.6 and table["published"].isna().tolist() == [
        True,
        False,
        True,
    ]
    assert (table["people"] == "A 1,200, C 30").all()
    sure, unsure = study_verdicts(table)
    low, high = wanted[0] - wanted[1], wanted[0] + wanted[1]
    assert sure == f"better: +10.2 AP against plain (95 % interval {low:+.1f} to {high:+.1f})"
    assert unsure.startswith("same: +0.1 AP against plain, NOT told apart from chance (95 % interval -")
    lines = artefact_lines(folder)
    assert lines[1] == "  9 trainings, judged on val2017; ± is half a 95 % interval over seeds"
    assert any("published (COCO)" in line for line in lines)


def test_a_single_seed_has_no_interval(tmp_path: Path) -> None:
    publish(tmp_path, [row("one", 0, 40.0, None), row("two", 0, 45.0, None)])
    table = study_table(tmp_path, "mine")
    assert table["AP_half"].isna().all() and table["gain_half"].isna().all()
    assert study_verdicts(table) == ["two: +5.0 AP against one; of one seed, so nothing is known of chance"]
    hidden = {"AP_half", "AR_half", "gain_half", "false_score", "false_score_half", "published"}
    assert set(SHOWN) - set(shown_columns(table)) == hidden


def test_the_newest_result_of_a_name_is_shown(tmp_path: Path) -> None:
    folder = publish(tmp_path, [row("old", 0, 40.0, None)])
    manifest = folder / "manifest.json"
    text = manifest.read_text()
    manifest.write_text(text.replace('"finished": "20', '"finished": "19'))
    assert manifest.read_text() != text
    publish(tmp_path, [row("new", 0, 40.0, None), row("new", 1, 42.0, None)])
    assert study_table(tmp_path, "studies/mine.toml")["name"].tolist() == ["new"]


def test_studies_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no finished study is called 'mine'; no study is finished yet"):
        study_table(tmp_path, "mine")
    publish(tmp_path, [row("old", 0, 40.0, None)])
    with pytest.raises(InputError, match=r"did you mean 'mine'\?"):
        study_table(tmp_path, "minne")
