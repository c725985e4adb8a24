"""The rules an average precision is counted by, COCO's unless said."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Area:
    """A range of person areas, both ends in it.

    Attributes:
        name: what stands behind AP and AR in its figures: ``""`` for people of every size, ``"M"``, ``"L"``.
        low, high: square pixels.
    """

    name: str
    low: float
    high: float


@dataclass(frozen=True)
class Rules:
    """What counts as found, and among whom.

    Attributes:
        thresholds: T least OKS of a match, rising, in 0..1.
        areas: A ranges of person areas; people outside a range are ignored in its figures.
        max_poses: so many poses of a picture are judged, those of highest score.
        recalls: R recalls the precision is read off at, rising, in 0..1.
    """

    thresholds: tuple[float, ...] = tuple(np.linspace(0.5, 0.95, 10).tolist())
    areas: tuple[Area, ...] = (Area("", 0, 1e10), Area("M", 32**2, 96**2), Area("L", 96**2, 1e10))
    max_poses: int = 20
    recalls: tuple[float, ...] = tuple(np.linspace(0, 1, 101).tolist())


COCO = Rules()
"""The COCO keypoint evaluation: OKS .50:.05:.95, 101 recalls, 20 poses a picture, no small people."""

FIGURES = ("AP", "AP50", "AP75", "APM", "APL", "AR", "AR50", "AR75", "ARM", "ARL")
"""The ten figures, in the order pycocotools gives them. M and L: people of medium and large area."""
