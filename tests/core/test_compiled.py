"""Compiled kernels: found, or the reason why not; used from a folder that cannot be written."""

from __future__ import annotations

import sys

import pytest

from kpkit.core import compiled


def test_numba_is_here() -> None:
    """A declared dependency: were it absent, every test of a kernel would be of its twin alone."""
    assert compiled.fault() is None
    assert compiled.available()


def test_the_reason_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    compiled.fault.cache_clear()
    try:
        assert not compiled.available()
        assert "numba" in str(compiled.fault())
    finally:
        compiled.fault.cache_clear()


def test_a_kernel_without_a_folder_to_cache_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Source that lies nowhere has no folder; the function is compiled all the same."""
    import numba

    space: dict[str, object] = {}
    exec("def twice(x):\n    return x + x", space)
    with pytest.raises(RuntimeError, match="cannot cache"):
        numba.njit(cache=True)(space["twice"])
    assert compiled.kernel()(space["twice"])(4) == 8
