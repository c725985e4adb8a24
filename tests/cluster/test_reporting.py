"""Progress through a file: throttled, whole, forgiving."""

from __future__ import annotations

from pathlib import Path

import pytest

from kpkit.cluster.reporting import FileProgress, read_progress


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    assert read_progress(path) is None
    FileProgress(path)(3, 10, "steps", "loss 0.1")
    assert read_progress(path) == (3, 10, "steps", "loss 0.1")
    assert [p.name for p in tmp_path.iterdir()] == ["progress.json"]


def test_reports_are_throttled_but_the_last_one_is_written(tmp_path: Path) -> None:
    report = FileProgress(tmp_path / "p", every=3600)
    for done in range(11):
        report(done, 10)
        assert read_progress(tmp_path / "p") == ((0 if done < 10 else done), 10, "", "")
        if done == 10:
            break


def test_every_report_without_throttle(tmp_path: Path) -> None:
    report = FileProgress(tmp_path / "p", every=0)
    for done in (1, 2, 3):
        report(done, 10, "boxes")
        assert read_progress(tmp_path / "p") == (done, 10, "boxes", "")


def test_a_report_that_cannot_be_written_does_not_end_the_job(tmp_path: Path) -> None:
    FileProgress(tmp_path / "gone" / "p")(1, 2)
    assert not (tmp_path / "gone").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[1, 2]", "3", "[1, 2, 3, 4, 5]", "{}"])
def test_a_broken_report_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "p").write_text(text)
    assert read_progress(tmp_path / "p") is None
