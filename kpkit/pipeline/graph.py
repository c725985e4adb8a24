"""From a document to the graph of artefacts it needs, each with its job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kpkit.cluster.jobs import Resources
from kpkit.core.errors import InputError
from kpkit.ensembles.members import WEIGHTS, MemberFiles
from kpkit.pipeline.artefacts import Artefact
from kpkit.pipeline.context import Context
from kpkit.pipeline.document_checks import check_members, check_network, check_start, check_weights
from kpkit.pipeline.ensemble_job import EnsembleJob
from kpkit.pipeline.job import ArtefactJob
from kpkit.pipeline.label_job import LabelJob
from kpkit.pipeline.mine_job import MineJob
from kpkit.pipeline.study_job import StudyJob, trainings
from kpkit.pipeline.submit_job import SubmitJob
from kpkit.pipeline.teachers_job import TeachersJob
from kpkit.pipeline.train_job import TrainJob
from kpkit.pipeline.weights_job import WeightsJob
from kpkit.specs.datasets import Dataset, DatasetSpec
from kpkit.specs.ensemble import BoxesSpec, EnsembleSpec, MemberSpec
from kpkit.specs.loader import Document, load

_NOT_HASHED = {"about", "kind", "datasets", "weights", "start"}
"""Tables that describe or locate; what they locate is hashed by content, with what is declared of it."""
_TEACHERS = {"teachers", "images", "boxes", "labelled", "min_box_score", "common_stride", "decode"}
"""What of a pseudo-label document shapes the teachers' poses; the rest selects among them."""


@dataclass
class Node:
    """One artefact of the graph.

    Attributes:
        artefact: identity; its hash is meaningless while ``missing`` is not empty.
        job: makes it.
        needs: nodes that must be done first.
        document: where it comes from.
        missing: sentences on inputs that are not there, its own and its needs'.
    """

    artefact: Artefact
    job: ArtefactJob
    needs: list[Node]
    document: Document
    missing: list[str] = field(default_factory=list)

    @property
    def title(self) -> str:
        """``recipes/tiny_cpn``."""
        return f"{self.artefact.kind}/{self.artefact.name}"


