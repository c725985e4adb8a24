"""How far a mean of few runs can be trusted: Student's t intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

CONFIDENCE = 0.95


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean of independent values and the half-width of its 95 % interval.

    The interval covers the expected value in 95 % of cases where the values are normally distributed. Of one
    value the half-width is NaN: it says nothing of its spread.
    """
    n = len(values)
    half = math.nan if n < 2 else _quantile(n - 1) * float(np.std(values, ddof=1)) / math.sqrt(n)
    return float(np.mean(values)), half


def difference_interval(values: Sequence[float], others: Sequence[float]) -> tuple[float, float]:
    """Difference of the means of two groups and the half-width of its 95 % interval.

    Welch's: the groups may differ in size and in spread. NaN where one of them has a single value.
    """
    difference = float(np.mean(values)) - float(np.mean(others))
    if min(len(values), len(others)) < 2:
        return difference, math.nan
    a, b = (float(np.var(group, ddof=1)) / len(group) for group in (values, others))
    if a + b == 0:
        return difference, 0.0
    freedom = (a + b) ** 2 / (a**2 / (len(values) - 1) + b**2 / (len(others) - 1))
    return difference, _quantile(freedom) * math.sqrt(a + b)


def _quantile(freedom: float) -> float:
    """Student's t that its magnitude stays below in 95 % of cases."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + CONFIDENCE) / 2))
