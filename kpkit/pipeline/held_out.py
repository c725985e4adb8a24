"""Documents as they are without some labelled pictures: what is trained from them has not seen those."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kpkit.core.errors import InputError
from kpkit.core.parts import Part
from kpkit.data.load import load_dataset
from kpkit.models.weights.manifest import manifest_path, read_manifest
from kpkit.specs.datasets import Dataset, DatasetSpec, known_name
from kpkit.specs.loader import Document, load, varied

if TYPE_CHECKING:
    from kpkit.pipeline.graph import GraphBuilder


@dataclass(frozen=True)
class HeldOut:
    """A fold of a data set's pictures that no training sees.

    Attributes:
        name: the data set, whole.
        files: where it lies; None where it is not there (data sets are then compared by name).
        fold: the pictures held out.
    """

    name: str
    files: Dataset | None
    fold: Part

    def without(self, graph: GraphBuilder, document: Document) -> Document:
        """The document whose networks learn from the other pictures; itself where they see none of these.

        Recipes show the other pictures in place of the data set, in every letter, and so do what they start
        from and the teachers of their labels; ensembles and pseudo-label documents name such recipes.

        Raises:
            InputError: networks of which nobody can tell what they have learnt from: results files, weights
                of another's training; or a data set that is a part already, or shares pictures under another
                list.
        """
        with graph.opened(document):
            tables, touched = _CHANGES[document.kind](self, graph, document)
        if not tables and not touched:
            return document
        return varied(document, f"{document.name}@{self.fold.rest}", tables, document.path)

    def named_without(self, graph: GraphBuilder, document: Document, name: str, kind: str) -> bool:
        """Whether a document that ``document`` names learns from these pictures."""
        found = load(name, kind, beside=document.path)
        return self.without(graph, found) is not found

    def other_pictures(self, graph: GraphBuilder, document: Document, name: str, row: str) -> str:
        """The name of a data set's part without these pictures; its own where it has none of them."""
        own: dict[str, DatasetSpec] = document.spec.datasets
        whole, part = known_name(name, own)
        found = graph.dataset(document, name, own, [], pictures=False)
        if found is None or self.files is None:
            same = whole == self.name
        else:
            same = found.annotations.resolve() == self.files.annotations.resolve()
            if not same and found.images.resolve() == self.files.images.resolve():
                self._refuse_shared(found, document, row)
        if not same:
            return name
        if part is not None:
            cause = f"{name} is a part already and cannot be dealt into folds"
            raise InputError(cause, file=document.path, row=row, remedy=f"name {whole}")
        return f"{name}@{self.fold.rest}"

    def _refuse_shared(self, found: Dataset, document: Document, row: str) -> None:
        """Refuse pictures that another list holds, too: their ids may differ, and so their folds."""
        assert self.files
        theirs, ours = (
            set(load_dataset(dataset, check_pictures=False).images.file_name)
            for dataset in (found, self.files)
        )
        if theirs & ours:
            raise InputError(
                f"{found.name} shares {len(theirs & ours)} pictures with {self.name}, by another list",
                file=document.path,
                row=row,
                remedy="name one data set in both",
            )


def _recipe(held: HeldOut, graph: GraphBuilder, document: Document) -> tuple[dict[str, Any], bool]:
    """What changes in a recipe, and whether it changes by what it names."""
    spec = document.spec
    _refuse_unknown_origin(held, document)
    letters = set("".join(spec.training.phases))
    data: dict[str, Any] = {}
    for letter in sorted(letters & set("AC")):
        name = getattr(spec.data, letter)
        other = held.other_pictures(graph, document, name, f"data.{letter}")
        if other != name:
            data[letter] = other
    if "H" in letters:
        name = spec.data.H.boxes
        other = held.other_pictures(graph, document, name, "data.H.boxes")
        if other != name:
            data["H"] = {"boxes": other}
    touched = bool(spec.start) and held.named_without(graph, document, spec.start, "recipe")
    if "U" in letters:
        touched |= held.named_without(graph, document, spec.data.U, "pseudo_labels")
    return {"data": data} if data else {}, touched


def _refuse_unknown_origin(held: HeldOut, document: Document) -> None:
    """Refuse weights that somebody else may have trained on the pictures."""
    spec = document.spec
    if not spec.weights:
        return
    path: Path = document.path.parent / spec.weights
    if spec.training.phases:
        if not path.is_file():
            return  # told where the recipe's own node is made
        if manifest_path(path).is_file() and read_manifest(path).part == "backbone":
            return
    raise InputError(
        f"{document.name} has weights of which nobody can tell whether they have learnt from {held.name}",
        file=document.path,
        row="weights",
        remedy="leave it out where poses are made out of fold, or train it here (from imported backbone "
        "weights, or with start)",
    )


def _pseudo_labels(held: HeldOut, graph: GraphBuilder, document: Document) -> tuple[dict[str, Any], bool]:
    """As ``_recipe``: its teachers, and the data sets it reads."""
    tables = {}
    for row in ("images", "labelled", "audit"):
        name = getattr(document.spec, row)
        other = held.other_pictures(graph, document, name, row) if name else name
        if other != name:
            tables[row] = other
    names = [teacher.recipe for teacher in document.spec.teachers if teacher.recipe]
    return tables, any(held.named_without(graph, document, name, "recipe") for name in names)


def _ensemble(held: HeldOut, graph: GraphBuilder, document: Document) -> tuple[dict[str, Any], bool]:
    """As ``_recipe``: its members. Its scores are plain ones, since it is judged fold by fold."""
    results = next((member for member in document.spec.members if member.results), None)
    if results is not None:
        raise InputError(
            f"nobody can tell whether the networks behind {results.results} have learnt from {held.name}",
            file=document.path,
            row="members",
            remedy="name an ensemble of recipes where poses are made out of fold",
        )
    return {"poses": {"scoring": "mean"}}, True


_CHANGES = {"recipe": _recipe, "pseudo_labels": _pseudo_labels, "ensemble": _ensemble}
