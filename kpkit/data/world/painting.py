"""A figure's tubes to a painted patch: colours, patterns, folds; and which keypoints are seen on it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from kpkit.data.world.bodies import WORLD19
from kpkit.data.world.camera import Projected
from kpkit.data.world.looks import PATTERNS, Look, Part
from kpkit.data.world.textures import noise_field
from kpkit.data.world.tubes import FAR, Sheet, Tube

# How deep below the visible surface a keypoint may lie, in body heights: its limb's own thickness.
_DEPTH = {"nose": 0.020, "eye": 0.020, "ear": 0.024, "shoulder": 0.062, "elbow": 0.048, "wrist": 0.04,
          "hip": 0.10, "knee": 0.062, "ankle": 0.050, "top": 0.09, "neck": 0.075}  # fmt: skip
TOLERANCE = np.array([_DEPTH[name.split("_")[-1]] for name in WORLD19.keypoints])


@dataclass
class Painted:
    """A figure ready to be laid on the picture.

    Attributes:
        x, y: picture pixel of its left top corner (may be negative).
        colour: (h, w, 3) float32 BGR, premultiplied by alpha.
        alpha: (h, w) float32 0..1.
        body: (h, w) float32 0..1, the share of the person itself, without carried things.
        keypoints: (19, 2) float picture pixels.
        seen: (19,) bool, not hidden by the figure itself.
    """

    x: int
    y: int
    colour: np.ndarray
    alpha: np.ndarray
    body: np.ndarray
    keypoints: np.ndarray
    seen: np.ndarray


def extent(tubes: list[Tube], width: int, height: int, margin: int = 24) -> tuple[int, int, int, int] | None:
    """The patch the tubes need, cut to the picture and a margin: x, y, width, height; None if outside."""
    reach = np.array([tube.reach() for tube in tubes])
    low = np.maximum(np.floor(reach[:, :2].min(axis=0)), -margin).astype(int)
    high = np.minimum(np.ceil(reach[:, 2:].max(axis=0)) + 1, (width + margin, height + margin)).astype(int)
    if (high - low < 2).any():
        return None
    return int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1])


def paint_figure(
    figure: Projected,
    tubes: list[Tube],
    look: Look,
    *,
    size: tuple[int, int],
    light: np.ndarray,
    ambient: float,
    tint: np.ndarray,
    rng: np.random.Generator,
) -> Painted | None:
    """Draw a figure.

    Args:
        size: (width, height) of the picture.
        light: (3,) unit vector towards the light.
        ambient: share of light from everywhere, 0..1.
        tint: (3,) BGR factors of the light.

    Returns:
        The patch, or None when the figure is outside the picture.
    """
    place = extent(tubes, *size)
    if place is None:
        return None
    x, y, width, height = place
    fine = 3 if max(width, height) < 90 else 2
    sheet = Sheet(x, y, width, height, fine, light, ambient)
    own = _draw(sheet, tubes)
    colour = _colours(sheet, look, tint, rng)
    covered = sheet.part > 0
    colour *= covered[..., None]
    patch = cv2.resize(colour, (width, height), interpolation=cv2.INTER_AREA)
    alpha = cv2.resize(covered.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    body = alpha if own is None else cv2.resize(own, (width, height), interpolation=cv2.INTER_AREA)
    points = figure.body.points[: len(WORLD19), :2]
    return Painted(x, y, patch, alpha, body, points, _seen(sheet, figure))


def _draw(sheet: Sheet, tubes: list[Tube]) -> np.ndarray | None:
    """Draw all; returns the person's own share when something carried is drawn too, else None."""
    for tube in tubes:
        if not tube.foreign:
            sheet.draw(tube)
    things = [tube for tube in tubes if tube.foreign]
    if not things:
        return None
    before = sheet.depth.copy()
    for tube in things:
        sheet.draw(tube)
    return ((before < FAR) & (sheet.depth >= before)).astype(np.float32)


