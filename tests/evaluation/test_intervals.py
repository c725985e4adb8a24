"""Intervals against tables and scipy's own tests, and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from kpkit.evaluation.intervals import difference_interval, mean_interval


def test_three_runs() -> None:
    """t of 2 degrees of freedom is 4.303 in any table."""
    mean, half = mean_interval([40.0, 41.0, 42.0])
    assert mean == 41.0
    assert half == pytest.approx(4.303 / math.sqrt(3), abs=1e-3)
    assert mean_interval([40.0]) == (40.0, pytest.approx(math.nan, nan_ok=True))
    assert mean_interval([40.0, 40.0]) == (40.0, 0.0)


@pytest.mark.parametrize("seed", range(5))
def test_against_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(3, 1, 2 + seed), rng.normal(2, 4, 3)
    low, high = stats.ttest_1samp(a, 0).confidence_interval(0.95)
    assert mean_interval(a.tolist()) == pytest.approx(((low + high) / 2, (high - low) / 2))
    low, high = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    assert difference_interval(a.tolist(), b.tolist()) == pytest.approx(((low + high) / 2, (high - low) / 2))


def test_groups_of_one_and_equal_values() -> None:
    difference, half = difference_interval([3.0], [1.0, 2.0])
    assert (difference, math.isnan(half)) == (1.5, True)
    assert difference_interval([3.0, 3.0], [1.0, 1.0]) == (2.0, 0.0)


def test_it_covers_the_truth_in_95_of_100_cases() -> None:
    rng = np.random.default_rng(0)
    draws = rng.normal(40, 1, (2000, 3))
    found = [mean_interval(row) for row in draws]
    assert np.mean([abs(mean - 40) <= half for mean, half in found]) == pytest.approx(0.95, abs=0.015)
    pairs = [
        difference_interval(row, other)
        for row, other in zip(draws, rng.normal(40, 2, (2000, 3)), strict=True)
    ]
    assert 0.93 <= np.mean([abs(mean) <= half for mean, half in pairs]) <= 0.98
