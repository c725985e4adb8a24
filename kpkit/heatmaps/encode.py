"""Targets of three kinds, batched and separable: each map is the outer product of two rows.

So a batch costs K * (h + w) exponentials or look-ups instead of K * h * w. All have peak 1; points are
heatmap pixels of the codec that will read them.
"""

from __future__ import annotations

from functools import lru_cache

import torch

from kpkit.heatmaps.kernels import blurred_pixels

PATCH_SIGMAS = 3
"""A patch ends this many sigmas from its middle pixel."""


def gaussian_targets(
    points: torch.Tensor, present: torch.Tensor, shape: tuple[int, int], sigma: float
) -> torch.Tensor:
    """A Gaussian at each keypoint's exact sub-pixel place, over the whole map (DARK's target).

    Args:
        points: (N, K, 2) float, heatmap pixels x, y.
        present: (N, K) bool; a map whose keypoint is not present is all zero.
        shape: (h, w).
        sigma: width in heatmap pixels.

    Returns:
        (N, K, h, w) float32 in 0..1.
    """
    points = points.float()
    row_y, row_x = (_gaussian_row(points[..., axis], shape[1 - axis], sigma) for axis in (1, 0))
    return _outer(row_y, row_x, present)


def patch_targets(
    points: torch.Tensor,
    present: torch.Tensor,
    shape: tuple[int, int],
    sigma: float,
    *,
    exact: bool = False,
) -> torch.Tensor:
    """A Gaussian on a square of 3 sigma round each keypoint's nearest pixel, zero elsewhere.

    Args:
        points, present, shape, sigma: as for ``gaussian_targets``.
        exact: the Gaussian stands at the keypoint's exact place (UDP), not at the nearest pixel (HRNet, whose
            highest value is therefore 1). The square is the same.

    Returns:
        (N, K, h, w) float32 in 0..1.
    """
    points = points.float()
    middle = nearest_pixel(points)
    rows = []
    for axis in (1, 0):
        length, place = shape[1 - axis], middle[..., axis]
        row = _gaussian_row(points[..., axis] if exact else place, length, sigma)
        distance = (_grid(length, points.device) - place[..., None]).abs()
        rows.append(row * (distance <= PATCH_SIGMAS * sigma))
    return _outer(rows[0], rows[1], present)


def patch_shows(points: torch.Tensor, shape: tuple[int, int], sigma: float) -> torch.Tensor:
    """(N, K) bool: some of the keypoint's patch lies on the map. HRNet weighs the others 0."""
    middle = nearest_pixel(points.float())
    limit = torch.tensor([shape[1] - 1, shape[0] - 1], device=points.device)
    reach = int(PATCH_SIGMAS * sigma)
    return ((middle >= -reach) & (middle <= limit + reach)).all(dim=-1)


def kernel_targets(
    points: torch.Tensor, present: torch.Tensor, shape: tuple[int, int], size: int
) -> torch.Tensor:
    """One pixel, the nearest, blurred by OpenCV's Gaussian kernel and brought to a maximum of 1 (CPN, MSPN).

    Args:
        points, present, shape: as for ``gaussian_targets``.
        size: odd kernel size in heatmap pixels (kernels.py).

    Returns:
        (N, K, h, w) float32 in 0..1; all zero also where the nearest pixel lies outside the map.
    """
    middle = nearest_pixel(points.float()).long()
    limit = torch.tensor([shape[1] - 1, shape[0] - 1], device=points.device)
    inside = ((middle >= 0) & (middle <= limit)).all(dim=-1)
    middle = torch.minimum(middle.clamp(min=0), limit)
    row_y, row_x = (_blurred(size, shape[1 - axis], points.device)[middle[..., axis]] for axis in (1, 0))
    return _outer(row_y, row_x, present & inside)


def nearest_pixel(points: torch.Tensor) -> torch.Tensor:
    """Heatmap pixels -> whole ones, by int(u + 0.5) as the peers write it.

    For ``classic`` that is HRNet's int(x / 4 + 0.5), for ``megvii`` CPN's and MSPN's int(x / 4). Below 0 it
    rounds towards 0.
    """
    return torch.trunc(points + 0.5)


def _outer(row_y: torch.Tensor, row_x: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
    """(N, K, h) and (N, K, w) -> (N, K, h, w)."""
    row_y = row_y * present[..., None]
    return row_y[..., :, None] * row_x[..., None, :]


def _gaussian_row(place: torch.Tensor, length: int, sigma: float) -> torch.Tensor:
    """(N, K) places -> (N, K, length)."""
    return torch.exp(-((_grid(length, place.device) - place[..., None]) ** 2) / (2 * sigma**2))


def _grid(length: int, device: torch.device) -> torch.Tensor:
    return torch.arange(length, dtype=torch.float32, device=device)


@lru_cache(maxsize=64)
def _blurred(size: int, length: int, device: torch.device) -> torch.Tensor:
    return torch.from_numpy(blurred_pixels(size, length)).to(device, torch.float32)
