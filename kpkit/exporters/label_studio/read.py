"""Reads Label Studio's JSON export: regions of a task, put together to people."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec
import numpy as np

from kpkit.core.errors import InputError
from kpkit.core.instances import SOURCES, ImageTable
from kpkit.core.skeletons import COCO17, Skeleton
from kpkit.data.coco import AREA_OF_BOX
from kpkit.data.json_rows import decode_document, decode_rows, read_bytes, row_label
from kpkit.exporters.corrected import Corrected, Person, gather
from kpkit.exporters.label_studio.names import CROWD, MODEL, OCCLUDED, PERSON, TASKS
from kpkit.exporters.pictures import Pictures

DECIMALS = 4
"""Coordinates are rounded to 1/10000 pixel, which returns whole pixels exactly."""

_SAID = {"choices", "textarea", "rating", "number", "datetime", "taxonomy", "ranker", "pairwise"}
"""Results that say something instead of marking a place."""


class _Value(msgspec.Struct):
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0
    rotation: float = 0.0
    keypointlabels: list[str] = []
    rectanglelabels: list[str] = []
    choices: list[Any] = []


class _Region(msgspec.Struct):
    type: str
    id: str = ""
    value: _Value = msgspec.field(default_factory=_Value)
    parent: str | None = msgspec.field(default=None, name="parentID")
    from_id: str = ""
    to_id: str = ""
    original_width: float | None = None
    original_height: float | None = None
    image_rotation: float | None = 0
    score: float | None = None
    meta: dict[str, Any] | None = None


class _Annotation(msgspec.Struct):
    result: list[_Region]
    was_cancelled: bool = False
    ground_truth: bool = False
    updated_at: str = ""
    model_version: str | None = None


class _Task(msgspec.Struct):
    data: dict[str, Any]
    annotations: list[_Annotation] | None = None
    predictions: list[msgspec.Raw] = []
    file_upload: str | None = None


def read_label_studio(path: Path, images: ImageTable, *, skeleton: Skeleton = COCO17) -> Corrected:
    """Read Label Studio's JSON export (not JSON-MIN), or tasks as write_label_studio writes them.

    Of several annotations of a task the one marked as ground truth counts, else the one updated last. A task
    that nobody has annotated keeps the labels it was sent with; one that annotators skipped is left out.
    A keypoint belongs to its parent region, else to the rectangle it has a relation with, else to the only
    person whose box holds it and who has none of its name.

    Args:
        path: the file, or a folder that holds ``tasks.json``.
        images: the image list.
        skeleton: what the keypoints are.

    Returns:
        the pictures of the tasks; people with id, score, source and area as they were sent, or 0, 1, "U" and
        0.53 x the box for those drawn by hand.

    Raises:
        InputError: broken or another format; a picture the list lacks or of another size; an unknown label or
            kind of region; a keypoint that is nobody's or there twice; something rotated.
    """
    path = path / TASKS if path.is_dir() else path
    what = "Label Studio's JSON export (a list of tasks)"
    raws = decode_document(read_bytes(path), list[msgspec.Raw], path, what)
    tasks = [task for block in decode_rows(raws, _Task, path, "") for task in block]
    pictures = Pictures(images, path)
    people: list[Person] = []
    for number, task in enumerate(tasks):
        where = row_label("", number)
        chosen = _chosen(task, path, where)
        if chosen is None:
            continue
        row = _picture(task, pictures, where)
        image_id = pictures.take(row, where)
        size = int(images.width[row]), int(images.height[row])
        for region in chosen.result:
            if region.original_width and region.original_height:
                pictures.check_size(row, region.original_width, region.original_height, where)
                size = round(region.original_width), round(region.original_height)
        if not all(size) and chosen.result:
            raise InputError("the size of the picture is not given", file=path, row=where)
        people += _Reader(path, where, image_id, size, skeleton).people(chosen.result)
    return Corrected(pictures.seen, gather(people, skeleton))


def _chosen(task: _Task, path: Path, where: str) -> _Annotation | None:
    """The annotation of a task that counts; None leaves its picture out."""
    if task.annotations:
        done = [a for a in task.annotations if not a.was_cancelled]
        return max(done, key=lambda a: (a.ground_truth, a.updated_at), default=None)
    if task.annotations is None and not task.predictions:
        remedy = "export as JSON, not as JSON-MIN or CSV"
        raise InputError(
            "the task has neither annotations nor predictions", file=path, row=where, remedy=remedy
        )
    for raw in task.predictions:
        try:
            prediction = msgspec.json.decode(raw, type=_Annotation)
        except msgspec.DecodeError:  # another model's, in another shape
            continue
        if prediction.model_version == MODEL:
            return prediction
    return None


def _picture(task: _Task, pictures: Pictures, where: str) -> int:
    """Row of a task's picture, by the name it was sent with, else by where its data point to."""
    name = task.data.get("file_name")
    if isinstance(name, str):
        return pictures.find(name, where)
    links = [value for value in task.data.values() if isinstance(value, str)]
    names = [name for link in [*links, task.file_upload or ""] if (name := _file_of(link))]
    # folders of a link are the server's, which puts eight random digits and a dash before an uploaded name
    names += [PurePosixPath(name).name for name in names]
    names += [re.sub(r"^[0-9a-f]{8}-", "", name) for name in names]
    for name in names:
        if len(rows := pictures.look_for(name)) == 1:
            return rows[0]
    return pictures.find(names[0] if names else "", where)


