"""What comes back from a labelling tool: people gathered, recognised, numbered, compared with those sent."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from kpkit.core.boxes import box_iou, box_of_keypoints
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
        box: x, y, width, height; None goes round the pixels of the labelled keypoints.
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
    tight[:, 2:] += 1
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


def recognise(corrected: Corrected, before: Instances) -> Corrected:
    """Give what a format cannot hold back from the exported labels.

    In each picture the pair of most overlapping boxes goes together first, down to an IoU of 0.5. A person
    that is recognised takes over id, score and source, and the area in proportion to its box. Crowd regions
    come back as they were.
    """
    people = corrected.people
    crowds = before[before.crowd & (corrected.images.rows_of(before.image_id) >= 0)]
    before = before[~before.crowd]
    match = np.full(len(people), -1)
    sent = _by_picture(before.image_id)
    for image, mine in _by_picture(people.image_id).items():
        theirs = sent.get(image, np.zeros(0, np.int64))
        overlap = box_iou(people.box[mine], before.box[theirs])
        while overlap.size and overlap.max() >= 0.5:
            k, m = np.unravel_index(int(overlap.argmax()), overlap.shape)
            overlap[k], overlap[:, m] = -1, -1
            match[mine[k]] = theirs[m]
    known, found = match >= 0, before[match[match >= 0]]
    ratio = area_of_box(people)
    ids, score, source = people.id.copy(), people.score.copy(), people.source.copy()
    ids[known], score[known], source[known] = found.id, found.score, found.source
    ratio[known] = area_of_box(found)
    area = ratio * people.box[:, 2] * people.box[:, 3]
    people = people.with_(id=ids, score=score, source=source, area=area)
    return Corrected(corrected.images, Instances.concat([people, crowds]))


def _by_picture(image_id: np.ndarray) -> dict[int, np.ndarray]:
    """Rows of each picture."""
    order = np.argsort(image_id, kind="stable")
    images, first = np.unique(image_id[order], return_index=True)
    return dict(zip(images.tolist(), np.split(order, first[1:]), strict=True)) if len(images) else {}


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
    a, b = (np.where(k[:, :, 2:] > 0, k, 0) for k in (before[old].keypoints, after[new].keypoints))
    sides = np.abs(before.box[old] - after.box[new]) > MOVED
    changed = int(((np.abs(a - b) > MOVED).any(axis=(1, 2)) | sides.any(axis=1)).sum())
    return Changes(len(old) - changed, changed, len(after) - len(old), len(before) - len(old))


_PLAIN = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")


def numbers(texts: Iterable[str]) -> list[float] | None:
    """Finite numbers of texts as tools write them; None when one is none (NaN, infinity, ``1_000``)."""
    found = list(texts)
    for text in found:
        if not _PLAIN.fullmatch(text.strip()):
            return None
    values = [float(text) for text in found]
    return values if all(map(math.isfinite, values)) else None
