"""Heatmaps of keypoints at known places."""

from __future__ import annotations

import numpy as np
import torch

from kpkit.heatmaps.encode import gaussian_targets


def encoded(points: np.ndarray, shape: tuple[int, int], sigma: float = 2.0) -> np.ndarray:
    """(N, K, 2) heatmap pixels -> (N, K, h, w) maps."""
    present = torch.ones(points.shape[:2], dtype=torch.bool)
    return gaussian_targets(torch.from_numpy(points), present, shape, sigma).numpy()


def places(seed: int, low: tuple[float, float], high: tuple[float, float], n: int = 2) -> np.ndarray:
    """(n, 17, 2) x, y between two corners."""
    return np.random.default_rng(seed).uniform(low, high, (n, 17, 2))


def noisy_peaks(seed: int, n: int = 3, k: int = 5, shape: tuple[int, int] = (12, 9)) -> np.ndarray:
    """(n, k, h, w) peaks of heights up to 2 on noise about 0; some maps flat, below 0, constant."""
    rng = np.random.default_rng(seed)
    y, x = np.indices(shape)
    cy, cx = (rng.uniform(0, side - 1, (n, k, 1, 1)) for side in shape)
    maps = rng.uniform(0.001, 2, (n, k, 1, 1)) * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 8)
    maps += rng.normal(0, 0.004, maps.shape)
    maps[0, 0], maps[0, 1], maps[0, 2] = 0, -1, 3
    maps[1, 0] -= 5
    return maps.astype(np.float32)