class GraphBuilder:
    """Follows names from document to document. One artefact has one node, however often it is named."""

    def __init__(self, context: Context, *, loader_workers: int = 0) -> None:
        self.context, self.loader_workers = context, loader_workers
        self.nodes: dict[tuple[str, str], Node] = {}  # in order: needs come before needers
        self._open: list[Path] = []

    def add(self, document: Document) -> list[Node]:
        """The nodes a document itself stands for (their needs are added as well).

        Raises:
            InputError: a document that is missing, wrong, or needs itself.
        """
        builders: dict[str, Callable[[Document], list[Node]]] = {
            "recipe": lambda d: [self.recipe(d)],
            "ensemble": self._ensemble_on_val,
            "pseudo_labels": lambda d: [self.pseudo_labels(d)],
            "submission": self._submission,
            "study": lambda d: [self.study(d)],
        }
        return builders[document.kind](document)

    def recipe(self, document: Document) -> Node:
        """A recipe's network: trained after what it starts from, its negatives and labels, or as it is."""
        key = f"{document.path.resolve()}@{document.name}"  # a study's variants share their recipe's path
        return self._once("recipes", document, lambda: self._recipe(document), key)

    def hard_negatives(self, document: Document) -> Node:
        """Mining for a recipe that names ``[data.H]``."""
        spec = document.spec.data.H
        if spec is None:
            raise InputError("the recipe names no [data.H]", file=document.path)
        missing: list[str] = []
        dataset = self._dataset(document, spec.boxes, document.spec.datasets, missing, need=("detections",))
        inputs = self._inputs(boxes=dataset)
        artefact = Artefact("hard_negatives", spec.boxes, _hashed(spec), inputs, self.context.runs)
        known = self.nodes.get(("hard_negatives", artefact.key))
        if known:
            return known
        return self._add(Node(artefact, MineJob(artefact, dataset=dataset, spec=spec), [], document, missing))

    def study(self, document: Document) -> Node:
        """A study's table, after its trainings."""
        return self._once("studies", document, lambda: self._study(document))

    def pseudo_labels(self, document: Document) -> Node:
        """Labelling, after its teachers are trained."""
        return self._once("pseudo_labels", document, lambda: self._pseudo_labels(document))

    def ensemble(
        self,
        document: Document,
        images: str,
        own: dict[str, DatasetSpec],
        val: bool,
        boxes: BoxesSpec | None = None,
    ) -> Node:
        """An ensemble on one data set; on val every member is judged too.

        ``boxes`` takes the place of the document's ``[boxes]``.
        """
        spec = document.spec if boxes is None else document.spec.model_copy(update={"boxes": boxes})
        key = f"{document.path}@{images}@{val}@{spec.boxes}"
        return self._once(
            "ensembles", document, lambda: self._ensemble(document, spec, images, own, val), key
        )

    def _ensemble_on_val(self, document: Document) -> list[Node]:
        if not document.spec.val:
            raise InputError("names no data set to judge it on", file=document.path, row="val")
        return [self.ensemble(document, document.spec.val, document.spec.datasets, True)]

    def _recipe(self, document: Document) -> Node:
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
                node = self.hard_negatives(document) if letter == "H" else self._labels_of(document)
                needs.append(node)
                made[letter] = node.artefact.folder
                inputs[letter] = node.artefact.key
                name = spec.data.H.boxes if letter == "H" else node.document.spec.images
            own = spec.datasets if letter != "U" else node.document.spec.datasets
            dataset = self._dataset(document, name, own, missing)
            if dataset:
                sources[letter] = dataset
            if letter in "AC":
                inputs |= self._annotations(letter, dataset)
        val = None
        if spec.data.val:
            need = _need(spec.data.val_boxes)
            val = self._dataset(document, spec.data.val, spec.datasets, missing, need=need)
            inputs |= {f"val_{k}": v for k, v in self._inputs(boxes=val).items()}
        weights = self._weights(document, missing)
        if spec.weights:
            inputs["weights"] = self.context.hash(weights)
        started = self._start(document)
        if started:
            needs.append(started)
            inputs["start"] = started.artefact.key
            weights = started.artefact.folder / WEIGHTS
        artefact = Artefact("recipes", document.name, _hashed(spec), inputs, self.context.runs)
        check_network(document, built=not artefact.done)
        if started and not artefact.done:
            check_start(document, started.document)
        if not spec.training.phases:
            if weights and not artefact.done:
                check_weights(document, weights)
            taken = WeightsJob(
                artefact, _keys(needs), Resources(gpu=True), spec=spec, weights=weights, val=val
            )
            return Node(artefact, taken, needs, document, missing)
        job = TrainJob(
            artefact,
            _keys(needs),
            Resources(gpu=True, workers=spec.training.workers),
            spec=spec,
            sources=sources,
            val=val,
            made=made,
            weights=weights,
            loader_workers=self.loader_workers,
        )
        return Node(artefact, job, needs, document, missing)

    @staticmethod
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

    def _start(self, document: Document) -> Node | None:
        """The recipe that a recipe's training starts from."""
        name = document.spec.start
        return self.recipe(load(name, "recipe", beside=document.path)) if name else None

    def _labels_of(self, document: Document) -> Node:
        return self.pseudo_labels(load(document.spec.data.U, "pseudo_labels", beside=document.path))

    def _pseudo_labels(self, document: Document) -> Node:
        spec = document.spec
        missing: list[str] = []
        sets = {
            "images": self._dataset(document, spec.images, spec.datasets, missing, need=_need(spec.boxes)),
            "labelled": self._dataset(document, spec.labelled, spec.datasets, missing),
        }
        if spec.audit:
            need = _need(spec.audit_boxes)
            sets["audit"] = self._dataset(document, spec.audit, spec.datasets, missing, need=need)
        # in this order: labels are worth making only where the audit finds them good
        roles = [role for role in ("audit", "images") if role in sets]
        seen = {role: self._teachers(document, sets, role, missing) for role in roles}
        inputs = self._inputs(images=sets["images"]) | self._annotations("labelled", sets["labelled"])
        for role, node in seen.items():
            inputs |= {n.artefact.name: n.artefact.key for n in node.needs}
            inputs[f"{role}_poses"] = node.artefact.key
        artefact = Artefact("pseudo_labels", document.name, _hashed(spec), inputs, self.context.runs)
        job = LabelJob(
            artefact,
            _keys(list(seen.values())),
            spec=spec,
            images=sets["images"],
            audit=sets.get("audit"),
            poses={role: node.artefact.folder for role, node in seen.items()},
        )
        return Node(artefact, job, list(seen.values()), document, missing)

    def _teachers(
        self, document: Document, sets: dict[str, Dataset | None], role: str, missing: list[str]
    ) -> Node:
        """A pseudo-label document's teachers on its pictures, or on its audit set."""
        spec = document.spec
        members, needs = self._members(spec.teachers, document)
        inputs = self._inputs(images=sets["images"]) | {n.artefact.name: n.artefact.key for n in needs}
        inputs |= self._annotations("labelled", sets["labelled"])
        looked_at = {"split": getattr(spec, role)}
        if role == "audit":
            inputs |= self._inputs(audit=sets["audit"])
            looked_at["audit_boxes"] = spec.audit_boxes
        hashed = {key: value for key, value in _hashed(spec).items() if key in _TEACHERS} | looked_at
        others = f"+{len(members) - 1}" if len(members) > 1 else ""
        name = f"{members[0].name}{others}-on-{getattr(spec, role).removeprefix('coco_')}"
        artefact = Artefact("teachers", name, hashed, inputs, self.context.runs)
        if not artefact.done:
            check_members(document, {m.name: m.spec for m in members})
        images = sets["images"]
        lists = []
        if images and role == "images":
            own = [dataset for key, dataset in sets.items() if key != "images" and dataset]
            lists = [*self.context.kept_apart(images), *own]
        job = TeachersJob(
            artefact,
            _keys(needs),
            Resources(gpu=True),
            dataset=sets[role],
            members=members,
            common_stride=spec.common_stride,
            decode=spec.decode,
            keep_members=len(members) > 1,
            spec=spec,
            images=images,
            labelled=sets["labelled"],
            lists=tuple({dataset.annotations: dataset for dataset in lists}.values()),
        )
        return self._add(Node(artefact, job, needs, document, list(missing)))

    def _ensemble(
        self,
        document: Document,
        spec: EnsembleSpec,
        images: str,
        own: dict[str, DatasetSpec],
        val: bool,
    ) -> Node:
        missing: list[str] = []
        need = _need(spec.boxes.source)
        dataset = self._dataset(document, images, spec.datasets | own, missing, need=need)
        members, needs = self._members(spec.members, document)
        inputs = self._inputs(boxes=dataset) | {n.artefact.name: n.artefact.key for n in needs}
        split = images.removeprefix("coco_")
        hashed = _hashed(spec) | {"split": images, "keep_members": val}
        artefact = Artefact("ensembles", f"{document.name}-on-{split}", hashed, inputs, self.context.runs)
        if not artefact.done:
            check_members(document, {m.name: m.spec for m in members})
        job = EnsembleJob(
            artefact,
            _keys(needs),
            Resources(gpu=True),
            dataset=dataset,
            members=members,
            common_stride=spec.common_stride,
            decode=spec.decode,
            keep_members=val,
            spec=spec,
        )
        return Node(artefact, job, needs, document, missing)

    def _submission(self, document: Document) -> list[Node]:
        """One artefact per entry, and the ensemble judged on val beside them."""
        spec = document.spec
        ensemble = load(spec.ensemble, "ensemble", beside=document.path)
        nodes = [] if not ensemble.spec.val else self._ensemble_on_val(ensemble)
        for entry in spec.entries:
            missing: list[str] = []
            dataset = self._dataset(document, entry.images, spec.datasets | ensemble.spec.datasets, missing)
            poses = self.ensemble(ensemble, entry.images, spec.datasets, False, entry.boxes)
            inputs = {"poses": poses.artefact.key}
            if dataset:
                inputs |= self._annotations("images", dataset)
                if dataset.truth:
                    inputs["truth"] = self.context.hash(dataset.truth)
            hashed = _hashed(spec) | {"entries": entry.model_dump(mode="json")}
            name = f"{document.name}-{entry.profile}"
            artefact = Artefact("submissions", name, hashed, inputs, self.context.runs)
            job = SubmitJob(
                artefact,
                _keys([poses]),
                spec=spec,
                entry=entry,
                dataset=dataset,
                poses=poses.artefact.folder,
            )
            nodes.append(self._add(Node(artefact, job, [poses], document, missing)))
        return nodes

    def _study(self, document: Document) -> Node:
        planned = trainings(document)
        needs = [self.recipe(training.document) for training in planned]
        keys = {f"{t.recipe}-seed{t.seed}": n.artefact.key for t, n in zip(planned, needs, strict=True)}
        told = {t.recipe: t.document.spec.about.published_ap for t in planned}
        hashed = _hashed(document.spec) | {"split": planned[0].document.spec.data.val, "published": told}
        artefact = Artefact("studies", document.name, hashed, keys, self.context.runs)
        folders = [node.artefact.folder for node in needs]
        job = StudyJob(artefact, _keys(needs), trainings=planned, folders=folders)
        return Node(artefact, job, needs, document)

    def _members(
        self, members: tuple[MemberSpec, ...], document: Document
    ) -> tuple[tuple[MemberFiles, ...], list[Node]]:
        nodes = [self.recipe(load(m.recipe, "recipe", beside=document.path)) for m in members]
        names = [node.artefact.name for node in nodes]
        if len(set(names)) != len(names):
            raise InputError("two members have one name", file=document.path, remedy="rename a recipe's file")
        files = tuple(
            MemberFiles(node.artefact.name, node.document.spec, node.artefact.folder, member.weight)
            for member, node in zip(members, nodes, strict=True)
        )
        return files, nodes

    def _dataset(
        self,
        document: Document,
        name: str,
        own: dict[str, DatasetSpec],
        missing: list[str],
        need: tuple[str, ...] = (),
    ) -> Dataset | None:
        return self.context.dataset(name, own, missing, need, named_in=document.path)

    def _inputs(self, **datasets: Dataset | None) -> dict[str, str]:
        """Hashes of a data set's annotations and detections."""
        hashes: dict[str, str] = {}
        for role, dataset in datasets.items():
            hashes |= self._annotations(f"{role}_annotations", dataset)
            if dataset and dataset.detections:
                hashes[f"{role}_detections"] = self.context.hash(dataset.detections)
        return hashes

    def _annotations(self, role: str, dataset: Dataset | None) -> dict[str, str]:
        """Hash of a data set's annotations, and what its document declares of them."""
        hashes = {role: self.context.hash(dataset.annotations if dataset else None)}
        if dataset and dataset.declared:
            hashes[f"{role}_declared"] = dataset.declared
        return hashes

    def _once(self, kind: str, document: Document, make: Callable[[], Node], key: str = "") -> Node:
        place = (kind, key or str(document.path.resolve()))
        if place not in self.nodes:
            path = document.path.resolve()
            if path in self._open:
                circle = " -> ".join(p.stem for p in [*self._open[self._open.index(path) :], path])
                raise InputError(f"documents need each other in a circle: {circle}", file=document.path)
            self._open.append(path)
            try:
                node = make()
            finally:
                self._open.pop()
            self._inherit_missing(node)
            self.nodes[place] = node
        return self.nodes[place]

    def _add(self, node: Node) -> Node:
        self._inherit_missing(node)
        return self.nodes.setdefault((node.artefact.kind, node.artefact.key), node)

    @staticmethod
    def _inherit_missing(node: Node) -> None:
        for need in node.needs:
            node.missing += [sentence for sentence in need.missing if sentence not in node.missing]


def _hashed(spec: Any) -> dict[str, Any]:
    """The tables of a document that shape its result."""
    dumped: dict[str, Any] = spec.model_dump(mode="json")
    return {key: value for key, value in dumped.items() if key not in _NOT_HASHED}


def _need(boxes: str) -> tuple[str, ...]:
    """What a data set must have besides its annotations, where boxes come from this source."""
    return ("detections",) if boxes == "detections" else ()


def _keys(nodes: list[Node]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(node.artefact.key for node in nodes))
