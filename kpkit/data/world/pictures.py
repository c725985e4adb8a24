"""One picture: what stands in a scene painted from far to near, photographed and labelled."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from kpkit.core.instances import Instances
from kpkit.data.world import photo
from kpkit.data.world.figures import dress
from kpkit.data.world.furniture import Thing, paint_thing
from kpkit.data.world.labels import Layers, Sketch, label
from kpkit.data.world.painting import lay, paint_figure
from kpkit.data.world.scenery import Scene, paint_background
from kpkit.data.world.staging import Actor, Stage, arrange


@dataclass
class Picture:
    """A drawn picture and its truth.

    Attributes:
        jpeg: the encoded file.
        width, height: pixels.
        instances: people in WORLD19, image_id 0; crowd regions last.
        segmentation: COCO's, one per instance.
        share: (N,) how much of each person was not painted over.
        dummies: (D, 4) boxes of visible statues and mannequins.
    """

    jpeg: bytes
    width: int
    height: int
    instances: Instances
    segmentation: list[object]
    share: np.ndarray
    dummies: np.ndarray


def draw_picture(rng: np.random.Generator) -> Picture:
    """A picture of sampled people. Everything follows from the generator."""
    return paint(rng, arrange(rng))


def paint(rng: np.random.Generator, stage: Stage) -> Picture:
    """Paint an arranged stage and label what can be seen."""
    scene = stage.scene
    canvas = paint_background(rng, scene)
    height, width = canvas.shape[:2]
    _shadows(rng, canvas, stage)
    layers = Layers.blank(height, width)
    sketches: list[Sketch] = []
    statues: list[int] = []
    blurred = rng.random() < 0.07
    items: list[Actor | Thing] = sorted([*stage.things, *stage.actors], key=lambda item: -item.distance)
    for turn, item in enumerate(items, start=1):
        if isinstance(item, Thing):
            covered = paint_thing(rng, canvas, scene, item)
            if covered is not None:
                rows, columns, mask = covered
                layers.order[rows, columns][mask] = turn
                layers.body[rows, columns][mask] = False
            continue
        kernel = None
        if blurred and item.kind == "person" and item.figure.unit > 40:
            kernel = photo.motion_kernel(rng, rng.uniform(2, 0.06 * item.figure.unit + 2))
        sketch = _perform(rng, canvas, layers, turn, item, scene, kernel)
        if sketch is not None and item.kind == "statue":
            statues.append(turn)
        elif sketch is not None:
            sketches.append(sketch)
    boxes = [_box(layers, turn) for turn in statues]
    instances, segmentation, share = label(rng, layers, sketches)
    jpeg = photo.encode(rng, photo.expose(rng, canvas))
    dummies = np.array([box for box in boxes if box is not None], float).reshape(-1, 4)
    return Picture(jpeg, width, height, instances, segmentation, share, dummies)


def _perform(
    rng: np.random.Generator, canvas: np.ndarray, layers: Layers, turn: int, actor: Actor, scene: Scene,
    kernel: np.ndarray | None,
) -> Sketch | None:  # fmt: skip
    """Paint one figure; None when it is outside the picture."""
    height, width = canvas.shape[:2]
    tubes = dress(actor.figure, actor.look, rng)
    painted = paint_figure(actor.figure, tubes, actor.look, size=(width, height), light=scene.light,
                           ambient=scene.ambient, tint=scene.tint, rng=rng)  # fmt: skip
    if painted is None:
        return None
    if kernel is not None:
        painted.colour = cv2.filter2D(painted.colour, -1, kernel)
        painted.alpha = cv2.filter2D(painted.alpha, -1, kernel)
    laid = lay(canvas, painted)
    if laid is None:
        return None
    rows, columns, alpha, body = laid
    solid = alpha > 0.5
    layers.order[rows, columns][solid] = turn
    layers.body[rows, columns][solid] = (body > 0.5)[solid]
    count = int((solid & (body > 0.5)).sum())
    return Sketch(turn, painted.keypoints, painted.seen, count, actor.given, actor.kind == "member")


def _box(layers: Layers, turn: int) -> tuple[float, float, float, float] | None:
    mask = layers.order == turn
    if mask.sum() < 60:
        return None
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return float(columns[0]), float(rows[0]), float(np.ptp(columns) + 1), float(np.ptp(rows) + 1)


def _shadows(rng: np.random.Generator, canvas: np.ndarray, stage: Stage) -> None:
    """Soft dark patches under what stands on the ground."""
    if not stage.actors:
        return
    dark = np.zeros(canvas.shape[:2], np.uint8)
    strength = rng.uniform(0.15, 0.5)
    for actor in stage.actors:
        body, unit = actor.figure.body, actor.figure.unit
        feet = np.array([body[n][:2] for n in ("left_toe", "right_toe", "left_heel", "right_heel", "pelvis")])
        low = feet[:, 1].max()
        near = feet[feet[:, 1] > low - 0.35 * unit]
        centre = near.mean(axis=0)
        spread = np.ptp(near[:, 0]) / 2 + 0.12 * unit
        if not (np.abs(centre) < 4000).all():
            continue
        axes = (int(spread), int(max(0.09 * unit, 1)))
        cv2.ellipse(dark, (int(centre[0]), int(low - 0.03 * unit)), axes, 0, 0, 360, 255, -1)
    soft = cv2.blur(dark, (7, 5)).astype(np.float32)[..., None]
    canvas[:] = (canvas * (1 - strength / 255 * soft)).astype(np.uint8)
