"""The OKS a pose is expected to have, by regression trees that are kept as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from kpkit.core.errors import InputError, KpkitError
from kpkit.core.files import replacing
from kpkit.core.instances import Instances
from kpkit.inference.pose_features import feature_names, pose_features

_LEAF = -1


@dataclass(frozen=True, eq=False)
class LearnedScores:
    """A forest: T trees of N nodes in all, a tree's nodes one after the other, its root first.

    Attributes:
        names: the features the nodes' numbers mean.
        roots: (T,) int64 node numbers.
        feature: (N,) int32, -1 at leaves.
        threshold: (N,) float64: a pose goes left where its feature, as float32, is not above it.
        left, right: (N,) int32 node numbers; a leaf's own.
        value: (N,) float64, the mean OKS of the fitted poses that come here.
    """

    names: tuple[str, ...]
    roots: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray

    def predict(self, poses: Instances) -> np.ndarray:
        """(N,) expected OKS, 0..1, of all poses of some pictures: neighbours are looked at.

        Raises KpkitError for another skeleton than that of the poses it was fitted on.
        """
        if feature_names(poses.skeleton) != self.names:
            raise KpkitError(f"these scores were not learned on poses of {poses.skeleton.name}")
        return self.predict_features(pose_features(poses))

    def predict_features(self, features: np.ndarray) -> np.ndarray:
        """As ``predict``, of (N, F) features."""
        features = features.astype(np.float32)
        rows = np.arange(len(features))
        total = np.zeros(len(features))
        for root in self.roots:
            node = np.full(len(features), root)
            while True:
                feature = self.feature[node]
                if (feature == _LEAF).all():
                    break
                goes_left = features[rows, feature] <= self.threshold[node]  # a leaf's way leads to itself
                node = np.where(goes_left, self.left[node], self.right[node])
            total += self.value[node]
        return np.asarray(total / len(self.roots))

    def write(self, path: Path) -> None:
        """Keep it as arrays (.npz); equal forests, equal bytes."""
        arrays = {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)}
        with replacing(path) as temporary, open(temporary, "wb") as handle:
            np.savez_compressed(handle, allow_pickle=False, **arrays)

    @classmethod
    def read(cls, path: Path) -> LearnedScores:
        """What ``write`` wrote; nothing in the file is run.

        Raises InputError for a file that is missing, damaged or whose nodes lead nowhere.
        """
        try:
            with np.load(path, allow_pickle=False) as stored:
                arrays = {field.name: stored[field.name] for field in fields(cls)}
            forest = cls(names=tuple(map(str, arrays.pop("names"))), **arrays)
            sound = forest._sound()
        except Exception as error:
            raise _not_scores(path, str(error)) from None
        if not sound:
            raise _not_scores(path, "nodes lead nowhere")
        return forest

    def _sound(self) -> bool:
        """Whether every way ends at a leaf: children have larger numbers than their parents."""
        number, nodes = np.arange(len(self.feature)), len(self.feature)
        inner = self.feature != _LEAF
        children = np.stack([self.left, self.right])[:, inner]
        return bool(
            len(self.roots) > 0
            and all(len(a) == nodes for a in (self.threshold, self.left, self.right, self.value))
            and ((self.roots >= 0) & (self.roots < nodes)).all()
            and ((self.feature >= _LEAF) & (self.feature < len(self.names))).all()
            and ((children > number[inner]) & (children < nodes)).all()
            and (self.left == number)[~inner].all()
            and (self.right == number)[~inner].all()
            and np.isfinite(self.value).all()
        )


def _not_scores(path: Path, why: str) -> InputError:
    return InputError(f"damaged, or no learned scores ({why})", file=path, remedy="build it again")
