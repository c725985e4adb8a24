"""Members' errors on drawn people, and what a blend of them comes to: no heatmaps."""

from __future__ import annotations

import numpy as np

from kpkit.core.seeds import generator
from kpkit.ensembles.folds import image_folds
from kpkit.ensembles.tried import TriedWeights


class DrawnErrors:
    """People of whom each member sees every keypoint beside its place.

    Args:
        seed: which people.
        spread: (M,) or (K, M) size of each member's own error, in units of the OKS.
        people: how many, about two a picture.
    """

    def __init__(self, seed: int, spread: np.ndarray, people: int = 240, keypoints: int = 17) -> None:
        rng = generator(seed, "errors")
        self.members = spread.shape[-1]
        self.image_id = np.sort(rng.integers(0, people // 2, people))
        self.labelled = rng.random((people, keypoints)) < 0.7
        self.labelled[:, 0] = True
        hard = np.exp(rng.normal(0, 0.5, (people, 1, 1, 1)))
        self.errors = rng.normal(size=(people, keypoints, self.members, 2)) * hard * spread[..., None]

    def look(self, weights: np.ndarray) -> np.ndarray:
        """Closeness under (C, M) weights: points blend as their maps do where maps are alike and near."""
        apart = np.einsum("cm,pkmx->cpkx", weights, self.errors)
        closeness: np.ndarray = np.exp(-(apart**2).sum(axis=-1) / 2)
        return closeness

    def tried(self) -> TriedWeights:
        return TriedWeights(self.look, self.labelled, self.members)

    def folds(self, number: int = 5) -> np.ndarray:
        dealt = image_folds(self.image_id, number)
        return np.array([dealt[i] for i in self.image_id.tolist()])
