"""What comes back from a labelling tool: its people gathered, recognised, numbered, compared with what was sent."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from kpkit.core.boxes import box_iou, box_of_keypoints
from kpkit.core.errors import InputError
from kpkit.core.instances import ImageTable, Instances
from kpkit.core.skeletons import Skeleton
from kpkit.data.coco import AREA_OF_BOX

MOVED = 0.02
"""Pixels above which a point or a box side counts as changed: the coarsest tool rounds to 1/100."""


@dataclass(frozen=True)
class Corrected:
    """Labels read back.

    Attributes:
        images: the pictures the file speaks of, in the order of the image list.
        people: their people, file order; id 0 where the file gives none.
    """

    images: ImageTable
    people: Instances


@dataclass
class Person:
    """One person as a reader finds it.

    Attributes:
        image_id: its picture.
        keypoints: (K, 3) x, y in image pixels, visibility.
        box: x, y, width, height; None takes the tight box of the labelled keypoints.
        id: the annotation id; 0 for a new person.
        score: what the labels were exported with; 1 for a person drawn by hand.
        source: the same; a person drawn by hand joins the pseudo labels.
        area_of_box: area over box area.
        crowd: a region of people nobody told apart.
    """

    image_id: int
    keypoints: np.ndarray
    box: tuple[float, float, float, float] | None
    id: int = 0
    score: float = 1.0
    source: str = "U"
    area_of_box: float = AREA_OF_BOX
    crowd: bool = False


def gather(people: list[Person], skeleton: Skeleton) -> Instances:
    """Instances of what was found, in the same order.

    Unlabelled keypoints become 0, 0, 0. An id that an earlier person has (a pasted copy) becomes 0.
    """
    keypoints = np.array([p.keypoints for p in people], np.float64).reshape(len(people), len(skeleton), 3)
    keypoints[keypoints[:, :, 2] == 0] = 0
    tight = box_of_keypoints(keypoints)
    box = np.array([tight[k] if p.box is None else p.box for k, p in enumerate(people)], np.float64)
    box = box.reshape(len(people), 4)
    ids = np.array([p.id for p in people], np.int64)
    copies = np.ones(len(ids), bool)
    copies[np.unique(ids, return_index=True)[1]] = False
    return Instances.of(
        np.array([p.image_id for p in people], np.int64),
        box,
        keypoints,
        score=np.array([p.score for p in people], np.float64),
        area=np.array([p.area_of_box for p in people], np.float64) * box[:, 2] * box[:, 3],
        crowd=np.array([p.crowd for p in people], bool),
        source=np.array([p.source for p in people], dtype="<U1"),
        id=np.where(copies, 0, ids),
        skeleton=skeleton,
    )


def area_of_box(people: Instances) -> np.ndarray:
    """(N,) area over box area, AREA_OF_BOX for a box without size."""
    box = people.box[:, 2] * people.box[:, 3]
    return np.divide(people.area, box, out=np.full(len(people), AREA_OF_BOX), where=box > 0)


def recognise(people: Instances, before: Instances) -> Instances:
    """Give people of a format without ids those of the exported ones.

    In each picture the pair of most overlapping boxes goes together first, down to an IoU of 0.5. A person
    that is recognised also takes over score, source and crowd flag, and the area in proportion to its box.
    """
    ids, score, source, ratio = (a.copy() for a in (people.id, people.score, people.source, area_of_box(people)))
    sent = area_of_box(before)
    for image in np.unique(people.image_id).tolist():
        mine, theirs = np.flatnonzero(people.image_id == image), np.flatnonzero(before.image_id == image)
        theirs = theirs[~before.crowd[theirs]]
        overlap = box_iou(people.box[mine], before.box[theirs])
        while overlap.size and overlap.max() >= 0.5:
            k, m = np.unravel_index(int(overlap.argmax()), overlap.shape)
            overlap[k], overlap[:, m] = -1, -1
            row, known = mine[k], theirs[m]
            ids[row], score[row] = before.id[known], before.score[known]
            source[row], ratio[row] = before.source[known], sent[known]
    area = ratio * people.box[:, 2] * people.box[:, 3]
    return people.with_(id=ids, score=score, source=source, area=area)


def number_new(people: Instances, taken: int) -> Instances:
    """Give people of id 0 ids after all others and after ``taken``, the largest one ever given."""
    new = people.id == 0
    first = max(int(people.id.max(initial=0)), taken, 0) + 1
    return people.with_(id=np.where(new, first - 1 + np.cumsum(new), people.id))


@dataclass(frozen=True)
class Changes:
    """How many people came back as they were, came back changed, are new, are gone."""

    kept: int
    changed: int
    added: int
    deleted: int

    def __str__(self) -> str:
        return f"{self.kept} kept, {self.changed} changed, {self.added} added, {self.deleted} deleted"


def changes(before: Instances, corrected: Corrected) -> Changes:
    """Compare by id with what was exported, in the pictures that came back (MOVED says what is a change)."""
    after = corrected.people
    before = before[corrected.images.rows_of(before.image_id) >= 0]
    _, old, new = np.intersect1d(before.id, after.id, return_indices=True)
    a, b = before[old].keypoints.copy(), after[new].keypoints
    a[a[:, :, 2] == 0] = 0
    moved = (np.abs(a - b) > MOVED).any(axis=(1, 2)) | (
        np.abs(before.box[old] - after.box[new]) > MOVED
    ).any(axis=1)
    changed = int(moved.sum())
    return Changes(len(old) - changed, changed, len(after) - len(old), len(before) - len(old))


@dataclass
class Pictures:
    """Finds the pictures that a tool names, and remembers which were named.

    Tools drop endings of names and drop or add folders: a name is looked for whole, then without its ending, then
    with more or fewer folders before it.

    Args:
        images: the image list.
        file: the tool's file, for errors.
    """

    images: ImageTable
    file: Path
    named: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._exact = {name: row for row, name in enumerate(self.images.file_name)}
        self._parts = [_parts(name) for name in self.images.file_name]
        self._by_stem: dict[str, list[int]] = defaultdict(list)
        for row, parts in enumerate(self._parts):
            self._by_stem[parts[-1]].append(row)

    def find(self, name: str, where: str) -> int:
        """Row of a picture.

        Args:
            name: what the tool calls it.
            where: where in the file, for errors.

        Raises:
            InputError: no such picture in the list, or several.
        """
        rows = self.look_for(name)
        if len(rows) != 1:
            cause = f"picture {name!r} is not in the image list"
            remedy = "give the list the labels were exported with"
            if rows:
                both = " or ".join(self.images.file_name[row] for row in rows[:2])
                cause, remedy = f"picture {name!r} could be {both}", "name pictures with their folders"
            raise InputError(cause, file=self.file, row=where, remedy=remedy)
        return rows[0]

    def look_for(self, name: str) -> list[int]:
        """Rows a name could mean, the closest way of reading it only."""
        if name in self._exact:
            return [self._exact[name]]
        parts = _parts(name)
        rows = self._by_stem.get(parts[-1], []) if parts else []
        same = [row for row in rows if self._parts[row] == parts]
        return same or [row for row in rows if _ends_with(self._parts[row], parts)]

    def take(self, row: int, where: str) -> int:
        """Note that the file speaks of a picture; returns its image id. Raises InputError for a second time."""
        if row in self.named:
            raise InputError(
                f"picture {self.images.file_name[row]!r} is there twice (first at {self.named[row]})",
                file=self.file,
                row=where,
                remedy="keep one of the two",
            )
        self.named[row] = where
        return int(self.images.id[row])

    def check_size(self, row: int, width: float, height: float, where: str) -> None:
        """Refuse a picture that the tool saw in another size (one turned by its EXIF orientation, say)."""
        known = int(self.images.width[row]), int(self.images.height[row])
        if known != (0, 0) and known != (width, height):
            raise InputError(
                f"picture {self.images.file_name[row]!r} is {width:g} x {height:g} here but "
                f"{known[0]} x {known[1]} in the image list",
                file=self.file,
                row=where,
                remedy="use the same pictures, without EXIF rotation",
            )

    def corrected(self, people: list[Person], skeleton: Skeleton) -> Corrected:
        """The result: the pictures named and their people."""
        rows = np.zeros(len(self.images), bool)
        rows[list(self.named)] = True
        return Corrected(self.images[rows], gather(people, skeleton))


def _parts(name: str) -> tuple[str, ...]:
    """Folders and file name, without its ending."""
    path = PurePosixPath(name.replace("\\", "/"))
    return path.with_suffix("").parts if path.name else ()


def _ends_with(a: tuple[str, ...], b: tuple[str, ...]) -> bool:
    """Whether the longer of two paths ends with the shorter one."""
    shorter = min(len(a), len(b))
    return a[-shorter:] == b[-shorter:]


_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")


def numbers(texts: Iterable[str]) -> list[float] | None:
    """Finite numbers of texts as tools write them; None when one is none (NaN, infinity, ``1_000``)."""
    found = list(texts)
    if not all(_PLAIN.fullmatch(text.strip()) for text in found):
        return None
    values = [float(text) for text in found]
    return values if np.isfinite(values).all() else None
