"""Compiled kernels between float16 and float32, by the processor's instructions; bits equal to numpy's."""

from __future__ import annotations

import importlib
import os
from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import types

from kpkit.core.compiled import kernel

intrinsic: Any = importlib.import_module("numba.extending").intrinsic  # as typed there, it cannot be called


def half_in_hardware() -> bool:
    """Whether this processor converts float16 itself; elsewhere LLVM asks for a routine that numba lacks."""
    if os.environ.get("NUMBA_CPU_NAME"):  # code for another processor than this one
        return False
    machine = binding.get_default_triple().split("-")[0]
    return machine in ("aarch64", "arm64") or bool(binding.get_host_cpu_features().get("f16c"))


@intrinsic
def single(context: Any, bits: Any) -> Any:
    """float16 bits -> float32."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fpext(builder.bitcast(args[0], ir.HalfType()), ir.FloatType())

    return types.float32(types.uint16), codegen


@intrinsic
def half(context: Any, value: Any) -> Any:
    """float32 -> bits of the nearest float16, of the even one where two are."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(builder.fptrunc(args[0], ir.HalfType()), ir.IntType(16))

    return types.uint16(types.float32), codegen


@kernel()
def widen(halves: np.ndarray, out: np.ndarray) -> None:
    """(n,) float16 bits (uint16) -> (n,) float32, filled."""
    for i in range(len(halves)):
        out[i] = single(halves[i])


@kernel()
def narrow(values: np.ndarray, out: np.ndarray) -> bool:
    """(n,) float32 -> (n,) float16 bits (uint16), filled; whether all are finite."""
    highest = np.uint16(0)
    for i in range(len(values)):
        bits = half(values[i])
        out[i] = bits
        highest = max(highest, np.uint16(bits & np.uint16(0x7FFF)))
    return bool(highest < 0x7C00)
