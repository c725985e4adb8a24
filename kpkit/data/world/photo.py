"""What a camera and a file format do to a picture: blur, exposure, colour cast, noise, JPEG."""

from __future__ import annotations

import cv2
import numpy as np


def motion_kernel(rng: np.random.Generator, length: float) -> np.ndarray:
    """A line of equal weights in a random direction, sum 1."""
    size = int(np.ceil(length)) | 1
    kernel = np.zeros((size, size), np.float32)
    angle = rng.uniform(0, np.pi)
    reach = np.array([np.cos(angle), np.sin(angle)]) * (size - 1) / 2
    middle = (size - 1) / 2
    start, end = np.round(middle - reach).astype(int), np.round(middle + reach).astype(int)
    cv2.line(kernel, (int(start[0]), int(start[1])), (int(end[0]), int(end[1])), 1.0, 1)
    return kernel / kernel.sum()


def expose(rng: np.random.Generator, canvas: np.ndarray) -> np.ndarray:
    """The finished uint8 picture."""
    height, width = canvas.shape[:2]
    dice = rng.random(5)
    if dice[0] < 0.22:
        canvas = cv2.GaussianBlur(canvas, (0, 0), float(rng.uniform(0.4, 1.1)))
    elif dice[0] < 0.26:
        canvas = cv2.filter2D(canvas, -1, motion_kernel(rng, rng.uniform(3, 5)))
    level = np.arange(256, dtype=np.float32) / 255
    gamma = float(np.exp(rng.normal(0, 0.16)))
    gain = rng.uniform(0.85, 1.12)
    if dice[1] < 0.06:
        gamma, gain = gamma * rng.uniform(1.2, 1.9), gain * rng.uniform(0.45, 0.8)
    elif dice[1] < 0.09:
        gain *= rng.uniform(1.2, 1.5)
    cast = np.exp(rng.normal(0, 0.05, 3))
    low = rng.uniform(0, 0.06)
    curve = low + (1 - low) * gain * (level**gamma)[:, None] * cast
    table = np.clip(curve * 255, 0, 255).astype(np.uint8)
    canvas = cv2.LUT(canvas, table.reshape(256, 1, 3))
    if dice[2] < 0.03:
        canvas = cv2.cvtColor(cv2.cvtColor(canvas, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    strength = float(rng.choice([0, 2, 4, 8], p=[0.25, 0.42, 0.25, 0.08])) * min(gain + 0.15, 1.0)
    if strength:
        grain = rng.integers(-128, 128, (height, width, 1), np.int16)
        canvas = np.clip(canvas + (grain * strength / 74).astype(np.int16), 0, 255).astype(np.uint8)
    return canvas


def encode(rng: np.random.Generator, canvas: np.ndarray) -> bytes:
    """JPEG at a quality of 55 to 95."""
    done, data = cv2.imencode(".jpg", canvas, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(55, 96))])
    if not done:
        raise RuntimeError("OpenCV could not encode a picture as JPEG")
    return data.tobytes()
