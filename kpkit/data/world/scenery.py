"""What is behind the people: sky, ground, houses and trees outdoors; walls, floor and windows indoors."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from kpkit.data.world.camera import Camera
from kpkit.data.world.looks import cloth_colour
from kpkit.data.world.textures import noise_field, surface

GROUNDS = {
    "grass": (60, 120, 85), "sand": (150, 190, 212), "asphalt": (112, 112, 110), "plaster": (235, 232, 228),
    "tiles": (170, 175, 180), "water": (150, 120, 80),
}  # fmt: skip
FLOORS = {
    "planks": (80, 120, 165), "tiles": (190, 195, 200), "carpet": (90, 80, 120), "plaster": (140, 145, 150),
}  # fmt: skip


@dataclass(frozen=True)
class Scene:
    """The light and the place of a picture.

    Attributes:
        camera: where it is seen from.
        indoor: a room, else open air.
        light: (3,) unit vector towards the light, camera frame.
        ambient: 0..1 share of light from everywhere.
        tint: (3,) BGR factors of the light on the figures.
        wall: metres to the back wall indoors; how far things may stand outdoors.
    """

    camera: Camera
    indoor: bool
    light: np.ndarray
    ambient: float
    tint: np.ndarray
    wall: float


def sample_light(rng: np.random.Generator) -> tuple[np.ndarray, float, np.ndarray]:
    """Direction towards the light (from above, either side, mostly the viewer's), ambient share, tint."""
    direction = np.array([rng.normal(0, 0.6), -rng.uniform(0.25, 1.1), -rng.uniform(-0.25, 1.0)])
    warm = rng.normal(0, 0.05)
    tint = np.array([1 - warm, 1.0, 1 + warm]) * rng.uniform(0.92, 1.08)
    return direction / np.linalg.norm(direction), float(rng.uniform(0.38, 0.68)), tint


def paint_background(rng: np.random.Generator, scene: Scene) -> np.ndarray:
    """(height, width, 3) uint8 BGR."""
    camera = scene.camera
    canvas = np.empty((camera.height_px, camera.width, 3), np.uint8)
    if scene.indoor:
        _room(rng, canvas, scene)
    else:
        _open_air(rng, canvas, scene)
    return canvas


def _ground(
    rng: np.random.Generator, canvas: np.ndarray, camera: Camera, texture: np.ndarray, top: int
) -> None:
    """Lay a texture on the ground plane below picture row ``top``, in perspective."""
    height, width = canvas.shape[:2]
    if top >= height:
        return
    near, far = 1.0, 60.0
    metre = texture.shape[0] / rng.uniform(1.6, 4.0)
    corners = np.array([[-20, near], [20, near], [20, far], [-20, far]])
    level = np.column_stack([corners[:, 0], np.full(4, camera.height), corners[:, 1]])
    flat, _ = camera.project(level)
    plane = (corners - corners.min(axis=0)) * metre
    # Texture coordinates repeat by reflection.
    there = (flat[:, :2] - (0, top)).astype(np.float32)
    matrix = cv2.getPerspectiveTransform(plane.astype(np.float32), there)
    canvas[top:] = cv2.warpPerspective(texture, matrix, (width, height - top), flags=cv2.INTER_LINEAR,
                                       borderMode=cv2.BORDER_REFLECT_101)  # fmt: skip
    # Far ground runs together into its mean colour.
    band = min(max(int(0.16 * height), 8), height - top)
    fade = np.linspace(0.75, 0, band, dtype=np.float32)[:, None, None]
    mean = texture.reshape(-1, 3).mean(axis=0).astype(np.float32)
    strip = canvas[top : top + band]
    strip[:] = (strip * (1 - fade) + mean * fade).astype(np.uint8)


def _rectangle(canvas: np.ndarray, x: float, y: float, w: float, h: float, colour: np.ndarray) -> None:
    cv2.rectangle(canvas, (int(x), int(y)), (int(x + w), int(y + h)), tuple(float(c) for c in colour), -1)


def _open_air(rng: np.random.Generator, canvas: np.ndarray, scene: Scene) -> None:
    height = len(canvas)
    horizon = int(np.clip(scene.camera.horizon, -1, height))
    if horizon > 0:
        _sky(rng, canvas[:horizon])
        if rng.random() < 0.35:
            _hills(rng, canvas, horizon)
        if rng.random() < 0.5:
            _houses(rng, canvas, horizon)
        if rng.random() < 0.6:
            _trees(rng, canvas, horizon)
    kind = str(rng.choice(list(GROUNDS), p=[0.3, 0.14, 0.24, 0.1, 0.16, 0.06]))
    colour = np.clip(np.array(GROUNDS[kind]) * rng.uniform(0.6, 1.15) + rng.normal(0, 8, 3), 15, 245)
    _ground(rng, canvas, scene.camera, surface(rng, kind, colour), max(horizon, 0))
    if rng.random() < 0.35:
        _lines(rng, canvas, scene.camera)


def _sky(rng: np.random.Generator, sky: np.ndarray) -> None:
    high = np.array([[210, 150, 95], [225, 215, 205], [190, 175, 165], [150, 120, 110], [120, 160, 225]])
    top = high[rng.integers(5)] * rng.uniform(0.75, 1.1)
    low = top * 0.5 + 0.5 * np.array([240, 235, 228]) * rng.uniform(0.7, 1)
    ramp = np.linspace(0, 1, len(sky), dtype=np.float32)[:, None, None] ** 0.8
    picture = top.astype(np.float32) * (1 - ramp) + low.astype(np.float32) * ramp
    cloud = np.clip(noise_field(rng, len(sky), sky.shape[1], 0.0), 0, 1)[..., None]
    sky[:] = np.clip(picture + cloud * rng.uniform(0, 110), 0, 255)


def _hills(rng: np.random.Generator, canvas: np.ndarray, horizon: int) -> None:
    width = canvas.shape[1]
    for k in range(2):
        xs = np.linspace(0, width, 9)
        ys = horizon - rng.uniform(0.05, 0.4 - 0.15 * k, 9) * max(horizon, 30)
        outline = np.concatenate([np.column_stack([xs, ys]), [[width, horizon + 2], [0, horizon + 2]]])
        colour = np.array([120, 115, 100]) * rng.uniform(0.6, 1.3) + rng.normal(0, 10, 3)
        cv2.fillPoly(canvas, [outline.astype(np.int32)], tuple(np.clip(colour, 0, 255)), cv2.LINE_AA)


def _houses(rng: np.random.Generator, canvas: np.ndarray, horizon: int) -> None:
    width = canvas.shape[1]
    x = -rng.uniform(0, 40)
    while x < width:
        w, h = rng.uniform(35, 130), rng.uniform(0.35, 1.2) * max(horizon, 50)
        colour = np.clip(rng.uniform(70, 225) + rng.normal(0, 18, 3), 20, 245)
        if rng.random() < 0.8:
            kind = str(rng.choice(["plaster", "bricks"]))
            x0, x1, y0 = max(int(x), 0), min(int(x + w), width), max(int(horizon - h), 0)
            if x1 > x0 and horizon > y0:
                cut = surface(rng, kind, colour, 128)
                cut = np.tile(cut, (horizon // 128 + 1, int(w) // 128 + 2, 1))
                canvas[y0:horizon, x0:x1] = cut[: horizon - y0, : x1 - x0]
                _windows(rng, canvas, x, horizon - h, w, h)
        x += w + rng.uniform(0, 30) * (rng.random() < 0.4)


def _windows(rng: np.random.Generator, canvas: np.ndarray, x: float, y: float, w: float, h: float) -> None:
    step_x, step_y = rng.uniform(14, 30), rng.uniform(18, 34)
    pane = np.clip(np.array([110, 90, 70]) * rng.uniform(0.3, 1.7), 0, 250)
    for wy in np.arange(y + 6, y + h - step_y * 0.7, step_y):
        for wx in np.arange(x + 5, x + w - step_x * 0.7, step_x):
            _rectangle(canvas, wx, wy, step_x * 0.55, step_y * 0.6, pane * rng.uniform(0.8, 1.2))


def _trees(rng: np.random.Generator, canvas: np.ndarray, horizon: int) -> None:
    width = canvas.shape[1]
    for _ in range(int(rng.integers(1, 7))):
        x, h = rng.uniform(-20, width + 20), rng.uniform(0.3, 1.1) * max(horizon, 60)
        trunk = np.array([45, 60, 80]) * rng.uniform(0.5, 1.3)
        _rectangle(canvas, x - h * 0.03, horizon - h * 0.6, h * 0.06, h * 0.62, trunk)
        foliage(rng, canvas, np.array([x, horizon - h * 0.65]), h * 0.33, 45)


def foliage(
    rng: np.random.Generator, canvas: np.ndarray, centre: np.ndarray, radius: float, blobs: int
) -> None:
    """Leaves: many small ellipses in shades of one green."""
    green = np.array([45, 95, 70]) * rng.uniform(0.5, 1.3) + rng.normal(0, 10, 3)
    leaf = np.linspace(0.55, 0.1, blobs)[:, None]  # large dark masses first, small leaves on top of them
    spots = centre + rng.normal(0, 0.42, (blobs, 2)) * radius * (1.25 - leaf)
    sizes = leaf * rng.uniform(0.5, 1.0, (blobs, 2)) * radius + 1
    tones = np.linspace(0.6, 1.1, blobs) * rng.uniform(0.75, 1.3, blobs)
    for spot, size, tone in zip(spots, sizes, tones, strict=True):
        colour = tuple(float(c) for c in np.clip(green * tone, 0, 255))
        axes = (int(size[0]), int(size[1]))
        cv2.ellipse(
            canvas, (int(spot[0]), int(spot[1])), axes, float(tone * 180), 0, 360, colour, -1, cv2.LINE_AA
        )


def _lines(rng: np.random.Generator, canvas: np.ndarray, camera: Camera) -> None:
    """Court or road markings on the ground."""
    colour = tuple(float(c) for c in np.clip(np.array([225, 228, 230]) + rng.normal(0, 12, 3), 0, 255))
    angle = rng.uniform(-0.6, 0.6)
    for _ in range(int(rng.integers(1, 5))):
        across = rng.random() < 0.5
        z = rng.uniform(2.5, 20)
        ends = np.array([[-15, z], [15, z]] if across else [[rng.uniform(-6, 6), 1.5]] * 2, float)
        if not across:
            ends[1] += (angle * 30, 30)
        wide = np.array([[0, 0.06 + 0.01 * z]] if across else [[0.08, 0]])
        quad = np.concatenate([ends - wide, (ends + wide)[::-1]])
        level = np.column_stack([quad[:, 0], np.full(4, camera.height), quad[:, 1]])
        flat, _ = camera.project(level)
        cv2.fillPoly(canvas, [np.clip(flat[:, :2], -3000, 3000).astype(np.int32)], colour, cv2.LINE_AA)


def _room(rng: np.random.Generator, canvas: np.ndarray, scene: Scene) -> None:
    height, width = canvas.shape[:2]
    camera = scene.camera
    foot, _ = camera.project(np.array([0.0, camera.height, scene.wall]))
    seam = int(np.clip(foot[1], 0, height))
    colour = np.clip(rng.uniform(70, 235) + rng.normal(0, 22, 3), 20, 250)
    kind = str(rng.choice(["plaster", "bricks", "paper", "tiles", "planks"], p=[0.55, 0.1, 0.15, 0.1, 0.1]))
    wall = np.tile(surface(rng, kind, colour), (2, 2, 1))
    y, x = rng.integers(0, 100, 2)
    canvas[:] = wall[y : y + height, x : x + width]
    if seam > 0:
        _wall_things(rng, canvas[:seam], scene, foot)
    kind = str(rng.choice(list(FLOORS), p=[0.4, 0.25, 0.2, 0.15]))
    colour = np.clip(np.array(FLOORS[kind]) * rng.uniform(0.5, 1.2) + rng.normal(0, 10, 3), 10, 245)
    _ground(rng, canvas, camera, surface(rng, kind, colour), seam)
    if seam < height:
        skirting = tuple(float(c) for c in np.clip(colour * rng.uniform(0.5, 1.5), 0, 255))
        cv2.line(canvas, (0, seam), (width, seam), skirting, 3)
    # Light falls off towards one side.
    fall = np.linspace(1, rng.uniform(0.65, 1), width, dtype=np.float32)
    canvas[:] = canvas * (fall if rng.random() < 0.5 else fall[::-1])[None, :, None]


def _wall_things(rng: np.random.Generator, wall: np.ndarray, scene: Scene, foot: np.ndarray) -> None:
    """Windows, pictures, shelves, doors and curtains on the back wall."""
    metre = scene.camera.focal / foot[2]
    width = wall.shape[1]
    base = foot[1]
    for _ in range(int(rng.integers(1, 5))):
        x = rng.uniform(-0.1, 0.95) * width
        kind = rng.choice(["window", "picture", "shelf", "door", "curtain", "screen"])
        if kind in ("window", "door", "curtain"):
            w, low, high = rng.uniform(0.9, 1.8), 0.9, 2.2
            if kind == "door":
                w, low = 0.9, 0.0
            y, h = base - high * metre, (high - low) * metre
            frame = np.clip(cloth_colour(rng) * 0.5 + 110, 0, 255)
            _rectangle(wall, x - 3, y - 3, w * metre + 6, h + 6, frame)
            pane = (
                np.array([235, 225, 210]) * rng.uniform(0.35, 1.05) if kind == "window" else cloth_colour(rng)
            )
            _rectangle(wall, x, y, w * metre, h, pane)
            if kind == "window":
                _rectangle(wall, x + w * metre / 2 - 2, y, 4, h, frame)
                _rectangle(wall, x, y + h / 2 - 2, w * metre, 4, frame)
            elif kind == "curtain":
                for fold in np.arange(x, x + w * metre, max(7, 0.12 * metre)):
                    _rectangle(wall, fold, y, max(2, 0.05 * metre), h, pane * rng.uniform(0.6, 0.9))
        elif kind in ("picture", "screen"):
            w, h, low = rng.uniform(0.3, 1.2), rng.uniform(0.3, 0.8), rng.uniform(1.1, 1.6)
            y = base - (low + h) * metre
            _rectangle(wall, x - 3, y - 3, w * metre + 6, h * metre + 6, cloth_colour(rng) * 0.6)
            inner = (25, 25, 28) if kind == "screen" else cloth_colour(rng)
            _rectangle(wall, x, y, w * metre, h * metre, np.asarray(inner))
            if kind == "picture":
                for _ in range(4):
                    spot = (int(x + rng.random() * w * metre), int(y + rng.random() * h * metre))
                    cv2.circle(
                        wall, spot, int(rng.uniform(0.03, 0.12) * metre) + 1, tuple(cloth_colour(rng)), -1
                    )
        else:
            _shelf(rng, wall, x, base, metre)


def _shelf(rng: np.random.Generator, wall: np.ndarray, x: float, base: float, metre: float) -> None:
    """Boards with books and boxes."""
    wide, wood = rng.uniform(0.7, 1.8) * metre, cloth_colour(rng) * 0.7
    for level in np.arange(0.2, rng.uniform(1.0, 2.2), 0.38):
        y = base - level * metre
        _rectangle(wall, x, y, wide, max(0.035 * metre, 1), wood)
        place = x + 2
        while place < x + wide - 0.05 * metre:
            w, h = rng.uniform(0.03, 0.12) * metre, rng.uniform(0.15, 0.32) * metre
            if rng.random() < 0.85:
                _rectangle(wall, place, y - h, max(w - 1, 1), h, cloth_colour(rng))
            place += w
