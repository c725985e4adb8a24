"""Lists of numbers from JSON text to arrays, many at once and without a Python object per number.

Coordinates have at most eight digits before and after their point. Eight characters are one 64-bit word, and
three multiplications turn such a word into its number, so that a block of thousands of rows is a dozen array
operations. A whole number up to 2**53 divided by a power of ten up to 1e22 is rounded once: it is the double
nearest to the decimal, the same bits as any exact reader gives. Exponents, longer numbers and anything else
go to the JSON decoder row by row, which also names what is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from kpkit.core.errors import InputError
from kpkit.data.json_rows import UNREADABLE, Label, row_fault

_SPACE = b" \t\r\n"
_PADDING = b"0" * 8  # the first number's word begins before it
_COMMA, _MINUS, _POINT, _CLOSE = b",-.]"
_LONGEST = 8
_EXACT = 2**53
_BLOCK = 1 << 13
"""Numbers turned at once: arrays of 64 KiB, which the allocator hands out again; it maps larger ones anew."""
_TENS = 10 ** np.arange(_LONGEST + 1, dtype=np.int64)
_ALL_BITS = np.uint64(2**64 - 1)
_FOLDS = (
    (0x0F0F0F0F0F0F0F0F, 2561, 8),
    (0x00FF00FF00FF00FF, 6553601, 16),
    (0x0000FFFF0000FFFF, 42949672960001, 32),
)
"""Mask, factor and shift that add up neighbouring digits: 1 and 1, then 2 and 2, then 4 and 4."""


def number_rows(
    texts: Sequence[msgspec.Raw], width: int, field: str, path: str | Path, label: Label, form: str = ""
) -> np.ndarray:
    """Lists of numbers as one array.

    Args:
        texts: N undecoded JSON values, each found to be valid JSON.
        width: numbers each must have.
        field: their key, for an error's text.
        path, label: name the file and its rows.
        form: what the numbers are, put behind their count in an error.

    Returns:
        (N, width) float64, each number the double nearest to its text.

    Raises:
        InputError: the first row that is no list of ``width`` finite numbers.
    """
    rows = np.empty((len(texts), width))
    step = max(1, _BLOCK // width)
    for start in range(0, len(texts), step):
        part = texts[start : start + step]
        found = _plain_rows(b"".join(part), len(part), width)
        if found is None:
            return _any_rows(texts, width, field, path, label, form)
        rows[start : start + step] = found
    return rows


def _any_rows(
    texts: Sequence[msgspec.Raw], width: int, field: str, path: str | Path, label: Label, form: str
) -> np.ndarray:
    """As number_rows, of numbers in any form, one row after the other."""
    rows = np.empty((len(texts), width))
    for k, text in enumerate(texts):
        try:
            numbers = msgspec.json.decode(text, type=list[float])
        except UNREADABLE as error:
            raise InputError(row_fault(error, field), file=path, row=label(k)) from None
        if len(numbers) != width:
            cause = f"'{field}' has {len(numbers)} numbers, must be {width}{form}"
            raise InputError(cause, file=path, row=label(k))
        rows[k] = numbers
    return rows


def _plain_rows(joined: bytes, count: int, width: int) -> np.ndarray | None:
    """(count, width) numbers of lists written one behind the other; None when they are not all plain."""
    # Each number is left with the comma or bracket behind it. The text is known to be valid JSON: that no two
    # numbers run together, and that signs and points stand where they may, need not be asked again.
    text = _PADDING + joined.translate(None, _SPACE + b"[")
    characters = np.frombuffer(text, np.uint8)
    marks = np.flatnonzero((characters - np.uint8(ord("0"))) > 9)
    kind = characters[marks]
    stops = (kind == _COMMA) | (kind == _CLOSE)
    end = marks[stops]
    if len(end) != count * width or text.count(b"]") != count:
        return None
    if not (characters[end[width - 1 :: width]] == _CLOSE).all():
        return None
    begin = np.concatenate([[len(_PADDING)], end[:-1] + 1])
    if len(end) == len(marks):
        whole = _whole_numbers(characters, begin, end)
        return None if whole is None else whole.astype(np.float64).reshape(count, width)
    points = kind == _POINT
    if np.count_nonzero(points) + np.count_nonzero(kind == _MINUS) + len(end) != len(marks):
        return None
    negative = characters[begin] == _MINUS
    point = marks[points]
    of = (np.cumsum(stops) - stops)[points]  # the number each point lies in
    places = end[of] - point - 1
    inner = end.copy()
    inner[of] = point
    whole = _whole_numbers(characters, begin + negative, inner)
    decimals = _whole_numbers(characters, point + 1, end[of])
    if whole is None or decimals is None:
        return None
    scaled = whole[of] * _TENS[places] + decimals
    if scaled.max(initial=0) > _EXACT:
        return None
    signs = 1 - 2 * negative.astype(np.int64)
    values = (whole * signs).astype(np.float64)  # -0 is a whole number and has no sign, -0.0 keeps it
    values[of] = scaled / _TENS[places] * signs[of]
    return values.reshape(count, width)


def _whole_numbers(characters: np.ndarray, begin: np.ndarray, end: np.ndarray) -> np.ndarray | None:
    """(M,) int64 of the digits from ``begin`` to ``end``; None when some number has not one to eight."""
    length = end - begin
    if length.size and (length.max() > _LONGEST or length.min() < 1):
        return None
    # Every place of the text taken for the start of a word; of each number the word that ends with it.
    words = np.ndarray(len(characters) - 7, "<u8", characters, 0, (1,))[end - 8]
    words &= _ALL_BITS << ((_LONGEST - length) << 3).astype(np.uint64)
    for mask, factor, shift in _FOLDS:
        words &= np.uint64(mask)
        words *= np.uint64(factor)
        words >>= np.uint64(shift)
    return words.astype(np.int64)
