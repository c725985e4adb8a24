"""Poses drawn on pictures: left and right limbs in their own colours."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from kpkit.core.skeletons import Skeleton

LEFT, RIGHT, MIDDLE = (255, 140, 0), (0, 160, 255), (120, 230, 80)
"""RGB: the person's left in orange, right in blue, what joins both sides or lies between in green."""

_SHIFT = 3
"""Fraction bits of the coordinates handed to OpenCV: poses are drawn to 1/8 pixel."""


def draw_poses(
    image: np.ndarray,
    keypoints: np.ndarray,
    skeleton: Skeleton,
    *,
    thickness: int = 3,
    radius: int = 0,
    outline: int = 0,
    colour: tuple[int, int, int] | None = None,
    above: float = 0.0,
) -> np.ndarray:
    """Draw people's limbs and keypoints.

    Args:
        image: (H, W, 3) uint8 RGB; not changed.
        keypoints: (N, K, 3) x, y in the image's pixels, third value visibility or score.
        skeleton: what the K keypoints are.
        thickness: of limbs, pixels.
        radius: of the dots on keypoints, pixels; 0 draws none.
        outline: pixels of dark line left visible on both sides of a limb, which sets thin lines off.
        colour: RGB of all limbs; None tells the sides apart by LEFT, RIGHT and MIDDLE.
        above: keypoints whose third value is not above this are left out, with their limbs.

    Returns:
        a new (H, W, 3) uint8 image. Parts outside the image are cut off.
    """
    canvas = np.ascontiguousarray(image).copy()
    known = (keypoints[:, :, 2] > above) & np.isfinite(keypoints[:, :, :2]).all(axis=2)
    # OpenCV takes 32-bit coordinates: far away is far away
    reach = 8 * max(canvas.shape[:2])
    points = np.clip(np.nan_to_num(keypoints[:, :, :2]), -reach, 2 * reach)
    fixed = np.round(points * 2**_SHIFT).astype(np.int32)
    limbs = np.array(skeleton.limb_indices)
    drawn = known[:, limbs].all(axis=2)
    sides = np.array([_side(a, b) for a, b in skeleton.limbs])
    if outline:
        _lines(canvas, fixed[:, limbs][drawn], (20, 20, 20), thickness + 2 * outline)
    for side in (MIDDLE, RIGHT, LEFT):
        mine = drawn & (sides == side).all(axis=1)
        _lines(canvas, fixed[:, limbs][mine], colour or side, thickness)
    if radius:
        _dots(canvas, fixed, known, skeleton, radius)
    return canvas


def zoom(
    image: np.ndarray, boxes: np.ndarray, *, height: int, margin: float = 0.15
) -> tuple[np.ndarray, np.ndarray]:
    """Cut a picture to the region of some boxes and scale it to a height.

    Args:
        image: (H, W, 3) uint8.
        boxes: (N, 4) x, y, width, height; the region is their hull, the margin, and at least a third of
            the picture each way. Without boxes it is the whole picture.
        height: of the result in pixels; the width follows the region, at most 1.6 times the height.

    Returns:
        The cut picture, and the (2, 3) affine map from image pixels to its pixels.
    """
    full = np.array([image.shape[1], image.shape[0]], np.float64)
    low, high = np.zeros(2), full
    if len(boxes):
        low, high = boxes[:, :2].min(axis=0), (boxes[:, :2] + boxes[:, 2:]).max(axis=0)
        grown = np.maximum((high - low) * (1 + 2 * margin), full / 3)
        centre = (low + high) / 2
        grown[0] = max(grown[0], 0.7 * grown[1])  # a strip of slivers reads badly
        low, high = np.maximum(centre - grown / 2, 0), np.minimum(centre + grown / 2, full)
    first, last = np.floor(low).astype(int), np.ceil(high).astype(int)
    cut = image[first[1] : last[1], first[0] : last[0]]
    size = last - first
    scale = min(height / size[1], 1.6 * height / size[0])
    wide, tall = (max(round(side * scale), 1) for side in size.tolist())
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    ratio = np.array([wide, tall]) / size
    # integer coordinates are pixel centres: the region's edge, not its first centre, meets the edge
    matrix = np.column_stack([np.diag(ratio), (0.5 - first) * ratio - 0.5])
    return cv2.resize(cut, (wide, tall), interpolation=way), matrix


def strip(pictures: Sequence[np.ndarray], *, gap: int = 4, background: int = 255) -> np.ndarray:
    """Pictures side by side in one image.

    Args:
        pictures: (h, w, 3) uint8 each; lower ones are set at the top.
        gap: pixels between two.
        background: grey level of gaps.

    Returns:
        (max h, sum of w and gaps, 3) uint8.
    """
    tall = max(picture.shape[0] for picture in pictures)
    wide = sum(picture.shape[1] for picture in pictures) + gap * (len(pictures) - 1)
    canvas = np.full((tall, wide, 3), background, np.uint8)
    left = 0
    for picture in pictures:
        canvas[: picture.shape[0], left : left + picture.shape[1]] = picture
        left += picture.shape[1] + gap
    return canvas


def _side(a: str, b: str) -> tuple[int, int, int]:
    """Colour of a limb: a side's when an end is on it and the other is not on the other side."""
    sides = {name.split("_", 1)[0] for name in (a, b)} & {"left", "right"}
    return MIDDLE if len(sides) != 1 else LEFT if sides == {"left"} else RIGHT


def _lines(canvas: np.ndarray, segments: np.ndarray, colour: tuple[int, int, int], thickness: int) -> None:
    """Draw (M, 2, 2) segments in fixed-point pixels."""
    if len(segments):
        cv2.polylines(canvas, list(segments), False, colour, thickness, cv2.LINE_AA, _SHIFT)


def _dots(canvas: np.ndarray, fixed: np.ndarray, known: np.ndarray, skeleton: Skeleton, radius: int) -> None:
    for k, name in enumerate(skeleton.keypoints):
        colour = _side(name, name)
        for x, y in fixed[known[:, k], k].tolist():
            cv2.circle(canvas, (x, y), radius << _SHIFT, colour, -1, cv2.LINE_AA, _SHIFT)
            cv2.circle(canvas, (x, y), radius << _SHIFT, (255, 255, 255), 1, cv2.LINE_AA, _SHIFT)
