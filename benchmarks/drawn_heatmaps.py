"""Heatmaps as a trained ensemble's: peaks of all heights, which members place differently, and noise."""

from __future__ import annotations

import numpy as np

KEYPOINTS = 17


def drawn_members(
    members: int, people: int, shape: tuple[int, int], seed: int = 0, sigma: float = 3.0
) -> list[np.ndarray]:
    """M arrays (N, 17, h, w) float32.

    A peak's height is 0.1 to 1 (a keypoint that is hard to see has a low one); members place it 0.5 pixels
    apart (standard deviation) and give it 10 % more or less. One map in twelve has a second peak elsewhere,
    nearly as high, on which some members decide. The ground is normal noise of 0.3 % of the map's height.
    """
    rng = np.random.default_rng(seed)
    size = (people, KEYPOINTS, 1)
    y, x = np.arange(shape[0], dtype=np.float32), np.arange(shape[1], dtype=np.float32)

    def peak(cy: np.ndarray, cx: np.ndarray, height: np.ndarray) -> np.ndarray:
        rows = height * np.exp(-((y - cy) ** 2) / (2 * sigma**2))
        return (rows[..., None] * np.exp(-((x - cx) ** 2) / (2 * sigma**2))[..., None, :]).astype(np.float32)

    middles = [[rng.uniform(2, side - 3, size) for side in shape] for _ in range(2)]
    heights = rng.uniform(0.1, 1, size)
    twofold = rng.random(size) < 1 / 12
    made = []
    for _ in range(members):
        maps = np.zeros((people, KEYPOINTS, *shape), np.float32)
        for number, (cy, cx) in enumerate(middles):
            off = rng.normal(0, 0.5, (2, *size))
            height = heights * rng.normal(1 if number == 0 else 0.9, 0.1, size) * (twofold | (number == 0))
            maps += peak(cy + off[0], cx + off[1], height)
        noise = rng.standard_normal(maps.shape, np.float32)
        maps += noise * (0.003 * heights[..., None]).astype(np.float32)
        made.append(maps)
    return made
