"""What is wrong with a submission: named, located, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]

NAMED_ROWS = 10
"""Rows named for each kind of problem; the rest are counted in one line more."""


@dataclass(frozen=True)
class Problem:
    """One fault of a submission.

    Attributes:
        code: a stable short name of the kind of fault, such as ``"image_id_foreign"``.
        row: which entry of the JSON list, counted from 0; None when the fault is not one row's.
        message: one sentence with the row, the image where known, the cause and what to do.
        severity: ``"error"``: the server refuses the file or scores it wrongly; ``"warning"``: it takes the
            file, but it is hardly what was meant.
    """

    code: str
    row: int | None
    message: str
    severity: Severity = "error"

    def __str__(self) -> str:
        return f"{self.severity}: {self.message} [{self.code}]"


class Findings:
    """Gathers problems; a fault that repeats is named NAMED_ROWS times, then only counted."""

    def __init__(self) -> None:
        self._found: list[Problem] = []
        self._count: Counter[tuple[str, Severity]] = Counter()

    def file(self, code: str, message: str, severity: Severity = "error") -> None:
        """A fault of the whole file."""
        self._found.append(Problem(code, None, message, severity))

    def row(self, code: str, row: int, message: str, severity: Severity = "error") -> None:
        """A fault of one row; the message is put behind ``row N:``."""
        self._count[code, severity] += 1
        if self._count[code, severity] <= NAMED_ROWS:
            self._found.append(Problem(code, row, f"row {row}: {message}", severity))

    def rows(
        self, code: str, rows: Iterable[int], say: Callable[[int], str], severity: Severity = "error"
    ) -> None:
        """The same fault in many rows; ``say`` words it for a row and is asked only for the named ones."""
        numbers = [int(row) for row in rows]
        for row in numbers[:NAMED_ROWS]:
            self.row(code, row, say(row), severity)
        self._count[code, severity] += len(numbers[NAMED_ROWS:])

    @property
    def fatal(self) -> bool:
        """Whether an error was found."""
        return any(problem.severity == "error" for problem in self._found)

    def problems(self) -> list[Problem]:
        """Errors first; then by row; whole-file faults before rows."""
        more = [
            Problem(code, None, _more(count - NAMED_ROWS, code), severity)
            for (code, severity), count in self._count.items()
            if count > NAMED_ROWS
        ]
        found = sorted(
            self._found, key=lambda p: (p.severity != "error", -1 if p.row is None else p.row, p.code)
        )
        return found + more


def _more(count: int, code: str) -> str:
    return f"{count:,} more {'row has' if count == 1 else 'rows have'} the fault {code}"
