"""From a document to the graph of artefacts it needs, each with its job."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from copy import copy
from pathlib import Path

from kpkit.core.errors import InputError, KpkitError
from kpkit.ensembles.members import MemberFiles
from kpkit.heatmaps.blend import shares_of
from kpkit.pipeline.context import Context
from kpkit.pipeline.ensemble_nodes import ensemble_node, ensemble_on_val, submission_nodes
from kpkit.pipeline.heatmap_nodes import ablation_node, search_node
from kpkit.pipeline.held_out import HeldOut
from kpkit.pipeline.label_nodes import labels_node
from kpkit.pipeline.node import Node
from kpkit.pipeline.recipe_nodes import hard_negatives_node, recipe_node, study_node
from kpkit.specs.datasets import Dataset, DatasetSpec
from kpkit.specs.ensemble import BoxesSpec, DetectorSpec, MemberSpec
from kpkit.specs.loader import Document, load
from kpkit.specs.member import keypoint_weights


class GraphBuilder:
    """Follows names from document to document. One artefact has one node, however often it is named."""

    def __init__(self, context: Context, *, loader_workers: int = 0) -> None:
        self.context, self.loader_workers = context, loader_workers
        self.nodes: dict[tuple[str, str], Node] = {}  # in order: needs come before needers
        self.held_out: HeldOut | None = None
        self._open: list[Path] = []

    def without(self, held_out: HeldOut) -> GraphBuilder:
        """The same graph for documents that are to be taken without some pictures."""
        other = copy(self)
        other.held_out = held_out
        return other

    def named(self, document: Document, name: str, kind: str) -> Document:
        """A document that another one names, without the pictures held out."""
        found = load(name, kind, beside=document.path)
        return found if self.held_out is None else self.held_out.without(self, found)

    def add(self, document: Document) -> list[Node]:
        """The nodes a document itself stands for (their needs are added as well).

        Raises:
            InputError: a document that is missing, wrong, or needs itself.
        """
        builders: dict[str, Callable[[Document], list[Node]]] = {
            "recipe": lambda d: [self.recipe(d)],
            "ensemble": lambda d: ensemble_on_val(self, d),
            "pseudo_labels": lambda d: [self.pseudo_labels(d)],
            "submission": lambda d: submission_nodes(self, d),
            "study": lambda d: [self.study(d)],
        }
        return builders[document.kind](document)

    def recipe(self, document: Document) -> Node:
        """A recipe's network: trained after what it starts from, its negatives and labels, or as it is."""
        return self._once("recipes", document, lambda: recipe_node(self, document), self._variant(document))

    def hard_negatives(self, document: Document) -> Node:
        """Mining for a recipe that names ``[data.H]``."""
        return self.add_node(hard_negatives_node(self, document))

    def study(self, document: Document) -> Node:
        """A study's table, after its trainings."""
        return self._once("studies", document, lambda: study_node(self, document))

    def pseudo_labels(self, document: Document) -> Node:
        """Labelling, after its teachers are trained."""
        key = self._variant(document)
        return self._once("pseudo_labels", document, lambda: labels_node(self, document), key)

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
        key = f"{self._variant(document)}@{images}@{val}@{spec.boxes}"
        return self._once(
            "ensembles", document, lambda: ensemble_node(self, document, spec, images, own, val), key
        )

    def search(self, document: Document) -> Node:
        """The search for an ensemble's weights on its val set, after its members' heatmaps."""
        return search_node(self, document)

    def ablation(self, document: Document) -> Node:
        """The grid over an ensemble's post-processing on its val set, after its members' heatmaps."""
        return ablation_node(self, document)

    def members(
        self, members: tuple[MemberSpec, ...], document: Document
    ) -> tuple[tuple[MemberFiles, ...], list[Node]]:
        """Members' files and the nodes that make them, in the document's order; recipes only."""
        if any(member.results for member in members):
            raise InputError(
                "files of results are members of merged ensembles only",
                file=document.path,
                row="members",
                remedy="name recipes here",
            )
        nodes = [self.recipe(self.named(document, m.recipe, "recipe")) for m in members]
        names = [node.artefact.name for node in nodes]
        if len(set(names)) != len(names):
            raise InputError("two members have one name", file=document.path, remedy="rename a recipe's file")
        files = tuple(
            MemberFiles(
                node.artefact.name,
                node.document.spec,
                node.artefact.folder,
                keypoint_weights(member.weight),
                member.views,
            )
            for member, node in zip(members, nodes, strict=True)
        )
        try:
            shares_of([file.weight for file in files])
        except KpkitError as error:
            raise InputError(str(error), file=document.path, row="members") from None
        return files, nodes

    def dataset(
        self,
        document: Document,
        name: str,
        own: dict[str, DatasetSpec],
        missing: list[str],
        need: tuple[str, ...] = (),
        pictures: bool = True,
        more: tuple[DetectorSpec, ...] = (),
    ) -> Dataset | None:
        """A data set by name, with further detectors' files; what it lacks is added to ``missing``."""
        files = tuple(detector.detections for detector in more)
        where = document.path
        return self.context.dataset(name, own, missing, need, named_in=where, pictures=pictures, more=files)

    def inputs(self, **datasets: Dataset | None) -> dict[str, str]:
        """Hashes of a data set's annotations and detections."""
        hashes: dict[str, str] = {}
        for role, dataset in datasets.items():
            hashes |= self.annotations(f"{role}_annotations", dataset)
            if dataset and dataset.detections:
                hashes[f"{role}_detections"] = self.context.hash(dataset.detections)
            for number, path in enumerate(dataset.more_detections if dataset else ()):
                hashes[f"{role}_detections_{number + 2}"] = self.context.hash(path)
        return hashes

    def annotations(self, role: str, dataset: Dataset | None) -> dict[str, str]:
        """Hash of a data set's annotations, and what its document declares of them."""
        hashes = {role: self.context.hash(dataset.annotations if dataset else None)}
        if dataset and dataset.declared:
            hashes[f"{role}_declared"] = dataset.declared
        return hashes

    def _variant(self, document: Document) -> str:
        """What tells variants of one document apart.

        They share its path; those without the same fold of two data sets share their name as well.
        """
        held = self.held_out
        lacking = held.name if held and document.name.endswith(f"@{held.fold.rest}") else ""
        return f"{document.path.resolve()}@{document.name}@{lacking}"

    def _once(self, kind: str, document: Document, make: Callable[[], Node], key: str = "") -> Node:
        place = (kind, key or str(document.path.resolve()))
        if place not in self.nodes:
            with self.opened(document):
                node = make()
            self._inherit_missing(node)
            self.nodes[place] = node
        return self.nodes[place]

    @contextlib.contextmanager
    def opened(self, document: Document) -> Iterator[None]:
        """While the names in a document are followed; raises InputError where they lead back to it."""
        path = document.path.resolve()
        if path in self._open:
            circle = " -> ".join(p.stem for p in [*self._open[self._open.index(path) :], path])
            raise InputError(f"documents need each other in a circle: {circle}", file=document.path)
        self._open.append(path)
        try:
            yield
        finally:
            self._open.pop()

    def add_node(self, node: Node) -> Node:
        """A node, or the one that already makes its artefact."""
        self._inherit_missing(node)
        return self.nodes.setdefault((node.artefact.kind, node.artefact.key), node)

    @staticmethod
    def _inherit_missing(node: Node) -> None:
        for need in node.needs:
            node.missing += [sentence for sentence in need.missing if sentence not in node.missing]
