"""People whose truth is known, and teachers who see them more or less well."""

from __future__ import annotations

import numpy as np

from kpkit.core.instances import Instances

BODY = np.array([
    (0.0, -8), (0.6, -8.6), (-0.6, -8.6), (1.2, -8), (-1.2, -8),
    (2.6, -5.6), (-2.6, -5.6), (3.4, -2.8), (-3.4, -2.8), (3.8, -0.4), (-3.8, -0.4),
    (1.7, 0), (-1.7, 0), (1.9, 4), (-1.9, 4), (2.0, 8), (-2.0, 8),
])  # fmt: skip
"""A standing COCO person seen from the front, about 17 units high."""


def crowd(people: int, seed: int, per_picture: int = 3) -> Instances:
    """People side by side, each keypoint labelled with probability 0.9; ids from 1."""
    rng = np.random.default_rng(seed)
    row = np.arange(people)
    scale = rng.uniform(4, 12, people)
    centre = np.stack([400.0 * (row % per_picture) + 200, rng.uniform(150, 250, people)], axis=1)
    points = BODY * [1, 1] + rng.normal(0, 0.3, (people, 17, 2))
    points = points * scale[:, None, None] + centre[:, None]
    visible = 2.0 * (rng.random((people, 17)) < 0.9)
    visible[:, 5] = 2
    keypoints = np.concatenate([points, visible[..., None]], axis=2)
    keypoints[visible == 0] = 0
    low, high = points.min(axis=1) - scale[:, None], points.max(axis=1) + scale[:, None]
    box = np.concatenate([low, high - low], axis=1)
    area = 0.53 * box[:, 2] * box[:, 3]
    return Instances.of(1 + row // per_picture, box, keypoints, area=area, id=row + 1)


def seen(truth: Instances, seed: int, error: float = 1.0) -> Instances:
    """Poses of a teacher: the lower a keypoint's score, the likelier it lies far off."""
    rng = np.random.default_rng(seed)
    shape = truth.keypoints.shape[:2]
    score = rng.beta(4, 1.5, shape)
    sound = rng.random(shape) < score**0.5
    size = np.sqrt(truth.area)[:, None]
    far = np.where(sound, rng.normal(0, 0.01 * error, shape), rng.uniform(0.5, 1.0, shape)) * size
    angle = rng.uniform(0, 2 * np.pi, shape)
    points = truth.keypoints.copy()
    unknown = points[:, :, 2] == 0
    centre = truth.box[:, None, :2] + truth.box[:, None, 2:] / 2
    points[unknown, :2] = np.broadcast_to(centre, (*shape, 2))[unknown]
    points[:, :, 0] += far * np.cos(angle)
    points[:, :, 1] += far * np.sin(angle)
    points[:, :, 2] = np.where(unknown, 0.4 * score, score)
    return truth.with_(
        keypoints=points, score=rng.uniform(0.5, 1, len(truth)), source=np.full(len(truth), "P")
    )
