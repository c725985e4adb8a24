"""The validator against seeded mutants of good files, good files themselves, and pycocotools."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from kpkit.core.errors import InputError
from kpkit.core.instances import ImageTable
from kpkit.submissions import parse
from kpkit.submissions.parse import parse_results
from kpkit.submissions.problems import NAMED_ROWS, Findings, Problem
from kpkit.submissions.validate import check_submission

from .good_submissions import NAME, pictures, rows, text

Rows = list[Any]


def put(row: int, **values: Any) -> Callable[[Rows], Rows]:
    def change(made: Rows) -> Rows:
        made[row].update(values)
        return made

    return change


def put_number(row: int, place: int, value: Any) -> Callable[[Rows], Rows]:
    def change(made: Rows) -> Rows:
        made[row]["keypoints"][place] = value
        return made

    return change


def drop(row: int, key: str) -> Callable[[Rows], Rows]:
    def change(made: Rows) -> Rows:
        del made[row][key]
        return made

    return change


def replace_row(row: int, value: Any) -> Callable[[Rows], Rows]:
    def change(made: Rows) -> Rows:
        made[row] = value
        return made

    return change


def nested(made: Rows) -> Rows:
    made[6]["keypoints"] = np.reshape(made[6]["keypoints"], (17, 3)).tolist()
    return made


def copied(score: float | None) -> Callable[[Rows], Rows]:
    def change(made: Rows) -> Rows:
        again = dict(made[2])
        if score is not None:
            again["score"] = score
        return [*made[:9], again, *made[9:]]

    return change


def crowded(made: Rows) -> Rows:
    """Row 25 is the 21st pose of row 5's picture; the pictures in front of it keep theirs."""
    image = made[5]["image_id"]
    others = [r for r in made if r["image_id"] != image][:5]
    poses = [dict(r, image_id=image, score=0.3 + k / 100) for k, r in enumerate(made[:22])]
    rest = [r for r in made if r["image_id"] != image][5:]
    return others + poses + rest


def scaled(factor: float) -> Callable[[Rows], Rows]:
    def change(made: Rows) -> Rows:
        for row in made:
            row["keypoints"] = [v if k % 3 == 2 else v * factor for k, v in enumerate(row["keypoints"])]
        return made

    return change


def every(key: str, value: Any) -> Callable[[Rows], Rows]:
    def change(made: Rows) -> Rows:
        for row in made:
            row[key] = value
        return made

    return change


def few_pictures(made: Rows) -> Rows:
    some = sorted({r["image_id"] for r in made})[:4]
    return [r for r in made if r["image_id"] in some]


