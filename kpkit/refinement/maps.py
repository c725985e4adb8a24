"""PoseFix's maps: a pose as Gaussians beside the crop, a keypoint from a map of logits, and its target."""

from __future__ import annotations

import torch
from torch import Tensor

PEAK = 255.0
"""Of the Gaussians of the pose to refine, as bright as a picture's pixel (section 3.2)."""


def pose_maps(
    points: Tensor, present: Tensor, size: tuple[int, int], sigma: float, peak: float = PEAK
) -> Tensor:
    """A pose as one Gaussian per keypoint, at the crop's own resolution (section 3.2).

    Args:
        points: (N, K, 2) x, y in crop pixels; keypoints outside the crop reach in as far as they do.
        present: (N, K) bool; the maps of the others are zero.
        size: (height, width) of the crop in pixels.
        sigma: in crop pixels; 9 at 384x288 and 7 at 256x192 are published.
        peak: of the Gaussians.

    Returns:
        (N, K, height, width) float32, 0 to ``peak``, in channels-last memory.
    """
    points = points.float()
    down, across = (
        torch.exp(-(((torch.arange(side, device=points.device) - points[..., axis, None]) / sigma) ** 2) / 2)
        for axis, side in ((1, size[0]), (0, size[1]))
    )
    down = down * (peak * present[..., None])  # a Gaussian is the product of its two sides
    maps = down.transpose(1, 2)[:, :, None] * across.transpose(1, 2)[:, None]
    return maps.permute(0, 3, 1, 2)


def soft_argmax(logits: Tensor) -> Tensor:
    """The mean place of each map's softmax: the fine step of the coarse-to-fine output (section 3.3).

    Args:
        logits: (N, K, h, w).

    Returns:
        (N, K, 2) float32, x, y in heatmap pixels.
    """
    height, width = logits.shape[-2:]
    share = logits.float().flatten(2).softmax(2).unflatten(2, (height, width))
    x = (share.sum(2) * torch.arange(width, device=logits.device)).sum(2)
    y = (share.sum(3) * torch.arange(height, device=logits.device)).sum(2)
    return torch.stack([x, y], dim=2)


def split_pixels(points: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """The coarse target: each keypoint as shares of the four pixels round it, one pixel where it lies on it.

    The shares are bilinear (section 3.3). Points beyond the outermost pixels' centres count as on them, which
    is what the official code's normalisation comes to.

    Args:
        points: (N, K, 2) x, y in heatmap pixels.
        size: (height, width) of the map.

    Returns:
        (N, K, 4) int64 pixels, row by row from 0 to height * width - 1, and (N, K, 4) float32 shares, which
        add up to 1.
    """
    last = points.new_tensor([size[1] - 1, size[0] - 1])
    points = points.float().clamp(min=torch.zeros_like(last), max=last)
    low = points.floor()
    high = torch.minimum(low + 1, last)
    right, under = (points - low).unbind(2)
    pixels = torch.stack(
        [y * size[1] + x for y in (low[..., 1], high[..., 1]) for x in (low[..., 0], high[..., 0])], 2
    )
    shares = torch.stack([b * a for b in (1 - under, under) for a in (1 - right, right)], 2)
    return pixels.long(), shares


def coarse_to_fine_loss(logits: Tensor, points: Tensor, weight: Tensor) -> Tensor:
    """Cross-entropy of the softmax map with its target, plus the distance of its mean place (section 3.3).

    Both count alike and are means over all keypoints, so that unlabelled ones lower them (official code).

    Args:
        logits: (N, K, h, w).
        points: (N, K, 2) x, y in heatmap pixels, where the keypoints are.
        weight: (N, K) in 0..1; a keypoint of weight 0 adds nothing.

    Returns:
        scalar: mean over N * K of the cross-entropy in nats, plus mean over N * K * 2 of the absolute
        distance in heatmap pixels.
    """
    pixels, shares = split_pixels(points, (logits.shape[-2], logits.shape[-1]))
    chosen = logits.float().flatten(2).log_softmax(2).gather(2, pixels)
    coarse = -(chosen * shares).sum(2)
    fine = (soft_argmax(logits) - points).abs().mean(2)
    return ((coarse + fine) * weight).mean()
