"""The nodes of refined poses: of an ensemble in a submission, and of a results file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kpkit.cluster.jobs import Resources
from kpkit.core.errors import InputError
from kpkit.data.load import load_dataset
from kpkit.pipeline.artefacts import Artefact
from kpkit.pipeline.node import Node, keys
from kpkit.pipeline.refine_job import RefineJob
from kpkit.specs.datasets import DatasetSpec, known_name, split_name
from kpkit.specs.loader import Document, load
from kpkit.specs.poses import PosesSpec

if TYPE_CHECKING:
    from kpkit.pipeline.graph import GraphBuilder


def refiner_document(name: str, beside: Document | None = None, row: str | None = None) -> Document:
    """The recipe of a refiner; raises InputError for one that refines nothing."""
    found = load(name, "recipe", beside=beside.path if beside else None)
    if found.spec.refinement is None:
        file = beside.path if beside else found.path
        remedy = "name a recipe of a posefix network"
        raise InputError(f"the recipe {found.name} does not refine poses", file=file, row=row, remedy=remedy)
    return found


def refined_ensemble(
    graph: GraphBuilder,
    document: Document,
    refiner: Document,
    poses: Node,
    images: str,
    own: dict[str, DatasetSpec],
    rules: PosesSpec,
    gate: Node | None = None,
) -> Node:
    """An ensemble's poses on a data set, refined; only where val says it helps, with a ``gate``."""
    trained = graph.recipe(refiner)
    missing: list[str] = []
    dataset = graph.dataset(document, images, own, missing)
    inputs = {"refiner": trained.artefact.key, "poses": poses.artefact.key}
    inputs |= graph.annotations("images", dataset)
    needs = [trained, poses]
    if gate:
        inputs["gate"] = gate.artefact.key
        needs.append(gate)
    hashed = {"poses": rules.model_dump(mode="json"), "split": images}
    name = f"{refiner.name}-on-{poses.artefact.name}"
    artefact = Artefact("refined", name, hashed, inputs, graph.context.runs)
    job = RefineJob(
        artefact,
        keys(needs),
        Resources(gpu=True),
        spec=refiner.spec,
        refiner=trained.artefact.folder,
        dataset=dataset,
        poses=poses.artefact.folder,
        rules=rules,
        gate=gate.artefact.folder if gate else None,
    )
    return graph.add_node(Node(artefact, job, needs, document, missing))


def refined_file(graph: GraphBuilder, refiner: Document, results: Path, images: str) -> Node:
    """The poses of a results file on a data set, one of the refiner's ``[datasets]`` or a known one, refined.

    Raises:
        InputError: a name that is no data set's; as ``RefineJob.given``, before anything is trained.
    """
    if not results.is_file():
        raise InputError("no such file", file=results)
    own = refiner.spec.datasets
    known_name(images, own)  # refused without a document's name, since none says it
    trained = graph.recipe(refiner)
    missing: list[str] = []
    dataset = graph.dataset(refiner, images, own, missing)
    inputs = {"refiner": trained.artefact.key, "poses": graph.context.hash(results)}
    inputs |= graph.annotations("images", dataset)
    name = f"{refiner.name}-on-{split_name(images)}"
    artefact = Artefact("refined", name, {"split": images}, inputs, graph.context.runs)
    job = RefineJob(
        artefact,
        keys([trained]),
        Resources(gpu=True),
        spec=refiner.spec,
        refiner=trained.artefact.folder,
        dataset=dataset,
        poses=results,
    )
    if dataset and not artefact.done:
        job.given(load_dataset(dataset, check_pictures=False))
    return graph.add_node(Node(artefact, job, [trained], refiner, missing))
