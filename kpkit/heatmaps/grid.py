"""Heatmaps of one crop on another grid, so that members of different stride can be blended."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from kpkit.core.errors import KpkitError
from kpkit.heatmaps.codecs import Codec


def to_codec(heatmaps: np.ndarray, source: Codec, target: Codec) -> np.ndarray:
    """Resample maps onto another codec's grid, so that every point stays at its place in the crop.

    Interpolation is cubic: linear has plateaus between two equal pixels, on which a peak decodes up to a
    quarter of a source pixel beside its place.

    Args:
        heatmaps: (N, K, h, w) in ``source``.
        source, target: codecs of the same crop (convention, input size, padding).

    Returns:
        (N, K, h', w') float32 in ``target``.

    Raises:
        KpkitError: the codecs cut different crops.
    """
    if source == target:
        return heatmaps
    if (source.convention, source.input_size, source.padding) != (
        target.convention,
        target.input_size,
        target.padding,
    ):
        raise KpkitError(f"heatmaps of {source.id} cannot be brought to {target.id}: other crops")
    rows, columns = _weights(source, target, axis=1), _weights(source, target, axis=0)
    return np.matmul(np.matmul(rows, heatmaps), columns.T)


@lru_cache(maxsize=32)
def _weights(source: Codec, target: Codec, axis: int) -> np.ndarray:
    """(target length, source length) matrix along x (0) or y (1): Catmull-Rom, edge pixels repeated."""
    length, wanted = source.shape[1 - axis], target.shape[1 - axis]
    points = np.zeros((wanted, 2))
    points[:, axis] = np.arange(wanted)
    place = source.to_heatmap(target.to_crop(points))[:, axis].clip(0, length - 1)
    low = np.floor(place).astype(np.int64)
    t = place - low
    shares = (
        ((2 - t) * t - 1) * t / 2,
        (3 * t - 5) * t**2 / 2 + 1,
        ((4 - 3 * t) * t + 1) * t / 2,
        (t - 1) * t**2 / 2,
    )
    matrix = np.zeros((wanted, length), dtype=np.float32)
    for offset, share in zip((-1, 0, 1, 2), shares, strict=True):
        matrix[np.arange(wanted), (low + offset).clip(0, length - 1)] += share
    return matrix