def _file_of(link: str) -> str:
    """The file's path in a link."""
    try:
        parts = urlsplit(link)
    except ValueError:
        return ""
    local = parse_qs(parts.query).get("d")
    return local[0] if local else unquote(parts.path)


class _Reader:
    """The regions of one task."""

    def __init__(
        self, path: Path, where: str, image_id: int, size: tuple[int, int], skeleton: Skeleton
    ) -> None:
        self.path, self.where, self.image_id, self.skeleton = path, where, image_id, skeleton
        self.scale = np.array(size, np.float64) / 100

    def people(self, regions: list[_Region]) -> list[Person]:
        """Everybody in the picture."""
        found: dict[str, Person] = {}
        for region in regions:
            if region.type == "rectanglelabels":
                found[region.id] = self._rectangle(region)
        hidden = {r.id for r in regions if r.type == "choices" and OCCLUDED in r.value.choices}
        friends: dict[str, set[str]] = {}
        for region in regions:
            if region.type == "relation":
                for a, b in ((region.from_id, region.to_id), (region.to_id, region.from_id)):
                    if a in found and b not in found:
                        friends.setdefault(b, set()).add(a)
        orphans = []
        for region in regions:
            if region.type == "keypointlabels":
                parents = {region.parent or ""} & set(found) or friends.get(region.id, set())
                if len(parents) == 1:
                    self._add(found[parents.pop()], region, region.id in hidden)
                else:
                    orphans.append(region)
            elif region.type not in _SAID | {"rectanglelabels", "relation"}:
                remedy = f"mark people as rectangles {PERSON!r} with keypoints, remove the rest"
                raise self._fault(region, f"a region of type {region.type!r} is unknown", remedy)
        for region in orphans:
            self._add(self._holder(region, list(found.values())), region, region.id in hidden)
        return list(found.values())

    def _rectangle(self, region: _Region) -> Person:
        label = self._label(region, region.value.rectanglelabels, (PERSON, CROWD))
        value, meta = region.value, region.meta or {}
        if value.rotation or region.image_rotation:
            raise self._fault(region, "the rectangle is rotated", "draw it upright")
        if value.width < 0 or value.height < 0:
            raise self._fault(region, "the rectangle has a negative size", "draw it again")
        x, y = self._pixels(value.x, value.y)
        w, h = self._pixels(value.width, value.height)
        number = re.fullmatch(rf"{PERSON}-(-?[0-9]{{1,18}})", region.id)
        source, ratio = meta.get("source", "U"), meta.get("area_of_box", AREA_OF_BOX)
        if source not in SOURCES or not isinstance(ratio, int | float) or ratio < 0:
            remedy = "leave meta as it was exported"
            raise self._fault(region, "meta holds no known source or no number area_of_box", remedy)
        return Person(
            self.image_id,
            np.zeros((len(self.skeleton), 3)),
            (x, y, w, h),
            id=int(number[1]) if number else 0,
            score=1.0 if region.score is None else region.score,
            source=source,
            area_of_box=float(ratio),
            crowd=label == CROWD,
        )

    def _add(self, person: Person, region: _Region, hidden: bool) -> None:
        name = self._label(region, region.value.keypointlabels, self.skeleton.keypoints)
        if region.image_rotation:
            raise self._fault(region, "the picture is rotated", "label it upright")
        k = self.skeleton.index(name)
        if person.keypoints[k, 2]:
            raise self._fault(region, f"the person has keypoint {name} twice", "remove one")
        person.keypoints[k] = (*self._pixels(region.value.x, region.value.y), 1 if hidden else 2)

    def _holder(self, region: _Region, people: list[Person]) -> Person:
        """The only person whose box holds a keypoint and who lacks one of its name."""
        name = self._label(region, region.value.keypointlabels, self.skeleton.keypoints)
        k = self.skeleton.index(name)
        x, y = self._pixels(region.value.x, region.value.y)
        held = [p for p in people if not p.crowd and p.keypoints[k, 2] == 0 and _inside(p.box, x, y)]
        if len(held) != 1:
            remedy = "drag it below its person in the list of regions, or remove it"
            raise self._fault(region, f"keypoint {name} belongs to nobody", remedy)
        return held[0]

    def _label(self, region: _Region, labels: list[str], known: tuple[str, ...]) -> str:
        if len(labels) != 1 or labels[0] not in known:
            shown = " and ".join(repr(label) for label in labels) or "nothing"
            remedy = f"one of {', '.join(known)}"
            raise self._fault(region, f"a {region.type} region is labelled {shown}", remedy)
        return labels[0]

    def _pixels(self, x: float, y: float) -> Iterator[float]:
        return iter(np.round(np.array([x, y]) * self.scale, DECIMALS).tolist())

    def _fault(self, region: _Region, cause: str, remedy: str) -> InputError:
        return InputError(cause, file=self.path, row=f"{self.where}, region {region.id!r}", remedy=remedy)


def _inside(box: tuple[float, float, float, float] | None, x: float, y: float) -> bool:
    assert box
    return box[0] <= x <= box[0] + box[2] and box[1] <= y <= box[1] + box[3]
