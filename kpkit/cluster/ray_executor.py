"""The Ray executor: independent jobs side by side, as far as the resources go."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kpkit.cluster.jobs import Job, Watcher
from kpkit.cluster.reporting import FileProgress, read_progress
from kpkit.core.errors import KpkitError

RETRIES = 2
"""How often a step is tried again after its worker process died (not after it raised)."""


@contextlib.contextmanager
def ray_session(address: str | None, cpus: int) -> Iterator[Any]:
    """A connection to Ray: a local machine of ``cpus`` slots, or the cluster at ``address``."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    try:
        if address:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        else:
            ray.init(
                num_cpus=cpus,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                _node_ip_address="127.0.0.1",
            )
    except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
        raise KpkitError(
            f"Ray does not answer at {address or 'this machine'} ({error}); see that it runs (with token "
            "authentication: RAY_AUTH_MODE=token), or use --no-ray"
        ) from None
    try:
        yield ray
    finally:
        ray.shutdown()


@dataclass
class _Running:
    """A job in the hands of workers."""

    job: Job
    started: float
    parts: deque[int] = field(default_factory=deque)
    total_parts: int = 0
    idle: list[Any] = field(default_factory=list)  # actors waiting for a part
    actors: list[Any] = field(default_factory=list)
    deaths: int = 0
    finishing: bool = False


