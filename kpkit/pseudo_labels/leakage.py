"""No picture is pseudo-labelled that is labelled already, or that results are judged on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from kpkit.core.errors import InputError
from kpkit.core.files import file_hash, safe_join
from kpkit.core.instances import ImageTable, Instances
from kpkit.core.visibility import CODES
from kpkit.data.aic import read_aic
from kpkit.data.image_lists import read_image_list
from kpkit.data.load import in_part
from kpkit.specs.datasets import KNOWN, Dataset

_PROBE = 4096
"""Bytes from a file's middle that tell most files of one size apart; only equal ones are read whole."""
_TELLING = 10
"""Letters that a file's name needs to tell a picture: COCO's numbers and AI Challenger's hashes have more."""


@dataclass(frozen=True)
class _Listed:
    """A data set's pictures."""

    dataset: Dataset
    images: ImageTable

    @property
    def coco(self) -> bool:
        """Whether the ids are COCO's, which tell pictures of all its splits apart."""
        return self.dataset.whole in KNOWN and self.dataset.name.startswith("coco_")

    def sizes(self) -> dict[int, list[int]]:
        """Bytes -> rows of the pictures that are there and have that many."""
        found: dict[int, list[int]] = {}
        folders: dict[Path, dict[str, int]] = {}
        for row, name in enumerate(self.images.file_name):
            path = safe_join(self.dataset.images, name)
            if path.parent not in folders:
                folders[path.parent] = _listing(path.parent)
            size = folders[path.parent].get(path.name)
            if size is not None:
                found.setdefault(size, []).append(row)
        return found

    def path(self, row: int) -> Path:
        return safe_join(self.dataset.images, self.images.file_name[row])


def refuse_leak(pictures: Dataset, lists: Sequence[Dataset]) -> None:
    """Refuse to label pictures that another data set holds: by id, by content, and by name.

    Ids count among COCO's own splits and within one picture folder; contents where both pictures are there;
    names of ten letters or more where the other one is not.

    Args:
        pictures: the data set to label.
        lists: data sets to keep apart from it; those without pictures are known by their lists alone.

    Raises:
        InputError: the first picture found in one of them, how it was recognised, and how many there are.
    """
    ours = _Listed(pictures, _images(pictures))
    sizes: dict[int, list[int]] | None = None
    for other in lists:
        theirs = _Listed(other, _images(other))
        if sizes is None:
            sizes = ours.sizes()
        for how, rows in (
            ("by its id", _same_id(ours, theirs)),
            ("by its content", _same_content(ours, sizes, theirs)),
            ("by its name", _same_name(ours, theirs)),
        ):
            if len(rows):
                name, image_id = ours.images.file_name[rows[0]], int(ours.images.id[rows[0]])
                more = f" (and {len(rows) - 1} more)" if len(rows) > 1 else ""
                raise InputError(
                    f"picture {name} (id {image_id}){more} is to be pseudo-labelled, but is one of "
                    f"{other.name}: told {how}",
                    file=pictures.annotations,
                    remedy=f"leave the pictures of {other.name} out of the list",
                )


def _images(dataset: Dataset) -> ImageTable:
    if dataset.format == "aic":
        images = read_aic(dataset.annotations, codes=CODES[dataset.visibility])[0]
    else:
        images = read_image_list(dataset.annotations)
    return in_part(dataset, images, Instances.empty())[0]


def _same_id(ours: _Listed, theirs: _Listed) -> np.ndarray:
    if not (ours.coco and theirs.coco) and ours.dataset.images.resolve() != theirs.dataset.images.resolve():
        return np.zeros(0, np.int64)
    return np.flatnonzero(theirs.images.rows_of(ours.images.id) >= 0)


def _same_content(ours: _Listed, sizes: dict[int, list[int]], theirs: _Listed) -> np.ndarray:
    """Rows of ours whose file equals one of theirs."""
    found = []
    for size, rows in theirs.sizes().items():
        if size not in sizes:
            continue
        probes: dict[bytes, list[int]] = {}
        for row in rows:
            probes.setdefault(_probe(theirs.path(row), size), []).append(row)
        for row in sizes[size]:
            suspects = probes.get(_probe(ours.path(row), size), [])
            if suspects:
                digest = file_hash(ours.path(row))
                if any(file_hash(theirs.path(suspect)) == digest for suspect in suspects):
                    found.append(row)
    return np.array(sorted(found), np.int64)


def _same_name(ours: _Listed, theirs: _Listed) -> np.ndarray:
    """Rows of ours whose name is one of theirs that is not there to be compared."""
    there = {row for rows in theirs.sizes().values() for row in rows}
    names = {_stem(name) for row, name in enumerate(theirs.images.file_name) if row not in there}
    stems = [_stem(name) for name in ours.images.file_name]
    return np.array([row for row, s in enumerate(stems) if len(s) >= _TELLING and s in names], np.int64)


def _stem(name: str) -> str:
    """A file's name without folder, ending, and what COCO 2014 set before the number."""
    stem = PurePosixPath(name).stem
    return stem.rpartition("_")[2] if stem.startswith("COCO_") else stem


def _listing(folder: Path) -> dict[str, int]:
    """Name -> size of a folder's files; empty for a folder that is not there."""
    if not folder.is_dir():
        return {}
    with os.scandir(folder) as entries:
        return {entry.name: entry.stat().st_size for entry in entries if entry.is_file()}


def _probe(path: Path, size: int) -> bytes:
    with open(path, "rb") as handle:
        handle.seek(max(size // 2 - _PROBE // 2, 0))
        return handle.read(_PROBE)
