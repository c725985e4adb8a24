"""The in-process executor: one job after another, parts in order, no ray."""

from __future__ import annotations

import time
from collections.abc import Sequence

from kpkit.cluster.jobs import Job, Watcher
from kpkit.core.errors import KpkitError


def run_in_process(jobs: Sequence[Job], watcher: Watcher) -> None:
    """Run jobs in the order given (needs before needers).

    A job that fails does not stop those that do not need it; its error is raised at the end.

    Raises:
        KpkitError: a job wants several workers, which takes Ray; or the first job's own error.
    """
    failed: set[str] = set()
    first_error: BaseException | None = None
    for job in jobs:
        if failed & set(job.needs):
            failed.add(job.key)
            continue
        start = time.monotonic()
        watcher.started(job.key, job.title)
        try:
            if job.resources.workers > 1:
                raise KpkitError(
                    f"{job.title} asks for {job.resources.workers} workers; run it without --no-ray"
                )
            run_job(job, watcher)
        except Exception as error:
            watcher.failed(job.key, error)
            failed.add(job.key)
            first_error = first_error or error
        else:
            watcher.finished(job.key, time.monotonic() - start)
    if first_error is not None:
        raise first_error


def run_job(job: Job, watcher: Watcher) -> None:
    """All of one job, here."""

    def progress(done: int, total: int, unit: str = "", note: str = "") -> None:
        watcher.progressed(job.key, done, total, unit, note)

    parts = job.prepare(progress)
    if parts:
        opened = job.open()
        for done, part in enumerate(parts):
            job.run_part(opened, part, progress)
            if len(parts) > 1:
                progress(done + 1, len(parts), "parts")
        del opened
    job.finish(progress)
