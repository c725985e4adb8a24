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