class RayExecutor:
    """Runs a graph of jobs.

    Args:
        ray: the module, connected (``ray_session``).
        watcher: shows progress.
        progress_folder: where workers leave their progress; on a disk the driver sees too.
    """

    def __init__(self, ray: Any, watcher: Watcher, progress_folder: Path) -> None:
        self.ray, self.watcher, self.folder = ray, watcher, progress_folder
        resources = ray.cluster_resources()
        self.slots = max(1, int(resources.get("CPU", 1)))
        self.gpus = int(resources.get("GPU", 0))
        self.running: dict[str, _Running] = {}
        self.waiting: dict[Any, tuple[str, str, Any, int]] = {}  # ref -> (job key, step, actor, part)
        self.first_error: BaseException | None = None

    def run(self, jobs: Sequence[Job]) -> None:
        """Run all jobs; raises the first error once nothing that can still run is left.

        No more than one job per slot is begun: Ray serves its queue in order, so a job's last step would wait
        behind everything that others have queued.
        """
        todo = {job.key: job for job in jobs}
        finished: set[str] = set()
        failed: set[str] = set()
        while todo or self.running:
            for key, job in list(todo.items()):
                if failed & set(job.needs):
                    failed.add(key)
                    del todo[key]
                elif len(self.running) < self.slots and not set(job.needs) & (set(todo) | set(self.running)):
                    del todo[key]
                    self._start(job)
            for key, error in self._collect():
                (failed if error else finished).add(key)
        if self.first_error is not None:
            raise self.first_error

    def _options(self, job: Job) -> dict[str, Any]:
        share = 1 if job.resources.gpu and self.gpus else 0
        return {"num_cpus": 1, "num_gpus": share, "max_retries": RETRIES}

    def _start(self, job: Job) -> None:
        self.watcher.started(job.key, job.title)
        self.running[job.key] = _Running(job, time.monotonic())
        task = self.ray.remote(_prepare).options(**self._options(job) | {"num_gpus": 0})
        self._await(task.remote(job, self._progress_file(job.key)), job.key, "prepare")

    def _await(self, ref: Any, key: str, step: str, actor: Any = None, part: int = -1) -> None:
        self.waiting[ref] = (key, step, actor, part)

    def _collect(self) -> list[tuple[str, BaseException | None]]:
        """Wait a moment; move every job whose step has ended to its next one. Returns the jobs that ended."""
        ready, _ = self.ray.wait(list(self.waiting), num_returns=1, timeout=0.5)
        ended: list[tuple[str, BaseException | None]] = []
        for ref in ready:
            key, step, actor, part = self.waiting.pop(ref)
            state = self.running.get(key)
            if state is None:
                continue  # a late answer of a job that has failed
            try:
                value = self.ray.get(ref)
            except Exception as error:
                if self._tried_again(state, step, part, actor, error):
                    continue
                ended.append((key, self._fail(key, error)))
                continue
            if step == "finish":
                self.watcher.finished(key, time.monotonic() - state.started)
                del self.running[key]
                ended.append((key, None))
            else:
                self._advance(state, step, actor, value)
        for key in self.running:
            if report := read_progress(self._progress_file(key)):
                self.watcher.progressed(key, *report)
        return ended

    def _advance(self, state: _Running, step: str, actor: Any, value: Any) -> None:
        """Hand out the next step of a job."""
        job = state.job
        if step == "prepare":
            state.parts, state.total_parts = deque(value), len(value)
            if job.resources.workers > 1 and state.parts:
                fit = self.ray.remote(_fit_workers).options(num_cpus=0)
                state.parts.clear()
                self._await(fit.remote(job, self._progress_file(job.key), bool(self.gpus)), job.key, "fit")
                return
            slots = self.gpus if job.resources.gpu and self.gpus else self.slots
            for _ in range(min(len(state.parts), slots)):
                self._new_actor(state)
        elif actor is not None:
            state.idle.append(actor)
        if step == "part" and state.total_parts > 1:
            done = state.total_parts - len(state.parts) - self._parts_out(job.key)
            self.watcher.progressed(job.key, done, state.total_parts, "parts", "")
        while state.idle and state.parts:
            worker, part = state.idle.pop(), state.parts.popleft()
            self._await(worker.run.remote(part), job.key, "part", worker, part)
        if not state.parts and not self._parts_out(job.key) and not state.finishing:
            state.finishing = True
            self._dismiss(state)
            finish = self.ray.remote(_finish).options(**self._options(job) | {"num_gpus": 0})
            self._await(finish.remote(job, self._progress_file(job.key)), job.key, "finish")

    def _parts_out(self, key: str) -> int:
        return sum(k == key and step in ("part", "fit") for k, step, _, _ in self.waiting.values())

    def _new_actor(self, state: _Running) -> None:
        options = {k: v for k, v in self._options(state.job).items() if k != "max_retries"}
        actor = (
            self.ray.remote(_PartWorker)
            .options(**options)
            .remote(state.job, self._progress_file(state.job.key))
        )
        state.actors.append(actor)
        self._await(actor.ready.remote(), state.job.key, "ready", actor)

    def _tried_again(self, state: _Running, step: str, part: int, actor: Any, error: BaseException) -> bool:
        """After a worker's death its part goes back to the heap and a new worker is hired."""
        if not isinstance(error, self.ray.exceptions.RayActorError) or actor is None:
            return False
        if actor not in state.actors:
            return True  # dismissed on purpose before it was needed
        state.deaths += 1
        state.actors.remove(actor)
        if state.deaths > RETRIES:
            return False
        if step == "part":
            state.parts.appendleft(part)
        self._new_actor(state)
        return True

    def _dismiss(self, state: _Running) -> None:
        actors, state.actors = state.actors, []
        for actor in actors:
            self.ray.kill(actor, no_restart=True)

    def _fail(self, key: str, error: BaseException) -> BaseException:
        cause = getattr(error, "cause", None)
        if isinstance(cause, KpkitError):
            error = cause
        elif isinstance(error, self.ray.exceptions.WorkerCrashedError | self.ray.exceptions.RayActorError):
            error = KpkitError(
                f"{self.running[key].job.title}: its worker process died {RETRIES + 1} times "
                "(out of memory?); run again to resume, or use --no-ray to see why"
            )
        self._dismiss(self.running.pop(key))
        self.watcher.failed(key, error)
        self.first_error = self.first_error or error
        return error

    def _progress_file(self, key: str) -> Path:
        return self.folder / f"{key[:16]}.json"


def _one_thread() -> None:
    import torch

    if not torch.cuda.is_available():
        torch.set_num_threads(1)


def _prepare(job: Job, report: Path) -> Sequence[int]:
    _one_thread()
    return list(job.prepare(FileProgress(report)))


def _finish(job: Job, report: Path) -> None:
    _one_thread()
    job.finish(FileProgress(report))


def _fit_workers(job: Job, report: Path, gpu: bool) -> None:
    from kpkit.cluster.workers import fit_workers

    fit_workers(job, report, gpu)


class _PartWorker:
    """An actor that keeps what the parts of a job share."""

    def __init__(self, job: Job, report: Path) -> None:
        _one_thread()
        self.job, self.report = job, report
        self.opened: Any = None
        self.open = False

    def ready(self) -> None:
        """Answers once the process is there."""

    def run(self, part: int) -> None:
        """One part; what the parts share is loaded at the first."""
        if not self.open:
            self.opened, self.open = self.job.open(), True
        self.job.run_part(self.opened, part, FileProgress(self.report))
