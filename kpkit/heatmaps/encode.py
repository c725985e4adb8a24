"""Gaussian targets, batched and separable."""

from __future__ import annotations

import torch


def gaussian_targets(
    points: torch.Tensor, present: torch.Tensor, shape: tuple[int, int], sigma: float
) -> torch.Tensor:
    """Heatmaps with a Gaussian of peak 1 at each keypoint.

    The Gaussian stands at the exact sub-pixel place and is written as the outer product of two rows, so a
    batch costs K * (h + w) exponentials instead of K * h * w.

    Args:
        points: (N, K, 2) float, heatmap pixels x, y.
        present: (N, K) bool; a map whose keypoint is not present is all zero.
        shape: (h, w).
        sigma: width in heatmap pixels.

    Returns:
        (N, K, h, w) float32 in 0..1.
    """
    height, width = shape
    device = points.device
    grid_x = torch.arange(width, dtype=torch.float32, device=device)
    grid_y = torch.arange(height, dtype=torch.float32, device=device)
    points = points.float()
    row_x = torch.exp(-((grid_x - points[..., :1]) ** 2) / (2 * sigma**2))
    row_y = torch.exp(-((grid_y - points[..., 1:]) ** 2) / (2 * sigma**2))
    row_y = row_y * present[..., None]
    return row_y[..., :, None] * row_x[..., None, :]