# Name: mutation, code, row named (None: the whole file), words the message must hold.
MUTANTS: dict[str, tuple[Callable[[Rows], Rows], str, int | None, str]] = {
    "no image id": (drop(3, "image_id"), "missing_key", 3, "lacks image_id"),
    "no category": (drop(0, "category_id"), "missing_key", 0, "lacks category_id (image IMAGE)"),
    "no keypoints": (drop(5, "keypoints"), "missing_key", 5, "lacks keypoints (image IMAGE)"),
    "no score": (drop(7, "score"), "missing_key", 7, "lacks score (image IMAGE)"),
    "box in the first row": (put(0, bbox=[1, 2, 3, 4]), "extra_key", 0, "'bbox' (image IMAGE)"),
    "area in a later row": (put(8, area=99.0), "extra_key", 8, "APM and APL"),
    "HRNet's extra keys": (put(4, center=[1, 2], scale=[1, 1]), "extra_key", 4, "'center'"),
    "boxes everywhere": (every("bbox", [1, 2, 3, 4]), "extra_key", 2, "APM, APL"),
    "id as text": (put(2, image_id="785"), "image_id_type", 2, "the text '785'"),
    "id as fraction": (put(2, image_id=785.0), "image_id_type", 2, "the number 785.0"),
    "id true": (put(1, image_id=True), "image_id_type", 1, "is true"),
    "id null": (put(1, image_id=None), "image_id_type", 1, "is null"),
    "id too long": (put(6, image_id=2**63), "image_id_type", 6, "integer"),
    "foreign id": (put(9, image_id=600_001), "image_id_foreign", 9, "id 600001 is not in the image list"),
    "negative id": (put(9, image_id=-4), "image_id_foreign", 9, "image id -4"),
    "category 0": (put(3, category_id=0), "category", 3, "is 0 (image IMAGE), must be 1"),
    "category as text": (put(3, category_id="1"), "category", 3, "the text '1'"),
    "category true": (put(3, category_id=True), "category", 3, "is true"),
    "category 1.0": (put(3, category_id=1.0), "category", 3, "the number 1.0"),
    "nested keypoints": (nested, "keypoints_nested", 6, "nested (image IMAGE)"),
    "50 numbers": (put(5, keypoints=[1.0] * 50), "keypoints_count", 5, "50 keypoint numbers (image IMAGE)"),
    "34 numbers": (put(5, keypoints=list(range(34))), "keypoints_count", 5, "must have 51"),
    "no numbers": (put(5, keypoints=[]), "keypoints_count", 5, "has 0"),
    "keypoint as text": (put_number(4, 30, "12.5"), "keypoints_type", 4, "number 30 is the text '12.5'"),
    "keypoint null": (put_number(4, 50, None), "keypoints_type", 4, "number 50 is null (image IMAGE)"),
    "keypoint false": (put_number(4, 0, False), "keypoints_type", 4, "is false"),
    "keypoints an object": (put(4, keypoints={"x": 1}), "keypoints_type", 4, "an object"),
    "absurd coordinate": (put_number(7, 3, 1e7), "coordinate_size", 7, "(image IMAGE)"),
    "absurd third number": (put_number(7, 2, -(2**63) - 1), "coordinate_size", 7, "(image IMAGE)"),
    "absurd score": (put(7, score=2**70), "score_size", 7, "(image IMAGE)"),
    "score as text": (put(8, score="0.9"), "score_type", 8, "the text '0.9' (image IMAGE)"),
    "score null": (put(8, score=None), "score_type", 8, "null"),
    "score true": (put(8, score=True), "score_type", 8, "true"),
    "score in a list": (put(8, score=[0.9]), "score_type", 8, "a list"),
    "negative score": (put(8, score=-0.1), "score_negative", 8, "(image IMAGE)"),
    "junk pose": (put(7, keypoints=[0, 0, 1] * 17), "junk_pose", 7, "one point (image IMAGE)"),
    "repeated row": (copied(None), "duplicate_row", 9, "repeats row 2"),
    "repeated pose": (copied(0.123), "duplicate_pose", 9, "the pose of row 2"),
    "row a list": (replace_row(2, [1, 2]), "row_not_object", 2, "is a list"),
    "row null": (replace_row(2, None), "row_not_object", 2, "is null"),
    "21 poses": (crowded, "too_many_poses", 25, "has 22 poses"),
    "constant score": (every("score", 0.5), "score_constant", None, "every score is 0.5"),
    "shares of the picture": (scaled(1e-3), "coordinates_normalised", None, "pixels"),
    "another scale": (scaled(6.0), "coordinates_outside", None, "far outside its picture"),
    "few pictures": (few_pictures, "images_without_poses", None, "66.7% of the 12 pictures"),
    "empty list": (lambda made: [], "empty_list", None, "no pose"),
    "annotation file": (lambda made: {"images": [], "annotations": made}, "not_a_list", None, "annotation"),
    "one pose alone": (lambda made: made[0], "not_a_list", None, "category_id, image_id"),
    "a number": (lambda made: 3, "not_a_list", None, "a single value"),  # type: ignore[dict-item,return-value]
}  # fmt: skip


def first(data: bytes, old: bytes, new: bytes, row: int) -> bytes:
    """Replace a text in one row of the file."""
    pieces = data.split(b"{")
    assert old in pieces[row + 1]
    pieces[row + 1] = pieces[row + 1].replace(old, new, 1)
    return b"{".join(pieces)


