"""The nodes of stored heatmaps, and of what is asked of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kpkit.cluster.jobs import Resources
from kpkit.core.errors import InputError
from kpkit.ensembles.members import MemberFiles
from kpkit.heatmaps.store import KIND
from kpkit.pipeline.ablate_job import AblateJob
from kpkit.pipeline.artefacts import Artefact
from kpkit.pipeline.document_checks import check_members
from kpkit.pipeline.heatmaps_job import HeatmapsJob
from kpkit.pipeline.node import Node, hashed_tables, keys, needed_files
from kpkit.pipeline.search_job import SearchJob
from kpkit.pipeline.settings_grid import grid_tables
from kpkit.specs.datasets import Dataset, split_name
from kpkit.specs.ensemble import BoxesSpec
from kpkit.specs.loader import Document

if TYPE_CHECKING:
    from kpkit.pipeline.graph import GraphBuilder


def heatmaps_node(
    graph: GraphBuilder,
    document: Document,
    boxes: BoxesSpec,
    dataset: Dataset | None,
    member: MemberFiles,
    recipe: Node,
    missing: list[str],
) -> Node:
    """One member's heatmaps on an ensemble document's val boxes; shared by ensembles of the same boxes."""
    spec = document.spec
    hashed = {
        "split": spec.val,
        "boxes": boxes.model_dump(mode="json"),
        "views": member.looks,
        "mirrored": spec.decode.flip_test,
        "format": spec.heatmaps.format,
        "store": KIND,
    }
    inputs = graph.inputs(boxes=dataset) | {"recipe": recipe.artefact.key}
    name = f"{member.name}-on-{split_name(spec.val)}"
    artefact = Artefact("heatmaps", name, hashed, inputs, graph.context.runs)
    job = HeatmapsJob(
        artefact,
        keys([recipe]),
        Resources(gpu=True),
        dataset=dataset,
        boxes=boxes,
        member=member,
        mirrored=spec.decode.flip_test,
        format=spec.heatmaps.format,
    )
    return graph.add_node(Node(artefact, job, [recipe], document, list(missing)))


def stored_members(
    graph: GraphBuilder, document: Document, boxes: BoxesSpec
) -> tuple[list[tuple[str, Node]], Dataset | None, list[str]]:
    """Heatmaps of every member on val: names with nodes in document order, the data set, what is missing.

    Raises:
        InputError: the document names no val set, or one without annotations.
    """
    spec = document.spec
    missing: list[str] = []
    if not spec.val:
        raise InputError("names no data set to judge it on", file=document.path, row="val")
    need = needed_files(boxes.source)
    dataset = graph.dataset(document, spec.val, spec.datasets, missing, need=need, more=boxes.more)
    if dataset and dataset.format != "coco":
        cause = f"{spec.val} has no annotations to judge poses by"
        raise InputError(cause, file=document.path, row="val", remedy="name a labelled data set")
    members, needs = graph.members(spec.members, document)
    check_members(document, {member.name: member.spec for member in members})
    nodes = [
        (member.name, heatmaps_node(graph, document, boxes, dataset, member, recipe, missing))
        for member, recipe in zip(members, needs, strict=True)
    ]
    return nodes, dataset, missing


def search_node(graph: GraphBuilder, document: Document) -> Node:
    """The search for an ensemble's weights on its val set.

    Raises:
        InputError: a single member, or as ``stored_members``.
    """
    spec = document.spec
    if len(spec.members) < 2:
        raise InputError("one member has no weights to choose", file=document.path, row="members",
                         remedy="name two or more")  # fmt: skip
    stored, dataset, missing = stored_members(graph, document, spec.boxes)
    inputs = graph.inputs(boxes=dataset) | {name: node.artefact.key for name, node in stored}
    hashed = hashed_tables(spec) | {"split": spec.val, "search": spec.search.model_dump(mode="json")}
    name = f"{document.name}-on-{split_name(spec.val)}"
    artefact = Artefact("searches", name, hashed, inputs, graph.context.runs)
    nodes = [node for _, node in stored]
    job = SearchJob(
        artefact,
        keys(nodes),
        dataset=dataset,
        spec=spec,
        stores=tuple((name, node.artefact.folder) for name, node in stored),
    )
    return graph.add_node(Node(artefact, job, nodes, document, missing))


def ablation_node(graph: GraphBuilder, document: Document) -> Node:
    """The grid over an ensemble's post-processing on its val set.

    Heatmaps are stored on boxes before any NMS, which is part of the grid; fused boxes stay as they are.

    Raises:
        InputError: a grid that does not fit, or as ``stored_members``.
    """
    spec = document.spec
    tables = grid_tables(document)
    boxes = spec.boxes
    if boxes.nms != "fusion":
        boxes = boxes.model_copy(update={"nms": "none"})
    stored, dataset, missing = stored_members(graph, document, boxes)
    inputs = graph.inputs(boxes=dataset) | {name: node.artefact.key for name, node in stored}
    hashed = hashed_tables(spec) | {"split": spec.val, "grid": spec.grid.model_dump(mode="json")}
    name = f"{document.name}-on-{split_name(spec.val)}"
    artefact = Artefact("ablations", name, hashed, inputs, graph.context.runs)
    nodes = [node for _, node in stored]
    job = AblateJob(
        artefact,
        keys(nodes),
        dataset=dataset,
        spec=spec,
        stores=tuple((name, node.artefact.folder) for name, node in stored),
        tables=tuple(tables),
    )
    return graph.add_node(Node(artefact, job, nodes, document, missing))
