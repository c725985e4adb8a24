"""Compiled kernels of the weighted mean: each member's maps are read once, as they are stored.

Members come as addresses, so that one piece of machine code serves any number of them. A map is summed over
all members before the next is begun: it stays in the core's first cache. Multiplications and additions are
those of the plain twin (blend.py), in its order, without fused rounding; both give equal bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray, types

from kpkit.core.compiled import kernel
from kpkit.heatmaps.half_kernels import intrinsic, single


@intrinsic
def _pointer(context: Any, address: Any) -> Any:
    """A pointer to an address."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], ir.IntType(8).as_pointer())

    return types.voidptr(types.int64), codegen


@kernel()
def mean_singles(members: np.ndarray, shares: np.ndarray, out: np.ndarray) -> None:
    """float32 maps.

    Args:
        members: (M,) int64 addresses of contiguous (N, K, P) float32.
        shares: (M, K) float32.
        out: (N, K, P) float32, filled.
    """
    for n in range(out.shape[0]):
        for k in range(out.shape[1]):
            total = out[n, k]
            for m in range(len(members)):
                maps = carray(_pointer(members[m]), out.shape, np.float32)[n, k]
                share = shares[m, k]
                if m == 0:
                    for i in range(len(total)):
                        total[i] = maps[i] * share
                else:
                    for i in range(len(total)):
                        total[i] += maps[i] * share


@kernel()
def mean_halves(members: np.ndarray, shares: np.ndarray, out: np.ndarray) -> None:
    """float16 maps; arguments as for ``mean_singles``."""
    for n in range(out.shape[0]):
        for k in range(out.shape[1]):
            total = out[n, k]
            for m in range(len(members)):
                maps = carray(_pointer(members[m]), out.shape, np.uint16)[n, k]
                share = shares[m, k]
                if m == 0:
                    for i in range(len(total)):
                        total[i] = single(maps[i]) * share
                else:
                    for i in range(len(total)):
                        total[i] += single(maps[i]) * share


@kernel()
def mean_codes(
    members: np.ndarray, zeros: np.ndarray, scales: np.ndarray, shares: np.ndarray, out: np.ndarray
) -> None:
    """uint16 codes of packing.Packed.

    Args:
        members: (M,) int64 addresses of contiguous (N, K, P) uint16.
        zeros, scales: (M, N, K) float32, the code of 0 and the value of a code.
        shares, out: as for ``mean_singles``.
    """
    for n in range(out.shape[0]):
        for k in range(out.shape[1]):
            total = out[n, k]
            for m in range(len(members)):
                maps = carray(_pointer(members[m]), out.shape, np.uint16)[n, k]
                zero, scale, share = zeros[m, n, k], scales[m, n, k], shares[m, k]
                if m == 0:
                    for i in range(len(total)):
                        total[i] = (np.float32(maps[i]) - zero) * scale * share
                else:
                    for i in range(len(total)):
                        total[i] += (np.float32(maps[i]) - zero) * scale * share
