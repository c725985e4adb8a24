"""COCO person-keypoints annotation files to and from Instances.

Format: https://cocodataset.org/#format-data. Coordinates pass unchanged: keypoints are pixel indices, boxes
are x, y, width, height with (0, 0) at the picture's corner.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from kpkit.core.errors import InputError
from kpkit.core.instances import ImageTable, Instances
from kpkit.core.skeletons import COCO17, Skeleton
from kpkit.core.visibility import VisibilityCodes
from kpkit.data.annotation_cache import cache_folder, remembered
from kpkit.data.annotation_rows import AREA_OF_BOX, AnnotationRow, PeopleRows
from kpkit.data.coco_write import write_annotations
from kpkit.data.image_lists import ImageRow, checked_images, image_table, read_image_list, write_image_list
from kpkit.data.json_rows import INT64, UNREADABLE, decode_document, decode_rows, read_bytes
from kpkit.data.json_stream import UnclearError, stream_tables

__all__ = ["AREA_OF_BOX", "read_annotations", "read_image_list", "write_annotations", "write_image_list"]

_WHAT = "a COCO person-keypoints file"


class _Category(msgspec.Struct):
    id: INT64
    name: str = ""
    keypoints: list[str] | None = None


class _File(msgspec.Struct):
    images: list[msgspec.Raw]
    annotations: list[msgspec.Raw]
    categories: list[_Category] = []


def read_annotations(
    path: str | Path,
    *,
    skeleton: Skeleton = COCO17,
    codes: VisibilityCodes | None = None,
    cache: Path | None = None,
) -> tuple[ImageTable, Instances]:
    """Read a COCO person-keypoints file, plain or gzipped.

    Files of a megabyte and more are kept as arrays where there is a cache (data/annotation_cache.py) and then
    read from it until they change.

    Args:
        path: the file.
        skeleton: what its keypoints are; names given in the file must agree.
        codes: what the visibility codes of a converted file mean; they must agree with where its keypoints
            lie. None takes them as COCO's.
        cache: folder of the cache; KPKIT_CACHE overrides it. Without both there is none.

    Returns:
        Every picture, and every annotation of the category named "person" (or of id 1), in file order:
        crowds and persons without labelled keypoints too. Source "C"; score 1 where the file gives none.
        ``keypoint_weight`` is kpkit's own key: loss weights, 1 for rows without it. Without ``area`` it is
        0.53 x the box (AREA_OF_BOX), without ``iscrowd`` no crowd, as in AI Challenger conversions.

    Raises:
        InputError: the file is missing, broken or not COCO; a key is missing or of the wrong type; a
            wrong keypoint count; a number that is not finite; a keypoint weight outside 0..1; a visibility
            other than 0, 1, 2, or codes of a converted file that contradict ``codes``, with the evidence; a
            box of negative size, or of zero size with labelled keypoints; an image or annotation id that
            occurs twice; an unknown image; a file name that leaves its folder. A zero box without labelled
            keypoints passes: original COCO files hold such rows (cocodataset/cocoapi issue 355).
    """
    folder = cache_folder(cache)
    if folder is None:
        return _read(path, skeleton, codes)
    name = "" if codes is None else codes.name
    return remembered(path, folder, skeleton, name, lambda: _read(path, skeleton, codes))


def _read(
    path: str | Path, skeleton: Skeleton, codes: VisibilityCodes | None
) -> tuple[ImageTable, Instances]:
    """As read_annotations, from the file itself."""
    try:
        return _read_in_passing(path, skeleton, codes)
    except (UnclearError, InputError, *UNREADABLE):  # the slower reader names what is wrong, if anything is
        document = decode_document(read_bytes(path), _File, path, _WHAT)
        images = image_table(document.images, path)
        people = PeopleRows(_person(document.categories, skeleton, path), skeleton, path)
        for block in decode_rows(document.annotations, AnnotationRow, path, "annotations"):
            people.add(block)
        return images, people.instances(images, codes)


def _read_in_passing(
    path: str | Path, skeleton: Skeleton, codes: VisibilityCodes | None
) -> tuple[ImageTable, Instances]:
    """As read_annotations, in one pass; a fault of the file raises whatever finds it first."""
    pictures: list[ImageRow] = []
    categories: list[_Category] = []
    # COCO's own files name their categories last: until then the person's id is taken to be the usual one.
    people = PeopleRows(_person(categories, skeleton, path), skeleton, path)
    met = set()
    for key, value in stream_tables(path, {"images": ImageRow, "annotations": AnnotationRow}):
        met.add(key)
        if key == "images":
            pictures += value
        elif key == "annotations":
            people.add(value)
        elif key == "categories":
            categories = msgspec.json.decode(value, type=list[_Category])
            if "annotations" not in met:
                people.category = _person(categories, skeleton, path)
    if not met >= {"images", "annotations"} or people.category != _person(categories, skeleton, path):
        raise UnclearError
    images = checked_images(pictures, path)
    return images, people.instances(images, codes)


def _person(categories: list[_Category], skeleton: Skeleton, path: str | Path) -> int:
    """Id of the person category; refuses keypoint names that are not the skeleton's."""
    person = next((c for c in categories if c.name == "person"), None)
    if person is None:
        person = next((c for c in categories if c.id == 1), None)
    if person is None or not person.keypoints:
        return 1 if person is None else person.id
    names = tuple(name.lower().replace(" ", "_") for name in person.keypoints)
    if names != skeleton.keypoints:
        found = [n for n, m in zip(names, skeleton.keypoints, strict=False) if n != m]
        what = f"first other name: {found[0]!r}" if found else f"{len(names)} names"
        cause = f"the file's keypoints are not those of skeleton {skeleton.name} ({what})"
        remedy = "name the skeleton the file speaks"
        raise InputError(cause, file=path, row="categories", remedy=remedy)
    return person.id
