"""The benchmark of the search's honesty, with fewer draws."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "selection_honesty.py"


@pytest.fixture(scope="module")
def honesty() -> object:
    spec = importlib.util.spec_from_file_location("selection_honesty", BENCHMARK)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules["selection_honesty"] = module  # its dataclass looks its module up
    spec.loader.exec_module(module)
    module.BOOTSTRAPS = 60  # type: ignore[attr-defined]
    return module


def test_nothing_is_reported_where_nothing_can_be_gained(honesty: object) -> None:
    held = 0
    for seed in range(3):
        gains, _ = honesty.one_draw(seed, 100, np.ones(8))  # type: ignore[attr-defined]
        gain = gains["searched"]
        held += gain["low"] <= 0 <= gain["high"]
        # free weights lose on pictures they were not chosen on: the search must not take them as they are
        assert gains["per keypoint"]["value"] < 0.002
    assert held == 3


def test_a_gain_that_is_there_is_reported(honesty: object) -> None:
    gains, method = honesty.one_draw(0, 150, np.repeat([1.0, 4.0], [4, 4]))  # type: ignore[attr-defined]
    assert method != "equal"
    assert gains["searched"]["low"] > 0
