"""Compiled kernels: numba, where it imports. Each kernel has a twin in plain numpy that says the same.

A kernel's file is imported only after ``available()`` has said yes, so that numba (half a second to import)
is loaded by what needs it and by nothing else.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from typing import Any


@cache
def fault() -> str | None:
    """Why numba does not import here, in its own words; None where it does."""
    try:
        importlib.import_module("numba")
    except (ImportError, OSError, RuntimeError) as error:  # absent, or refuses this numpy or this libc
        return f"{type(error).__name__}: {error}"
    return None


def available() -> bool:
    """Whether compiled kernels can be used; plain numpy is taken where they cannot."""
    return fault() is None


def kernel(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Decorate a function to be compiled by ``numba.njit(**options)`` when it is first called.

    The machine code is kept beside the source or in the user's cache folder and loaded from there the next
    time; where neither can be written, each process compiles for itself. Numba compiles anew when the
    function's own file has changed: a kernel calls kernels and reads constants of its own file only.
    """
    numba = importlib.import_module("numba")

    def compile_later(function: Callable[..., Any]) -> Any:
        try:
            return numba.njit(cache=True, **options)(function)
        except RuntimeError:  # numba's word for "no folder to cache in"
            return numba.njit(**options)(function)

    return compile_later
