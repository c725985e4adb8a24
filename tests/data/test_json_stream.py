"""Files cut while they are read give what the whole-file reader gives, or leave them to it."""

from __future__ import annotations

import gzip
import json
import os
import threading
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpkit.core.errors import InputError
from kpkit.data import coco, json_stream, results
from kpkit.data.json_stream import UnclearError, stream_rows, stream_tables


class Row(msgspec.Struct):
    id: int
    note: str = ""
    parts: msgspec.Raw = msgspec.Raw(b"null")


def plain(row: Row) -> tuple[int, str, Any]:
    return row.id, row.note, json.loads(bytes(row.parts))


ROWS = st.lists(
    st.fixed_dictionaries(
        {"id": st.integers(0, 999)},
        optional={
            "note": st.sampled_from(["", "}, {", "}]", 'a "quote" \\', "é{[", "\n"]),
            "parts": st.sampled_from([[], [1, 2], [{"a": 1}, {"a": 2}], {"counts": [1], "size": [2, 3]}]),
        },
    ),
    max_size=8,
)
SMALL = st.sampled_from([None, 1, "}, ]", [], [{"a": [1]}], {"b": {"c": "]"}}, "x" * 30])


@given(
    ROWS,
    ROWS,
    SMALL,
    st.integers(1, 40),
    st.sampled_from([(",", ":"), (", ", ": "), (" ,\n ", " : ")]),
    st.booleans(),
)
@settings(max_examples=80, deadline=None)
def test_no_cut_is_wrong_wherever_blocks_end(
    tmp_path_factory: pytest.TempPathFactory,
    a: Any,
    b: Any,
    small: Any,
    chunk: int,
    marks: Any,
    packed: bool,
) -> None:
    path = tmp_path_factory.getbasetemp() / "cut.json"
    document = {"first": small, "a": a, "info": small, "b": b, "last": small}
    text = json.dumps(document, separators=marks, ensure_ascii=False).encode()
    path.write_bytes(gzip.compress(text) if packed else text)
    found: dict[str, Any] = {"a": [], "b": []}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "CHUNK", chunk)
        try:
            for key, value in stream_tables(path, {"a": Row, "b": Row}):
                if key in "ab":
                    found[key] += map(plain, value)
                else:
                    found[key] = json.loads(bytes(value))
        except UnclearError:
            # only rows that hold what looks like a cut may be left to the other reader
            assert any(
                mark in json.dumps([a, b], separators=(",", ":")) for mark in ('},{"a":2', "}]", "}, {")
            )
            return
    for key in "ab":
        whole = msgspec.json.decode(json.dumps(document[key]), type=list[Row])
        assert found[key] == list(map(plain, whole))
    assert {key: found[key] for key in ("first", "info", "last")} == dict.fromkeys(
        ("first", "info", "last"), small
    )


NO_LISTS = [
    "", "[", "[]x",
    '[{"id":1}', '[{"id":1},]', '[{"id":1}]]', "[1]", "{}", '[{"id":NaN}]', '[{"id":1}{"id":2}]',
    "\ufeff[]", '[{"id":"a"}]', '[{"id":1}],',
]  # fmt: skip


