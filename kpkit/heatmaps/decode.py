"""Heatmaps to points, all people and keypoints at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kpkit.core import compiled
from kpkit.core.errors import KpkitError
from kpkit.heatmaps.decode_numpy import find_arrays
from kpkit.heatmaps.refine import refine_step, towards
from kpkit.heatmaps.rule import Found, Rule, make_rule


def decode(
    heatmaps: Any,
    flipped: Any = None,
    *,
    flip_shift: float = 0.0,
    flip_order: Sequence[int] | np.ndarray | None = None,
    blur: int = 0,
    blur_sigma: float = 0.0,
    refine: str = "parabola",
    refine_blur: int = 0,
    refine_blur_sigma: float = 0.0,
    border: str = "zero",
) -> tuple[Any, Any]:
    """Find each keypoint.

    The order is that of CCM: flip average, filter, maximum, refinement. Numpy arrays and CPU tensors are
    decoded by compiled kernels, or by plain numpy where numba does not import; tensors elsewhere on their
    device. All three agree within 1e-4 pixels.

    Args:
        heatmaps: (N, K, h, w) floats of a peak of about 1, numpy array or torch tensor on any device; read as
            float32.
        flipped: the mirrored crops' maps, of the same shape, to average with ``heatmaps``.
        flip_shift: pixels the flipped maps move right before the average, -1 to 1, by linear interpolation
            (CCM eq. 25; HRNet 1).
        flip_order: the skeleton's: ``flipped`` is what the network made of mirrored crops, and is mirrored
            back, left and right exchanged, while it is read. None: that is done already (``flip.unflip``).
        blur, blur_sigma: Gaussian filter before the maximum: odd size in pixels, or sigma, or both; 0 for
            none. OpenCV's kernel of them (kernels.py).
        refine: the step from the highest pixel:

            - ``"argmax"`` none;
            - ``"quarter"`` 1/4 pixel in x and in y towards the higher neighbour (HRNet; not for peaks in the
              first two and the last row or column);
            - ``"quarter_second"`` 1/4 pixel towards the second highest pixel, then back inside the map (CPN,
              MSPN). With a zero border the pixels next to the map take part when the map is filtered;
            - ``"parabola"`` the vertex through the pixel and its neighbours, in x and in y (CCM eq. 13), at
              most 1/2 pixel; none across a border or on a plateau;
            - ``"paraboloid"`` the top of the surface of second order that has the pixel's central differences
              (CCM eqs. 14 to 22), at most 1 pixel in x and y; the parabola's step at a border and where the
              surface has no top, which the paper leaves open;
            - ``"dark"`` a Newton step on the logarithm (DARK eq. 9; not for peaks in the first or last two
              rows or columns). Values below 1e-10 count as that;
            - ``"dark_udp"`` UDP's: differences of one pixel, beyond the border the outermost pixels, values
              cut to 1e-3 .. 50; so a peak on the border may step half a pixel outside.

            Of DARK's and UDP's steps none is taken that is longer than 3 pixels in x or y: there the values
            are no peak. Both are published with a ``refine_blur`` as wide as the network's Gaussian, 11 for a
            sigma of 2. DARK's and mmpose's code then stretches the filtered map to its old maximum, which
            moves nothing but the floors above and is left out.
        refine_blur, refine_blur_sigma: Gaussian filter that only the refinement sees.
        border: what both filters find outside the map: ``"zero"`` (CPN, MSPN, DARK, mmpose) or ``"reflect"``
            (UDP: mirrored about the outermost pixel).

    Returns:
        points (N, K, 2), x and y in heatmap pixels, and scores (N, K), the averaged, unfiltered value at the
        highest pixel: float64 arrays, or tensors on the maps' device. Of equal pixels the first in reading
        order is the highest. A map whose maximum, filtered if asked for, is not positive gives the point
        (0, 0), as HRNet's code does; a flat positive map its first pixel and what the refinement makes of it.

    Raises:
        KpkitError: NaN or infinity in a map, maps of other shapes, an unknown rule, or one that asks for what
            has no effect.
    """
    if len(heatmaps.shape) != 4:
        raise KpkitError(f"heatmaps of {len(heatmaps.shape)} axes; decode wants (people, keypoints, h, w)")
    if flipped is not None and isinstance(flipped, np.ndarray) != isinstance(heatmaps, np.ndarray):
        raise KpkitError("heatmaps and flipped ones must both be numpy arrays or both torch tensors")
    if flipped is not None and flipped.shape != heatmaps.shape:
        raise KpkitError(f"heatmaps are {tuple(heatmaps.shape)}, the flipped ones {tuple(flipped.shape)}")
    rule = make_rule(
        heatmaps.shape[1],
        refine=refine,
        blur=blur,
        blur_sigma=blur_sigma,
        refine_blur=refine_blur,
        refine_blur_sigma=refine_blur_sigma,
        border=border,
        flip_shift=flip_shift,
        flip_order=flip_order,
    )
    if isinstance(heatmaps, np.ndarray):
        return _decode_on_cpu(heatmaps, flipped, rule)
    from kpkit.heatmaps.decode_torch import as_arrays, as_tensors, decode_tensors

    if on_cpu(heatmaps):
        return as_tensors(*_decode_on_cpu(as_arrays(heatmaps), as_arrays(flipped), rule))
    return decode_tensors(heatmaps, flipped, rule)


def on_cpu(tensor: Any) -> bool:
    """Whether the CPU's kernels can read a tensor's memory."""
    return bool(tensor.device.type == "cpu")


def _decode_on_cpu(maps: np.ndarray, flipped: np.ndarray | None, rule: Rule) -> tuple[np.ndarray, np.ndarray]:
    if not maps.size:
        if maps.shape[2] and maps.shape[3]:
            return np.zeros((*maps.shape[:2], 2)), np.zeros(maps.shape[:2])
        raise KpkitError(f"heatmaps of {maps.shape[2]} x {maps.shape[3]} pixels hold no keypoint")
    if compiled.available():
        from kpkit.heatmaps.decode_kernels import find_compiled

        return _points(find_compiled(maps, flipped, rule), rule, maps.shape)
    return _points(find_arrays(maps, flipped, rule), rule, maps.shape)


def _points(found: Found, rule: Rule, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """(N, K, 2) float64 points and (N, K) float64 scores from what was found in maps of a shape."""
    height, width = shape[2:]
    y, x = np.divmod(found.place, width)
    points = np.stack([x, y], 1).astype(np.float64)
    if rule.second:
        points += towards(x, y, found.other[0], found.other[1], (height, width))
    elif rule.radius:
        points += refine_step(rule.refine, found.values.astype(np.float64), x, y, (height, width))
    points[found.highest <= 0] = 0.0
    return points.reshape(*shape[:2], 2), found.score.astype(np.float64).reshape(shape[:2])
