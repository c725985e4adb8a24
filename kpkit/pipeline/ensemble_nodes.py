"""The nodes of an ensemble on a data set, and of a submission's entries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kpkit.cluster.jobs import Resources
from kpkit.core.errors import InputError
from kpkit.pipeline.artefacts import Artefact
from kpkit.pipeline.document_checks import check_members
from kpkit.pipeline.ensemble_job import EnsembleJob
from kpkit.pipeline.node import Node, hashed_tables, keys, needed_files
from kpkit.pipeline.submit_job import SubmitJob
from kpkit.specs.datasets import DatasetSpec
from kpkit.specs.ensemble import EnsembleSpec
from kpkit.specs.loader import Document, load

if TYPE_CHECKING:
    from kpkit.pipeline.graph import GraphBuilder


def ensemble_node(
    graph: GraphBuilder,
    document: Document,
    spec: EnsembleSpec,
    images: str,
    own: dict[str, DatasetSpec],
    val: bool,
) -> Node:
    """An ensemble on one data set, with every member's own poses on val."""
    missing: list[str] = []
    need = needed_files(spec.boxes.source)
    dataset = graph.dataset(document, images, spec.datasets | own, missing, need=need)
    members, needs = graph.members(spec.members, document)
    inputs = graph.inputs(boxes=dataset) | {n.artefact.name: n.artefact.key for n in needs}
    split = images.removeprefix("coco_")
    hashed = hashed_tables(spec) | {"split": images, "keep_members": val}
    artefact = Artefact("ensembles", f"{document.name}-on-{split}", hashed, inputs, graph.context.runs)
    if not artefact.done:
        check_members(document, {m.name: m.spec for m in members})
    job = EnsembleJob(
        artefact,
        keys(needs),
        Resources(gpu=True),
        dataset=dataset,
        members=members,
        common_stride=spec.common_stride,
        decode=spec.decode,
        keep_members=val,
        spec=spec,
    )
    return Node(artefact, job, needs, document, missing)


def ensemble_on_val(graph: GraphBuilder, document: Document) -> list[Node]:
    """An ensemble on the data set it is judged on. Raises InputError where the document names none."""
    if not document.spec.val:
        raise InputError("names no data set to judge it on", file=document.path, row="val")
    return [graph.ensemble(document, document.spec.val, document.spec.datasets, True)]


def submission_nodes(graph: GraphBuilder, document: Document) -> list[Node]:
    """One artefact per entry, and the ensemble judged on val beside them."""
    spec = document.spec
    ensemble = load(spec.ensemble, "ensemble", beside=document.path)
    nodes = [] if not ensemble.spec.val else ensemble_on_val(graph, ensemble)
    for entry in spec.entries:
        missing: list[str] = []
        dataset = graph.dataset(document, entry.images, spec.datasets | ensemble.spec.datasets, missing)
        poses = graph.ensemble(ensemble, entry.images, spec.datasets, False, entry.boxes)
        inputs = {"poses": poses.artefact.key}
        if dataset:
            inputs |= graph.annotations("images", dataset)
            if dataset.truth:
                inputs["truth"] = graph.context.hash(dataset.truth)
        hashed = hashed_tables(spec) | {"entries": entry.model_dump(mode="json")}
        name = f"{document.name}-{entry.profile}"
        artefact = Artefact("submissions", name, hashed, inputs, graph.context.runs)
        job = SubmitJob(
            artefact,
            keys([poses]),
            spec=spec,
            entry=entry,
            dataset=dataset,
            poses=poses.artefact.folder,
        )
        nodes.append(graph.add_node(Node(artefact, job, [poses], document, missing)))
    return nodes
