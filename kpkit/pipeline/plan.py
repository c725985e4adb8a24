"""What a run would do: per artefact its state, crops and disk, without doing any of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from kpkit.core.errors import KpkitError
from kpkit.core.skeletons import COCO17, SKELETONS
from kpkit.data.load import LoadedDataset, load_boxes, load_dataset
from kpkit.inference.network import codec_of
from kpkit.pipeline.artefacts import read_artefact
from kpkit.pipeline.boxes_job import BoxesJob
from kpkit.pipeline.document_checks import weightless
from kpkit.pipeline.heatmaps_job import HeatmapsJob
from kpkit.pipeline.looked_at import looked_at
from kpkit.pipeline.node import Node
from kpkit.pipeline.refine_job import RefineJob
from kpkit.pipeline.search_job import SearchJob
from kpkit.pipeline.train_job import TrainJob
from kpkit.pipeline.weights_job import WeightsJob
from kpkit.specs.datasets import Dataset
from kpkit.specs.recipe import RecipeSpec
from kpkit.training.phases import PhasePlan
from kpkit.training.sources import trainable

POSE_BYTES = 500
"""Disk of one stored pose: 17 x 3 numbers of 8 bytes, its box, score and ids."""


@dataclass(frozen=True)
class PlanRow:
    """One artefact of a plan.

    Attributes:
        name: ``recipes/tiny_cpn-1a2b3c4d``; without a hash while an input is missing.
        state: ``done``, ``resume``, ``run`` or ``missing input``.
        crops: crops that will be looked at or trained on, 0 for work without a network; None where an
            earlier artefact decides it.
        bytes: disk needed while it is made.
        needs: names of what it waits for.
        missing: sentences on what is not there.
    """

    name: str
    state: str
    crops: int | None
    bytes: int
    needs: tuple[str, ...]
    missing: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """For --json."""
        return {key: getattr(self, key) for key in self.__dataclass_fields__}


def plan_rows(nodes: list[Node]) -> list[PlanRow]:
    """The plan of a graph, needs first."""
    return [
        PlanRow(
            name=node.title if node.missing else f"{node.artefact.kind}/{node.artefact.folder.name}",
            state=_state(node),
            crops=_crops(node),
            bytes=needed_bytes(node),
            needs=tuple(need.title for need in node.needs),
            missing=tuple(node.missing),
        )
        for node in nodes
    ]


def _state(node: Node) -> str:
    if node.missing:
        return "missing input"
    if node.artefact.done:
        return "done"
    return "resume" if node.artefact.work.exists() else "run"


def _crops(node: Node) -> int | None:
    job = node.job
    if node.missing or node.artefact.done:
        return None
    try:
        if isinstance(job, TrainJob) and job.spec:
            made = {"H": "negatives", "U": "people"}
            spoken = job.spec.network.skeleton
            counts = {letter: len(trainable(_load(job.sources[letter], spoken).people))
                      for letter in job.sources if letter in "AC"}  # fmt: skip
            for letter, folder in job.made.items():
                need = next(need for need in node.needs if need.artefact.folder == folder)
                if not need.artefact.done:
                    return None
                counts[letter] = int(_metrics(need)[made[letter]])
            ordered = {letter: counts[letter] for letter in job.sources}
            plan = PhasePlan(job.spec.training, ordered, job.spec.data.ratios)
            return plan.total_steps * job.spec.training.batch_size
        if isinstance(job, WeightsJob) and job.spec:
            boxes = load_boxes(job.val, _load(job.val), job.spec.data.val_boxes) if job.val else ()
            return len(boxes) * _looks(job.spec)
        if isinstance(job, BoxesJob) and job.dataset:
            boxes, _ = job.choose_boxes(_load(job.dataset))
            looks = sum(len(member.looks) for member in job.members)
            return len(boxes) * looks * (2 if job.decode.flip_test else 1)
        if isinstance(job, RefineJob) and job.spec:
            poses = _poses_to_refine(node)
            return None if poses is None else poses * _looks(job.spec)
        if isinstance(job, HeatmapsJob) and job.dataset and job.member:
            boxes = looked_at(job.dataset, _load(job.dataset), job.boxes)
            return len(boxes) * len(job.member.looks) * (2 if job.mirrored else 1)
    except KpkitError:
        return None  # the run itself will name the fault; a plan only lacks a number
    return 0


def _poses_to_refine(node: Node) -> int | None:
    """One pose of each box its ensemble looks at; None of results files, which are merged first."""
    seen = next((need for need in node.needs if isinstance(need.job, BoxesJob)), None)
    if seen is None or seen.missing:
        return None
    if seen.artefact.done:
        return int(_metrics(seen)["boxes"])
    assert isinstance(seen.job, BoxesJob) and seen.job.dataset
    return len(seen.job.choose_boxes(_load(seen.job.dataset))[0])


def needed_bytes(node: Node) -> int:
    """Disk an artefact takes while it is made: weights and two checkpoints, stored poses or heatmaps.

    Codes of heatmaps are counted as a byte a value: a trained network's compress to 0.25 (drawn peaks) to 0.6
    (small maps), one's that has learnt nothing may take 2. A search keeps half floats of the people.
    """
    job = node.job
    if node.missing or node.artefact.done:
        return 0
    if isinstance(job, TrainJob) and job.spec:
        copies = 4 if job.spec.training.ema else 3  # weights and two moments, and the average
        return _weight_bytes(job.spec) * (1 + 3 * copies)
    if isinstance(job, WeightsJob) and job.spec:
        return _weight_bytes(job.spec)
    if isinstance(job, BoxesJob):
        crops = _crops(node) or 0
        return crops * POSE_BYTES
    if isinstance(job, RefineJob) and job.spec:
        return (_crops(node) or 0) // _looks(job.spec) * POSE_BYTES
    if isinstance(job, HeatmapsJob) and job.member:
        return (_crops(node) or 0) * _map_values(job.member.spec) * (1 if job.format == "u8" else 2)
    if isinstance(job, SearchJob) and job.dataset:
        people = _load(job.dataset).people
        labelled = int(((people.num_labelled > 0) & ~people.crowd).sum())
        members = [need.job.member for need in node.needs if isinstance(need.job, HeatmapsJob)]
        return labelled * sum(_map_values(member.spec) * 2 for member in members if member)
    return 0


def _looks(spec: RecipeSpec) -> int:
    """At each crop, by a recipe's own decoding."""
    return 2 if spec.decode.flip_test else 1


def _map_values(spec: RecipeSpec) -> int:
    """Values of one crop's heatmaps."""
    network = weightless(spec.network)
    height, width = codec_of(spec, network).shape
    return network.keypoints * height * width


def _weight_bytes(spec: RecipeSpec) -> int:
    return sum(p.numel() for p in weightless(spec.network).parameters()) * 4


@lru_cache(maxsize=64)
def _load(dataset: Dataset, skeleton: str = COCO17.name) -> LoadedDataset:
    return load_dataset(dataset, SKELETONS[skeleton], check_pictures=False)


def _metrics(node: Node) -> dict[str, Any]:
    return read_artefact(node.artefact.folder).metrics
