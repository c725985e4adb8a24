"""Labels by what a user calls them: a pseudo-label document, its artefact, or a COCO annotation file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kpkit.core.errors import InputError
from kpkit.core.instances import ImageTable, Instances
from kpkit.data.annotation_cache import FOLDER
from kpkit.data.coco import read_annotations
from kpkit.data.image_lists import read_image_list
from kpkit.pipeline.artefacts import MANIFEST, read_artefact
from kpkit.specs.datasets import data_root, resolve
from kpkit.specs.loader import load


@dataclass
class Labels:
    """Labels and their pictures.

    Attributes:
        images: every picture.
        people: everybody in them.
        folder: where the pictures are; None where nothing tells.
        artefact: the pseudo-label artefact they are, if they are one.
    """

    images: ImageTable
    people: Instances
    folder: Path | None
    artefact: Path | None = None


def labels_of(source: str, *, data: Path | None, runs: Path, images: Path | None) -> Labels:
    """Find and read labels.

    Args:
        source: a COCO annotation file, the folder of a pseudo-label artefact, or a pseudo-label document.
        data: the folder of data sets; needed to find a document's artefact and pictures.
        runs: the folder of artefacts.
        images: the picture folder, in place of the one the source tells.

    Raises:
        InputError: no such source, labels that are not made yet, a faulty file, a missing picture folder.
    """
    if images is not None and not images.is_dir():
        raise InputError("the picture folder does not exist", file=images)
    path = Path(source)
    if path.is_file() and path.suffix in (".json", ".gz"):
        return Labels(*read_annotations(path, cache=runs / FOLDER), images)
    artefact = path if (path / MANIFEST).is_file() else _artefact(source, data, runs)
    manifest = read_artefact(artefact).manifest
    if manifest["kind"] != "pseudo_labels":
        cause = f"is an artefact of {manifest['kind']}, not of pseudo_labels"
        raise InputError(cause, file=artefact, remedy="name a folder of runs/pseudo_labels")
    from kpkit.pipeline.label_job import LABELS

    table, people = read_annotations(artefact / LABELS, cache=runs / FOLDER)
    pictures = images or _pictures(manifest["document"].get("images"), data)
    return Labels(table, people, pictures, artefact)


def _artefact(source: str, data: Path | None, runs: Path) -> Path:
    """The finished folder of a pseudo-label document."""
    from kpkit.pipeline.context import Context
    from kpkit.pipeline.graph import GraphBuilder

    node = GraphBuilder(Context(data, runs)).pseudo_labels(load(source, "pseudo_labels"))
    if node.missing:
        raise InputError(node.missing[0])
    if not node.artefact.done:
        remedy = f"make them: kpkit pseudo-label {source}"
        raise InputError("these labels are not made yet", file=node.artefact.folder, remedy=remedy)
    return node.artefact.folder


def _pictures(name: object, data: Path | None) -> Path | None:
    """The picture folder of a published data set; None for a document's own, or without a data folder."""
    try:
        return resolve(str(name), data_root(data)).images
    except InputError:
        return None


def labels_in(path: Path) -> tuple[ImageTable, Instances]:
    """The pictures of an image list; its people too where it is a person-keypoints annotation file."""
    try:
        return read_annotations(path)
    except InputError:
        return read_image_list(path), Instances.empty()
