"""Which way of choosing weights is to be believed: nested folds, so that no figure judges itself."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kpkit.core.progress import Progress, silent
from kpkit.ensembles.fits import EQUAL, METHODS, fit_all
from kpkit.ensembles.objective import mean_gain
from kpkit.ensembles.tried import TriedWeights

BELIEVED = 1.645
"""Standard errors a method must gain on held-out people: one-sided 95 %. Otherwise the weights stay equal.

Fitted weights lose against equal ones where members are equally good, and the loss is of the order of its own
standard error: a rule that always takes the fitted ones would report gains that are not there, or losses.
"""

SEARCHED = "searched"
"""The row of the whole procedure: fits by every method, and the rule that takes one or none."""


@dataclass(frozen=True)
class Chosen:
    """Weights of one fold, or of all people.

    Attributes:
        weights: METHODS and SEARCHED -> (K, M), each keypoint's of sum 1.
        method: the one the rule took.
        gains: method -> (mean, standard error) of people's values against equal weights, on people the
            weights were not fitted on.
    """

    weights: dict[str, np.ndarray]
    method: str
    gains: dict[str, tuple[float, float]]


def search(
    tried: TriedWeights,
    fold: np.ndarray,
    image_id: np.ndarray,
    rounds: int,
    progress: Progress = silent,
) -> tuple[list[Chosen], Chosen]:
    """Choose weights for every fold from the others, and from all.

    For a fold, the methods are compared on each of the other folds by weights fitted without both; then
    fitted on all the others. Its own people see none of it.

    Args:
        tried: P people, none without a labelled keypoint.
        fold: (P,) int, whole pictures; three folds or more, so that methods can be compared without one.
        image_id: (P,) the people's pictures.
        rounds: of the greedy selection.
        progress: told fits done.

    Returns:
        one choice per fold, to be judged on that fold, and the choice on everybody.
    """
    folds = sorted(np.unique(fold).tolist())
    pairs = [frozenset(pair) for pair in itertools.combinations(folds, 2)]
    wanted = [frozenset[int](), *(frozenset([f]) for f in folds), *pairs]
    fits: dict[frozenset[int], dict[str, np.ndarray]] = {}
    for done, left_out in enumerate(wanted):
        rows = np.flatnonzero(~np.isin(fold, list(left_out)))
        fits[left_out] = fit_all(tried, rows, rounds)
        progress(done + 1, len(wanted), "fits", f"{len(tried)} weights tried")

    def chosen(outer: frozenset[int]) -> Chosen:
        inner = [f for f in folds if f not in outer]
        gains = _held_out_gains(tried, fold, {f: fits[outer | {f}] for f in inner})
        rows = np.flatnonzero(np.isin(fold, inner))
        told = {method: mean_gain(gain[rows], image_id[rows]) for method, gain in gains.items()}
        method = believed(told)
        return Chosen(fits[outer] | {SEARCHED: fits[outer][method]}, method, told)

    return [chosen(frozenset([f])) for f in folds], chosen(frozenset())


def believed(gains: Mapping[str, tuple[float, float]]) -> str:
    """The method with the largest mean gain among those that gain BELIEVED standard errors; else equal."""
    passed = {name: mean for name, (mean, error) in gains.items() if mean > 0 and mean >= BELIEVED * error}
    return max(passed, key=lambda name: passed[name]) if passed else EQUAL


def _held_out_gains(
    tried: TriedWeights, fold: np.ndarray, fits: dict[int, dict[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """Method -> (P,) gains over equal weights; each fold's by the fit that left it out."""
    gains = {method: np.zeros(len(fold)) for method in METHODS if method != EQUAL}
    equal = tried.values([np.ones(tried.members)])[0]
    for held_out, fitted in fits.items():
        rows = fold == held_out
        for method, gain in gains.items():
            gain[rows] = (tried.mixed_value(fitted[method]) - equal)[rows]
    return gains
