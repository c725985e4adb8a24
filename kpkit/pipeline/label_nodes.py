"""The nodes of a pseudo-label document: its teachers on both sets of pictures, and the labelling."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kpkit.cluster.jobs import Resources
from kpkit.pipeline.artefacts import Artefact
from kpkit.pipeline.document_checks import check_members
from kpkit.pipeline.label_job import LabelJob
from kpkit.pipeline.node import Node, hashed_tables, keys, needed_files
from kpkit.pipeline.teachers_job import TeachersJob
from kpkit.specs.datasets import Dataset
from kpkit.specs.loader import Document

if TYPE_CHECKING:
    from kpkit.pipeline.graph import GraphBuilder

_TEACHERS = {"teachers", "images", "boxes", "labelled", "min_box_score", "common_stride", "decode"}
"""What of a pseudo-label document shapes the teachers' poses; the rest selects among them."""


def labels_node(graph: GraphBuilder, document: Document) -> Node:
    """Labelling, after the audit where the document asks for one."""
    spec = document.spec
    missing: list[str] = []
    sets = {
        "images": graph.dataset(document, spec.images, spec.datasets, missing, need=needed_files(spec.boxes)),
        "labelled": graph.dataset(document, spec.labelled, spec.datasets, missing),
    }
    if spec.audit:
        need = needed_files(spec.audit_boxes)
        sets["audit"] = graph.dataset(document, spec.audit, spec.datasets, missing, need=need)
    # in this order: labels are worth making only where the audit finds them good
    roles = [role for role in ("audit", "images") if role in sets]
    seen = {role: _teachers(graph, document, sets, role, missing) for role in roles}
    inputs = graph.inputs(images=sets["images"]) | graph.annotations("labelled", sets["labelled"])
    for role, node in seen.items():
        inputs |= {n.artefact.name: n.artefact.key for n in node.needs}
        inputs[f"{role}_poses"] = node.artefact.key
    artefact = Artefact("pseudo_labels", document.name, hashed_tables(spec), inputs, graph.context.runs)
    job = LabelJob(
        artefact,
        keys(list(seen.values())),
        spec=spec,
        images=sets["images"],
        audit=sets.get("audit"),
        poses={role: node.artefact.folder for role, node in seen.items()},
        teachers=tuple(n.artefact.name for n in seen["images"].needs),
    )
    return Node(artefact, job, list(seen.values()), document, missing)


def _teachers(
    graph: GraphBuilder, document: Document, sets: dict[str, Dataset | None], role: str, missing: list[str]
) -> Node:
    """A pseudo-label document's teachers on its pictures, or on its audit set."""
    spec = document.spec
    members, needs = graph.members(spec.teachers, document)
    inputs = graph.inputs(images=sets["images"]) | {n.artefact.name: n.artefact.key for n in needs}
    inputs |= graph.annotations("labelled", sets["labelled"])
    looked_at = {"split": getattr(spec, role)}
    if role == "audit":
        inputs |= graph.inputs(audit=sets["audit"])
        looked_at["audit_boxes"] = spec.audit_boxes
    hashed = {key: value for key, value in hashed_tables(spec).items() if key in _TEACHERS} | looked_at
    others = f"+{len(members) - 1}" if len(members) > 1 else ""
    name = f"{members[0].name}{others}-on-{getattr(spec, role).removeprefix('coco_')}"
    artefact = Artefact("teachers", name, hashed, inputs, graph.context.runs)
    if not artefact.done:
        check_members(document, {m.name: m.spec for m in members})
    images = sets["images"]
    lists = []
    if images and role == "images":
        own = [dataset for key, dataset in sets.items() if key != "images" and dataset]
        lists = [*graph.context.kept_apart(images), *own]
    job = TeachersJob(
        artefact,
        keys(needs),
        Resources(gpu=True),
        dataset=sets[role],
        members=members,
        common_stride=spec.common_stride,
        decode=spec.decode,
        keep_members=len(members) > 1,
        spec=spec,
        images=images,
        labelled=sets["labelled"],
        lists=tuple({(dataset.annotations, dataset.part): dataset for dataset in lists}.values()),
    )
    return graph.add_node(Node(artefact, job, needs, document, list(missing)))
