"""Vision transformers: what turns other projects' patch kernels and positions into those of one grid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from torch import Tensor, nn

from kpkit.models.network import PoseNetwork
from kpkit.models.weights.rules import Convert


def _grid(network: PoseNetwork) -> tuple[int, int]:
    return cast("tuple[int, int]", cast(nn.Module, network.encoder).grid)


def fold_class_position(positions: Tensor, network: PoseNetwork) -> Tensor:
    """(1, 1 + n, C) to (1, n, C), the class token's position added to every patch's as ViTPose does."""
    height, width = _grid(network)
    if positions.ndim == 3 and positions.shape[1] == 1 + height * width:
        return positions[:, 1:] + positions[:, :1]
    return positions


def resample_positions(positions: Tensor, network: PoseNetwork) -> Tensor:
    """(1, 1 + s * s, C) of a square image's grid to (1, h * w, C): bicubic, half-pixel centres.

    The class token's position goes: an encoder without one never reads it.
    """
    from timm.layers import resample_abs_pos_embed

    if positions.ndim != 3 or positions.shape[1] - 1 != int((positions.shape[1] - 1) ** 0.5) ** 2:
        return positions  # not a square grid behind a class token: left to the comparison of shapes
    return cast(
        Tensor,
        resample_abs_pos_embed(positions[:, 1:], list(_grid(network)), num_prefix_tokens=0, antialias=False),
    )


def pad_patches(kernels: Tensor, network: PoseNetwork) -> Tensor:
    """(C, 3, 14, 14) kernels of ViT-H to (C, 3, 16, 16) by one pixel of zeros on each side."""
    if kernels.shape[-2:] == (14, 14):
        return nn.functional.pad(kernels, (1, 1, 1, 1))
    return kernels


VITPOSE: Mapping[str, Convert] = {r"^encoder\.pos_embed$": fold_class_position}
IMAGENET: Mapping[str, Convert] = {
    r"^encoder\.pos_embed$": resample_positions,
    r"^encoder\.patch_embed\.proj\.weight$": pad_patches,
}
