"""Heatmaps of one crop on another grid, so that members of different stride can be blended."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from kpkit.core.errors import KpkitError
from kpkit.heatmaps.codecs import Codec


def to_codec(heatmaps: np.ndarray, source: Codec, target: Codec) -> np.ndarray:
    """Resample maps onto another codec's grid, linearly, so that every point stays at its place in the crop.

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
    """(target length, source length) linear interpolation matrix along x (0) or y (1)."""
    length, wanted = source.shape[1 - axis], target.shape[1 - axis]
    points = np.zeros((wanted, 2))
    points[:, axis] = np.arange(wanted)
    place = source.to_heatmap(target.to_crop(points))[:, axis].clip(0, length - 1)
    low = np.minimum(place.astype(np.int64), max(length - 2, 0))
    share = place - low
    matrix = np.zeros((wanted, length), dtype=np.float32)
    matrix[np.arange(wanted), low] += 1 - share
    matrix[np.arange(wanted), np.minimum(low + 1, length - 1)] += share
    return matrix
