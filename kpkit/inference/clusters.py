"""Rows of one picture that mean one thing, found row by row against the running means of what was found."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kpkit.inference.pictures import picture_starts, side_by_side

Similarity = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(B, 1, D) values and (B, C, D) means to (B, C) in 0..1."""


def clusters(
    image_id: np.ndarray,
    values: np.ndarray,
    weights: np.ndarray,
    similarity: Similarity,
    threshold: float,
    member: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Cluster as weighted boxes fusion does (Solovyev and others, arXiv 1910.13302, section 3).

    One row after the other joins the cluster of its picture whose weighted mean is most similar, if that is
    above the threshold, or begins a new one. All pictures take their steps together.

    Args:
        image_id: (N,) rising; within a picture the rows come in the order in which they are to join.
        values: (N, D) what is averaged.
        weights: (N, D) positive.
        similarity: of values and means.
        threshold: above it a row joins.
        member: (N,) numbers from 0; a cluster takes no second row of one number. None takes any.

    Returns:
        (N,) number of each row's cluster, from 0, rising in the order in which clusters begin, and (C, D)
        the clusters' weighted means.
    """
    begun_by = np.arange(len(values))
    for rows, there in side_by_side(picture_starts(image_id)):
        count = np.zeros(len(rows), np.int64)
        total = np.zeros((*rows.shape, values.shape[1]))
        weight = np.ones_like(total)
        first = np.zeros(rows.shape, np.int64)
        taken = np.zeros((*rows.shape, 0 if member is None else int(member.max()) + 1), bool)
        for step in range(rows.shape[1]):
            active = np.flatnonzero(there[:, step])
            row, known = rows[active, step], int(count.max(initial=0))
            place = count[active]  # a new cluster, unless an old one is alike
            if known:
                mean = total[active, :known] / weight[active, :known]
                alike = similarity(values[row][:, None], mean)
                alike[np.arange(known) >= count[active][:, None]] = -1
                if member is not None:
                    alike[taken[active, :known, member[row]]] = -1
                best = alike.argmax(axis=1)
                place = np.where(alike[np.arange(len(active)), best] > threshold, best, place)
            new = place == count[active]
            count[active[new]] += 1
            first[active[new], place[new]] = row[new]
            weight[active[new], place[new]] = 0
            total[active, place] += values[row] * weights[row]
            weight[active, place] += weights[row]
            if member is not None:
                taken[active, place, member[row]] = True
            begun_by[row] = first[active, place]
    _, number = np.unique(begun_by, return_inverse=True)
    return number, _means(values, weights, number)


def _means(values: np.ndarray, weights: np.ndarray, number: np.ndarray) -> np.ndarray:
    """(C, D) weighted means of the rows of each number."""
    if len(number) == 0:
        return values
    together = np.argsort(number, kind="stable")
    starts = picture_starts(number[together])[:-1]
    total = np.add.reduceat((values * weights)[together], starts)
    return np.asarray(total / np.add.reduceat(weights[together], starts))