@pytest.mark.parametrize("text", NO_LISTS)
def test_what_is_no_list_of_rows_is_left_to_the_other_reader(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(UnclearError):
        list(stream_rows(path, Row))


@pytest.mark.parametrize(
    "text",
    [
        '{"a":[],"a":[]}',
        '{"a":[]',
        '{"a":[]}}',
        '{"a":[],}',
        '{"a":{}}',
        '{"a":[],"x":1e}',
        '{"a" []}',
        '{"a":[],"b":"',
    ],
)
def test_what_is_no_object_of_tables_is_left_to_the_other_reader(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(UnclearError):
        list(stream_tables(path, {"a": Row}))


def test_damaged_gzip_and_missing_files_are_left_to_the_other_reader(tmp_path: Path) -> None:
    path = tmp_path / "a.json.gz"
    data = gzip.compress(json.dumps([{"id": k} for k in range(9999)]).encode())
    for broken in (data[:-3], data[:200], data[:50] + b"\0\1\2" + data[53:], data[:-6] + b"\0" * 6):
        path.write_bytes(broken)
        with pytest.raises(UnclearError):
            list(stream_rows(path, Row))
    for missing in (tmp_path, tmp_path / "none.json"):
        with pytest.raises(UnclearError):
            list(stream_rows(missing, Row))


def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    text = json.dumps([{"image_id": 1, "category_id": 1, "keypoints": [1, 2, 1] * 17, "score": 0.5}])
    writer = threading.Thread(target=lambda: path.write_text(text))
    writer.start()
    assert len(results.read_results(path)) == 1
    writer.join()


def person(k: int) -> dict[str, Any]:
    return {"id": k, "image_id": 5, "category_id": 1, "bbox": [1.5, 2, 30, 40], "area": 600.5, "iscrowd": 0,
            "keypoints": [k % 50, 20.25, k % 3] * 17, "segmentation": [[1.5, 2, 3, 4]]}  # fmt: skip


def pose(k: int) -> dict[str, Any]:
    return {"image_id": k, "category_id": 1, "keypoints": [k, 20.25, 1] * 17, "score": 0.5}


DAMAGE = st.sampled_from(
    [
        b"NaN",
        b"-Infinity",
        b"1e999",
        b"null",
        b'"x"',
        b"[",
        b"]",
        b"}",
        b"{",
        b",",
        b"\xff",
        b"9" * 40,
        b'"id":7,',
        b"",
    ]
)


@given(st.sampled_from(["annotations", "results"]), st.data())
@settings(max_examples=60, deadline=None)
def test_damage_is_told_as_the_whole_file_reader_tells_it(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: Any
) -> None:
    if kind == "annotations":
        read: Any = coco.read_annotations
        document: Any = {
            "annotations": [person(k) for k in range(1, 9)],
            "images": [{"id": 5, "file_name": "a"}],
            "categories": [{"id": 1, "name": "person"}],
        }
    else:
        read, document = results.read_results, [pose(k) for k in range(8)]
    path = tmp_path_factory.getbasetemp() / "damage.json"
    text = json.dumps(document).encode()
    at = data.draw(st.integers(0, len(text)))
    over = data.draw(st.integers(0, 6))
    text = text[:at] + data.draw(DAMAGE) + text[at + over :]
    path.write_bytes(text[: data.draw(st.one_of(st.just(len(text)), st.integers(0, len(text))))])

    def outcome() -> tuple[str, Any]:
        try:
            found = read(path)
        except InputError as error:
            return str(error), None
        people = found if kind == "results" else found[1]
        return "", (
            people.keypoints.tolist(),
            people.box.tolist(),
            people.image_id.tolist(),
            people.id.tolist(),
        )

    quick = outcome()
    with pytest.MonkeyPatch.context() as patch:
        unclear = lambda *given: (_ for _ in ()).throw(UnclearError())  # noqa: E731
        patch.setattr(coco, "stream_tables", unclear)
        patch.setattr(results, "stream_rows", unclear)
        whole = outcome()
    assert quick == whole
    assert not quick[0] or quick[0].startswith(f"{path}: ")


def test_real_form_of_coco_takes_the_quick_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = {
        "info": {"description": "COCO 2017 Dataset"}, "licenses": [{"id": 1, "name": "a } b"}],
        "images": [{"license": 1, "file_name": "000000000005.jpg", "id": 5, "width": 64, "height": 48}],
        "annotations": [person(k) for k in range(1, 9000)],
        "categories": [{"supercategory": "person", "id": 1, "name": "person"}],
    }  # fmt: skip
    path = tmp_path / "a.json"
    path.write_text(json.dumps(document))
    assert path.stat().st_size > 2 * json_stream.CHUNK
    monkeypatch.setattr(coco, "decode_document", None)
    _, people = coco.read_annotations(path)
    expected = [row["keypoints"] for row in document["annotations"]]  # type: ignore[index]
    np.testing.assert_array_equal(people.keypoints.reshape(-1, 51), expected)
    monkeypatch.undo()
    # another id for persons, told last: found out, and read again
    document["annotations"] = [row | {"category_id": 3} for row in document["annotations"]]  # type: ignore[index]
    document["categories"] = [{"id": 3, "name": "person"}]
    path.write_text(json.dumps(document))
    assert len(coco.read_annotations(path)[1]) == 8999
