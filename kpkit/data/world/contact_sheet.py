"""A sheet of a world's pictures with the drawn truth on them, to look at."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from kpkit.core.errors import InputError
from kpkit.core.files import safe_join
from kpkit.core.instances import Instances
from kpkit.data.coco import read_annotations
from kpkit.data.world.splits import FOLDERS

CELL = 400
LEFT, RIGHT, MIDDLE = (60, 200, 60), (40, 60, 235), (235, 160, 30)


def contact_sheet(directory: Path, split: str, count: int, draw_keypoints: bool = True) -> np.ndarray:
    """The first pictures of a split as one picture.

    Args:
        directory: a world.
        split: ``train2017``, ``val2017``, ``unlabeled2017``, ``test-dev2017`` or ``test-challenge2017``.
        count: how many pictures.
        draw_keypoints: with boxes, limbs and keypoints: the person's left green, right red; filled when
            visible, a ring when hidden.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        InputError: no such split, or a picture that cannot be read.
    """
    if split not in FOLDERS or split == "aic":
        splits = ", ".join(name for name in FOLDERS if name != "aic")
        raise InputError(f"no split {split!r}", remedy=f"choose one of {splits}")
    public = split in ("train2017", "val2017")
    folder = directory / ("coco/annotations" if public else "sealed")
    images, people = read_annotations(folder / f"person_keypoints_{split}.json")
    cells = []
    for row in range(min(count, len(images))):
        file = safe_join(directory / FOLDERS[split], images.file_name[row])
        picture = cv2.imread(str(file), cv2.IMREAD_COLOR)
        if picture is None:
            raise InputError("not a readable picture", file=file)
        if draw_keypoints:
            draw_people(picture, people[people.image_id == images.id[row]])
        cell = np.full((CELL, CELL, 3), 255, np.uint8)
        height, width = min(picture.shape[0], CELL), min(picture.shape[1], CELL)
        cell[:height, :width] = picture[:height, :width]
        cells.append(cell)
    columns = max(int(np.ceil(np.sqrt(len(cells) * 1.5))), 1)
    cells += [np.full((CELL, CELL, 3), 255, np.uint8)] * (-len(cells) % columns)
    sheet = np.vstack([np.hstack(cells[i : i + columns]) for i in range(0, len(cells), columns)])
    return cv2.cvtColor(sheet, cv2.COLOR_BGR2RGB)


def draw_people(picture: np.ndarray, people: Instances) -> None:
    """Draw boxes, limbs and keypoints on a BGR picture in place."""
    names = people.skeleton.keypoints
    for box, keypoints, crowd in zip(people.box, people.keypoints, people.crowd, strict=True):
        x, y, w, h = (int(v) for v in box)
        cv2.rectangle(picture, (x, y), (x + w, y + h), (160, 160, 160) if crowd else MIDDLE, 1)
        for a, b in people.skeleton.limb_indices:
            if keypoints[a, 2] and keypoints[b, 2]:
                ends = [(int(v[0]), int(v[1])) for v in (keypoints[a], keypoints[b])]
                cv2.line(picture, ends[0], ends[1], _colour(names[b]), 1, cv2.LINE_AA)
        for name, (px, py, visibility) in zip(names, keypoints, strict=True):
            if visibility:
                filled = -1 if visibility == 2 else 1
                cv2.circle(picture, (int(px), int(py)), 2, _colour(name), filled, cv2.LINE_AA)


def _colour(name: str) -> tuple[int, int, int]:
    return LEFT if name.startswith("left_") else RIGHT if name.startswith("right_") else MIDDLE
