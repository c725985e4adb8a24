"""Precision at recalls, and the figures COCO makes of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kpkit.evaluation.pairs import EPS, use_compiled
from kpkit.evaluation.rules import Rules

FALSE, RIGHT, IGNORED = 0, 1, 2
"""What a pose is: nobody's, somebody's, or neither for nor against."""


@dataclass(frozen=True, eq=False)
class Curves:
    """Precision and recall of A ranges of area at T thresholds.

    Attributes:
        precision: (A, T, R) in 0..1 at the rules' recalls; 0 at recalls that are not reached, -1 everywhere
            where the range holds nobody.
        recall: (A, T) in 0..1, or -1 likewise.
    """

    precision: np.ndarray
    recall: np.ndarray
    rules: Rules

    def figures(self) -> dict[str, float]:
        """AP and AR over all thresholds, at .50 and .75 where the rules have these, then by area; 0..1 or -1.

        With COCO's rules these are ``rules.FIGURES``.
        """
        stated = {"50": 0.5, "75": 0.75}
        steps = {
            name: self.rules.thresholds.index(t) for name, t in stated.items() if t in self.rules.thresholds
        }
        figures: dict[str, float] = {}
        for kind, values in (("AP", self.precision), ("AR", self.recall)):
            figures[kind] = float(np.mean(values[0]))
            figures |= {kind + name: float(np.mean(values[0, step])) for name, step in steps.items()}
            for area, of_area in zip(self.rules.areas[1:], values[1:], strict=True):
                figures[kind + area.name] = float(np.mean(of_area))
        return figures


def curves(outcome: np.ndarray, weight: np.ndarray, people: np.ndarray, rules: Rules) -> Curves:
    """Read the curves off matched poses.

    Args:
        outcome: (A, T, D) uint8 FALSE, RIGHT or IGNORED, poses by falling score over all pictures.
        weight: (D,) int64, how often each pose's picture counts.
        people: (A,) people to be found, each as often as its picture counts.
        rules: the thresholds, areas and recalls.
    """
    areas, steps, poses = outcome.shape
    precision = np.full((areas, steps, len(rules.recalls)), -1.0)
    recall = np.full((areas, steps), -1.0)
    recalls = np.array(rules.recalls)
    for a in np.flatnonzero(people > 0):
        precision[a], recall[a] = 0.0, 0.0
        wanted = np.full(steps, float(people[a]))
        if use_compiled(steps * poses):
            from kpkit.evaluation.matching_compiled import read_off

            read_off(outcome[a], weight, wanted, recalls, precision[a], recall[a])
        else:
            _read_off(outcome[a], weight, wanted, recalls, precision[a], recall[a])
    return Curves(precision, recall, rules)


def _read_off(
    outcome: np.ndarray,
    weight: np.ndarray,
    people: np.ndarray,
    recalls: np.ndarray,
    precision: np.ndarray,
    recall: np.ndarray,
) -> None:
    """Twin of the kernel. Only poses that found somebody bring recall, and none is worse than those after."""
    for c in range(len(outcome)):
        places = np.flatnonzero(outcome[c] == RIGHT)
        if len(places) == 0:
            continue
        right = np.cumsum(weight[places])
        wrong = np.cumsum(weight * (outcome[c] == FALSE))[places]
        value = right / (wrong.astype(np.float64) + right + EPS)
        value = np.maximum.accumulate(value[::-1])[::-1]
        found = right / people[c]
        at = np.searchsorted(found, recalls, side="left")
        reached = at < len(found)
        precision[c, reached] = value[at[reached]]
        recall[c] = found[-1]
