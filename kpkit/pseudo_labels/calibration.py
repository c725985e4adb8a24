"""From a keypoint's score to the probability that it is right, and to the floor for a wished precision."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.isotonic import IsotonicRegression
from sklearn.model_selection import GroupKFold

FOLDS = 5
LEAST = 20
"""Judged examples a keypoint name needs before a floor is solved for it: fewer prove nothing."""


@dataclass(frozen=True)
class Calibration:
    """A rising curve per keypoint name, by isotonic regression.

    Attributes:
        curves: K pairs of (points,) scores and (points,) probabilities in 0..1; None where nothing is known.
    """

    curves: tuple[tuple[np.ndarray, np.ndarray] | None, ...]

    @classmethod
    def fit(cls, scores: np.ndarray, right: np.ndarray, judged: np.ndarray) -> Calibration:
        """From (N, K) scores, and (N, K) bools: right, and whether that is known."""
        return cls(tuple(_curve(s[j], r[j]) for s, r, j in zip(scores.T, right.T, judged.T, strict=True)))

    def probability(self, scores: np.ndarray) -> np.ndarray:
        """(N, K) scores -> (N, K) probabilities; 0 for a keypoint of which nothing is known."""
        found = np.zeros(scores.shape)
        for k, curve in enumerate(self.curves):
            if curve is not None:
                found[:, k] = np.interp(scores[:, k], *curve)
        return found


def _curve(scores: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    if len(scores) == 0:
        return None
    fitted = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(scores, right.astype(float))
    return fitted.X_thresholds_, fitted.y_thresholds_


def folds(image_id: np.ndarray) -> list[np.ndarray]:
    """(N,) masks of people, one per fold; those of one picture are in one fold."""
    pictures = len(np.unique(image_id))
    masks = []
    for _, rows in GroupKFold(min(FOLDS, pictures)).split(image_id, groups=image_id):
        masks.append(np.isin(np.arange(len(image_id)), rows))
    return masks


def out_of_fold(
    scores: np.ndarray, right: np.ndarray, judged: np.ndarray, image_id: np.ndarray
) -> np.ndarray:
    """(N, K) probabilities of each person's keypoints, by curves that never saw its picture."""
    found = np.zeros(scores.shape)
    for held in folds(image_id):
        curves = Calibration.fit(scores[~held], right[~held], judged[~held])
        found[held] = curves.probability(scores[held])
    return found


def solve_floors(
    scores: np.ndarray, probability: np.ndarray, judged: np.ndarray, precision: float
) -> np.ndarray:
    """The lowest scores whose keypoints are right often enough.

    Args:
        scores, probability, judged: (N, K); probabilities out of fold.
        precision: wished mean probability of all keypoints at or above the floor.

    Returns:
        (K,) floors; infinity for a keypoint name that no floor brings there, or with fewer than LEAST
        examples.
    """
    return np.array(
        [_floor(s[j], p[j], precision) for s, p, j in zip(scores.T, probability.T, judged.T, strict=True)]
    )


def _floor(scores: np.ndarray, probability: np.ndarray, precision: float) -> float:
    order = np.argsort(-scores, kind="stable")
    scores, probability = scores[order], probability[order]
    mean = np.cumsum(probability) / np.arange(1, len(scores) + 1)
    # equal scores are kept together, and nothing is told by a handful of them
    last = np.append(scores[1:] < scores[:-1], True) & (np.arange(1, len(scores) + 1) >= LEAST)
    enough = np.flatnonzero(last & (mean >= precision))
    return float(scores[enough[-1]]) if len(enough) else float("inf")
