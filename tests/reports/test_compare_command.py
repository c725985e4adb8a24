"""``kpkit compare``: the table on the terminal, the files asked for, no torch."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from kpkit.cli import compare
from kpkit.core.errors import KpkitError

from .fake_runs import FakeRuns

app = typer.Typer()
app.callback()(lambda: None)
compare.register(app)


def _run(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["compare", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_the_table_is_printed(finished: FakeRuns) -> None:
    lines = _run("--runs", finished.runs).splitlines()
    assert lines[0].split()[:5] == ["split", "row", "name", "weight", "AP"]
    assert lines[1].split()[:3] == ["val2017", "ensemble", "tiny-on-val2017"]
    assert "above its best member (tiny_mspn" in lines[-1]


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("width", "shown"), [(200, True), (90, False)])
def test_a_narrow_terminal_drops_columns_but_not_the_key(
    finished: FakeRuns, monkeypatch: pytest.MonkeyPatch, width: int, shown: bool
) -> None:
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("NO_COLOR", "1")
    compare.compare(runs=finished.runs)
    text = re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue())
    lines = text.splitlines()
    assert max(map(len, lines[:5])) <= width and len(lines) == 7
    assert ("content" in lines[0]) == shown and "artefact" in lines[0] and "AP50" in lines[0]


def test_all_shows_everything(finished: FakeRuns) -> None:
    text = _run("--runs", finished.runs, "--all")
    for word in ("recipe", "submission", "pseudo_labels", "tiny_labels", "tiny-test-challenge2017"):
        assert word in text
    with pytest.raises(KpkitError, match="leave out the names or --all"):
        _run("tiny", "--runs", finished.runs, "--all")


def test_json(finished: FakeRuns) -> None:
    told = json.loads(_run("tiny_ccm", "--runs", finished.runs, "--json"))
    (row,) = told["rows"]
    assert row["name"] == "tiny_ccm" and row["delta"] is None and len(row["artefact"]) == 64
    assert told["verdicts"] == []


def test_files(finished: FakeRuns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KPKIT_DATA", str(finished.data))
    _run("--runs", finished.runs, "--csv", tmp_path / "a.csv", "--parquet", tmp_path / "a.parquet",
         "--markdown", tmp_path / "a.md", "--html", tmp_path / "deep/a.html")  # fmt: skip
    assert len(pd.read_csv(tmp_path / "a.csv")) == len(pd.read_parquet(tmp_path / "a.parquet")) == 4
    assert "**tiny-on-val2017**" in (tmp_path / "a.md").read_text()
    page = (tmp_path / "deep/a.html").read_text()
    assert "<img" in page and "On the generated world" in page
    _run("--runs", finished.runs, "--all", "--csv", tmp_path / "all.csv")
    assert len(pd.read_csv(tmp_path / "all.csv")) == 11


def test_wrong_data_folder(finished: FakeRuns, tmp_path: Path) -> None:
    with pytest.raises(KpkitError, match="the data folder does not exist"):
        _run("--runs", finished.runs, "--html", tmp_path / "a.html", "--data", tmp_path / "no")
    assert not (tmp_path / "a.html").exists()


def test_nothing_judged_yet(tmp_path: Path) -> None:
    assert "no ensemble is judged yet" in _run("--runs", tmp_path)
    assert "nothing is finished yet" in _run("--all", "--runs", tmp_path)


def test_no_torch_and_no_ray(finished: FakeRuns, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nimport kpkit.cli.compare as c\n"
        "assert not {'pandas', 'numpy', 'cv2', 'matplotlib'} & set(sys.modules)\n"
        "import kpkit.reports.figures\n"
        f"c.compare(runs=Path({str(finished.runs)!r}), html=Path({str(tmp_path / 'a.html')!r}), "
        f"data=Path({str(finished.data)!r}))\n"
        "assert not {'torch', 'ray', 'kpkit.pipeline'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert (tmp_path / "a.html").exists()
