"""The node of poses that a refiner learns from, where an ensemble makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kpkit.core.errors import InputError
from kpkit.core.parts import Part
from kpkit.pipeline.artefacts import Artefact
from kpkit.pipeline.folds_job import FoldsJob
from kpkit.pipeline.held_out import HeldOut
from kpkit.pipeline.node import Node, hashed_tables, keys
from kpkit.specs.datasets import Dataset, known_name, split_name
from kpkit.specs.ensemble import BoxesSpec
from kpkit.specs.loader import Document, load

if TYPE_CHECKING:
    from kpkit.pipeline.graph import GraphBuilder


def ensemble_poses(graph: GraphBuilder, document: Document, images: Dataset | None) -> Node:
    """What the ensemble that a refiner names sees: of C's pictures, out of fold or not, or of val's.

    Args:
        graph, document: the refiner's recipe.
        images: its data set C; None where it is not there.

    Raises:
        InputError: as ``HeldOut.without``; or C is a part of a data set.
    """
    spec = document.spec.refinement
    ensemble = load(spec.ensemble, "ensemble", beside=document.path)
    own = document.spec.datasets
    if spec.folds < 2:
        data = document.spec.data
        return graph.ensemble(ensemble, data.C if spec.folds else data.val, own, not spec.folds, spec.boxes)
    name, part = known_name(document.spec.data.C, own)
    if part is not None:
        cause = f"{document.spec.data.C} is a part already and cannot be dealt into folds"
        raise InputError(cause, file=document.path, row="data.C", remedy=f"name {name}")
    nodes: list[Node] = []
    for number in range(1, spec.folds + 1):
        fold = Part(number, spec.folds)
        view = graph.without(HeldOut(name, images, fold))
        member = view.named(document, spec.ensemble, "ensemble")
        nodes.append(view.ensemble(member, f"{name}@{fold}", own, False, spec.boxes))
    return graph.add_node(_joined(graph, ensemble, name, spec.boxes, images, nodes))


def _joined(
    graph: GraphBuilder,
    ensemble: Document,
    split: str,
    boxes: BoxesSpec | None,
    images: Dataset | None,
    nodes: list[Node],
) -> Node:
    """The poses of all folds as one: an ensemble's on the whole data set."""
    rules = ensemble.spec.poses.model_copy(update={"scoring": "mean"})
    spec = ensemble.spec.model_copy(update={"poses": rules, "boxes": boxes or ensemble.spec.boxes})
    hashed = hashed_tables(spec) | {"split": split, "folds": len(nodes)}
    inputs = graph.annotations("boxes_annotations", images) | {n.artefact.name: n.artefact.key for n in nodes}
    name = f"{ensemble.name}-out-of-{len(nodes)}-folds-on-{split_name(split)}"
    artefact = Artefact("ensembles", name, hashed, inputs, graph.context.runs)
    folders = tuple(node.artefact.folder for node in nodes)
    job = FoldsJob(artefact, keys(nodes), dataset=images, rules=rules, folds=folders)
    return Node(artefact, job, nodes, ensemble)
