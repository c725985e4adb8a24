"""What an annotator would write down: segments, boxes and keypoints, from what is painted over what."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from kpkit.core.instances import Instances
from kpkit.data.world.bodies import WORLD19

FACE = np.array([name.split("_")[-1] in ("nose", "eye", "ear") for name in WORLD19.keypoints])


@dataclass
class Layers:
    """Who was painted last at each pixel.

    Attributes:
        order: (H, W) int16, the painting turn, 0 background.
        body: (H, W) bool, the pixel shows the person itself, not something carried.
    """

    order: np.ndarray
    body: np.ndarray

    @classmethod
    def blank(cls, height: int, width: int) -> Layers:
        """Only background."""
        return cls(np.zeros((height, width), np.int16), np.zeros((height, width), bool))

    def mask(self, turn: int) -> np.ndarray:
        """(H, W) bool, the visible pixels of the person painted at a turn."""
        return (self.order == turn) & self.body


@dataclass
class Sketch:
    """A person as painted, before labelling.

    Attributes:
        turn: its painting turn.
        keypoints: (19, 2) float picture pixels.
        seen: (19,) bool, not hidden by the person itself.
        painted: pixels it covered when it was painted.
        given: (19,) int or None: the real labels of a person drawn after them; what they leave out stays out.
        member: part of a crowd region rather than labelled on its own.
    """

    turn: int
    keypoints: np.ndarray
    seen: np.ndarray
    painted: int
    given: np.ndarray | None = None
    member: bool = False


def polygons(mask: np.ndarray) -> list[list[float]]:
    """COCO polygons of a bool mask: outer outlines of its pieces, x1, y1, x2, y2, …"""
    # At twice the size, an outline through pixel centres misses the pixels' true edge by a quarter only.
    doubled = cv2.resize(mask.astype(np.uint8), None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    outlines, _ = cv2.findContours(doubled, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    pieces = []
    for outline in outlines:
        outline = cv2.approxPolyDP(outline, 0.8, True)
        if len(outline) >= 3:
            pieces.append(((outline.reshape(-1) + 0.5) / 2).tolist())
    if not pieces and mask.any():
        x, y, w, h = mask_box(mask)
        pieces = [[x, y, x + w, y, x + w, y + h, x, y + h]]
    return pieces


def run_lengths(mask: np.ndarray) -> dict[str, object]:
    """COCO's uncompressed run-length encoding (column by column, starting with zeros)."""
    flat = mask.T.reshape(-1).astype(np.int8)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flat, [0]])))
    counts = np.diff(np.concatenate([[0], edges, [len(flat)]]))
    if flat[-1]:
        counts = counts[:-1]
    return {"counts": counts.tolist(), "size": list(mask.shape)}


def mask_box(mask: np.ndarray) -> tuple[float, float, float, float]:
    """x, y, width, height of the covered pixels."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (
        float(columns[0]), float(rows[0]),
        float(columns[-1] - columns[0] + 1), float(rows[-1] - rows[0] + 1),
    )  # fmt: skip


def visibilities(rng: np.random.Generator, layers: Layers, sketch: Sketch, share: float) -> np.ndarray:
    """(19,) 0, 1 or 2 for one person.

    2: the person's own surface is what the picture shows there. 1: something is painted over it. 0: outside
    the picture; or, as annotators do, a face point of a head that looks away, and most of what something else
    or the own body hides: of COCO's labelled keypoints 11 % are hidden, and a third carry no label.
    """
    height, width = layers.order.shape
    at = np.round(sketch.keypoints).astype(int)
    inside = (at >= 0).all(axis=1) & (at[:, 0] < width) & (at[:, 1] < height)
    clipped = np.clip(at, 0, (width - 1, height - 1))
    covered = layers.order[clipped[:, 1], clipped[:, 0]] > sketch.turn
    value = np.where(sketch.seen & ~covered, 2, 1)
    if sketch.given is not None:
        return np.where((sketch.given > 0) & inside, value, 0)
    dice = rng.random(len(value))
    away = FACE & ~sketch.seen & (dice < 0.85)
    lost = np.where(covered, dice < (0.65 if share > 0.6 else 0.8), ~sketch.seen & (dice < 0.4))
    return np.where(inside & ~away & ~lost, value, 0)


def label(
    rng: np.random.Generator, layers: Layers, sketches: list[Sketch]
) -> tuple[Instances, list[object], np.ndarray]:
    """Annotate the people of one picture.

    Returns:
        instances in WORLD19 with image_id 0 (crowd regions last), their COCO segmentations, and the (N,)
        visible share of each.
    """
    rows: list[tuple[tuple[float, ...], np.ndarray, float, bool, float, object]] = []
    crowd = np.zeros(layers.order.shape, bool)
    for sketch in sketches:
        mask = layers.mask(sketch.turn)
        area = int(mask.sum())
        if sketch.member:
            crowd |= mask
            continue
        if area < 12:
            continue
        share = area / max(sketch.painted, 1)
        keypoints = np.zeros((len(WORLD19), 3))
        small = area < rng.uniform(550, 1100)
        if sketch.given is not None or not (small or share < 0.25):
            value = visibilities(rng, layers, sketch, share)
            keypoints[:, :2] = np.round(sketch.keypoints)
            keypoints[:, 2] = value
            keypoints[value == 0] = 0
        rows.append((mask_box(mask), keypoints, float(area), False, share, polygons(mask)))
    if crowd.sum() >= 40:
        keypoints = np.zeros((len(WORLD19), 3))
        rows.append((mask_box(crowd), keypoints, float(crowd.sum()), True, 1.0, run_lengths(crowd)))
    if not rows:
        return Instances.empty(WORLD19), [], np.zeros(0)
    boxes, points, areas, crowds, shares, segments = zip(*rows, strict=True)
    instances = Instances.of(
        np.zeros(len(rows), np.int64), np.array(boxes), np.array(points), area=np.array(areas),
        crowd=np.array(crowds), skeleton=WORLD19,
    )  # fmt: skip
    return instances, list(segments), np.array(shares)
