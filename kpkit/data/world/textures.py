"""Noise fields and surface textures, drawn once per process and cut at random places."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from kpkit.core.seeds import generator

FIELD = 1024


@lru_cache(maxsize=4)
def _field(kind: str) -> np.ndarray:
    """(FIELD, FIELD) float32 noise, mean 0, deviation about 0.4: ``"fine"`` or ``"coarse"``."""
    rng = generator("world noise", kind)
    cells = {"fine": (24, 64, 160, 420, 1024), "coarse": (5, 11, 24, 60, 150)}[kind]
    total = np.zeros((FIELD, FIELD), np.float32)
    for n, cell in enumerate(cells):
        grid = rng.normal(0, 1, (cell, cell)).astype(np.float32)
        total += cv2.resize(grid, (FIELD, FIELD), interpolation=cv2.INTER_CUBIC) * 0.75**n
    return total * np.float32(0.4 / total.std())


def noise_field(rng: np.random.Generator, height: int, width: int, grain: float) -> np.ndarray:
    """A (height, width) float32 cut of the noise, deviation about 0.4; ``grain`` 0 coarse .. 1 fine."""
    kind = "fine" if grain > 0.5 else "coarse"
    y, x = rng.integers(0, FIELD // 2, 2)
    field = _field(kind)
    cut = field[y : min(y + height, FIELD), x : min(x + width, FIELD)]
    if cut.shape != (height, width):
        cut = cv2.copyMakeBorder(
            cut, 0, height - cut.shape[0], 0, width - cut.shape[1], cv2.BORDER_REFLECT_101
        )
    return cut


def surface(rng: np.random.Generator, kind: str, colour: np.ndarray, size: int = 256) -> np.ndarray:
    """A square texture, (size, size, 3) uint8 BGR.

    Kinds: ``grass``, ``sand``, ``asphalt``, ``plaster``, ``planks``, ``tiles``, ``bricks``, ``carpet``,
    ``paper`` (striped wallpaper), ``water``.
    """
    yy, xx = np.mgrid[0:size, 0:size].astype(np.float32)
    noise = noise_field(rng, size, size, 1.0)
    level = np.ones((size, size), np.float32)
    if kind in ("planks", "tiles", "bricks"):
        step = float(rng.choice([24, 32, 48, 64]))
        tall = step * {"planks": 0.5, "tiles": 1.0, "bricks": 0.45}[kind]
        row = np.floor(yy / tall)
        shift = {"planks": 0.37, "tiles": 0.0, "bricks": 0.5}[kind]
        long = step * (4 if kind == "planks" else 1)
        u = np.mod(xx + row * long * shift, long)
        joint = (np.mod(yy, tall) < 1.6) | (u < 1.6)
        tone = np.mod(
            np.sin(row * 12.9898 + np.floor((xx + row * long * shift) / long) * 78.233) * 43758.5, 1
        )
        level += (tone - 0.5) * rng.uniform(0.05, 0.3)
        if kind == "tiles" and rng.random() < 0.4:
            level *= np.where((np.floor(xx / step) + row) % 2 > 0, 1.0, rng.uniform(0.4, 0.85))
        level = np.where(joint, level * rng.uniform(0.55, 1.2), level)
        level += 0.05 * noise
    elif kind == "paper":
        period = float(rng.choice([16, 24, 40]))
        level += 0.12 * np.sign(np.sin(xx * 2 * np.pi / period)) + 0.03 * noise
    elif kind == "water":
        level += 0.22 * np.sin(yy * 0.35 + 2 * noise) + 0.1 * noise
    else:
        level += noise * {"grass": 0.5, "sand": 0.16, "asphalt": 0.22, "plaster": 0.06, "carpet": 0.15}[kind]
    picture = level[..., None] * np.asarray(colour, np.float32)
    if kind == "grass":
        picture[..., 1] += 10 * noise_field(rng, size, size, 0.0)
    return np.clip(picture, 0, 255).astype(np.uint8)
