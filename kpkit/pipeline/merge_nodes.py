"""The node of an ensemble with results files among its members."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kpkit.core.errors import InputError
from kpkit.pipeline.artefacts import Artefact
from kpkit.pipeline.merge_job import HEATMAPS, MergeJob
from kpkit.pipeline.node import Node, hashed_tables, keys
from kpkit.specs.datasets import DatasetSpec, placed_in_split, split_name
from kpkit.specs.ensemble import EnsembleSpec
from kpkit.specs.loader import Document
from kpkit.specs.member import keypoint_weights

if TYPE_CHECKING:
    from kpkit.pipeline.graph import GraphBuilder


def merge_node(
    graph: GraphBuilder,
    document: Document,
    spec: EnsembleSpec,
    images: str,
    own: dict[str, DatasetSpec],
    blend: Node | None,
) -> Node:
    """Results files merged with one another and with the recipes' blend, which ``blend`` makes."""
    missing: list[str] = []
    dataset = graph.dataset(document, images, spec.datasets | own, missing, pictures=False)
    inputs = graph.annotations("boxes_annotations", dataset)
    found: list[tuple[str, Path, float]] = []
    for member in spec.members:
        if not member.results:
            continue
        path = document.path.parent / placed_in_split(member.results, images)
        name = member.name
        if not path.is_file():
            remedy = "put it there; its place is relative to the document"
            missing.append(str(InputError("no such results file", file=path, remedy=remedy)))
        inputs[name] = graph.context.hash(path if path.is_file() else None)
        weight = member.weight
        assert isinstance(weight, float)
        found.append((name, path, weight))
    names = [name for name, _, _ in found] + [HEATMAPS] * (blend is not None)
    if len(set(names)) != len(names):
        raise InputError(
            f"two members have one name ({', '.join(names)})",
            file=document.path,
            row="members",
            remedy="rename a file",
        )
    needs = [] if blend is None else [blend]
    if blend is not None:
        inputs |= blend.artefact.inputs | {HEATMAPS: blend.artefact.key}
    hashed = hashed_tables(spec) | {"split": images}
    name = f"{document.name}-on-{split_name(images)}"
    artefact = Artefact("ensembles", name, hashed, inputs, graph.context.runs)
    recipes = [member for member in spec.members if member.recipe]
    job = MergeJob(
        artefact,
        keys(needs),
        spec=spec,
        dataset=dataset,
        results=tuple(found),
        blend=blend.artefact.folder if blend else None,
        blend_weight=float(sum(np.mean(keypoint_weights(member.weight)) for member in recipes)),
    )
    return Node(artefact, job, needs, document, missing)
