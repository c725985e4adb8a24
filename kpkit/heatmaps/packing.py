"""Heatmaps in fewer bits: half floats, or codes with a scale of each map's own; whole maps or windows."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal, get_args

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from kpkit.core import compiled
from kpkit.core.errors import KpkitError
from kpkit.heatmaps.codes import dequantise, quantise

Format = Literal["u8", "f16"]
FORMATS = get_args(Format)


@dataclass(frozen=True, eq=False)
class Packed:
    """n people's K maps.

    Attributes:
        values: (n, K, h, w) float16 as they are, or uint16 codes; of whole maps or of windows.
        scale, zero: (n, K) float32 and uint8: value = scale * (code / 256 - zero), see codes.py; None for
            float16.
        corner: (n, K, 2) int16 y, x of each window's first pixel; None for whole maps.
    """

    values: np.ndarray
    scale: np.ndarray | None = None
    zero: np.ndarray | None = None
    corner: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: slice) -> Packed:
        """Some of the people."""
        return Packed(**{name: array[rows] for name, array in self.arrays()})

    @classmethod
    def joined(cls, parts: list[Packed]) -> Packed:
        """People after people; all parts of one format."""
        if len(parts) == 1:
            return parts[0]
        columns = [dict(part.arrays()) for part in parts]
        return cls(**{name: np.concatenate([c[name] for c in columns]) for name in columns[0]})

    def arrays(self) -> list[tuple[str, np.ndarray]]:
        """The attributes that are there, by name."""
        pairs = [(field.name, getattr(self, field.name)) for field in fields(self)]
        return [(name, array) for name, array in pairs if array is not None]


def pack(maps: np.ndarray, format: Format, window: tuple[int, int] | None = None) -> Packed:
    """Fewer bits for heatmaps.

    ``"u8"`` makes the codes of codes.py: 8 bits, a value off by 1/255 of the map's range at most, and 8 more
    near the map's top. ``"f16"`` rounds to 11 significant bits.

    Args:
        maps: (n, K, h, w) float32.
        format: ``"u8"`` or ``"f16"``.
        window: (height, width) of the pixels kept round each map's first maximum, moved to lie inside the
            map; those outside are read as 0. None keeps all.

    Raises:
        KpkitError: NaN or infinity in a map, or a value beyond float16.
    """
    maps = np.ascontiguousarray(maps, np.float32)
    corner = None
    if window is not None:
        corner, maps = _cut(maps, window)
    if format == "f16":
        return Packed(_narrow(maps), corner=corner)
    codes, scale, zero = quantise(maps)
    return Packed(codes, scale, zero, corner)


def unpack(packed: Packed, out: np.ndarray) -> None:
    """Fill (n, K, h, w) float32 maps, contiguous."""
    if packed.corner is not None:
        inside = np.empty(packed.values.shape, np.float32)
        unpack(Packed(packed.values, packed.scale, packed.zero), inside)
        out[...] = 0
        windows = sliding_window_view(out, inside.shape[2:], axis=(2, 3), writeable=True)
        windows[_places(packed.corner)] = inside
    elif packed.scale is None or packed.zero is None:
        _widen(packed.values, out)
    else:
        dequantise(packed.values, packed.scale, packed.zero, out)


def _narrow(maps: np.ndarray) -> np.ndarray:
    """float32 -> float16."""
    if _converts_halves():
        from kpkit.heatmaps.half_kernels import narrow

        half = np.empty(maps.shape, np.float16)
        finite = narrow(maps.reshape(-1), half.view(np.uint16).reshape(-1))
    else:
        with np.errstate(over="ignore"):
            half = maps.astype(np.float16)
        finite = bool(np.isfinite(half).all())
    if not finite:
        raise KpkitError("a heatmap holds NaN, infinity or values beyond float16 and cannot be stored")
    return half


def _widen(values: np.ndarray, out: np.ndarray) -> None:
    """float16 (or any floats) -> float32, filled."""
    if values.dtype == np.float16 and out.flags.c_contiguous and _converts_halves():
        from kpkit.heatmaps.half_kernels import widen

        widen(np.ascontiguousarray(values).view(np.uint16).reshape(-1), out.reshape(-1))
    else:
        out[...] = values


def _converts_halves() -> bool:
    if not compiled.available():
        return False
    from kpkit.heatmaps.half_kernels import half_in_hardware

    return half_in_hardware()


def _cut(maps: np.ndarray, window: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Corners and contents of the windows round the maxima."""
    n, k, height, width = maps.shape
    size = min(window[0], height), min(window[1], width)
    peak = np.stack(np.divmod(maps.reshape(n, k, -1).argmax(axis=2), width), axis=2)
    corner = (peak - np.array(size) // 2).clip(0, [height - size[0], width - size[1]]).astype(np.int16)
    return corner, sliding_window_view(maps, size, axis=(2, 3))[_places(corner)]


def _places(corner: np.ndarray) -> tuple[np.ndarray, ...]:
    """Index of each map's window among all windows of all maps."""
    n, k = corner.shape[:2]
    return np.arange(n)[:, None], np.arange(k), corner[..., 0], corner[..., 1]
