"""Weighted mean of several members' heatmaps, refused when they do not describe the same thing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kpkit.core import compiled
from kpkit.core.errors import KpkitError
from kpkit.heatmaps.codecs import Codec
from kpkit.heatmaps.codes import PARTS
from kpkit.heatmaps.packing import Packed, unpack

_PEOPLE = 2
"""Boxes summed at once without compiled kernels: their maps stay in the core's second cache."""


def common_codec(codecs: Sequence[Codec], names: Sequence[str], stride: int | None) -> Codec:
    """The grid members are blended on: the first member's, at the common stride where there is one.

    Args:
        codecs: each member's own.
        names: the members', for the message.
        stride: bring members of other conventions, input sizes, margins and strides to the first member's
            crop at this stride; None demands that all agree.

    Raises:
        KpkitError: members that do not match, without a common stride (promise P4).
    """
    first = codecs[0]
    if stride is not None:
        return first.at_stride(stride)
    for codec, name in zip(codecs, names, strict=True):
        if codec != first:
            raise KpkitError(
                f"members {names[0]} ({first.id}) and {name} ({codec.id}) do not match; name common_stride "
                f"in the document to bring all to the crop of {names[0]}"
            )
    return first


def shares_of(weights: Sequence[float | Sequence[float]] | np.ndarray) -> np.ndarray:
    """Weights over their sum.

    Args:
        weights: (M,) per member, or (M, K) per member and keypoint; 0 or more, with a positive sum.

    Returns:
        float64 of the same shape.

    Raises:
        KpkitError: a weight that is negative or no number, or a keypoint to which no member adds.
    """
    weights = np.asarray(weights, np.float64)
    total = np.asarray(sum(weights))  # member after member, whatever their number
    if not (np.isfinite(weights).all() and (weights >= 0).all() and (total > 0).all()):
        raise KpkitError("weights must be 0 or more, and one of each keypoint's above 0")
    return np.asarray(weights / total)


class RunningMean:
    """A weighted mean that takes its terms one after the other, so that two batches of maps are alive.

    Args:
        shape: (N, K, h, w) of the batch.

    Attributes:
        maps: the sum so far, float32.
    """

    def __init__(self, shape: tuple[int, int, int, int]) -> None:
        self.maps = np.zeros(shape, np.float32)

    def add(self, maps: np.ndarray, share: np.ndarray | float, rows: slice = slice(None)) -> None:
        """Add a term.

        Args:
            maps: (n, K, h, w) float32 maps of the boxes ``rows``.
            share: of the term in the sum, one number or (K,).
            rows: where in the batch they belong.
        """
        factor = np.asarray(share, np.float32).reshape(-1, 1, 1)
        for into, values in zip(self.maps[rows], maps, strict=True):
            into += values * factor


def weighted_mean(
    members: Sequence[np.ndarray | Packed],
    weights: Sequence[float] | np.ndarray,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Sum of w_m * maps_m over sum of w_m, in the members' order.

    Packed maps are read as they are stored. Compiled where numba imports; the plain way gives equal bits.

    Args:
        members: M batches of N people's maps: (N, K, h, w) float32 or float16 arrays, or Packed.
        weights: (M,), or (M, K) for weights per keypoint; 0 or more.
        out: (N, K, h, w) float32, contiguous; filled and returned instead of a new array.

    Raises:
        KpkitError: weights that make no mean (shares_of), or batches of different shapes.
    """
    maps = [Packed(member) if isinstance(member, np.ndarray) else member for member in members]
    if any(m.corner is not None for m in maps):
        raise KpkitError("windows must be read as whole maps (HeatmapStore.read) to be blended")
    shape = maps[0].values.shape
    if any(m.values.shape != shape for m in maps):
        raise KpkitError(f"maps of shapes {sorted({m.values.shape for m in maps})} cannot be blended")
    shares = np.asarray(shares_of(weights), np.float32)
    shares = np.ascontiguousarray(np.broadcast_to(shares.reshape(len(maps), -1), (len(maps), shape[1])))
    out = np.empty(shape, np.float32) if out is None else out
    if _compiled_mean(maps, shares, out):
        return out
    for begin in range(0, shape[0], _PEOPLE):
        rows = slice(begin, begin + _PEOPLE)
        for number, member in enumerate(maps):
            term = np.empty(member.values[rows].shape, np.float32)
            unpack(member[rows], term)
            term *= shares[number, :, None, None]
            if number:
                out[rows] += term
            else:
                out[rows] = term
    return out


def _compiled_mean(maps: list[Packed], shares: np.ndarray, out: np.ndarray) -> bool:
    """Fill ``out`` by a compiled kernel; False where there is none for these maps."""
    types = {m.values.dtype for m in maps}
    if len(types) > 1 or not compiled.available():
        return False
    from kpkit.heatmaps import mean_kernels
    from kpkit.heatmaps.half_kernels import half_in_hardware

    values = [np.ascontiguousarray(m.values) for m in maps]  # kept alive while their addresses are read
    addresses = np.array([array.ctypes.data for array in values], np.int64)
    flat = out.reshape(*out.shape[:2], -1)
    (dtype,) = types
    if dtype == np.uint16:
        zeros = np.array([m.zero for m in maps], np.float32) * np.float32(PARTS)
        scales = np.array([m.scale for m in maps], np.float32) / np.float32(PARTS)
        mean_kernels.mean_codes(addresses, zeros, scales, shares, flat)
    elif dtype == np.float16 and half_in_hardware():
        mean_kernels.mean_halves(addresses, shares, flat)
    elif dtype == np.float32:
        mean_kernels.mean_singles(addresses, shares, flat)
    else:
        return False
    return True
