"""YOLO-pose data sets, as Ultralytics trains on them, to and from Instances.

Format: https://docs.ultralytics.com/datasets/pose. A folder ::

    data.yaml                kpt_shape, flip_idx, names, kpt_names, where the pictures are
    images/NAME.jpg          links to the pictures
    labels/NAME.txt          a line per person: 0 cx cy w h, then x y v of each keypoint

All coordinates are divided by the picture's width or height, as Ultralytics' own COCO converter does: kpkit's
pixel index x (whole numbers are pixel centres) becomes x / width, without half a pixel added, and box corners
count from the picture's corner. Visibilities are COCO's 0, 1, 2.

The format has no room for ids, scores, sources, areas and crowd regions; corrected.recognise gives them back
from the labels that were exported. Ultralytics ignores a picture altogether when one number is out of range,
so boxes are cut at the picture's edge and keypoints outside of it become unlabelled.
"""

from __future__ import annotations

import os
import reprlib
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from kpkit.core.errors import InputError
from kpkit.core.files import safe_join
from kpkit.core.instances import ImageTable, Instances
from kpkit.core.skeletons import COCO17, Skeleton
from kpkit.data.json_rows import repeated
from kpkit.exporters.corrected import Corrected, Person, gather, numbers
from kpkit.exporters.pictures import Pictures
from kpkit.exporters.sent import checked

DIGITS = 9
"""Significant digits of a written coordinate; the tool's own converter writes 6."""
DECIMALS = 4
"""Coordinates read back are rounded to 1/10000 pixel, which returns whole pixels exactly."""
TOLERANCE = 0.01
"""How far outside the picture a keypoint may lie, as a share of its side: Ultralytics' own rule."""

NAMES = "data.yaml"
_FORMATS = {".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}


class LeftOut(NamedTuple):
    """What YOLO-pose cannot hold: crowd regions and boxes without size, keypoints outside their picture."""

    people: int
    keypoints: int


def write_yolo_pose(
    folder: Path, images: ImageTable, people: Instances, *, pictures: Path | None = None
) -> LeftOut:
    """Write a data set that ``yolo pose train data=FOLDER/data.yaml`` reads.

    Args:
        folder: an empty folder.
        images: every picture, with its size; one without people gets an empty label file.
        people: labels, third keypoint values visibilities. Boxes and keypoints come back equal to 1/10000
            pixel up to 9,999 pixels a side, apart from what is left out.
        pictures: their folder; each picture is linked under ``images/``. None makes no links: the user
            puts them there.

    Raises:
        InputError: see sent.checked; two pictures whose label file would be one; a missing picture.
    """
    rows = checked(images, people)
    labels = [_label_file(name) for name in images.file_name]
    twice = repeated(np.array(labels))
    if twice.any():
        second = labels[int(np.argmax(twice))]
        both = [name for name, label in zip(images.file_name, labels, strict=True) if label == second]
        raise InputError(f"pictures {both[0]!r} and {both[1]!r} would share one label file", file=second)
    lines, left_out = _lines(images, people, rows)
    for row, (name, label) in enumerate(zip(images.file_name, labels, strict=True)):
        _write(safe_join(folder, label), "".join(line + "\n" for line in lines[row]))
        if pictures is not None:
            _link(safe_join(folder, f"images/{name}"), safe_join(pictures, name))
    _write(folder / NAMES, _data_yaml(people.skeleton))
    return left_out


def _label_file(name: str) -> str:
    """Where Ultralytics looks for a picture's labels: its path with the last ``images`` replaced."""
    before, _, after = f"/images/{name}".rpartition("/images/")
    return f"{before}/labels/{PurePosixPath(after).with_suffix('.txt')}".lstrip("/")


def _lines(images: ImageTable, people: Instances, rows: np.ndarray) -> tuple[list[list[str]], LeftOut]:
    """The text lines of each picture, people in row order."""
    size = np.stack([images.width, images.height], axis=1).astype(np.float64)[rows]
    low = np.clip(people.box[:, :2], 0, size)
    high = np.clip(people.box[:, :2] + people.box[:, 2:], 0, size)
    kept = ~people.crowd & (high > low).all(axis=1)
    share = people.keypoints[:, :, :2] / size[:, None]
    visibility = people.keypoints[:, :, 2]
    inside = ((share >= -TOLERANCE) & (share <= 1 + TOLERANCE)).all(axis=2)
    shown = inside & (visibility > 0)
    points = np.where(shown[..., None], np.dstack([share, visibility]), 0)
    table = np.concatenate(
        [(low + high) / 2 / size, (high - low) / size, points.reshape(len(people), 3 * len(people.skeleton))],
        axis=1,
    )
    lines: list[list[str]] = [[] for _ in range(len(images))]
    for row, values in zip(rows[kept].tolist(), table[kept].tolist(), strict=True):
        lines[row].append("0 " + " ".join(f"{value:.{DIGITS}g}" for value in values))
    return lines, LeftOut(int((~kept).sum()), int((~inside & (visibility > 0))[kept].sum()))


def _data_yaml(skeleton: Skeleton) -> str:
    """The description Ultralytics reads; without ``path`` its folders are taken from where the file lies."""
    names = "\n".join(f"    - {name}" for name in skeleton.keypoints)
    return (
        f"# skeleton {skeleton.name}, written by kpkit\n"
        "train: images\n"
        "val: images  # Ultralytics wants one: name a labelled data set to judge on\n"
        f"kpt_shape: [{len(skeleton)}, 3]\n"
        f"flip_idx: {skeleton.flip_order.tolist()}\n"
        "names:\n  0: person\n"
        f"kpt_names:\n  0:\n{names}\n"
    )


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _link(path: Path, picture: Path) -> None:
    if not picture.is_file():
        raise InputError("missing picture", file=picture, remedy="fetch it, or export without pictures")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(os.path.abspath(picture))


def read_yolo_pose(folder: Path, images: ImageTable, *, skeleton: Skeleton = COCO17) -> Corrected:
    """Read a YOLO-pose data set: each ``*.txt`` under ``labels``, and pictures under ``images`` without one.

    Args:
        folder: holds ``data.yaml``, ``labels`` and, if the tool kept them, ``images``.
        images: the image list, with sizes.
        skeleton: what the keypoints are.

    Returns:
        the pictures that have a label file or lie under ``images/``, people of score 1, source "U", area
        0.53 x the box, id 0.

    Raises:
        InputError: no or other ``data.yaml``; a picture the list lacks; a line with another count, class or
            visibility, or a number that is not finite.
    """
    _check_names(folder / NAMES, skeleton)
    pictures = Pictures(images, folder)
    people: list[Person] = []
    for path in _files(folder, {".txt"}):
        where = path.relative_to(folder).as_posix()
        if (
            f"/{where}".count("/labels/") == 0 or path.name == "classes.txt"
        ):  # some tools add a list of classes
            continue
        row = pictures.find(_picture_of(where), where)
        image_id = pictures.take(row, where)
        size = np.array([images.width[row], images.height[row]], np.float64)
        if not size.all():
            cause = f"the image list does not tell the size of picture {images.file_name[row]!r}"
            raise InputError(cause, file=folder, row=where, remedy="give a list with sizes")
        people += _people(path, image_id, size, skeleton)
    for path in _files(folder / "images", _FORMATS):
        name = path.relative_to(folder / "images").as_posix()
        rows = pictures.look_for(name)
        if len(rows) == 1 and rows[0] not in pictures.named:
            pictures.take(rows[0], f"images/{name}")
    return Corrected(pictures.seen, gather(people, skeleton))


def _picture_of(label: str) -> str:
    """The picture a label file is of, relative to ``images``: _label_file backwards, but for the ending."""
    if label.startswith("labels/"):
        return label.removeprefix("labels/")
    before, _, after = f"/{label}".rpartition("/labels/")
    return f"{before}/images/{after}".removeprefix("/images/")


def _files(folder: Path, endings: set[str]) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in endings and p.is_file())


