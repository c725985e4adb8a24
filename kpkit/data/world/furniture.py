"""Things that stand about: furniture, cars, plants, fences, plinths, made of boxes and leaves in 3-D."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from kpkit.data.world.bodies import turn
from kpkit.data.world.looks import cloth_colour
from kpkit.data.world.scenery import Scene, foliage
from kpkit.data.world.textures import noise_field

_CORNERS = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (0, 1) for z in (-0.5, 0.5)])
_FACES = (
    ((0, 1, 3, 2), (-1, 0, 0)), ((4, 5, 7, 6), (1, 0, 0)), ((0, 1, 5, 4), (0, -1, 0)),
    ((2, 3, 7, 6), (0, 1, 0)), ((0, 2, 6, 4), (0, 0, -1)), ((1, 3, 7, 5), (0, 0, 1)),
)  # fmt: skip


@dataclass
class Thing:
    """A thing of boxes, and leaves.

    Attributes:
        spot: (3,) ground point, level frame of the camera, metres.
        yaw: degrees.
        boxes: (centre x, bottom, centre z, width, height, depth, colour BGR) in metres, own frame.
        leaves: (x, y, z, radius) balls of leaves.
        grain: strength of surface noise.
    """

    spot: np.ndarray
    yaw: float
    boxes: list[tuple[float, float, float, float, float, float, np.ndarray]]
    leaves: list[tuple[float, float, float, float]]
    grain: float = 0.12

    @property
    def distance(self) -> float:
        """Metres from the camera, along the ground."""
        return float(np.hypot(self.spot[0], self.spot[2]))


def make_thing(rng: np.random.Generator, kind: str, spot: np.ndarray, yaw: float) -> Thing:
    """One piece of furniture, a vehicle, a plant or a plinth, of random size and colour."""
    c, d = cloth_colour(rng), cloth_colour(rng)
    dark = np.array([40, 42, 45]) * rng.uniform(0.6, 1.8)
    boxes: list[tuple[float, float, float, float, float, float, np.ndarray]] = []
    leaves: list[tuple[float, float, float, float]] = []
    if kind == "table":
        w, h, t = rng.uniform(0.8, 2.2), rng.uniform(0.6, 0.85), rng.uniform(0.6, 1.0)
        boxes = [(sx * w * 0.46, 0, sz * t * 0.44, 0.06, h, 0.06, d) for sx in (-1, 1) for sz in (-1, 1)]
        boxes.append((0, h, 0, w, 0.05, t, c))
        for _ in range(int(rng.integers(0, 5))):
            size = rng.uniform(0.06, 0.25)
            place = (rng.uniform(-0.4, 0.4) * w, h + 0.05, rng.uniform(-0.3, 0.3) * t)
            boxes.append((*place, size, rng.uniform(0.05, 0.3), size, cloth_colour(rng)))
    elif kind in ("chair", "sofa", "bench"):
        w = {"chair": 0.46, "sofa": 1.7, "bench": 1.5}[kind]
        if kind == "sofa":
            boxes = [(0, 0, 0, w, 0.42, 0.75, c)]
            boxes += [(sx * w / 2, 0, 0, 0.16, 0.62, 0.75, c) for sx in (-1, 1)]
        else:
            boxes = [(sx * w * 0.45, 0, sz * 0.19, 0.045, 0.43, 0.045, d) for sx in (-1, 1) for sz in (-1, 1)]
            boxes.append((0, 0.42, 0, w, 0.05, 0.45, c))
    elif kind == "back":  # the back rest of a seat, apart so that it can be painted before or after a sitter
        w = rng.choice([0.46, 0.46, 1.7])
        boxes = [(0, 0.46, 0, w, rng.uniform(0.3, 0.52), 0.06, c)]
    elif kind in ("crate", "counter", "bin"):
        w, h = {"crate": (0.6, 0.6), "counter": (2.4, 1.0), "bin": (0.5, 0.9)}[kind]
        boxes = [(0, 0, 0, w * rng.uniform(0.6, 1.4), h * rng.uniform(0.6, 1.2), 0.6, c)]
        if kind == "counter":
            boxes.append((0, boxes[0][4], 0, boxes[0][3] * 1.04, 0.05, 0.66, d))
    elif kind == "shelf":
        boxes = [(0, 0, 0, 1.0, rng.uniform(1.1, 2.0), 0.35, c)]
    elif kind == "car":
        boxes = [(0, 0.25, 0, 4.0, 0.6, 1.6, c), (-0.2, 0.85, 0, 2.1, 0.52, 1.4, dark * 1.6)]
        boxes += [(sx * 1.25, 0, sz * 0.72, 0.62, 0.6, 0.22, dark * 0.5) for sx in (-1, 1) for sz in (-1, 1)]
    elif kind == "pillar":
        boxes = [(0, 0, 0, (w := rng.uniform(0.12, 0.4)), rng.uniform(2.2, 4), w, c)]
    elif kind == "fence":
        h = rng.uniform(0.7, 1.2)
        boxes = [(x, 0, 0, 0.05, h, 0.05, c) for x in np.arange(-2, 2.1, rng.choice([0.16, 0.5]))]
        boxes += [(0, h - 0.06, 0, 4.1, 0.07, 0.06, c), (0, h * 0.4, 0, 4.1, 0.05, 0.05, c)]
    elif kind == "sign":
        boxes = [(0, 0, 0, 0.06, 2.3, 0.06, dark * 2), (0, 1.7, 0.04, rng.uniform(0.4, 0.9), 0.6, 0.03, c)]
    elif kind in ("plant", "hedge"):
        if kind == "plant":
            boxes = [(0, 0, 0, 0.36, 0.34, 0.36, c)]
            leaves = [(0, rng.uniform(0.6, 1.1), 0, rng.uniform(0.25, 0.5))]
        else:
            leaves = [(x, 0.38, 0, 0.36) for x in (-0.75, -0.35, 0.05, 0.45, 0.8)]
    elif kind == "plinth":
        w, h = rng.uniform(0.5, 0.95), rng.uniform(0.12, 1.1)
        stone = np.clip(rng.uniform(70, 200) + rng.normal(0, 8, 3), 20, 240)
        boxes = [(0, 0, 0, w * 1.2, h * 0.2, w * 1.2, stone), (0, h * 0.2, 0, w, h * 0.66, w, stone * 0.95),
                 (0, h * 0.86, 0, w * 1.12, h * 0.14, w * 1.12, stone)]  # fmt: skip
    return Thing(spot, yaw, boxes, leaves, float(rng.uniform(0.04, 0.3)))


def paint_thing(
    rng: np.random.Generator, canvas: np.ndarray, scene: Scene, thing: Thing
) -> tuple[slice, slice, np.ndarray] | None:
    """Paint onto the uint8 canvas in place.

    Returns:
        rows, columns and the (h, w) bool mask of what was covered there; None if outside.
    """
    faces = _project(scene, thing)
    balls: list[tuple[np.ndarray, float]] = []
    for x, y, z, radius in thing.leaves:
        flat, scale = scene.camera.project(thing.spot + turn("y", thing.yaw) @ np.array([x, -y, z]))
        balls.append((flat[:2], radius * float(scale)))
    outline = [quad for _, quad, _ in faces]
    outline += [middle + np.array([[-2, -2], [2, 2]]) * radius for middle, radius in balls]
    if not outline:
        return None
    every = np.concatenate(outline)
    height, width = canvas.shape[:2]
    low = np.clip(np.floor(every.min(axis=0)) - 1, 0, (width, height)).astype(int)
    high = np.clip(np.ceil(every.max(axis=0)) + 2, 0, (width, height)).astype(int)
    if (high - low < 1).any():
        return None
    rows, columns = slice(low[1], high[1]), slice(low[0], high[0])
    view = canvas[rows, columns]
    patch, mask = view.copy(), np.zeros(view.shape[:2], np.uint8)
    for _, quad, colour in faces:
        points = np.round((quad - low) * 8).astype(np.int32)
        cv2.fillConvexPoly(patch, points, tuple(float(v) for v in colour), cv2.LINE_AA, 3)
        cv2.fillConvexPoly(mask, points, 255, cv2.LINE_AA, 3)
    for middle, radius in balls:
        before = patch.copy()
        foliage(rng, patch, middle - low, radius, 60)
        mask |= ((before != patch).any(axis=2) * 255).astype(np.uint8)
    noise = 1 + thing.grain * noise_field(rng, len(mask), int(high[0] - low[0]), 1.0)
    painted = np.clip(patch * noise[..., None], 0, 255).astype(np.uint8)
    view[mask > 0] = painted[mask > 0]
    return rows, columns, mask > 127


def _project(scene: Scene, thing: Thing) -> list[tuple[float, np.ndarray, np.ndarray]]:
    """(depth, (4, 2) quad, shaded colour) of all faces that look at the camera, far ones first."""
    rotation = turn("y", thing.yaw)
    tilt = turn("x", scene.camera.pitch)
    faces = []
    for x, bottom, z, w, h, d, colour in thing.boxes:
        local = _CORNERS * (w, h, d) + (x, bottom, z)
        level = (local * (1, -1, 1)) @ rotation.T + thing.spot
        flat, _ = scene.camera.project(level)
        if (flat[:, 2] < 0.3).any():
            continue
        corners = level @ tilt.T
        for index, normal in _FACES:
            n = tilt @ rotation @ (np.array(normal) * (1, -1, 1))
            middle = corners[list(index)].mean(axis=0)
            if n @ middle >= 0:
                continue
            shade = scene.ambient + (1 - scene.ambient) * max(float(n @ scene.light), 0)
            bright = np.clip(colour * scene.tint * (0.35 + 0.75 * shade), 0, 255)
            far = 10 * float(np.linalg.norm(corners.mean(axis=0))) + 0.01 * float(np.linalg.norm(middle))
            faces.append((far, flat[list(index), :2], bright))
    return sorted(faces, key=lambda face: -face[0])
