"""How often poses err in which way, and how far: as published, or as any ensemble was found to.

Kinds of errors and the similarity of a keypoint with a place are those of ``evaluation.errors``. Distances
are in units of ``sqrt(area) * 2 sigma``, the person's area and the keypoint's OKS constant, so that a
keypoint at distance u has the similarity ``exp(-u^2 / 2)``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kpkit.core.errors import KpkitError
from kpkit.core.skeletons import COCO17, Skeleton
from kpkit.evaluation.errors import CLOSE, GOOD, INVERSION, JITTER, KINDS, MISS, NEAR, SWAP

VISIBLE = (5, 10, 15)
"""Labelled keypoints up to which a person is of the first, second, third group; there is a fourth."""
OVERLAP = (0, 2)
"""Overlapping neighbours up to which a person is of the first, second group; there is a third."""
FAR = 0.1
"""Similarity beyond which the paper draws no miss."""


def distance(similarity: float | np.ndarray) -> np.ndarray:
    """Similarities, above 0 to 1, as distances in a keypoint's units."""
    return np.sqrt(-2 * np.log(similarity))


@dataclass(frozen=True, eq=False)
class ErrorModel:
    """What poses are drawn from.

    Attributes:
        skeleton: whose keypoints.
        frequency: (4, 3, K, 5) shares of the kinds, in order of ``evaluation.errors.KINDS``, by group of
            labelled keypoints (VISIBLE), group of overlapping neighbours (OVERLAP) and keypoint; they add up
            to 1 over the kinds.
        radius: (K, 5, Q) quantiles, rising from the least to the greatest, of a keypoint's distance from
            where its kind puts it: its own place (good, jitter, miss), its twin's (inversion), another
            person's (swap). Between them it is interpolated.
        area_of: what a person's area is: ``"box"`` (the paper's) or ``"person"`` (the annotation's).

    Raises:
        KpkitError: shapes that do not fit the skeleton.
    """

    skeleton: Skeleton
    frequency: np.ndarray
    radius: np.ndarray
    area_of: str

    def __post_init__(self) -> None:
        keypoints = len(self.skeleton)
        wanted = (len(VISIBLE) + 1, len(OVERLAP) + 1, keypoints, len(KINDS))
        if self.frequency.shape != wanted or self.radius.shape[:2] != (keypoints, len(KINDS)):
            raise KpkitError(f"shapes of errors {self.frequency.shape}, {self.radius.shape} do not fit")

    def frequencies(self, visible: np.ndarray, overlap: np.ndarray) -> np.ndarray:
        """(N, K, 5) shares for people with these many labelled keypoints (N,) and neighbours (N,)."""
        chosen: np.ndarray = self.frequency[groups(visible, overlap)]
        return chosen


def groups(visible: np.ndarray, overlap: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices of people's groups in VISIBLE and in OVERLAP."""
    return np.searchsorted(VISIBLE, visible), np.searchsorted(OVERLAP, overlap)


def published_errors() -> ErrorModel:
    """PoseFix's own, on COCO's skeleton (section 4.2; the numbers stand in the official code).

    Within a kind's ring the distance is uniform: good from 0 to a similarity of .85, jitter to .5, miss from
    there to .1, inversion and swap from 0 to .5.
    """
    frequency = np.zeros((len(VISIBLE) + 1, len(OVERLAP) + 1, len(COCO17), len(KINDS)))
    for i, visible in enumerate(("few", "some", "many", "all")):
        for j, neighbours in enumerate(("none", "some", "many")):
            crowded = (visible in ("few", "some") and neighbours != "none") or (
                visible == "many" and neighbours == "many"
            )
            for k, name in enumerate(COCO17.keypoints):
                frequency[i, j, k] = _published(name.split("_")[-1], visible, crowded)
    rings = {
        GOOD: (1.0, CLOSE),
        JITTER: (CLOSE, NEAR),
        MISS: (NEAR, FAR),
        INVERSION: (1.0, NEAR),
        SWAP: (1.0, NEAR),
    }
    radius = np.array([distance(np.array(rings[kind])) for kind in range(len(KINDS))])
    return ErrorModel(COCO17, frequency, np.broadcast_to(radius, (len(COCO17), *radius.shape)), "box")


def _published(part: str, visible: str, crowded: bool) -> np.ndarray:
    """(5,) the kinds' shares for a part of the body."""
    face = part in ("nose", "eye", "ear")
    upper = part in ("shoulder", "elbow", "wrist")
    shares = np.zeros(len(KINDS))
    shares[JITTER] = {"nose": 0.10, "knee": 0.10, "ankle": 0.10, "hip": 0.20}.get(part, 0.15)
    if visible in ("few", "some"):
        shares[JITTER] += 0.05
    misses = {"few": (0.15, 0.20, 0.25), "some": (0.10, 0.13, 0.15)}.get(visible, (0.02, 0.05, 0.10))
    shares[MISS] = misses[0 if face else 1 if part in ("shoulder", "ankle") else 2]
    shares[INVERSION] = 0.01 if face else 0.03 if upper else 0.06
    swaps = (0.02, 0.15, 0.10) if crowded else (0.01, 0.06, 0.03)
    shares[SWAP] = swaps[0 if face else 1 if upper else 2]
    shares[GOOD] = 1 - shares.sum()
    return shares
