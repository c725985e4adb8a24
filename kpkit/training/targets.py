"""A recipe's targets: which keypoints are shown, and what every supervised output should look like."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from kpkit.core.errors import KpkitError
from kpkit.heatmaps.codecs import Codec
from kpkit.heatmaps.encode import gaussian_targets, kernel_targets, patch_shows, patch_targets
from kpkit.models.network import Output
from kpkit.specs.recipe import CodecSpec


def shown_keypoints(
    spec: CodecSpec, codec: Codec, points: torch.Tensor, inside: torch.Tensor
) -> torch.Tensor:
    """Which keypoints a crop shows, labelled or not.

    Those inside the crop; with patches also those outside whose patch reaches into the final map (HRNet).

    Args:
        spec: the recipe's codec table.
        codec: of the final output.
        points: (N, K, 2) crop pixels.
        inside: (N, K) bool, the point falls into the crop.

    Returns:
        (N, K) bool.
    """
    if spec.target != "patch":
        return inside
    assert spec.sigmas
    return patch_shows(_on_map(codec, points), codec.shape, spec.sigmas[0])


def draw_targets(
    spec: CodecSpec, codec: Codec, outputs: Sequence[Output], points: torch.Tensor, present: torch.Tensor
) -> list[torch.Tensor]:
    """Targets of every supervised output; equal ones are one tensor.

    An output takes the width its level names: the level-th of the recipe's sigmas or kernels, or the last if
    there are fewer. Sigmas are given in pixels of the final output's map and scaled to other strides.

    Args:
        spec: the recipe's codec table.
        codec: of the final output; gives the crop and the convention.
        outputs: stride and level of each.
        points: (N, K, 2) crop pixels.
        present: (N, K) bool; the maps of the others are zero.

    Returns:
        one (N, K, h, w) float32 in 0..peak per output.

    Raises:
        KpkitError: kernels, which are whole pixels, for outputs of several strides.
    """
    drawn: dict[tuple[int, float], torch.Tensor] = {}
    for output in outputs:
        key = output.stride, _width(spec, codec, output)
        if key not in drawn:
            target = _draw(spec, codec.at_stride(output.stride), key[1], points, present)
            drawn[key] = target if spec.peak == 1 else target * spec.peak
    return [drawn[output.stride, _width(spec, codec, output)] for output in outputs]


def _width(spec: CodecSpec, codec: Codec, output: Output) -> float:
    """Sigma, or kernel size, in pixels of the output's map."""
    widths = spec.kernels or spec.sigmas
    assert widths
    width = widths[min(output.level, len(widths) - 1)]
    if spec.target != "kernel":
        return width * codec.stride / output.stride
    if output.stride != codec.stride:
        raise KpkitError(
            f'target = "kernel" is for networks whose outputs share one stride, this one has {output.stride} '
            f'and {codec.stride}; use target = "gaussian"'
        )
    return width


def _draw(
    spec: CodecSpec, grid: Codec, width: float, points: torch.Tensor, present: torch.Tensor
) -> torch.Tensor:
    points = _on_map(grid, points)
    if spec.target == "kernel":
        return kernel_targets(points, present, grid.shape, int(width))
    if spec.target == "patch":
        exact = grid.convention == "unbiased"
        return patch_targets(points, present, grid.shape, width, exact=exact)
    return gaussian_targets(points, present, grid.shape, width)


def _on_map(grid: Codec, points: torch.Tensor) -> torch.Tensor:
    """Crop pixels -> heatmap pixels, on the points' device."""
    zero, one = (points.new_tensor(grid.to_heatmap(np.full(2, value))) for value in (0.0, 1.0))
    return points * (one - zero) + zero
