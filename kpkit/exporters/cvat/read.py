"""Reads CVAT's XML: shapes of a picture, put together to people."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kpkit.core.errors import InputError
from kpkit.core.instances import SOURCES, ImageTable
from kpkit.core.skeletons import COCO17, Skeleton
from kpkit.data.coco import AREA_OF_BOX
from kpkit.exporters.corrected import Corrected, Person, gather, numbers
from kpkit.exporters.cvat.labels import BOX, CROWD, PERSON
from kpkit.exporters.cvat.xml import LABELS, image_elements
from kpkit.exporters.pictures import Pictures

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_NOISE = 9
"""Decimals to which a box side is rounded: the difference of two corners is not exact in binary."""


def read_cvat(path: Path, images: ImageTable, *, skeleton: Skeleton = COCO17) -> Corrected:
    """Read "CVAT for images 1.1": the XML, the zip CVAT makes of it, or a folder that holds it.

    A skeleton and a box are one person when they share an id or a group; a box left over goes to the one
    skeleton left over most of whose labelled points it holds. A skeleton without box gets the tight box of
    its points. A box whose skeleton was deleted is gone with it.

    Args:
        path: the file or folder.
        images: the image list.
        skeleton: what the keypoints are.

    Returns:
        the pictures the file lists; people with id, score, source and area as they were sent; 0, 1, "U" and
        0.53 x the box for those drawn by hand.

    Raises:
        InputError: no XML of CVAT's, broken, with a document type (which could define entities), or of video
            tracks; a picture the list lacks or of another size; an unknown label, keypoint or shape.
    """
    pictures = Pictures(images, path)
    people: list[Person] = []
    for frame, element in enumerate(image_elements(path)):
        name = element.get("name") or ""
        where = f"image {frame} ({name})"
        row = pictures.find(name, where)
        image_id = pictures.take(row, where)
        reader = _Reader(path, where, image_id, skeleton)
        if element.get("width") and element.get("height"):
            width, height = reader.values(element, ("width", "height"), where)
            pictures.check_size(row, width, height, where)
        people += reader.people(element)
    return Corrected(pictures.seen, gather(people, skeleton))


@dataclass(eq=False)
class _Shape:
    """A skeleton (with keypoints) or a rectangle (with a box) of one picture, and its text attributes."""

    where: str
    group: str
    told: dict[str, str]
    keypoints: np.ndarray | None = None
    box: tuple[float, float, float, float] | None = None


@dataclass(frozen=True)
class _Reader:
    """The shapes of one picture."""

    path: Path
    where: str
    image_id: int
    skeleton: Skeleton

    def people(self, image: Element) -> Iterator[Person]:
        """Everybody in the picture: those with a skeleton, those with a box alone, crowds."""
        skeletons: list[_Shape] = []
        boxes: list[_Shape] = []
        crowds: list[_Shape] = []
        for number, element in enumerate(image):
            kind = (element.tag, element.get("label"))
            if element.tag == "tag":  # says something of the whole picture
                continue
            shape = _Shape(
                f"{self.where}, {element.tag} {number}", element.get("group_id") or "", _told(element)
            )
            if kind == ("skeleton", PERSON):
                shape.keypoints = self._keypoints(element, shape.where)
                skeletons.append(shape)
            elif kind in (("box", BOX), ("box", CROWD)):
                shape.box = self._box(element, shape.where)
                (boxes if kind[1] == BOX else crowds).append(shape)
            else:
                cause = f"a {kind[0]} labelled {kind[1]!r} is unknown"
                remedy = f"people are a skeleton {PERSON!r} and a box {BOX!r}, groups a box {CROWD!r}"
                raise self._fault(cause, shape.where, f"{remedy}; remove the rest")
        pairs = self._pairs(skeletons, boxes)
        for person, box in pairs:
            yield self._person(person, box)
        for crowd in crowds:
            yield self._person(None, crowd, crowd=True)

    def _pairs(
        self, skeletons: list[_Shape], boxes: list[_Shape]
    ) -> list[tuple[_Shape | None, _Shape | None]]:
        """Which skeleton goes with which box."""
        box_of: dict[_Shape, _Shape] = {}
        free = list(boxes)
        keys: tuple[Callable[[_Shape], str], ...] = (lambda s: s.told.get("id", ""), lambda s: s.group)
        for key in keys:
            waiting: dict[str, _Shape] = {}
            for shape in skeletons:
                if shape not in box_of and key(shape):
                    waiting.setdefault(key(shape), shape)
            for box in list(free):
                if key(box) in waiting:
                    box_of[waiting.pop(key(box))] = box
                    free.remove(box)
        alone: list[_Shape] = []
        for box in free:
            held = [shape for shape in skeletons if shape not in box_of and _holds(box, shape)]
            if len(held) == 1:
                box_of[held[0]] = box
            elif not box.told.get("id"):
                cause = f"a box {BOX!r} belongs to no skeleton"
                raise self._fault(cause, box.where, "group it with its skeleton (G), or remove it")
            elif box.told.get("keypoints") == "0":
                alone.append(box)
            # else its skeleton was deleted, and the person with it
        return [*((shape, box_of.get(shape)) for shape in skeletons), *((None, box) for box in alone)]

    def _person(self, shape: _Shape | None, box: _Shape | None, crowd: bool = False) -> Person:
        shapes = [s for s in (box, shape) if s]
        told = {
            name: text for s in shapes for name, text in s.told.items() if text
        }  # the skeleton's word counts
        where = shapes[-1].where
        found = numbers([told.get("score", "1"), told.get("area_of_box", str(AREA_OF_BOX))])
        number = told.get("id", "0")
        if found is None or found[1] < 0 or not re.fullmatch(r"-?[0-9]{1,18}", number):
            remedy = "leave id, score and area_of_box as they were exported, or empty"
            raise self._fault("an attribute holds no such number", where, remedy)
        source = told.get("source", "U")
        if source not in SOURCES:
            raise self._fault(f"the source {source!r} is unknown", where, f"one of {', '.join(SOURCES)}")
        keypoints = np.zeros((len(self.skeleton), 3))
        return Person(
            self.image_id,
            keypoints if shape is None or shape.keypoints is None else shape.keypoints,
            box.box if box else None,
            id=int(number),
            score=found[0],
            source=source,
            area_of_box=found[1],
            crowd=crowd,
        )

    def _keypoints(self, element: Element, where: str) -> np.ndarray:
        """(K, 3) keypoints of a skeleton; missing elements are unlabelled."""
        keypoints = np.zeros((len(self.skeleton), 3))
        seen = set()
        for points in element:
            if points.tag == "attribute":
                continue
            name = points.get("label") or ""
            if points.tag != "points" or name not in self.skeleton.keypoints:
                cause = f"{points.tag} {name!r} is no keypoint of skeleton {self.skeleton.name}"
                raise self._fault(cause, where, f"use the labels of {LABELS}")
            if name in seen:
                raise self._fault(f"keypoint {name} is there twice", where, "remove one")
            seen.add(name)
            values = numbers((points.get("points") or "").split(","))
            if values is None or len(values) != 2:
                raise self._fault(f"keypoint {name} must have one point 'x,y'", where, "export it again")
            if points.get("outside") != "1":
                hidden = points.get("occluded") == "1"
                keypoints[self.skeleton.index(name)] = (*values, 1 if hidden else 2)
        return keypoints

    def _box(self, element: Element, where: str) -> tuple[float, float, float, float]:
        x1, y1, x2, y2 = self.values(element, ("xtl", "ytl", "xbr", "ybr"), where)
        if element.get("rotation", "0").strip("0."):
            raise self._fault("the box is rotated", where, "draw it upright")
        if x2 < x1 or y2 < y1:
            raise self._fault("the box's corners are the wrong way round", where, "export it again")
        return x1, y1, round(x2 - x1, _NOISE), round(y2 - y1, _NOISE)

    def values(self, element: Element, names: tuple[str, ...], where: str) -> list[float]:
        """Numbers of XML attributes."""
        values = numbers(element.get(name) or "" for name in names)
        if values is None:
            raise self._fault(f"{', '.join(names)} must be finite numbers", where, "export it again")
        return values

    def _fault(self, cause: str, where: str, remedy: str) -> InputError:
        return InputError(cause, file=self.path, row=where, remedy=remedy)


def _holds(box: _Shape, shape: _Shape) -> bool:
    """Whether most of a skeleton's labelled points lie in a box."""
    assert box.box and shape.keypoints is not None
    low, size = np.array(box.box[:2]), np.array(box.box[2:])
    points = shape.keypoints[shape.keypoints[:, 2] > 0, :2]
    inside = ((points >= low) & (points <= low + size)).all(axis=1)
    return len(points) > 0 and float(inside.mean()) > 0.5


def _told(element: Element) -> dict[str, str]:
    """The text attributes of a shape."""
    return {a.get("name") or "": (a.text or "").strip() for a in element if a.tag == "attribute"}
