"""Weights already tried, with what each keypoint of each person came to: none is decoded twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from kpkit.ensembles.objective import person_value

Look = Callable[[np.ndarray], np.ndarray]
"""(C, M) weights of the members, each row of sum 1 -> (C, P, K) closeness 0 to 1 of people's keypoints."""


class TriedWeights:
    """Closeness of P people's K keypoints under member weights, remembered.

    Keypoints do not meet in blending or decoding, so a pose blended with other weights for every keypoint
    is put together from poses blended with one each: weights per keypoint cost no further decoding.

    Args:
        look: decodes the people under some weights.
        labelled: (P, K) bool: keypoints that count.
        members: how many.
    """

    def __init__(self, look: Look, labelled: np.ndarray, members: int) -> None:
        self._look = look
        self.labelled, self.members = labelled, members
        self._closeness: dict[bytes, np.ndarray] = {}
        self._value: dict[bytes, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self._closeness)

    def values(self, weights: Sequence[np.ndarray]) -> np.ndarray:
        """(C, P) value of every person (objective.person_value) under C weights of any positive sum."""
        keys = self._try(weights)
        return np.stack([self._value[key] for key in keys])

    def closeness(self, weights: Sequence[np.ndarray]) -> np.ndarray:
        """(C, P, K) float32."""
        keys = self._try(weights)
        return np.stack([self._closeness[key] for key in keys])

    def mixed_value(self, weights: np.ndarray) -> np.ndarray:
        """(P,) values under (K, M) weights per keypoint."""
        columns = [self._closeness[key][:, k] for k, key in enumerate(self._try(list(weights)))]
        return person_value(np.stack(columns, axis=1), self.labelled)

    def _try(self, weights: Sequence[np.ndarray]) -> list[bytes]:
        rows = [normal(row) for row in weights]
        keys = [row.tobytes() for row in rows]
        new = {key: row for key, row in zip(keys, rows, strict=True) if key not in self._closeness}
        if new:
            found = self._look(np.stack(list(new.values()))).astype(np.float32)
            values = person_value(found, self.labelled)
            for key, closeness, value in zip(new, found, values, strict=True):
                self._closeness[key] = closeness
                self._value[key] = value
        return keys


def normal(weights: np.ndarray) -> np.ndarray:
    """Weights of sum 1, rounded so that proportional ones are the same bytes."""
    weights = np.asarray(weights, np.float64)
    return np.round(weights / weights.sum(), 9) + 0.0
