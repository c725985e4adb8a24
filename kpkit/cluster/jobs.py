"""What an executor runs: jobs that depend on jobs. Nothing here knows what a job does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from kpkit.core.progress import Progress


@dataclass(frozen=True)
class Resources:
    """What one worker of a job occupies.

    Attributes:
        gpu: wants a GPU where the machines have any.
        workers: processes that train together; above 1 only Ray can run it.
    """

    gpu: bool = False
    workers: int = 1


class Job(Protocol):
    """A unit of work that survives being started again.

    The executor calls ``prepare`` once, then ``run_part`` for each part on any process in any order, then
    ``finish``. Each call may run in another process: whatever passes between them lies in files. A job that
    was interrupted is prepared anew and must find what was done.
    """

    @property
    def key(self) -> str:
        """Unique among the jobs of a run."""

    @property
    def title(self) -> str:
        """What people read."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Keys of jobs that must be finished first; those not in the run count as finished."""

    @property
    def resources(self) -> Resources:
        """What a worker occupies."""

    def prepare(self, progress: Progress) -> Sequence[int]:
        """Start or resume; returns the parts still to run."""

    def open(self) -> Any:
        """Load what the parts share (networks); kept by a worker over its parts."""

    def run_part(self, opened: Any, part: int, progress: Progress) -> None:
        """Do one part and leave its result in the job's work folder."""

    def finish(self, progress: Progress) -> None:
        """Do what remains and publish the result."""


class Watcher(Protocol):
    """Who shows the jobs' progress. ``key`` is the job's."""

    def started(self, key: str, title: str) -> None:
        """A job begins."""

    def progressed(self, key: str, done: int, total: int, unit: str, note: str) -> None:
        """A job reports."""

    def finished(self, key: str, seconds: float) -> None:
        """A job's result is published."""

    def failed(self, key: str, error: BaseException) -> None:
        """A job raised."""
