"""Greedy suppression in plain numpy, of many pictures at once, whatever the overlap is measured by."""

from __future__ import annotations

import numpy as np


def suppressors(overlap: np.ndarray, there: np.ndarray, threshold: float) -> np.ndarray:
    """Who suppresses whom, where the better row suppresses.

    Args:
        overlap: (B, n, n) values in 0..1 of the rows of B pictures, best row first.
        there: (B, n) bool; other rows neither suppress nor are suppressed.
        threshold: a row is suppressed by the best kept row that overlaps it by more.

    Returns:
        (B, n) places in 0..n-1: the suppressor's, or the row's own where it is kept.
    """
    n = there.shape[1]
    above = (overlap > threshold) & there[:, :, None] & there[:, None]
    by = np.broadcast_to(np.arange(n), there.shape).copy()
    for place in range(n - 1):  # when a row speaks, its own fate is settled
        speaks = by[:, place] == place
        hit = above[:, place, place + 1 :] & speaks[:, None] & (by[:, place + 1 :] == np.arange(place + 1, n))
        by[:, place + 1 :][hit] = place
    return by


def soft_selection(
    overlap: np.ndarray, score: np.ndarray, there: np.ndarray, threshold: float, *, linear: bool, keep: int
) -> tuple[np.ndarray, np.ndarray]:
    """Soft suppression (Bodla and others, arXiv 1704.04503, equations 1 to 3).

    Again and again the row that scores best is selected, and the scores of those not yet selected decay
    by their overlap o with it: linear, times 1 - o where o is at least the threshold; Gaussian, times
    exp(-o^2 / threshold).

    Args:
        overlap: (B, n, n) values in 0..1.
        score: (B, n).
        there: (B, n) bool; other rows play no part.
        threshold: positive where Gaussian.
        linear: which of the two decays.
        keep: rows of a picture to select.

    Returns:
        (B, n) the turn in which each row is selected, from 0, or -1; and (B, n) decayed scores.
    """
    pictures = np.arange(len(score))
    score, left = score.copy(), there.copy()
    turn = np.full(score.shape, -1)
    for step in range(min(keep, score.shape[1])):
        best = np.where(left, score, -np.inf).argmax(axis=1)
        active = pictures[left[pictures, best]]
        chosen = best[active]
        turn[active, chosen] = step
        left[active, chosen] = False
        o = overlap[active, chosen]
        factor = np.where(o >= threshold, 1 - o, 1.0) if linear else np.exp(-(o**2) / threshold)
        score[active] *= np.where(left[active], factor, 1.0)
    return turn, score
