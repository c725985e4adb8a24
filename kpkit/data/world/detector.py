"""An imperfect person detector: boxes that jitter, double, miss, merge, and believe in statues."""

from __future__ import annotations

import numpy as np

from kpkit.core.boxes import box_iou
from kpkit.core.instances import Instances


def _jitter(rng: np.random.Generator, box: np.ndarray, spread: np.ndarray | float) -> np.ndarray:
    """(N, 4) boxes with sides moved by ``spread`` ((N, 1) or one) of their size, heavy-tailed."""
    noise = rng.standard_t(4, box.shape) * spread
    size = box[:, [2, 3, 2, 3]]
    corners = np.concatenate([box[:, :2], box[:, :2] + box[:, 2:]], axis=1) + noise * size
    return np.concatenate([corners[:, :2], np.maximum(corners[:, 2:] - corners[:, :2], 2)], axis=1)


def _inside(box: np.ndarray, width: int, height: int) -> np.ndarray:
    low = np.clip(box[:, :2], 0, (width - 2, height - 2))
    high = np.clip(box[:, :2] + box[:, 2:], low + 1, (width, height))
    return np.concatenate([low, high - low], axis=1)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def detect(
    rng: np.random.Generator,
    people: Instances,
    share: np.ndarray,
    dummies: np.ndarray,
    width: int,
    height: int,
) -> Instances:
    """Detections of one picture.

    Args:
        people: its annotated people; crowd regions give a few loose boxes.
        share: (N,) visible share of each.
        dummies: (D, 4) boxes of statues and mannequins, taken for people with high scores.
        width, height: of the picture.

    Returns:
        boxes with scores in 0..1, best first, image_id as in ``people`` (0 when there is none), source "D".
    """
    single = ~people.crowd
    box, area, seen = people.box[single], people.area[single], share[single]
    # Large and visible people are found surely and boxed well.
    ease = 0.55 * np.log(np.maximum(area, 20) / 900) + 2.2 * (seen - 0.55)
    found = rng.random(len(box)) < 0.70 + 0.27 * _sigmoid(2.2 * ease + 1.8)
    quality = _sigmoid(1.3 * ease + 0.8 + rng.normal(0, 1.25, len(box)))
    spread = (0.025 + 0.07 * (1 - quality))[:, None]
    parts = [(_jitter(rng, box, spread)[found], quality[found] ** 0.8)]
    again = found & (rng.random(len(box)) < 0.5)  # doubles, looser and less sure
    for _ in range(2):
        parts.append((_jitter(rng, box, spread * 2.2 + 0.03)[again], quality[again] * rng.uniform(0.04, 0.6)))
        again &= rng.random(len(box)) < 0.5
    halves = box[rng.random(len(box)) < 0.14] * (1, 1, 1, rng.uniform(0.4, 0.65))
    parts.append((_jitter(rng, halves, 0.04), rng.uniform(0.02, 0.45, len(halves))))
    parts.append(_merged(rng, box))
    certain = dummies[rng.random(len(dummies)) < 0.92]
    parts.append((_jitter(rng, certain, 0.035), rng.beta(5, 2.0, len(certain))))
    for region in people.box[people.crowd]:
        loose = np.repeat(region[None], 3, axis=0) * (1, 1, rng.uniform(0.15, 0.3), 1)
        loose[:, 0] += rng.uniform(0, 0.75, 3) * region[2]
        parts.append((_jitter(rng, loose, 0.05), rng.uniform(0.05, 0.5, 3)))
    parts.append(_ghosts(rng, width, height))
    boxes = _inside(np.concatenate([b for b, _ in parts]), width, height)
    scores = np.clip(np.concatenate([s for _, s in parts]), 0.001, 0.9995)
    order = np.lexsort((boxes[:, 0], -scores))
    boxes, scores = np.round(boxes[order], 2), np.round(scores[order], 5)
    keep = _suppress(boxes, 0.72)
    image = int(people.image_id[0]) if len(people) else 0
    return Instances.of(np.full(keep.sum(), image), boxes[keep], score=scores[keep], source="D")


def _merged(rng: np.random.Generator, box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Now and then one box around two people who touch."""
    overlap = np.triu(box_iou(box, box), 1)
    first, second = np.nonzero(overlap > 0.08)
    chosen = rng.random(len(first)) < 0.3
    a, b = box[first[chosen]], box[second[chosen]]
    low = np.minimum(a[:, :2], b[:, :2])
    high = np.maximum(a[:, :2] + a[:, 2:], b[:, :2] + b[:, 2:])
    return np.concatenate([low, high - low], axis=1), rng.uniform(0.03, 0.5, len(a))


def _ghosts(rng: np.random.Generator, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Boxes on nothing, mostly with low scores."""
    count = int(rng.poisson(2.6))
    tall = np.exp(rng.normal(np.log(70), 0.6, count))
    wide = tall * rng.uniform(0.25, 0.7, count)
    x, y = rng.uniform(0, width, count) - wide / 2, rng.uniform(0.1, 0.95, count) * height - tall / 2
    return np.column_stack([x, y, wide, tall]), rng.beta(0.7, 6, count)


def _suppress(box: np.ndarray, limit: float) -> np.ndarray:
    """(N,) bool kept by greedy suppression of boxes in score order."""
    keep = np.ones(len(box), bool)
    overlap = box_iou(box, box)
    for i in range(len(box)):
        if keep[i]:
            keep[i + 1 :] &= overlap[i, i + 1 :] < limit
    return keep