TEXT_MUTANTS: dict[str, tuple[Callable[[bytes], bytes], str, int | None, str]] = {
    "NaN coordinate": (lambda d: first(d, b", 1.0,", b", NaN,", 6), "nan_literal", 6, "NaN is not JSON"),
    "NaN score": (lambda d: first(d, b'"score": 0', b'"score": NaN, "x": 0', 4), "nan_literal", 4, "NaN"),
    "Infinity": (lambda d: first(d, b", 1.0,", b", Infinity,", 2), "nan_literal", 2, "Infinity is not JSON"),
    "minus Infinity": (lambda d: first(d, b", 1.0,", b", -Infinity,", 3), "nan_literal", 3, "-Infinity"),
    "number too large": (lambda d: first(d, b", 1.0,", b", 1e999,", 5), "number_range", 5, "infinity"),
    "key twice": (lambda d: first(d, b'"score"', b'"score": 1, "score"', 8), "repeated_key", 8, "'score'"),
    "comma missing": (lambda d: first(d, b', "score"', b' "score"', 7), "not_json", 7, "not valid"),
    "single quotes": (lambda d: first(d, b'"score"', b"'score'", 7), "not_json", 7, "not valid"),
    "leading zero": (lambda d: first(d, b": 0.", b": 00.", 7), "not_json", 7, "not valid"),
    "cut short": (lambda d: d[: d.rindex(b"{") + 30], "truncated", None, "ends in the middle"),
    "text behind": (lambda d: d + b" done", "trailing_text", None, "follows"),
    "two lists": (lambda d: d + b"[]", "trailing_text", None, "follows"),
    "byte order mark": (lambda d: b"\xef\xbb\xbf" + d, "byte_order_mark", None, "byte order mark"),
    "latin-1": (lambda d: first(d, b'"score"', b'"sc\xf6re"', 3), "not_utf8", 3, "not UTF-8"),
    "UTF-16": (lambda d: d.decode().encode("utf-16"), "not_utf8", None, "UTF-8"),
    "nothing": (lambda d: b"", "empty_file", None, "empty"),
    "only spaces": (lambda d: b" \n", "empty_file", None, "empty"),
    "zeros": (lambda d: b"\0" * 100, "not_json", None, "not valid JSON"),
    "a million brackets": (lambda d: b"[" * 10**6, "not_json", None, "not valid JSON"),
}  # fmt: skip


def the_problem(found: list[Problem], code: str, row: int | None) -> Problem:
    hits = [p for p in found if p.code == code and (row is None or p.row == row)]
    assert hits, f"{code} in row {row} not among {found}"
    return hits[0]


@pytest.mark.parametrize("name", MUTANTS)
def test_mutant_rows(name: str, tmp_path: Path) -> None:
    change, code, row, words = MUTANTS[name]
    seed = 100 + list(MUTANTS).index(name)
    table = pictures(seed)
    mutant = change(rows(seed, table))
    path = tmp_path / "results.json"
    path.write_bytes(text(mutant))
    problem = the_problem(check_submission(path, table), code, row)
    if row is not None:
        assert problem.message.startswith(f"row {row}: ")
        if "IMAGE" in words:
            words = words.replace("IMAGE", str(mutant[row]["image_id"]))
    assert words in problem.message


@pytest.mark.parametrize("name", TEXT_MUTANTS)
def test_mutant_texts(name: str, tmp_path: Path) -> None:
    change, code, row, words = TEXT_MUTANTS[name]
    seed = 300 + list(TEXT_MUTANTS).index(name)
    table = pictures(seed)
    path = tmp_path / "results.json"
    path.write_bytes(change(text(rows(seed, table))))
    problem = the_problem(check_submission(path, table), code, row)
    assert problem.severity == "error"
    assert words in problem.message
    assert row is None or problem.message.startswith(f"row {row}: ")


def test_enough_mutants() -> None:
    assert len(MUTANTS) + len(TEXT_MUTANTS) >= 60


