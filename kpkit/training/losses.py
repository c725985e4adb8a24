"""Losses of the keypoint networks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from kpkit.heatmaps.codecs import Codec
from kpkit.heatmaps.encode import gaussian_targets
from kpkit.models.network import Output


def heatmap_mse(prediction: torch.Tensor, target: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Mean squared error with keypoint weights.

    Args:
        prediction, target: (N, K, h, w).
        weight: (N, K) in 0..1; an unlabelled keypoint (0) adds nothing.

    Returns:
        scalar: the mean over N * K * h * w, so that unlabelled keypoints lower it (SimpleBaseline, HRNet).
    """
    return (_per_keypoint(prediction, target) * weight).mean()


def heatmap_ohkm(
    prediction: torch.Tensor, target: torch.Tensor, weight: torch.Tensor, keep: int
) -> torch.Tensor:
    """Online hard keypoint mining: per person only the ``keep`` keypoints of largest loss count.

    CPN section 3.2.2 (8 of 17). The mean is over ``keep`` also where fewer are labelled, as the peers do.
    """
    loss = _per_keypoint(prediction, target) * weight
    return loss.topk(min(keep, loss.shape[1]), dim=1).values.mean()


def _per_keypoint(prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return ((prediction.float() - target) ** 2).mean(dim=(2, 3))


def supervision_loss(
    predictions: Sequence[torch.Tensor],
    outputs: Sequence[Output],
    codec: Codec,
    sigmas: Sequence[float],
    points: torch.Tensor,
    present: torch.Tensor,
    weight: torch.Tensor,
    ohkm: int,
) -> torch.Tensor:
    """Sum over every supervised output of its weighted loss (intermediate, coarse-to-fine supervision).

    Args:
        predictions: what the network returned, one (N, K, h, w) per entry of ``outputs``.
        outputs: stride, Gaussian level, OHKM and loss weight of each.
        codec: of the final output; gives the crop convention and input size.
        sigmas: Gaussian widths in pixels of the final output's heatmap, widest first; level j takes the
            j-th, or the last if there are fewer.
        points: (N, K, 2) crop pixels.
        present: (N, K) bool, a Gaussian is drawn.
        weight: (N, K), loss weights (1 for an absent keypoint of a hard negative).
        ohkm: keypoints kept where an output uses OHKM.
    """
    targets: dict[tuple[int, float], torch.Tensor] = {}
    total = points.new_zeros(())
    for prediction, output in zip(predictions, outputs, strict=True):
        grid = Codec(codec.convention, codec.input_size, output.stride, codec.padding)
        sigma = sigmas[min(output.level, len(sigmas) - 1)] * codec.stride / output.stride
        if (output.stride, sigma) not in targets:
            scale = points.new_tensor(grid.to_heatmap(np.ones(2)))
            targets[output.stride, sigma] = gaussian_targets(points * scale, present, grid.shape, sigma)
        target = targets[output.stride, sigma]
        if output.ohkm:
            loss = heatmap_ohkm(prediction, target, weight, ohkm)
        else:
            loss = heatmap_mse(prediction, target, weight)
        total = total + output.weight * loss
    return total
