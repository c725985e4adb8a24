"""Heatmaps of one crop and grid on another's, so that members of different codecs can be blended."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from kpkit.core.errors import KpkitError
from kpkit.heatmaps.codecs import Codec
from kpkit.heatmaps.cubic import cubic_taps
from kpkit.heatmaps.turn import UNIT_BOX, turned


def to_codec(heatmaps: np.ndarray, source: Codec, target: Codec, box: np.ndarray) -> np.ndarray:
    """Resample maps onto another codec's grid, so that every point stays at its place in the picture.

    Interpolation is cubic: linear has plateaus between two equal pixels, on which a peak decodes up to a
    quarter of a source pixel beside its place. Pixels of the target that lie more than half a source pixel
    outside the source's crop are 0: the source has not seen them. Nearer ones repeat its edge. Maps of a
    turned crop are turned back first (turn.py).

    Args:
        heatmaps: (N, K, h, w) in ``source``.
        source, target: any two codecs.
        box: (N, 4) the boxes both cut their crops of, x, y, width, height in image pixels.

    Returns:
        (N, K, h', w') float32 in ``target``; ``heatmaps`` itself where the codecs are equal.
    """
    if source.rotation != target.rotation:
        onto = replace(source, rotation=target.rotation)
        if same_region_of_any_box(source, target):
            onto = target
        heatmaps, source = turned(heatmaps, source, onto), onto
    if source == target:
        return heatmaps
    if source.rotation != 0:
        raise KpkitError(f"two crops turned alike, {source.id} and {target.id}, are not resampled")
    if same_region_of_any_box(source, target):
        rows, columns = _shared_weights(source, target)
    else:
        rows, columns = _weights(source, target, box)
    return np.matmul(np.matmul(rows, heatmaps), columns.swapaxes(-1, -2))


def same_region_of_any_box(source: Codec, target: Codec) -> bool:
    """Whether the two crops lie in each other in the same way whatever the box.

    The fit grows a box to the longer of width and height by the crop's measure, so it does when both weigh
    the box's sides alike.
    """

    def weighed(codec: Codec) -> float:
        return codec.margins[0] / codec.margins[1] * codec.input_size[0] / codec.input_size[1]

    return abs(weighed(source) / weighed(target) - 1) < 1e-9


@lru_cache(maxsize=32)
def _shared_weights(source: Codec, target: Codec) -> tuple[np.ndarray, np.ndarray]:
    return _weights(source, target, UNIT_BOX)


def _weights(source: Codec, target: Codec, box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, 1, h', h) and (N, 1, w', w) float32: each target row's shares of source rows, and the columns'."""
    height, width = target.shape
    points = np.zeros((max(height, width), 2))
    points[:height, 1], points[:width, 0] = np.arange(height), np.arange(width)
    crop = np.broadcast_to(target.to_crop(points), (len(box), *points.shape))
    if source.geometry != target.geometry:
        # upright crops: x depends on x alone, and y on y
        (scale_s, shift_s), (scale_t, shift_t) = _affine(source, box), _affine(target, box)
        crop = (crop - shift_t) / scale_t * scale_s + shift_s
    place = source.to_heatmap(crop)
    beyond = np.maximum(-0.5 - crop, crop - (np.array(source.input_size[::-1]) - 0.5))
    seen = beyond <= source.stride / 2
    return tuple(
        _cubic(place[:, :wanted, axis], source.shape[1 - axis]) * seen[:, None, :wanted, axis, None]
        for axis, wanted in ((1, height), (0, width))
    )  # type: ignore[return-value]


def _affine(codec: Codec, box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, 1, 2) scale and shift from image pixels x, y to the codec's crop pixels."""
    matrix = codec.matrices(box)
    return matrix[:, None, [0, 1], [0, 1]], matrix[:, None, :, 2]


def _cubic(place: np.ndarray, length: int) -> np.ndarray:
    """(N, wanted) places on a line of pixels -> (N, 1, wanted, length) shares."""
    n, wanted = place.shape
    matrix = np.zeros((n, 1, wanted, length), dtype=np.float32)
    people, row = np.arange(n)[:, None], np.arange(wanted)
    indices, shares = cubic_taps(place, length)
    for tap in range(4):
        matrix[people, 0, row, indices[..., tap]] += shares[..., tap]
    return matrix
