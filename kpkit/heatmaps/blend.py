"""Weighted mean of several members' heatmaps, refused when they do not describe the same thing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kpkit.core.errors import KpkitError
from kpkit.heatmaps.codecs import Codec


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


def weighted_mean(maps: Sequence[np.ndarray], weights: Sequence[float]) -> np.ndarray:
    """Sum of w_i * maps_i over sum of w_i, accumulated in member order; one extra array alive."""
    total = float(sum(weights))
    blend = maps[0] * np.float32(weights[0] / total)
    for values, weight in zip(maps[1:], weights[1:], strict=True):
        blend += values * np.float32(weight / total)
    return blend