def _seen(sheet: Sheet, figure: Projected) -> np.ndarray:
    """(19,) bool: the surface painted at a keypoint is its own limb's, or none is."""
    points = figure.body.points[: len(WORLD19)]
    at = np.round(sheet.to_fine(points[:, :2])).astype(int)
    height, width = sheet.depth.shape
    inside = (at >= 0).all(axis=1) & (at[:, 0] < width) & (at[:, 1] < height)
    at = np.clip(at, 0, (width - 1, height - 1))
    surface = sheet.depth[at[:, 1], at[:, 0]] / sheet.fine
    slack = TOLERANCE * figure.body.build.height * figure.scale[: len(WORLD19)]
    return inside & (surface >= points[:, 2] - slack)


def _pattern(sheet: Sheet, look: Look, part: int, where: np.ndarray) -> np.ndarray:
    """0..1 mix of the second colour for one part's pixels."""
    kind, period = PATTERNS[look.pattern[part]], float(look.period[part])
    u, v = sheet.along[where] / period, sheet.around[where] / period
    if kind == "rings":
        return (np.mod(u, 1) < 0.45).astype(np.float32)
    if kind == "stripes":
        return (np.mod(v, 1) < 0.4).astype(np.float32)
    if kind == "checks":
        return 0.5 * ((np.mod(u, 1) < 0.5).astype(np.float32) + (np.mod(v, 1) < 0.5))
    if kind == "dots":
        return (np.sin(u * 6.28) * np.sin(v * 6.28) > 0.35).astype(np.float32)
    if kind == "halves":
        return (u * period > 0.22).astype(np.float32)
    return (np.sin(u * 2.1 + 2 * np.sin(v * 1.7)) * np.cos(v * 2.3 - np.sin(u * 1.3)) > 0.1).astype(
        np.float32
    )


def _colours(sheet: Sheet, look: Look, tint: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(h, w, 3) float32 BGR 0..255 of the whole sheet."""
    part = sheet.part
    mix = np.zeros(part.shape, np.float32)
    for index in np.flatnonzero(look.pattern):
        where = part == index
        if where.any():
            mix[where] = _pattern(sheet, look, int(index), where)
    base = (look.base * tint).astype(np.float32)
    second = (look.second * tint).astype(np.float32)
    colour = base[part]
    if mix.any():
        colour += (second - base)[part] * mix[..., None]
    h, w = part.shape
    folds = noise_field(rng, h, w, 1.0 if look.statue else 0.6)
    cloth = np.full(len(base), 0.22 if not look.statue else look.grain * 0.4, np.float32)
    if not look.statue:
        cloth[[Part.SKIN, Part.WHITE, Part.IRIS, Part.LIPS]] = 0.05
        cloth[Part.HAIR] = 0.45
    shade = sheet.shade * (1 + cloth[part] * folds)
    colour *= shade[..., None]
    shine = np.clip(sheet.shade - 0.92, 0, 1)
    colour += (shine * (160 if look.grain < 0.2 else 60))[..., None]
    return np.clip(colour, 0, 255)


def lay(canvas: np.ndarray, patch: Painted) -> tuple[slice, slice, np.ndarray, np.ndarray] | None:
    """Blend a patch onto the canvas (uint8 BGR) in place.

    Returns:
        rows and columns of the canvas, and the patch's alpha and body share there; None if outside.
    """
    h, w = patch.alpha.shape
    height, width = canvas.shape[:2]
    x0, y0, x1, y1 = max(patch.x, 0), max(patch.y, 0), min(patch.x + w, width), min(patch.y + h, height)
    if x0 >= x1 or y0 >= y1:
        return None
    cut = (slice(y0 - patch.y, y1 - patch.y), slice(x0 - patch.x, x1 - patch.x))
    rows, columns = slice(y0, y1), slice(x0, x1)
    view, alpha = canvas[rows, columns], patch.alpha[cut]
    view[:] = np.clip(view * (1 - alpha)[..., None] + patch.colour[cut], 0, 255)
    return rows, columns, alpha, patch.body[cut]
