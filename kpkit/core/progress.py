"""Progress of long steps: the step reports, whoever watches decides how it is shown."""

from __future__ import annotations

import sys
import time
from typing import Protocol, TextIO


class Progress(Protocol):
    """What a long step calls. ``total`` and ``done`` count in ``unit``."""

    def __call__(self, done: int, total: int, unit: str = "", note: str = "") -> None:
        """Report that ``done`` of ``total`` are finished; ``note`` is a short remark (a loss, an AP)."""


def silent(done: int, total: int, unit: str = "", note: str = "") -> None:
    """Show nothing."""


class PlainProgress:
    """One line every few seconds, for logs and pipes: count, rate and time left."""

    def __init__(self, title: str, every: float = 5.0, stream: TextIO | None = None) -> None:
        self.title, self.every = title, every
        self.stream = stream if stream is not None else sys.stderr
        self.start = time.monotonic()
        self.last = 0.0
        self.first_done: int | None = None

    def __call__(self, done: int, total: int, unit: str = "", note: str = "") -> None:
        """Print when the last line is old enough, and at the end."""
        now = time.monotonic()
        if self.first_done is None:
            self.first_done, self.start = done, now
        if done < total and now - self.last < self.every:
            return
        self.last = now
        line = describe(self.title, done, total, unit, note, done - self.first_done, now - self.start)
        print(line, file=self.stream, flush=True)


def describe(title: str, done: int, total: int, unit: str, note: str, counted: int, seconds: float) -> str:
    """One line: ``title: 120/400 crops, 310/s, 0:02 left, loss 0.001``."""
    parts = [f"{title}: {done}/{total}{' ' + unit if unit else ''}"]
    if counted > 0 and seconds > 0:
        rate = counted / seconds
        parts.append(f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.2g}/s")
        if done < total:
            left = int((total - done) / rate)
            parts.append(f"{left // 60}:{left % 60:02d} left")
    if note:
        parts.append(note)
    return ", ".join(parts)
