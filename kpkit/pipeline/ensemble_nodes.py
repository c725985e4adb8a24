"""The nodes of an ensemble on a data set, and of a submission's entries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kpkit.cluster.jobs import Resources
from kpkit.core.errors import InputError
from kpkit.pipeline.artefacts import Artefact
from kpkit.pipeline.document_checks import check_members
from kpkit.pipeline.ensemble_job import EnsembleJob
from kpkit.pipeline.merge_nodes import merge_node
from kpkit.pipeline.node import Node, hashed_tables, keys, needed_files
from kpkit.pipeline.refine_nodes import refined_ensemble, refiner_document
from kpkit.pipeline.submit_job import SubmitJob
from kpkit.specs.datasets import DatasetSpec, split_name
from kpkit.specs.ensemble import EnsembleSpec
from kpkit.specs.loader import Document, load
from kpkit.specs.poses import PosesSpec

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
    """An ensemble on one data set, with every member's own poses on val.

    Where results files are members, recipes are blended by a node of their own, which this one needs.
    """
    recipes = tuple(member for member in spec.members if member.recipe)
    if len(recipes) < len(spec.members):
        alone = spec.model_copy(update={"members": recipes, "poses": PosesSpec()})
        blend = _blend_node(graph, document, alone, images, own, val, "-recipes") if recipes else None
        return merge_node(graph, document, spec, images, own, graph.add_node(blend) if blend else None)
    return _blend_node(graph, document, spec, images, own, val)


def _blend_node(
    graph: GraphBuilder,
    document: Document,
    spec: EnsembleSpec,
    images: str,
    own: dict[str, DatasetSpec],
    val: bool,
    suffix: str = "",
) -> Node:
    """Recipes blended on one data set."""
    missing: list[str] = []
    need = needed_files(spec.boxes.source)
    datasets = spec.datasets | own
    dataset = graph.dataset(document, images, datasets, missing, need=need, more=spec.boxes.more)
    members, needs = graph.members(spec.members, document)
    inputs = graph.inputs(boxes=dataset) | {n.artefact.name: n.artefact.key for n in needs}
    hashed = hashed_tables(spec) | {"split": images, "keep_members": val}
    name = f"{document.name}{suffix}-on-{split_name(images)}"
    artefact = Artefact("ensembles", name, hashed, inputs, graph.context.runs)
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
    learned = _learned_on(nodes, document, ensemble)
    refiner = None if spec.refine == "none" else refiner_document(spec.refine, document, "refine")
    gate = _refined_on_val(graph, nodes, document, ensemble, refiner)
    for entry in spec.entries:
        missing: list[str] = []
        datasets = spec.datasets | ensemble.spec.datasets
        dataset = graph.dataset(document, entry.images, datasets, missing, pictures=False)
        poses = graph.ensemble(ensemble, entry.images, spec.datasets, False, entry.boxes)
        if refiner:
            chosen = gate if spec.refined == "gaining" else None
            poses = refined_ensemble(
                graph, document, refiner, poses, entry.images, datasets, spec.poses, chosen
            )
        inputs = {"poses": poses.artefact.key}
        if learned:
            inputs["scores"] = learned.artefact.key
        if dataset:
            inputs |= graph.annotations("images", dataset)
            if dataset.truth:
                inputs["truth"] = graph.context.hash(dataset.truth)
        hashed = hashed_tables(spec) | {"entries": entry.model_dump(mode="json")}
        needs = [poses, learned] if learned else [poses]
        name = f"{document.name}-{entry.profile}"
        artefact = Artefact("submissions", name, hashed, inputs, graph.context.runs)
        job = SubmitJob(
            artefact,
            keys(needs),
            spec=spec,
            entry=entry,
            dataset=dataset,
            poses=poses.artefact.folder,
            scores=learned.artefact.folder if learned else None,
        )
        nodes.append(graph.add_node(Node(artefact, job, needs, document, missing)))
    return nodes


def _refined_on_val(
    graph: GraphBuilder, nodes: list[Node], document: Document, ensemble: Document, refiner: Document | None
) -> Node | None:
    """The ensemble's poses on val, refined: what refinement is worth, and for which keypoints."""
    if refiner is None:
        return None
    if not nodes:
        if document.spec.refined == "all":
            return None
        raise InputError(
            f"no val set says which keypoints gain: the ensemble {ensemble.name} names none",
            file=document.path,
            row="refined",
            remedy="name its val, or refine all",
        )
    val, own, rules = ensemble.spec.val, ensemble.spec.datasets, document.spec.poses
    node = refined_ensemble(graph, document, refiner, nodes[0], val, own, rules)
    nodes.append(node)
    return node


def _learned_on(nodes: list[Node], document: Document, ensemble: Document) -> Node | None:
    """The ensemble on val, where a submission is ranked by the scores it learns there."""
    if document.spec.poses.scoring != "learned":
        return None
    if not nodes or ensemble.spec.poses.scoring != "learned":
        raise InputError(
            f"scores are to be learned, but the ensemble {ensemble.name} learns none",
            file=document.path,
            row="poses.scoring",
            remedy='write scoring = "learned" in its [poses], too, and name its val',
        )
    return nodes[0]
