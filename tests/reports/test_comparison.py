"""Ensembles are marked and measured against their best member; files hold what the table holds."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kpkit.core.errors import InputError
from kpkit.reports.compare import COLUMNS, SHOWN, comparison, comparison_of, verdicts
from kpkit.reports.html import write_report
from kpkit.reports.ledger import ledger
from kpkit.reports.writers import escape_markdown, write_csv, write_markdown, write_parquet

from .fake_runs import NAMES, FakeRuns, make_runs


def test_rows_fall_in_ap_and_the_ensemble_is_marked(finished: FakeRuns) -> None:
    table = comparison(finished.runs)
    assert table["row"].tolist() == ["ensemble", "member", "member", "member"]
    assert table["AP"].is_monotonic_decreasing
    blend = table.iloc[0]
    assert blend["best_member"] == "tiny_mspn"
    assert blend["delta"] == pytest.approx(blend["AP"] - table.iloc[1]["AP"]) and blend["delta"] > 0
    assert table.iloc[1:]["delta"].isna().all() and (table.iloc[1:]["best_member"] == "").all()


def test_the_sentence_when_it_is_better(finished: FakeRuns) -> None:
    table = comparison(finished.runs)
    (sentence,) = verdicts(table)
    assert f"is {table.iloc[0]['delta']:.1f} AP above its best member (tiny_mspn, " in sentence


def test_the_sentence_when_it_is_not(tmp_path: Path) -> None:
    made = make_runs(tmp_path, blend_error=6.0)
    table = comparison(made.runs)
    assert table.iloc[-1]["row"] == "ensemble" or table.iloc[0]["row"] == "member"
    (sentence,) = verdicts(table)
    assert "is NOT better than its best member (tiny_mspn, " in sentence and "AP below" in sentence


def test_level_to_the_decimal_is_not_better(finished: FakeRuns) -> None:
    everything = ledger(finished.runs)
    best = everything.loc[everything["row"] == "member", "AP"].max()
    everything.loc[everything["name"] == "tiny-on-val2017", "AP"] = best + 0.04
    (sentence,) = verdicts(comparison_of(everything))
    assert "NOT better" in sentence and "they are level" in sentence


def test_names_choose(finished: FakeRuns) -> None:
    assert len(comparison(finished.runs, ["tiny"])) == 4
    assert len(comparison(finished.runs, ["tiny-on-val2017"])) == 4
    assert comparison(finished.runs, ["tiny_ccm", "tiny_cpn"])["name"].tolist() == ["tiny_cpn", "tiny_ccm"]
    with pytest.raises(InputError, match="nothing judged is called 'tiny_msp'; did you mean 'tiny_mspn'"):
        comparison(finished.runs, ["tiny_msp"])


def test_two_ensembles_have_each_their_best_member(tmp_path: Path) -> None:
    made = make_runs(tmp_path, ensemble="one", errors=(4.0, 3.0, 5.0))
    make_runs(tmp_path, data=made.data, ensemble="two", errors=(2.5, 4.0, 5.0), blend_error=7.0)
    table = comparison(made.runs).set_index("name")
    assert table.loc["one-on-val2017", "best_member"] == NAMES[1]
    assert table.loc["two-on-val2017", "best_member"] == NAMES[0]
    assert table.loc["one-on-val2017", "delta"] > 0 > table.loc["two-on-val2017", "delta"]
    assert len(comparison(made.runs, ["two"])) == 4


def test_nothing_judged(tmp_path: Path) -> None:
    table = comparison(tmp_path)
    assert table.empty and verdicts(table) == []


def test_recipes_without_an_ensemble_and_an_ensemble_without_judged_members(tmp_path: Path) -> None:
    made = make_runs(tmp_path)
    everything = ledger(made.runs)
    alone = comparison_of(everything[everything["row"] != "member"])
    (sentence,) = verdicts(alone)
    assert "has no judged member to compare with" in sentence and alone["delta"].isna().all()
    for name, folder in made.folders.items():
        if name not in NAMES:
            shutil.rmtree(folder)
    table = comparison(made.runs)
    assert table.empty and tuple(table.columns) == COLUMNS
    write_report(made.runs, tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text().count("<svg") == 3


def test_csv_and_parquet_come_back(finished: FakeRuns, tmp_path: Path) -> None:
    table = comparison(finished.runs)
    write_csv(table, tmp_path / "t.csv")
    write_parquet(table, tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "t.parquet"), table)
    back = pd.read_csv(
        tmp_path / "t.csv", keep_default_na=False, na_values={"AP": "", "delta": "", "weight": ""}
    )
    for column in table.columns:
        if table[column].dtype == np.float64:
            np.testing.assert_array_equal(pd.to_numeric(back[column]), table[column])
        else:
            assert back[column].tolist() == table[column].tolist()
    assert sorted(os.listdir(tmp_path)) == ["t.csv", "t.parquet"]


def test_markdown(finished: FakeRuns, tmp_path: Path) -> None:
    table = comparison(finished.runs)
    write_markdown(table, tmp_path / "t.md", SHOWN, verdicts(table))
    lines = (tmp_path / "t.md").read_text().splitlines()
    cells = [[c.strip() for c in line.strip("|").split("|")] for line in lines[:6]]
    assert len({len(row) for row in cells}) == 1
    assert cells[0][:5] == ["split", "row", "name", "weight", "AP"] and cells[1][4] == "--:"
    assert cells[2][2] == "**tiny-on-val2017**" and cells[2][4] == f"**{table.iloc[0]['AP']:.1f}**"
    assert [row[2] for row in cells[3:]] == ["tiny_mspn", "tiny_cpn", "tiny_ccm"]
    assert cells[3][-2] == table.iloc[1]["artefact"][:8]
    assert lines[7].startswith("- tiny-on-val2017: the ensemble")


def test_markdown_takes_no_markup_from_names() -> None:
    assert escape_markdown("a|b\n<script>`x`*[y](z)") == "a\\|b�&lt;script&gt;\\`x\\`\\*\\[y\\](z)"


def _breaks(table: pd.DataFrame, path: Path, index: bool) -> None:
    path.write_text("half")
    raise OSError("disk full")


def test_a_failed_write_keeps_the_old_file(
    finished: FakeRuns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t.parquet"
    path.write_text("old")
    monkeypatch.setattr(pd.DataFrame, "to_parquet", _breaks)
    with pytest.raises(OSError, match="disk full"):
        write_parquet(comparison(finished.runs), path)
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["t.parquet"]
