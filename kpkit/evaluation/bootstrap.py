"""How far figures depend on the pictures that happen to be judged: intervals from pictures drawn anew.

The bootstrap over pictures: as many are drawn as there are, with replacement, and the figures counted again.
People of one picture stay together, because what makes one of them hard often makes the others so. The
interval is that of the percentiles. It says what other pictures of the same kind would give, and nothing of
another training of the same networks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kpkit.core.errors import InputError
from kpkit.core.progress import Progress, silent
from kpkit.core.seeds import generator
from kpkit.evaluation.intervals import CONFIDENCE
from kpkit.evaluation.matching import Matches

DRAWS = 1000


@dataclass(frozen=True)
class Interval:
    """A figure or a difference of two, 0..1 or -1..1, and the ends of its 95 % interval.

    All are NaN where the truth holds nobody of that size.
    """

    value: float
    low: float
    high: float

    @property
    def of_chance(self) -> bool:
        """Whether a difference cannot be told apart from chance: its interval holds 0."""
        return not (self.low > 0 or self.high < 0)

    def as_dict(self) -> dict[str, float | None]:
        """For JSON, which knows no NaN."""
        named = {"value": self.value, "low": self.low, "high": self.high}
        return {name: None if math.isnan(number) else number for name, number in named.items()}


def resample(
    judged: Sequence[Matches], *, draws: int = DRAWS, seed: int = 0, progress: Progress = silent
) -> dict[str, np.ndarray]:
    """Figures of drawn pictures, the same draws for all results.

    Args:
        judged: matches of one or several results on the same pictures.
        draws: how many times pictures are drawn.
        seed: equal seeds draw alike, whatever the results.

    Returns:
        Each figure's name to (len(judged), draws) values in 0..1, NaN where a draw holds nobody of that size.

    Raises:
        InputError: the results are judged on different pictures.
    """
    images = judged[0].image_id
    if any(not np.array_equal(other.image_id, images) for other in judged[1:]):
        raise InputError("results judged on different pictures cannot be compared draw by draw")
    names = list(judged[0].figures())
    values = np.empty((len(names), len(judged), draws))
    for draw in range(draws):
        chosen = generator(seed, "bootstrap", draw).integers(0, len(images), len(images))
        weights = np.bincount(chosen, minlength=len(images))
        for which, matches in enumerate(judged):
            values[:, which, draw] = list(matches.figures(weights).values())
        progress(draw + 1, draws, "draws")
    values[values < 0] = np.nan
    return dict(zip(names, values, strict=True))


def figure_intervals(figures: dict[str, float], drawn: dict[str, np.ndarray]) -> dict[str, Interval]:
    """Intervals of the figures of one results' matches; ``drawn`` of ``resample``, one row of each."""
    return {name: _interval(_known(value), drawn[name]) for name, value in figures.items()}


def difference_intervals(
    figures: dict[str, float], others: dict[str, float], drawn: dict[str, np.ndarray]
) -> dict[str, Interval]:
    """Intervals of differences ``figures - others``; ``drawn`` of ``resample`` of both, in this order.

    Both are counted on the same draws, so that what makes pictures hard for both cancels out.
    """
    return {
        name: _interval(_known(value) - _known(others[name]), drawn[name][0] - drawn[name][1])
        for name, value in figures.items()
    }


def _known(value: float) -> float:
    return math.nan if value < 0 else value


def _interval(value: float, drawn: np.ndarray) -> Interval:
    drawn = drawn[~np.isnan(drawn)]
    if math.isnan(value) or len(drawn) == 0:
        return Interval(math.nan, math.nan, math.nan)
    low, high = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(value, float(low), float(high))
