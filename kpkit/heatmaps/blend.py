"""Weighted mean of several members' heatmaps, refused when they do not describe the same thing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kpkit.core.errors import KpkitError
from kpkit.heatmaps.codecs import Codec


def common_codec(codecs: Sequence[Codec], names: Sequence[str], stride: int | None) -> Codec:
    """The grid members are blended on.

    Args:
        codecs: each member's own.
        names: the members', for the message.
        stride: bring members of other strides to this one; None demands that all agree.

    Raises:
        KpkitError: members that do not match (promise P4).
    """
    first = codecs[0]
    target = first if stride is None else Codec(first.convention, first.input_size, stride, first.padding)
    for codec, name in zip(codecs, names, strict=True):
        same_crop = (codec.convention, codec.input_size, codec.padding) == (
            first.convention,
            first.input_size,
            first.padding,
        )
        if not same_crop or (stride is None and codec != first):
            remedy = "name common_stride in the document" if same_crop else "blend members of one crop only"
            raise KpkitError(
                f"members {names[0]} ({first.id}) and {name} ({codec.id}) do not match; {remedy}"
            )
    return target


def weighted_mean(maps: Sequence[np.ndarray], weights: Sequence[float]) -> np.ndarray:
    """Sum of w_i * maps_i over sum of w_i, accumulated in member order; one extra array alive."""
    total = float(sum(weights))
    blend = maps[0] * np.float32(weights[0] / total)
    for values, weight in zip(maps[1:], weights[1:], strict=True):
        blend += values * np.float32(weight / total)
    return blend
