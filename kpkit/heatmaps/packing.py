"""Heatmaps in fewer bits: half floats, or bytes with a scale of each map's own; whole maps or windows."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Literal, get_args

import numpy as np

from kpkit.core.errors import KpkitError

Format = Literal["u8", "f16"]
FORMATS = get_args(Format)
LEVELS = 255


@dataclass(frozen=True, eq=False)
class Packed:
    """n people's K maps.

    Attributes:
        values: (n, K, h, w) float16 as they are, or uint8 steps.
        scale: (n, K) float32, the value of one step of each uint8 map; None for float16.
        zero: (n, K) uint8, the step that stands for 0: value = scale * (step - zero). None for float16.
    """

    values: np.ndarray
    scale: np.ndarray | None = None
    zero: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: slice) -> Packed:
        """Some of the people."""
        return replace(self, **{name: array[rows] for name, array in self._arrays()})

    @classmethod
    def joined(cls, parts: list[Packed]) -> Packed:
        """People after people; all parts of one format."""
        if len(parts) == 1:
            return parts[0]
        columns = [dict(part._arrays()) for part in parts]
        return cls(**{name: np.concatenate([c[name] for c in columns]) for name in columns[0]})

    def _arrays(self) -> list[tuple[str, np.ndarray]]:
        pairs = [(field.name, getattr(self, field.name)) for field in fields(self)]
        return [(name, array) for name, array in pairs if array is not None]


def pack(maps: np.ndarray, format: Format) -> Packed:
    """Fewer bits for (n, K, h, w) float maps.

    ``"u8"`` spreads 255 steps from the smaller of 0 and a map's minimum to the larger of 0 and its maximum,
    so that 0, most of a heatmap, is a step: a value is off by at most half a step, or a whole one at the
    ends. ``"f16"`` rounds to 11 bits.

    Raises:
        KpkitError: NaN or infinity in a map, or beyond float16.
    """
    if format == "f16":
        with np.errstate(over="ignore"):
            half = maps.astype(np.float16)
        if not np.isfinite(half).all():
            raise KpkitError("a heatmap holds NaN, infinity or values beyond float16 and cannot be stored")
        return Packed(half)
    low = np.minimum(maps.min(axis=(2, 3)), np.float32(0))
    high = np.maximum(maps.max(axis=(2, 3)), np.float32(0))
    if not (np.isfinite(low) & np.isfinite(high)).all():
        raise KpkitError("a heatmap holds NaN or infinity and cannot be stored")
    scale = (high - low) / np.float32(LEVELS)
    per_value = np.divide(np.float32(1), scale, out=np.zeros_like(scale), where=scale > 0)
    zero = np.rint(-low * per_value)
    steps = maps * per_value[:, :, None, None]
    steps += zero[:, :, None, None]
    np.rint(steps, out=steps)
    np.clip(steps, 0, LEVELS, out=steps)
    return Packed(steps.astype(np.uint8), scale, zero.astype(np.uint8))


def unpack(packed: Packed, out: np.ndarray) -> None:
    """Fill (n, K, h, w) float32 maps."""
    if packed.scale is None or packed.zero is None:
        out[...] = packed.values
        return
    np.subtract(packed.values, packed.zero[:, :, None, None], out=out, dtype=np.float32)
    out *= packed.scale[:, :, None, None]
