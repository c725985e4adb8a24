"""Build documents: find what is missing, run it, in process or under Ray."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kpkit.cluster.jobs import Watcher
from kpkit.core.errors import InputError, KpkitError
from kpkit.core.files import free_bytes, locked
from kpkit.pipeline.ablate_job import AblateJob
from kpkit.pipeline.context import Context
from kpkit.pipeline.execute import run_in_process
from kpkit.pipeline.folds_job import FoldsJob
from kpkit.pipeline.graph import GraphBuilder
from kpkit.pipeline.label_job import LabelJob
from kpkit.pipeline.merge_job import MergeJob
from kpkit.pipeline.mine_job import MineJob
from kpkit.pipeline.node import Node
from kpkit.pipeline.plan import needed_bytes
from kpkit.pipeline.search_job import SearchJob
from kpkit.pipeline.study_job import StudyJob
from kpkit.pipeline.submit_job import SubmitJob
from kpkit.specs.loader import Document

_WITHOUT_NETWORKS = (AblateJob, FoldsJob, LabelJob, MergeJob, MineJob, SearchJob, StudyJob, SubmitJob)


@dataclass(frozen=True)
class Settings:
    """How to run; nothing here changes a result.

    Attributes:
        data: folder of data sets, None for ``KPKIT_DATA``.
        runs: folder of artefacts.
        ray: run under Ray.
        address: an existing cluster; None starts Ray on this machine.
        cpus: worker slots on this machine; 0 takes its cores.
        loader_workers: processes per training that prepare crops.
    """

    data: Path | None = None
    runs: Path = Path("runs")
    ray: bool = True
    address: str | None = None
    cpus: int = 0
    loader_workers: int = 0


def build(documents: Sequence[Document], settings: Settings, watcher: Watcher) -> list[Node]:
    """Make everything the documents need.

    Returns:
        the documents' own nodes, finished.

    Raises:
        InputError: an input is missing, or a document is wrong.
        KpkitError: no room on the disk, another run in the same folder, or a job's failure.
    """
    builder = GraphBuilder(Context(settings.data, settings.runs), loader_workers=settings.loader_workers)
    targets = [node for document in documents for node in builder.add(document)]
    return build_nodes(builder, targets, settings, watcher)


def build_nodes(
    builder: GraphBuilder, targets: Sequence[Node], settings: Settings, watcher: Watcher
) -> list[Node]:
    """As ``build``, for nodes of a graph already built."""
    missing = list(dict.fromkeys(sentence for node in targets for sentence in node.missing))
    if missing:
        more = f" (and {len(missing) - 1} more: see kpkit plan)" if len(missing) > 1 else ""
        raise InputError(missing[0] + more)
    runs = builder.context.runs
    with locked(runs / ".lock", busy=f"another kpkit run works in {runs}"):
        builder.context.hashes.save()
        todo = to_do(builder, targets)
        if todo:
            _refuse_full_disk(todo, runs)
            _execute(todo, settings, runs, watcher)
    return list(targets)


def to_do(builder: GraphBuilder, targets: Sequence[Node]) -> list[Node]:
    """The nodes that must run for ``targets``, needs first: what is done, and all behind it, is left out."""
    wanted: set[str] = set()

    def want(node: Node) -> None:
        if node.artefact.key in wanted or node.artefact.done:
            return
        wanted.add(node.artefact.key)
        for need in node.needs:
            want(need)

    for target in targets:
        want(target)
    return [node for node in builder.nodes.values() if node.artefact.key in wanted]


def _execute(todo: list[Node], settings: Settings, runs: Path, watcher: Watcher) -> None:
    jobs = [node.job for node in todo]
    uses_networks = any(not isinstance(job, _WITHOUT_NETWORKS) for job in jobs)
    if not (settings.ray and uses_networks):
        run_in_process(jobs, watcher)
        return
    from kpkit.cluster.ray_executor import RayExecutor, ray_session

    progress = runs / ".progress"
    progress.mkdir(exist_ok=True)
    with ray_session(settings.address, settings.cpus or os.cpu_count() or 1) as ray:
        RayExecutor(ray, watcher, progress).run(jobs)


def _refuse_full_disk(todo: list[Node], runs: Path) -> None:
    wanted, free = sum(needed_bytes(node) for node in todo), free_bytes(runs)
    if wanted > free:
        raise KpkitError(
            f"{runs}: about {wanted / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB are free; "
            "make room or name another folder with --runs"
        )
