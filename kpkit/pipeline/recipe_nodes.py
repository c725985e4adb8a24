"""The nodes of recipes: trainings and what they start from, the mining for them, studies over them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kpkit.cluster.jobs import Resources
from kpkit.core.errors import InputError
from kpkit.ensembles.members import WEIGHTS
from kpkit.pipeline.artefacts import Artefact
from kpkit.pipeline.boxes_job import BLEND
from kpkit.pipeline.document_checks import check_network, check_start, check_weights, start_source
from kpkit.pipeline.fold_nodes import ensemble_poses
from kpkit.pipeline.mine_job import MineJob
from kpkit.pipeline.node import Node, hashed_tables, keys, needed_files
from kpkit.pipeline.study_job import StudyJob, trainings
from kpkit.pipeline.train_job import TrainJob
from kpkit.pipeline.weights_job import WeightsJob
from kpkit.specs.datasets import Dataset
from kpkit.specs.loader import Document

if TYPE_CHECKING:
    from kpkit.pipeline.graph import GraphBuilder


def recipe_node(graph: GraphBuilder, document: Document) -> Node:
    """A recipe's network: taken as it is where no phase trains it."""
    spec = document.spec
    missing: list[str] = []
    needs: list[Node] = []
    sources: dict[str, Dataset] = {}
    made: dict[str, Path] = {}
    inputs: dict[str, str] = {}
    letters = dict.fromkeys("".join(spec.training.phases))
    for letter in sorted(letters):
        if letter in "AC":
            name = getattr(spec.data, letter)
        else:
            node = graph.hard_negatives(document) if letter == "H" else _labels_of(graph, document)
            needs.append(node)
            made[letter] = node.artefact.folder
            inputs[letter] = node.artefact.key
            name = spec.data.H.boxes if letter == "H" else node.document.spec.images
        own = spec.datasets if letter != "U" else node.document.spec.datasets
        dataset = graph.dataset(document, name, own, missing)
        if dataset:
            sources[letter] = dataset
        if letter in "AC":
            inputs |= graph.annotations(letter, dataset)
    val = None
    if spec.data.val:
        need = needed_files(spec.data.val_boxes)
        val = graph.dataset(document, spec.data.val, spec.datasets, missing, need=need)
        inputs |= {f"val_{k}": v for k, v in graph.inputs(boxes=val).items()}
    poses, rules = _input_poses(document, missing), None
    if poses:
        inputs["poses"] = graph.context.hash(poses)
    elif spec.refinement and spec.refinement.ensemble and letters:
        seen = ensemble_poses(graph, document, sources.get("C"))
        needs.append(seen)
        inputs["poses"] = seen.artefact.key
        poses, rules = seen.artefact.folder / BLEND, seen.document.spec.poses
    weights = _weights(document, missing)
    if spec.weights:
        inputs["weights"] = graph.context.hash(weights)
    started = _start(graph, document)
    if started:
        needs.append(started)
        inputs["start"] = started.artefact.key
        weights = started.artefact.folder / WEIGHTS
    artefact = Artefact("recipes", document.name, hashed_tables(spec), inputs, graph.context.runs)
    check_network(document, built=not artefact.done)
    if started and not artefact.done:
        check_start(document, started.document)
    if not spec.training.phases:
        if weights and not artefact.done:
            check_weights(document, weights)
        taken = WeightsJob(artefact, keys(needs), Resources(gpu=True), spec=spec, weights=weights, val=val)
        return Node(artefact, taken, needs, document, missing)
    job = TrainJob(
        artefact,
        keys(needs),
        Resources(gpu=True, workers=spec.training.workers),
        spec=spec,
        sources=sources,
        val=val,
        made=made,
        weights=weights,
        source=start_source(document, started.document) if started else "kpkit",
        poses=poses,
        rules=rules,
        loader_workers=graph.loader_workers,
    )
    return Node(artefact, job, needs, document, missing)


def hard_negatives_node(graph: GraphBuilder, document: Document) -> Node:
    """Mining for a recipe. Raises InputError where it names no ``[data.H]``."""
    spec = document.spec.data.H
    if spec is None:
        raise InputError("the recipe names no [data.H]", file=document.path)
    missing: list[str] = []
    dataset = graph.dataset(document, spec.boxes, document.spec.datasets, missing, need=("detections",))
    inputs = graph.inputs(boxes=dataset)
    artefact = Artefact("hard_negatives", spec.boxes, hashed_tables(spec), inputs, graph.context.runs)
    return Node(artefact, MineJob(artefact, dataset=dataset, spec=spec), [], document, missing)


def study_node(graph: GraphBuilder, document: Document) -> Node:
    """A study's table over its trainings."""
    planned = trainings(document)
    needs = [graph.recipe(training.document) for training in planned]
    inputs = {f"{t.recipe}-seed{t.seed}": n.artefact.key for t, n in zip(planned, needs, strict=True)}
    told = {t.recipe: t.document.spec.about.published_ap for t in planned}
    hashed = hashed_tables(document.spec) | {"split": planned[0].document.spec.data.val, "published": told}
    artefact = Artefact("studies", document.name, hashed, inputs, graph.context.runs)
    folders = [node.artefact.folder for node in needs]
    job = StudyJob(artefact, keys(needs), trainings=planned, folders=folders)
    return Node(artefact, job, needs, document)


def _weights(document: Document, missing: list[str]) -> Path | None:
    """The file a recipe starts from; what is not there is added to ``missing``."""
    if not document.spec.weights:
        return None
    path = document.path.parent / document.spec.weights
    if path.is_file():
        return path
    remedy = "make it with 'kpkit import-weights', or give its path from the document's folder"
    missing.append(str(InputError("no such weights file", file=path, remedy=remedy)))
    return None


def _input_poses(document: Document, missing: list[str]) -> Path | None:
    """The results a refiner learns from; what is not there is added to ``missing``."""
    spec = document.spec.refinement
    if spec is None or not spec.poses:
        return None
    path = document.path.parent / spec.poses
    if path.is_file():
        return path
    remedy = "give its path from the document's folder"
    missing.append(str(InputError("no such results file", file=path, row="refinement.poses", remedy=remedy)))
    return None


def _start(graph: GraphBuilder, document: Document) -> Node | None:
    """The recipe that a recipe's training starts from."""
    name = document.spec.start
    return graph.recipe(graph.named(document, name, "recipe")) if name else None


def _labels_of(graph: GraphBuilder, document: Document) -> Node:
    return graph.pseudo_labels(graph.named(document, document.spec.data.U, "pseudo_labels"))
