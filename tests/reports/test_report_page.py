"""The page stands alone, tells what was run, and takes no markup from names."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from kpkit.core.errors import InputError
from kpkit.data.coco import read_annotations
from kpkit.evaluation.error_costs import ERRORS
from kpkit.reports.curves import read_log, training_curves
from kpkit.reports.errors import ensemble_errors
from kpkit.reports.html import SORT, write_report
from kpkit.reports.manifests import read_entry
from kpkit.reports.strips import best_and_worst, choose

from .fake_runs import FakeRuns, make_data, make_runs

HOSTILE = "x<script>alert(1)<"
EMPTY = {"meta", "img", "br"}


class _Page(HTMLParser):
    """Tags with their attributes, text outside scripts and styles, scripts; checks nesting."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words, self.scripts = "", []  # type: str, list[str]
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] == ["script"]:
            self.scripts.append(data)
        elif self._open[-1:] != ["style"]:
            self.words += data


@pytest.fixture(scope="module")
def page(finished: FakeRuns, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "report.html"
    assert write_report(finished.runs, path, data=finished.data, pictures=2) == []
    return path.read_text()


def test_nothing_is_fetched(page: str) -> None:
    for tag, attributes in _Page(page).tags:
        assert tag not in ("link", "iframe", "object", "embed", "base", "form")
        for name in ("src", "href", "xlink:href", "action", "srcset"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:image/jpeg;base64,", "#")), (tag, value)
        assert tag != "script" or "src" not in attributes
    assert "@import" not in page
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", page))
    assert "default-src 'none'" in page


def test_it_tells_what_was_run(page: str, finished: FakeRuns) -> None:
    words = re.sub(r"\s+", " ", _Page(page).words)
    assert "On the generated world, not COCO." in words
    assert "is 2" in words or "AP above its best member (tiny_mspn" in words
    for told in (
        "57",
        "≥ 0.9: 8",
        "0.438",
        "passes, 1 warning",
        "all scores are <b>equal</b>",
        "58.4",
        "ACHU → CH",
    ):
        assert told in words
    for name, folder in finished.folders.items():
        assert name in words
        assert read_entry(folder).manifest.key[:8] in words
    assert page.count("<svg") == 3 and page.count('<tr class="mark">') >= 1
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_pictures_are_whole_and_differ_from_the_plain_ones(page: str) -> None:
    pictures = re.findall(r'src="data:image/jpeg;base64,([^"]+)" width="(\d+)" height="(\d+)"', page)
    assert len(pictures) == 4
    for data, width, height in pictures:
        image = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
        assert image.shape == (int(height), int(width), 3)


def test_errors_of_the_ensemble(page: str, finished: FakeRuns, tmp_path: Path) -> None:
    words = re.sub(r"\s+", " ", _Page(page).words)
    assert "Errors After Ronchi and Perona" in words and "false negative" in words
    tables = ensemble_errors(read_entry(finished.folders["tiny-on-val2017"]), finished.data)
    assert [row[0] for row in tables.costs] == list(ERRORS) and not tables.learned
    truth = read_annotations(finished.data / "coco/annotations/person_keypoints_val2017.json")[1]
    for row in tables.keypoints:
        assert 0 < int(row[1]) <= len(truth) and sum(map(float, row[2:])) == pytest.approx(100, abs=0.3)
    assert "alone gains" not in without_data(finished, tmp_path)


def without_data(finished: FakeRuns, folder: Path) -> str:
    write_report(finished.runs, folder / "bare.html")
    return (folder / "bare.html").read_text()


def test_equal_runs_equal_bytes(page: str, finished: FakeRuns, tmp_path: Path) -> None:
    write_report(finished.runs, tmp_path / "again.html", data=finished.data, pictures=2)
    assert (tmp_path / "again.html").read_text() == page


def test_hostile_names_are_text(tmp_path: Path) -> None:
    pictures = ("\"><img src=x onerror='alert(1)'>.jpg", "<b>&amp;.jpg")
    make_data(tmp_path / "data", pictures=2, names=pictures)
    made = make_runs(
        tmp_path, data=tmp_path / "data", names=(HOSTILE, "{{ 7 * 7 }}", "$\\frac$"), ensemble=HOSTILE
    )
    path = tmp_path / "report.html"
    assert write_report(made.runs, path, data=made.data) == []
    shown = _Page(path.read_text())
    assert shown.scripts == [SORT]
    assert HOSTILE in shown.words and "{{ 7 * 7 }}" in shown.words and pictures[0] in shown.words
    assert all("onerror" not in attributes for _, attributes in shown.tags)
    assert sum(tag == "img" for tag, _ in shown.tags) == 2


def test_without_data_the_page_says_what_is_left_out(finished: FakeRuns, tmp_path: Path) -> None:
    (note,) = write_report(finished.runs, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert "no pictures are shown" in note and note.split(" (")[0] in text
    assert "<img" not in text and "On the generated world" not in text


def test_other_annotations_are_refused_for_pictures(finished: FakeRuns, tmp_path: Path) -> None:
    make_data(tmp_path / "other", pictures=3)
    (note,) = write_report(finished.runs, tmp_path / "report.html", data=tmp_path / "other")
    assert "not the annotations that tiny-on-val2017 was judged on" in note
    assert "<img" not in (tmp_path / "report.html").read_text()


def test_an_empty_runs_folder_makes_a_page(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    write_report(tmp_path / "runs", tmp_path / "report.html")
    assert "No ensemble has been judged yet" in (tmp_path / "report.html").read_text()


def test_a_damaged_log_leaves_no_page(tmp_path: Path) -> None:
    made = make_runs(tmp_path)
    (made.folders["tiny_cpn"] / "log.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(InputError, match=r"tiny_cpn-\w+/log\.parquet: not a training log"):
        write_report(made.runs, tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_best_come_first_and_worst_last(finished: FakeRuns) -> None:
    shown = best_and_worst(read_entry(finished.folders["tiny-on-val2017"]), finished.data, count=2)
    best, worst = shown.best, shown.worst
    assert best[0].oks >= best[1].oks >= worst[1].oks >= worst[0].oks
    assert {p.file_name for p in best} == {"000000000001.jpg", "000000000002.jpg"}
    assert {p.file_name for p in worst} == {"000000000005.jpg", "000000000006.jpg"}
    assert {p.people for p in best + worst} == {2}


def test_choose_takes_no_picture_twice_and_none_without_people() -> None:
    judged = {
        "image_id": np.array([5, 6, 7, 8]),
        "oks": np.array([0.5, np.nan, 0.9, 0.5]),
        "people": np.array([1, 0, 1, 3]),
    }
    best, worst = choose(judged, 4)
    assert best.tolist() == [2, 3] and worst.tolist() == [0]
    best, worst = choose({name: values[:0] for name, values in judged.items()}, 4)
    assert len(best) == len(worst) == 0


def test_curves_of_a_recipe_that_was_never_validated(finished: FakeRuns) -> None:
    log = read_log(finished.folders["tiny_cpn"] / "log.parquet")
    log["val_AP"], log["phase"] = np.nan, "$\\frac<script>$"
    svg = training_curves(log, "a1")
    assert svg.startswith("<svg") and svg.rstrip().endswith("</svg>") and "<script>" not in svg
