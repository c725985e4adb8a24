"""Losses of the keypoint networks."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from kpkit.models.network import Output


def heatmap_mse(prediction: torch.Tensor, target: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Mean squared error with keypoint weights.

    Args:
        prediction, target: (N, K, h, w).
        weight: (N, K) in 0..1; an unlabelled keypoint (0) adds nothing.

    Returns:
        scalar: the mean over N * K * h * w, so that unlabelled keypoints lower it (SimpleBaseline, HRNet,
        whose factor 1/2 in front is their outputs' weight).
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
    targets: Sequence[torch.Tensor],
    weight: torch.Tensor,
    ohkm: int,
    *,
    empty: torch.Tensor | None = None,
    factors: torch.Tensor | None = None,
) -> torch.Tensor:
    """Sum over every supervised output of its weighted loss (intermediate, coarse-to-fine supervision).

    Args:
        predictions: what the network returned, one (N, K, h, w) per entry of ``outputs``.
        outputs: OHKM and loss weight of each.
        targets: one (N, K, h, w) per entry of ``outputs``.
        weight: (N, K), loss weights (1 for an absent keypoint of a hard negative).
        ohkm: keypoints kept where an output uses OHKM.
        empty: (N, K) bool, keypoints of which outputs without OHKM want an empty map, with weight 1, whatever
            ``targets`` and ``weight`` say (those CPN and MSPN do not see; [training] zero_unseen).
        factors: (stages, N, K), what the keypoints count at the outputs of each stage, labelled or empty; 1
            where not given. OHKM chooses among the losses so weighted.
    """
    total = weight.new_zeros(())
    for prediction, output, target in zip(predictions, outputs, targets, strict=True):
        counted, drawn = weight, target
        if empty is not None and not output.ohkm:
            counted, drawn = weight.masked_fill(empty, 1), target.masked_fill(empty[..., None, None], 0)
        if factors is not None:
            counted = counted * factors[output.stage]
        loss = (
            heatmap_ohkm(prediction, drawn, counted, ohkm)
            if output.ohkm
            else heatmap_mse(prediction, drawn, counted)
        )
        total = total + output.weight * loss
    return total
