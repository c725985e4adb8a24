"""Shows running jobs: live bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from kpkit.core.progress import PlainProgress


class _Failures:
    """What to say when a job fails: the first sentence ends the command, so only new ones are said before."""

    def __init__(self) -> None:
        self._sentences: set[str] = set()

    def remark(self, error: BaseException) -> str:
        """`` (sentence)`` for a second cause, nothing for the first and its repetitions."""
        first, known = not self._sentences, str(error) in self._sentences
        self._sentences.add(str(error))
        return "" if first or known else f" ({error})"


class PlainWatcher:
    """One line when a job begins, ends or fails, and every few seconds between.

    Attributes:
        idle: no job has begun.
    """

    def __init__(self) -> None:
        self.idle = True
        self._lines: dict[str, PlainProgress] = {}
        self._failures = _Failures()

    def __enter__(self) -> PlainWatcher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def started(self, key: str, title: str) -> None:
        """Say so."""
        self.idle = False
        self._lines[key] = PlainProgress(title, every=10.0)
        self._say(f"{title}: started")

    def progressed(self, key: str, done: int, total: int, unit: str, note: str) -> None:
        """Print now and then; a report seen before is not repeated."""
        line = self._lines[key]
        if getattr(line, "seen", None) != (done, total):
            line.seen = (done, total)  # type: ignore[attr-defined]
            line(done, total, unit, note)

    def finished(self, key: str, seconds: float) -> None:
        """Say so."""
        self._say(f"{self._lines.pop(key).title}: done in {_clock(seconds)}")

    def failed(self, key: str, error: BaseException) -> None:
        """Say so; the first failure's sentence comes at the end."""
        self._say(f"{self._lines.pop(key).title}: failed{self._failures.remark(error)}")

    @staticmethod
    def _say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)


class LiveWatcher:
    """A bar per running job with count, rate and time left.

    Attributes:
        idle: no job has begun.
    """

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskID, TextColumn

        self._console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.completed}/{task.total} {task.fields[unit]}"),
            TextColumn("{task.fields[speed]}"),
            TextColumn("[dim]{task.fields[note]}"),
            console=self._console,
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}
        self._titles: dict[str, str] = {}
        self._first: dict[str, tuple[float, int]] = {}
        self._failures = _Failures()
        self.idle = True

    def __enter__(self) -> LiveWatcher:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def started(self, key: str, title: str) -> None:
        """Add a bar."""
        self.idle = False
        self._titles[key] = title
        self._tasks[key] = self._progress.add_task(title, total=None, unit="", speed="", note="")

    def progressed(self, key: str, done: int, total: int, unit: str, note: str) -> None:
        """Move the bar."""
        now = time.monotonic()
        start, first = self._first.setdefault(key, (now, done))
        speed = ""
        if done > first and now > start:
            rate = (done - first) / (now - start)
            speed = f"{rate:,.1f}/s, {_clock((total - done) / rate)} left"
        self._progress.update(
            self._tasks[key], completed=done, total=total, unit=unit, speed=speed, note=note
        )

    def finished(self, key: str, seconds: float) -> None:
        """Replace the bar by a line."""
        self._progress.remove_task(self._tasks.pop(key))
        self._progress.console.print(f"[green]done[/] {self._titles[key]} [dim]in {_clock(seconds)}")

    def failed(self, key: str, error: BaseException) -> None:
        """Replace the bar by a line; the first failure's sentence comes at the end."""
        from rich.text import Text

        self._progress.remove_task(self._tasks.pop(key))
        line = Text.assemble(("failed", "red"), f" {self._titles[key]}{self._failures.remark(error)}")
        self._progress.console.print(line, soft_wrap=True)


def watcher() -> PlainWatcher | LiveWatcher:
    """Bars on a terminal, lines elsewhere."""
    return LiveWatcher() if sys.stderr.isatty() else PlainWatcher()


def _clock(seconds: float) -> str:
    whole = int(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"
