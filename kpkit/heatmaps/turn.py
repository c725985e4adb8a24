"""Heatmaps of a turned crop on an upright grid: test-time rotations brought back before they are blended."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import sparse

from kpkit.core.crops import invert, transform
from kpkit.heatmaps.codecs import Codec
from kpkit.heatmaps.cubic import cubic_taps

UNIT_BOX = np.array([[0.0, 0.0, 1.0, 1.0]])


def turned(heatmaps: np.ndarray, source: Codec, target: Codec) -> np.ndarray:
    """Resample maps onto a grid turned against theirs, so that every point stays at its place in the picture.

    Cubic in both directions. Pixels of the target more than half a source pixel outside the source's crop
    are 0, as in ``grid.to_codec``. The two crops must lie in each other in the same way whatever the box
    (``grid.same_region_of_any_box``): crops are turned about the box's middle, so one matrix serves all.

    Args:
        heatmaps: (N, K, h, w) float32 in ``source``.
        source, target: codecs of any two rotations.

    Returns:
        (N, K, h', w') float32 in ``target``.
    """
    n, k = heatmaps.shape[:2]
    # one column per map: the sparse product then runs along rows of memory
    columns = np.ascontiguousarray(heatmaps.reshape(n * k, -1).T)
    return np.ascontiguousarray((_matrix(source, target) @ columns).T).reshape(n, k, *target.shape)


@lru_cache(maxsize=64)
def _matrix(source: Codec, target: Codec) -> sparse.csr_matrix:
    """(h' * w', h * w) float32: each target pixel's shares of source pixels."""
    y, x = np.indices(target.shape).reshape(2, 1, -1)
    crop = target.to_crop(np.stack([x, y], axis=2))
    picture = transform(invert(target.matrices(UNIT_BOX)), crop)
    crop = transform(source.matrices(UNIT_BOX), picture)[0]
    place = source.to_heatmap(crop)
    beyond = np.maximum(-0.5 - crop, crop - (np.array(source.input_size[::-1]) - 0.5))
    seen = (beyond <= source.stride / 2).all(axis=1)
    (rows, share_y), (columns, share_x) = (
        cubic_taps(place[:, axis], source.shape[1 - axis]) for axis in (1, 0)
    )
    taken = rows[:, :, None] * source.shape[1] + columns[:, None, :]
    shares = share_y[:, :, None] * share_x[:, None, :] * seen[:, None, None]
    pixels, size = len(place), source.shape[0] * source.shape[1]
    start = np.arange(0, taken.size + 1, 16)
    return sparse.csr_matrix(
        (shares.reshape(-1).astype(np.float32), taken.reshape(-1), start), shape=(pixels, size)
    )