@pytest.mark.parametrize("seed", range(20))
def test_good_files_raise_no_alarm(seed: int, tmp_path: Path) -> None:
    table = pictures(seed)
    made = rows(seed, table)
    if seed % 4 == 1:  # whole numbers, keys in another order
        made = [{k: row[k] for k in sorted(row)} for row in made]
        for row in made:
            row["keypoints"] = [int(v) for v in row["keypoints"]]
    layout = {0: None, 1: 1, 2: 4, 3: None}[seed % 4]
    path = tmp_path / f"{NAME}.json"
    path.write_text(json.dumps(made, indent=layout) + "\n" * (seed % 2))
    assert check_submission(path, table, profile="test-dev2017") == []


def test_one_broken_row_does_not_hide_the_others(tmp_path: Path) -> None:
    table = pictures(1)
    made = rows(1, table)
    made[2]["category_id"] = 3
    made[4] = "row"
    made[6]["image_id"] = 999_999
    data = first(text(made), b"1.0,", b"1e999,", 3)
    (tmp_path / "r.json").write_bytes(data)
    found = check_submission(tmp_path / "r.json", table)
    assert [(p.code, p.row) for p in found] == [
        ("category", 2), ("number_range", 3), ("row_not_object", 4), ("image_id_foreign", 6),
    ]  # fmt: skip


def test_rows_keep_their_numbers_in_a_long_file(tmp_path: Path) -> None:
    """Longer than one decoded block, with faults of every kind of path beyond its end."""
    table = pictures(9, 2000)
    made = rows(9, table)
    assert len(made) > 5000
    made[4500]["score"] = "1"
    made[4600]["image_id"] = 999_999
    data = first(first(text(made), b"1.0,", b"1e999,", 4700), b'"score"', b'"score": 2, "score"', 4800)
    (tmp_path / "r.json").write_bytes(data)
    found = check_submission(tmp_path / "r.json", table)
    assert [(p.code, p.row) for p in found] == [
        ("score_type", 4500), ("image_id_foreign", 4600), ("number_range", 4700), ("repeated_key", 4800),
    ]  # fmt: skip
    (tmp_path / "r.json").write_bytes(first(text(rows(9, table)), b'"score"', b'"score": 2, "score"', 4800))
    assert [(p.code, p.row) for p in check_submission(tmp_path / "r.json", table)] == [("repeated_key", 4800)]


def test_limits_are_where_they_are_said_to_be(tmp_path: Path) -> None:
    """20 poses, keypoints on one line, a few far points: no false alarm."""
    table = pictures(10, 40)
    made = rows(10, table)
    image = int(table.id[0])
    others = [r for r in made if r["image_id"] != image]
    made = others + [dict(r, image_id=image) for r in others[:20]]
    path = tmp_path / "r.json"
    path.write_bytes(text(made))
    assert check_submission(path, table) == []
    path.write_bytes(text([*made, dict(others[20], image_id=image)]))
    assert [(p.code, p.row) for p in check_submission(path, table)] == [("too_many_poses", len(made))]
    line = dict(made[3], keypoints=[7, 1, 1, 7, 2, 1] + [7, 3, 1] * 15)
    path.write_bytes(text([*made[:3], line, *made[4:]]))
    assert check_submission(path, table) == []
    made = rows(10, table)
    limit = len(made) * 17 // 100
    for row in made[:limit]:
        row["keypoints"][0] = 5000.0
    path.write_bytes(text(made))
    assert check_submission(path, table) == []
    made[limit]["keypoints"][0] = 5000.0
    path.write_bytes(text(made))
    assert [p.code for p in check_submission(path, table)] == ["coordinates_outside"]


@pytest.mark.parametrize(("score", "code"), [(None, "duplicate_row"), (0.123, "duplicate_pose")])
def test_a_repeated_pose_is_told_once(score: float | None, code: str, tmp_path: Path) -> None:
    table = pictures(12)
    (tmp_path / "r.json").write_bytes(text(copied(score)(rows(12, table))))
    assert [(p.code, p.row) for p in check_submission(tmp_path / "r.json", table)] == [(code, 9)]


def test_a_deep_value_is_a_fault_of_its_row(tmp_path: Path) -> None:
    table = pictures(13)
    deep = b'{"a": ' * 900 + b"1" + b"}" * 900
    (tmp_path / "r.json").write_bytes(
        first(text(rows(13, table)), b'"score": 0', b'"score": %s, "x": 0' % deep, 2)
    )
    found = check_submission(tmp_path / "r.json", table)
    assert {(p.code, p.row) for p in found} == {("score_type", 2), ("extra_key", 2)}


