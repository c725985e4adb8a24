"""How much teachers agree on a keypoint, in the units of OKS."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kpkit.evaluation.oks import keypoint_oks


def agreement(
    blend: np.ndarray,
    teachers: Sequence[np.ndarray],
    area: np.ndarray,
    sigmas: tuple[float, ...],
) -> np.ndarray:
    """OKS of the blend's points with those of the teacher that is farthest from them.

    A teacher that swaps sides or drifts is far from the others, and so from the blend or the blend from the
    others: one teacher of any number is enough to tell.

    Args:
        blend: (N, K, 2 or more) x, y in pixels, decoded from the blended heatmaps.
        teachers: each teacher's own points, likewise.
        area: (N,) square pixels of the persons.
        sigmas: (K,) OKS constants.

    Returns:
        (N, K) in 0..1; ones without teachers.
    """
    least = np.ones(blend.shape[:2])
    for points in teachers:
        np.minimum(least, keypoint_oks(points, blend, area, sigmas), out=least)
    return least
