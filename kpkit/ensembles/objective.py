"""What weights are chosen by: a person's worth between 0 and 1, a smooth stand-in for its share of the AP."""

from __future__ import annotations

import numpy as np

LOWEST, HIGHEST = 0.475, 0.975
"""OKS where a person's value leaves 0, and where it reaches 1."""


def person_value(closeness: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    """How much of COCO's ten OKS thresholds a person's pose passes, made continuous.

    The share of the thresholds .50, .55, ... .95 below an OKS is a staircase, of which a search sees flat
    steps and sudden risers; each riser is spread over the .05 around it, which gives the straight line from
    0 at OKS .475 to 1 at .975. Ranking, doubles and false detections play no part: whether the choice was
    good is judged by the AP of held-out pictures, where they do.

    Args:
        closeness: (..., P, K) each keypoint's share of the OKS, 0 to 1 (evaluation.oks.keypoint_oks).
        labelled: (P, K) bool, every row with a true value.

    Returns:
        (..., P) values in 0..1.
    """
    return oks_value((closeness * labelled).sum(axis=-1, dtype=np.float64) / labelled.sum(axis=-1))


def oks_value(oks: np.ndarray) -> np.ndarray:
    """The value of a person whose pose has this OKS, 0 to 1."""
    return ((oks - LOWEST) / (HIGHEST - LOWEST)).clip(0, 1)


def mean_gain(gain: np.ndarray, image_id: np.ndarray) -> tuple[float, float]:
    """Mean of people's gains and its standard error, pictures drawn, not people.

    Args:
        gain: (P,) differences of values.
        image_id: (P,) the people's pictures.

    Returns:
        the mean over people, and the standard error of this ratio of two sums over pictures; NaN of one
        picture.
    """
    _, picture = np.unique(image_id, return_inverse=True)
    total, people = np.bincount(picture, gain), np.bincount(picture)
    mean, n = float(gain.mean()), len(people)
    if n < 2:
        return mean, float("nan")
    rest = total - mean * people
    return mean, float(np.sqrt((rest**2).sum() * n / (n - 1)) / len(gain))
