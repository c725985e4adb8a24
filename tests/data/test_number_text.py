"""Numbers from JSON text are the doubles a JSON reader gives, and wrong ones are named."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpkit.core.errors import InputError
from kpkit.data import number_text
from kpkit.data.compact import compact
from kpkit.data.number_text import number_rows

DIGITS = st.text("0123456789", min_size=1, max_size=9)
PLAIN = st.builds(
    lambda sign, whole, places: sign + (whole.lstrip("0") or "0") + places,
    st.sampled_from(["", "", "-"]), DIGITS, st.one_of(st.just(""), DIGITS.map(lambda d: "." + d)),
)  # fmt: skip
ANY = st.one_of(
    PLAIN, st.floats(allow_nan=False, allow_infinity=False).map(repr), st.integers(-(10**30), 10**30).map(str)
)
SPACE = st.sampled_from(["", "", " ", "\n\t "])


def raws(texts: list[str]) -> list[msgspec.Raw]:
    return msgspec.json.decode("[" + ",".join(texts) + "]", type=list[msgspec.Raw])


def rows(texts: list[str], width: int) -> np.ndarray:
    return number_rows(raws(texts), width, "keypoints", "f.json", lambda k: f"row {k}", " (x, y)")


@given(st.data(), st.integers(1, 4), st.sampled_from([PLAIN, PLAIN, ANY]))
@settings(max_examples=120, deadline=None)
def test_every_number_has_the_bits_of_the_exact_reader(data: Any, width: int, kind: Any) -> None:
    table = data.draw(st.lists(st.lists(kind, min_size=width, max_size=width), min_size=1, max_size=4))
    space = data.draw(SPACE)
    texts = [f"[{space}{f'{space},{space}'.join(row)}{space}]" for row in table]
    exact = np.array([[float(json.loads(number)) for number in row] for row in table])
    np.testing.assert_array_equal(rows(texts, width).view(np.int64), exact.view(np.int64))


def test_plain_coordinates_take_the_quick_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*given: object) -> None:
        raise AssertionError("read one by one")

    monkeypatch.setattr(number_text, "_any_rows", never)
    values = np.round(np.random.default_rng(0).uniform(-700, 700, (900, 51)), 2)
    found = rows([json.dumps(row) for row in values.tolist()], 51)
    np.testing.assert_array_equal(found, values)
    assert rows([], 51).shape == (0, 51)
    edge = "[99999999,-0,0.00000001,90071992.54740992,-12345678.5]"
    np.testing.assert_array_equal(rows([edge], 5), [json.loads(edge)])
    assert np.signbit(rows(["[-0, -0.0]"], 2)).tolist() == [[False, True]]


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("[1]", "'keypoints' has 1 numbers, must be 2 (x, y)"),
        ("[1,2,3]", "'keypoints' has 3 numbers, must be 2"),
        ("[]", "'keypoints' has 0 numbers"),
        ("[[1,2]]", "'keypoints[0]' must be a number, found a list"),
        ("[1,null]", "'keypoints[1]' must be a number, found null"),
        ("[1,\"2\"]", "'keypoints[1]' must be a number, found a text"),
        ("[1,{}]", "'keypoints[1]' must be a number, found an object"),
        ("[true,1]", "'keypoints[0]' must be a number, found true or false"),
        ("7", "'keypoints' must be a list, found an integer"),
        ("\"a,]\"", "'keypoints' must be a list, found a text"),
        ("[1,1e999]", "'keypoints[1]' is a number out of range"),
    ],
)  # fmt: skip
def test_wrong_rows_are_named(text: str, cause: str) -> None:
    with pytest.raises(InputError) as caught:
        rows(["[1,2]"] * 5000 + [text] + ["[3,4]"], 2)
    assert str(caught.value).startswith("f.json: row 5000: " + cause), caught.value


def test_numbers_of_one_row_do_not_fill_up_another() -> None:
    for texts in (["[1]", "[2,3,4]"], ["[1,2,3]", "[4]"], ["[]", "[1,2,3,4]"]):
        with pytest.raises(InputError, match="row 0"):
            rows(texts, 2)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (np.array([0.0, 255.0]), np.uint8),
        (np.array([-3.0, 640.0]), np.int16),
        (np.array([70000.0]), np.int32),
        (np.array([0.5, 1.25]), np.float32),
        (np.array([0.1]), np.float64),
        (np.array([-0.0, 1.0]), np.float32),
        (np.array([2**40], np.int64), np.float32),
        (np.array([2**53 + 1], np.int64), np.int64),
        (np.array([np.nan]), np.float32),
        (np.array([True, False]), np.uint8),
        (np.arange(200_000) / np.where(np.arange(200_000) == 199_999, 7, 1), np.float64),
    ],
)
def test_compact_arrays_give_every_bit_back(values: np.ndarray, kind: type) -> None:
    small = compact(values)
    assert small.dtype == kind
    back = small.astype(values.dtype)
    assert back.tobytes() == values.tobytes()
