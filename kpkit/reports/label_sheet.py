"""A contact sheet of labelled people, the most doubtful first, to look at before training on them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from kpkit.core.boxes import box_of_keypoints
from kpkit.core.crops import transform
from kpkit.core.errors import InputError, KpkitError
from kpkit.core.files import safe_join
from kpkit.core.instances import ImageTable, Instances
from kpkit.data.images import read_image
from kpkit.reports.drawing import draw_poses

_CAPTION = 30
_GAP = 6
_INK, _FAINT, _PAPER = (25, 25, 25), (110, 110, 110), (255, 255, 255)
_EDGE = (235, 205, 60)
_MARGIN = 0.12
"""Of the shown region, on each side of the box and the labelled keypoints."""


def label_sheet(
    folder: Path,
    images: ImageTable,
    people: Instances,
    key: np.ndarray,
    *,
    count: int = 48,
    columns: int = 8,
    cell: tuple[int, int] = (190, 240),
    title: str = "",
) -> np.ndarray:
    """Draw the people with the largest keys, largest first.

    Each cell shows a person's box with some margin: labelled keypoints as dots (hidden ones, visibility 1,
    pale inside), limbs between them, the box. Below it: rank, key, annotation id, score, and how many of the
    skeleton's keypoints are labelled.

    Args:
        folder: the pictures.
        images: their names.
        people: labels; third keypoint values are visibilities.
        key: (N,) what they are sorted by, such as the teachers' disagreement; people of NaN and crowd regions
            are not shown. Of equals the one of the smaller id comes first.
        count: most people to show.
        columns: cells in a row.
        cell: (width, height) in pixels of a cell's picture.
        title: a line above all.

    Returns:
        (H, W, 3) uint8 RGB. Without anybody to show it says so.

    Raises:
        InputError: a picture that is missing or cannot be read; a person's image the table lacks.
        KpkitError: another number of keys than people.
    """
    if key.shape != (len(people),):
        raise KpkitError(f"label_sheet: {len(people)} people have keys of shape {key.shape}")
    rows = np.flatnonzero(~np.isnan(key) & ~people.crowd)
    rows = rows[np.lexsort((people.id[rows], -key[rows]))][:count]
    lines = -(-len(rows) // columns)
    step = np.array([cell[1] + _CAPTION, cell[0]]) + _GAP
    top = _CAPTION if title or lines == 0 else 0
    width = max(min(len(rows), columns), 1)
    sheet = np.full((top + lines * step[0] + _GAP, width * step[1] + _GAP, 3), _PAPER, np.uint8)
    _write(sheet, title if lines else title or "nobody to show", (_GAP, 20), 0.5, _INK)
    for picture, ranks in _by_picture(images, people[rows]):
        image = read_image(safe_join(folder, images.file_name[picture]))
        for rank in ranks:
            y, x = [top, 0] + np.array(divmod(rank, columns)) * step + _GAP
            person = people[rows[[rank]]]
            sheet[y : y + cell[1], x : x + cell[0]] = _portrait(image, person, cell)
            below = sheet[y + cell[1] : y + cell[1] + _CAPTION, x : x + cell[0]]
            _write(below, f"{rank + 1}: {key[rows[rank]]:.3g}", (1, 12), 0.42, _INK)
            labelled = f"{person.num_labelled[0]}/{len(people.skeleton)}"
            told = f"id {person.id[0]}  score {person.score[0]:.2f}  {labelled}"
            _write(below, told, (1, 26), 0.34, _FAINT)
    return sheet


def _by_picture(images: ImageTable, people: Instances) -> list[tuple[int, list[int]]]:
    """Picture rows with the rows of the people of each, so that every picture is decoded once."""
    found: dict[int, list[int]] = {}
    for row, picture in enumerate(images.rows_of(people.image_id).tolist()):
        if picture < 0:
            raise InputError(f"image {people.image_id[row]} of person {people.id[row]} is not in the table")
        found.setdefault(picture, []).append(row)
    return list(found.items())


def _portrait(image: np.ndarray, person: Instances, cell: tuple[int, int]) -> np.ndarray:
    """One person's region, fitted into a cell, with box and keypoints drawn."""
    box, tight = person.box[0], box_of_keypoints(person.keypoints)[0]
    low, high = box[:2], box[:2] + box[2:]
    if person.num_labelled[0]:
        low, high = np.minimum(low, tight[:2]), np.maximum(high, tight[:2] + tight[2:])
    size = np.maximum(high - low, 1)
    scale = (np.array(cell) / (size * (1 + 2 * _MARGIN))).min()
    # whole numbers are pixel centres in both pictures, and box corners count from the pictures' corners
    shift = np.array(cell) / 2 - scale * (low + high) / 2
    matrix = np.column_stack([np.eye(2) * scale, shift + 0.5 * scale - 0.5])
    shown = _cut(image, scale, shift, cell)
    corners = np.round(np.array([box[:2], box[:2] + box[2:]]) * scale + shift).astype(int)
    cv2.rectangle(shown, corners[0].tolist(), corners[1].tolist(), _EDGE, 1)
    points = person.keypoints.copy()
    points[:, :, :2] = transform(matrix[None], points[:, :, :2])
    shown = draw_poses(shown, points, person.skeleton, thickness=2, radius=3, outline=1)
    for x, y, _ in points[0][points[0, :, 2] == 1]:
        cv2.circle(shown, (round(x), round(y)), 2, _PAPER, -1, cv2.LINE_AA)
    return shown


def _cut(image: np.ndarray, scale: float, shift: np.ndarray, cell: tuple[int, int]) -> np.ndarray:
    """The part of a picture that scale and shift bring into a cell, grey where there is no picture."""
    full = np.array([image.shape[1], image.shape[0]])
    first = np.clip(np.floor(-shift / scale) - 2, 0, full - 1).astype(int)
    last = np.clip(np.ceil((np.array(cell) - shift) / scale) + 2, first + 1, full).astype(int)
    part = image[first[1] : last[1], first[0] : last[0]]
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC  # a warp alone would alias
    part = cv2.resize(part, None, fx=scale, fy=scale, interpolation=way)
    moved = np.column_stack([np.eye(2), shift + first * scale])
    return cv2.warpAffine(part, moved, cell, flags=cv2.INTER_LINEAR, borderValue=(235, 235, 235))


def _write(image: np.ndarray, text: str, at: tuple[int, int], size: float, ink: tuple[int, int, int]) -> None:
    cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, ink, 1, cv2.LINE_AA)