def _people(path: Path, image_id: int, size: np.ndarray, skeleton: Skeleton) -> list[Person]:
    people = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise InputError("cannot be read as text", file=path) from None
    wanted = 5 + 3 * len(skeleton)
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"line {number}"
        values = numbers(line.split())
        if values is None:
            raise InputError("holds something that is no finite number", file=path, row=where)
        if len(values) != wanted:
            cause = f"has {len(values)} numbers, must be {wanted} (class, box, x y v of each keypoint)"
            raise InputError(cause, file=path, row=where, remedy=f"write {skeleton.name} with visibilities")
        if values[0] != 0:
            cause = f"class {values[0]:g} is no person"
            raise InputError(cause, file=path, row=where, remedy="remove the line; only class 0 is read")
        box, points = np.array(values[1:5]), np.array(values[5:]).reshape(-1, 3)
        if (box[2:] <= 0).any():
            raise InputError("the box has no positive size", file=path, row=where)
        if not np.isin(points[:, 2], (0, 1, 2)).all():
            remedy = "write 0 unlabelled, 1 hidden, 2 visible; predictions hold scores there"
            raise InputError("a keypoint's visibility is not 0, 1 or 2", file=path, row=where, remedy=remedy)
        points[:, :2] = np.round(points[:, :2] * size, DECIMALS)
        side = box[2:] * size
        x, y = np.round(box[:2] * size - side / 2, DECIMALS).tolist()
        w, h = np.round(side, DECIMALS).tolist()
        people.append(Person(image_id, points, (x, y, w, h)))
    return people


def _check_names(path: Path, skeleton: Skeleton) -> None:
    """Refuse a description of other keypoints or classes."""
    import yaml  # type: ignore[import-untyped]

    try:
        known = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        remedy = f"give the folder that holds {NAMES} and labels"
        raise InputError("no such file", file=path, remedy=remedy) from None
    except (OSError, UnicodeDecodeError, RecursionError, ValueError, yaml.YAMLError) as error:
        cause = " ".join(str(error).split())
        raise InputError(f"not valid YAML ({cause})", file=path) from None
    known = known if isinstance(known, dict) else {}
    shape = known.get("kpt_shape")
    if shape != [len(skeleton), 3]:
        remedy = f"{skeleton.name} needs [{len(skeleton)}, 3]: x, y and visibility of each keypoint"
        raise InputError(f"kpt_shape is {reprlib.repr(shape)}", file=path, row="kpt_shape", remedy=remedy)
    flip = known.get("flip_idx", skeleton.flip_order.tolist())
    if flip != skeleton.flip_order.tolist():
        cause = f"flip_idx {reprlib.repr(flip)} is not that of skeleton {skeleton.name}"
        raise InputError(cause, file=path, row="flip_idx", remedy="name keypoints in the skeleton's order")
    names = known.get("kpt_names")
    first = names.get(0) if isinstance(names, dict) else None
    if first is not None and first != list(skeleton.keypoints):
        cause = f"the keypoints are not those of skeleton {skeleton.name}"
        raise InputError(cause, file=path, row="kpt_names", remedy="name them in the skeleton's order")
    classes = known.get("names")
    classes = list(classes.values()) if isinstance(classes, dict) else classes
    if not isinstance(classes, list) or not classes or classes[0] != "person":
        raise InputError("class 0 is not called person", file=path, row="names", remedy="rename the class")