def test_a_fault_in_every_row_is_counted_not_listed(tmp_path: Path) -> None:
    table = pictures(2, 100)
    made = rows(2, table)
    for row in made:
        row["bbox"] = [0, 0, 1, 1]
    (tmp_path / "r.json").write_bytes(text(made))
    found = check_submission(tmp_path / "r.json", table)
    assert [p.row for p in found] == [*range(NAMED_ROWS), None]
    assert found[-1].message.startswith(f"{len(made) - NAMED_ROWS:,} more rows")


FORMS: dict[str, Callable[[bytes], bytes]] = {
    "as written": lambda made: made,
    "spaces": lambda made: made.replace(b",", b" ,\n").replace(b":", b"\t: "),
    "exponents": lambda made: made.replace(b"1.0", b"10E-1"),
    "longer numbers": lambda made: made.replace(b"1.0", b"1.00000000000000000001"),
    "escaped key": lambda made: made.replace(b"image_id", b"image\\u005fid"),
    "a colon in a text": lambda made: made.replace(b'"score"', b'"sc:re"', 1),
    "a key twice": lambda made: made.replace(b'"category_id"', b'"score":1,"category_id"', 1),
    "nested": lambda made: made.replace(b's": [', b's": [[', 1).replace(b"]", b"]]", 1),
    "a list too many": lambda made: made.replace(b"1.0", b"[],1.0", 1),
    "a truth value": lambda made: made.replace(b"1.0", b"true", 1),
    "a negative nought": lambda made: made.replace(b"1.0", b"-0", 1).replace(b"1.0", b"-0.0", 1),
    "out of range": lambda made: made.replace(b"1.0", b"1e999", 1),
    "a fraction as id": lambda made: made.replace(b'"image_id": ', b'"image_id": 1.', 1),
    "category 1.0": lambda made: made.replace(b'"category_id": 1', b'"category_id": 1.0', 1),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_quick_way_says_what_the_examination_says(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = FORMS[form](text(rows(9, pictures(9))))
    quick, slow = Findings(), Findings()
    one = parse_results(data, quick)
    monkeypatch.setattr(parse, "_perfect", lambda *block: None)
    other = parse_results(data, slow)
    assert quick.problems() == slow.problems()
    assert (one is None) == (other is None)
    for field in ("number", "image_id", "keypoints", "score") if one and other else ():
        a, b = getattr(one, field), getattr(other, field)
        assert a.dtype == b.dtype and a.tobytes() == b.tobytes(), field


def test_foreign_share_is_told(tmp_path: Path) -> None:
    table = pictures(3)
    made = rows(3, table)
    (tmp_path / "r.json").write_bytes(text(made))
    found = check_submission(tmp_path / "r.json", pictures(4))
    assert f"so are {len(made)} of {len(made)} rows (100%)" in found[0].message


def test_sizes_unknown_leave_coordinates_alone(tmp_path: Path) -> None:
    table = pictures(5)
    made = scaled(6.0)(rows(5, table))
    (tmp_path / "r.json").write_bytes(text(made))
    assert check_submission(tmp_path / "r.json", ImageTable.of(table.id, table.file_name)) == []


def test_missing_files_and_unknown_profile(tmp_path: Path) -> None:
    table = pictures(6)
    with pytest.raises(InputError, match="no such file"):
        check_submission(tmp_path / "absent.json", table)
    (tmp_path / "r.json").write_bytes(text(rows(6, table)))
    with pytest.raises(InputError, match="no server profile 'test-dev'"):
        check_submission(tmp_path / "r.json", table, profile="test-dev")
    with pytest.raises(InputError, match="no such file"):
        check_submission(tmp_path / "r.json", tmp_path / "absent.json")


def test_findings_count_only_what_they_do_not_name() -> None:
    findings = Findings()
    findings.rows("a", range(NAMED_ROWS), str)
    assert len(findings.problems()) == NAMED_ROWS
    findings.row("a", 99, "x")
    assert findings.problems()[-1].message == "1 more row has the fault a"


def test_findings_sort_errors_first() -> None:
    findings = Findings()
    findings.row("b", 1, "x", "warning")
    findings.row("a", 7, "x")
    findings.file("c", "x")
    assert [p.code for p in findings.problems()] == ["c", "a", "b"]
    assert str(findings.problems()[1]) == "error: row 7: x [a]"


@pytest.mark.shared
def test_real_results(shared: Path, tmp_path: Path) -> None:
    """Published results raise no error; mmpose's wider rows raise one for their further keys alone."""
    real = shared / "real/coco"
    truth = real / "annotations/person_keypoints_val2014_100.json"
    found = check_submission(real / "results/person_keypoints_val2014_fakekeypoints100_results.json", truth)
    assert [p for p in found if p.severity == "error"] == []
    assert (
        check_submission(
            real / "results/wholebody_example_keypoints_results.json",
            real / "annotations/wholebody_example_gt.json",
        )
        == []
    )
    lite = shared / "real/other/litehrnet18_1000"
    (tmp_path / "r.json").write_bytes(gzip.decompress((lite / "result_keypoints.json.gz").read_bytes()))
    found = check_submission(tmp_path / "r.json", lite / "gt.json.gz")
    assert {p.code for p in found if p.severity == "error"} == {"extra_key"}
    assert {p.message.split("'")[1] for p in found if p.code == "extra_key" and p.row is not None} == {
        "center",
        "scale",
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)


def loads_in_pycocotools(data: bytes, table: ImageTable) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        image = int(table.id[0])
        person = {
            "id": 1,
            "image_id": image,
            "category_id": 1,
            "iscrowd": 0,
            "area": 900.0,
            "num_keypoints": 17,
        }
        truth.dataset = {
            "images": [{"id": int(i)} for i in table.id],
            "categories": [{"id": 1}],
            "annotations": [person | {"keypoints": [5, 6, 2] * 17, "bbox": [0, 0, 30, 30]}],
        }
        truth.createIndex()
        judge = COCOeval(truth, truth.loadRes(json.loads(data)), "keypoints")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    assert np.isfinite(judge.stats).all()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_what_passes_loads_in_pycocotools(data: st.DataObject, tmp_path: Path) -> None:
    """P3: rows bent in random places either raise a problem or load and are judged with finite figures."""
    table = pictures(7, 3)
    made: Rows = rows(7, table)
    for _ in range(data.draw(st.integers(0, 2))):
        row = data.draw(st.integers(0, len(made) - 1))
        kind = data.draw(st.sampled_from(["value", "number", "key", "row"]))
        if kind == "row" or not isinstance(made[row], dict):
            made[row] = data.draw(JSON)
        elif kind == "number" and isinstance(made[row].get("keypoints"), list) and made[row]["keypoints"]:
            place = data.draw(st.integers(0, len(made[row]["keypoints"]) - 1))
            made[row]["keypoints"][place] = data.draw(st.floats() | st.integers() | JSON)
        else:
            key = data.draw(st.sampled_from(["image_id", "category_id", "keypoints", "score", "bbox", "id"]))
            made[row][key] = data.draw(st.floats() | st.integers(0, 5) | JSON)
    path = tmp_path / "r.json"
    path.write_bytes(text(made))
    if not any(p.severity == "error" for p in check_submission(path, table)):
        loads_in_pycocotools(path.read_bytes(), table)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1), new=st.binary(max_size=6), cut=st.integers(0, 9))
def test_bent_bytes_never_raise(place: float, new: bytes, cut: int, tmp_path: Path) -> None:
    table = pictures(8, 3)
    good = text(rows(8, table))
    at = int(place * len(good))
    path = tmp_path / "r.json"
    path.write_bytes(good[:at] + new + good[at + cut :])
    if not any(p.severity == "error" for p in check_submission(path, table)):
        loads_in_pycocotools(path.read_bytes(), table)


def test_imports_stay_light() -> None:
    code = "import kpkit.submissions.validate, sys; print({'torch', 'ray', 'cv2'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
