"""Big JSON files decoded while they are read: one pass, one block in memory.

Rows are cut where ``}, {`` stands. Such a place may also lie inside a row or a text; then what was cut off is
no list of whole rows and does not decode, for a list that decodes has all its brackets and texts closed.
So nothing is ever cut wrongly: UnclearError is raised instead, and the reader of whole files decides, which
names every fault by its row.
"""

from __future__ import annotations

import contextlib
import gzip
import re
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import msgspec

from kpkit.data.json_rows import UNREADABLE

CHUNK = 1 << 20
LONGEST = 16 * CHUNK
"""A row, or a member that is no table, that is longer is left to the reader of whole files."""

_GAP = re.compile(rb"\}\s*,\s*\{")
_TABLE_END = re.compile(rb"\}\s*\]")
_KEY = re.compile(rb'"([^"\\]*)"\s*:\s*')
_SPACE = re.compile(rb"\s*")
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|["\[\]{},]', re.DOTALL)


class UnclearError(Exception):
    """The file is not cut: it is faulty, or of a form that only the reader of whole files takes."""


def stream_rows(path: str | Path, kind: type) -> Iterator[list[Any]]:
    """Blocks of the rows of a file that is one list of objects.

    Args:
        path: the file, plain or gzipped.
        kind: a msgspec struct.

    Raises:
        UnclearError: at any block.
    """
    with _opened(path) as text:
        yield from text.table(kind)
        text.expect_end()


def stream_tables(path: str | Path, kinds: Mapping[str, type]) -> Iterator[tuple[str, Any]]:
    """Members of a file that is one object, in file order: (key, block of rows) and (key, undecoded value).

    Args:
        path: the file, plain or gzipped.
        kinds: key of a table -> msgspec struct of its rows; other members come whole, as msgspec.Raw. An
            empty table gives one empty block.

    Raises:
        UnclearError: at any member.
    """
    with _opened(path) as text:
        yield from text.members(kinds)
        text.expect_end()


@contextlib.contextmanager
def _opened(path: str | Path) -> Iterator[_Text]:
    """The text of a file; whatever goes wrong with it becomes UnclearError."""
    path = Path(path)
    if not path.is_file():  # a pipe cannot be read a second time
        raise UnclearError
    try:
        with open(path, "rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else open(path, "rb") as file:
            yield _Text(file)  # type: ignore[arg-type]
    except (*UNREADABLE, OSError, EOFError, zlib.error) as error:
        raise UnclearError from error


class _Text:
    """The part of a file that is in memory, unread from ``at`` on."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.text = b""
        self.at = 0

    def more(self) -> bool:
        """Read on; False at the file's end."""
        if len(self.text) - self.at > LONGEST:
            raise UnclearError
        chunk = self.file.read(CHUNK)
        self.text = self.text[self.at :] + chunk
        self.at = 0
        return bool(chunk)

    def next(self) -> bytes:
        """The next character that is no space, not taken; empty at the end."""
        while True:
            space = _SPACE.match(self.text, self.at)
            self.at = space.end() if space else self.at
            if self.at < len(self.text) or not self.more():
                return self.text[self.at : self.at + 1]

    def take(self, character: bytes) -> None:
        """Step over a character that must come next."""
        if self.next() != character:
            raise UnclearError
        self.at += 1

    def expect_end(self) -> None:
        """Nothing but space may follow."""
        if self.next():
            raise UnclearError

    def members(self, kinds: Mapping[str, type]) -> Iterator[tuple[str, Any]]:
        """The members of an object."""
        met: set[str] = set()
        self.take(b"{")
        while True:
            key = self.key()
            if key in met:  # which of two counts is the decoder's business
                raise UnclearError
            met.add(key)
            if key in kinds:
                for block in self.table(kinds[key]):
                    yield key, block
            else:
                yield key, msgspec.json.decode(self.value(), type=msgspec.Raw)
            if self.next() == b"}":
                self.at += 1
                return
            self.take(b",")

    def key(self) -> str:
        """A member's key and the colon behind it."""
        self.next()
        while True:
            found = _KEY.match(self.text, self.at)
            if found:
                self.at = found.end()
                return found[1].decode()
            if not self.more():
                raise UnclearError

    def value(self) -> bytes:
        """The text of a member's value."""
        while True:
            depth = 0
            for token in _TOKEN.finditer(self.text, self.at):
                mark = token[0]
                if mark == b'"':  # it ends in what was not read yet
                    break
                if depth == 0 and mark in (b",", b"}"):
                    value = self.text[self.at : token.start()]
                    self.at = token.start()
                    return value
                depth += (mark in (b"[", b"{")) - (mark in (b"]", b"}"))
            if not self.more():
                raise UnclearError

    def table(self, kind: type) -> Iterator[list[Any]]:
        """Blocks of a list of objects."""
        decoder = msgspec.json.Decoder(list[kind])  # type: ignore[valid-type]
        self.take(b"[")
        if self.next() == b"]":
            self.at += 1
            yield []
            return
        while True:
            end = _TABLE_END.search(self.text, self.at)
            gap = None if end else self.last_gap()
            if cut := end or gap:
                rows = memoryview(self.text)[self.at : cut.start() + 1]
                yield decoder.decode(b"".join((b"[", rows, b"]")))
            if end:
                self.at = end.end()
                return
            if gap:
                self.at = gap.end() - 1
            if not self.more() and not gap:
                raise UnclearError

    def last_gap(self) -> re.Match[bytes] | None:
        """The last place between two objects."""
        for back in (CHUNK // 64, len(self.text)):
            if gaps := list(_GAP.finditer(self.text, max(self.at, len(self.text) - back))):
                return gaps[-1]
        return None
