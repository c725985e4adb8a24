"""Drawn poses held against what they are meant to be: kinds of errors, similarities, OKS.

What is meant is worked out without drawing: a keypoint's places are laid out evenly over what the error model
allows (PoseFix, section 4.2), those that lie nearer to where another kind would put it are left out, and a
pose's OKS, the mean of its keypoints' similarities, has the convolution of their laws.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kpkit.evaluation.errors import GOOD, INVERSION, JITTER, KINDS, MISS, NEAR, SWAP
from kpkit.refinement.errors import ErrorModel, distance
from kpkit.refinement.synthesis import ELSEWHERE, Scenes, Synthesised, anchors_of

BINS = 20
"""Of the similarities and OKS that are told, 0 to 1: the kinds' limits .1, .5 and .85 lie between two."""
_FINE = 100
"""Of those reckoned with."""
_POINTS = 233
"""Places tried round an anchor: a Fibonacci lattice over distance and direction."""
_TOGETHER = 16
"""People worked out at once."""
KOLMOGOROV = 1.63
"""Over the root of a sample's size: the distance from its law that one sample in a hundred exceeds."""


@dataclass(frozen=True, eq=False)
class Spread:
    """How N poses' R keypoints and their OKS are spread; OKS and similarities by the model's areas.

    Attributes:
        poses, keypoints: N, R; keypoints without a place do not count, nor poses without a keypoint.
        similarity: (5, 100) shares of the keypoints, by kind and similarity with their own place, 0 to 1.
        oks: (100,) shares of the poses.
    """

    poses: int
    keypoints: int
    similarity: np.ndarray
    oks: np.ndarray


def synthesis_facts(scenes: Scenes, errors: ErrorModel, drawn: Synthesised) -> dict[str, Any]:
    """Drawn poses beside what they are meant to be.

    Returns:
        numbers of ``poses`` and ``keypoints``; by kind of error its share ``intended`` and ``drawn`` and the
        standard ``error`` of the latter; ``similarity`` by kind, and ``oks``, ``intended`` and ``drawn``:
        shares in BINS equal bins from 0 to 1, of all keypoints and of all poses; and of both the greatest
        ``distance`` of the cumulated shares, beside the ``bound`` that a hundredth of samples of this size
        exceeds (Kolmogorov's; poses of unequal laws exceed it more seldom).
    """
    meant, found = intended_spread(scenes, errors), drawn_spread(scenes, errors, drawn)
    kinds = {}
    for kind, name in enumerate(KINDS):
        share = float(meant.similarity[kind].sum())
        error = (share * (1 - share) / max(found.keypoints, 1)) ** 0.5
        kinds[name] = {
            "intended": share,
            "drawn": float(found.similarity[kind].sum()),
            "error": error,
        }
    return {
        "poses": found.poses,
        "keypoints": found.keypoints,
        "kinds": kinds,
        "similarity": {
            name: {"intended": _binned(meant.similarity[kind]), "drawn": _binned(found.similarity[kind])}
            for kind, name in enumerate(KINDS)
        },
        "oks": {"intended": _binned(meant.oks), "drawn": _binned(found.oks)},
        "distance": {
            "similarity": _apart(meant.similarity.sum(axis=0), found.similarity.sum(axis=0)),
            "similarity_bound": KOLMOGOROV / max(found.keypoints, 1) ** 0.5,
            "oks": _apart(meant.oks, found.oks),
            "oks_bound": KOLMOGOROV / max(found.poses, 1) ** 0.5,
        },
    }


def drawn_spread(scenes: Scenes, errors: ErrorModel, drawn: Synthesised) -> Spread:
    """Count them."""
    anchors, _ = anchors_of(scenes, errors)
    n, k = drawn.kind.shape
    own = anchors[:, 0].reshape(n, k, 2)
    away = np.linalg.norm(drawn.points - own, axis=2) / _units(scenes, errors)
    there = drawn.kind >= 0
    similarity = np.where(there, np.exp(-(np.minimum(away, 1e3) ** 2) / 2), 0.0)
    counts = np.zeros((len(KINDS), _FINE))
    np.add.at(counts, (drawn.kind[there], _bin(similarity[there])), 1)
    labelled = there.sum(axis=1)
    some = labelled > 0
    oks = np.bincount(_bin(similarity[some].sum(axis=1) / labelled[some]), minlength=_FINE)
    return Spread(int(some.sum()), int(there.sum()), counts / max(there.sum(), 1), oks / max(some.sum(), 1))


def intended_spread(scenes: Scenes, errors: ErrorModel) -> Spread:
    """Work out what ``synthesise`` draws from, to within the lattice's grain of half a hundredth."""
    similarity, oks = np.zeros((len(KINDS), _FINE)), np.zeros(_FINE)
    poses = keypoints = 0
    for begin in range(0, len(scenes), _TOGETHER):
        part = scenes.part(slice(begin, begin + _TOGETHER))
        law = _keypoint_laws(part, errors)
        placed = law.sum(axis=(2, 3)) > 0
        similarity += law.sum(axis=(0, 1))
        keypoints += int(placed.sum())
        poses += int(placed.any(axis=1).sum())
        oks += _mean_laws(law.sum(axis=2), placed)
    return Spread(poses, keypoints, similarity / max(keypoints, 1), oks / max(poses, 1))


def _keypoint_laws(scenes: Scenes, errors: ErrorModel) -> np.ndarray:
    """(N, K, 5, _FINE) shares of each keypoint's kinds and similarities; zeros where it has no place."""
    n, k = scenes.keypoints.shape[:2]
    anchors, there = anchors_of(scenes, errors)
    rows = np.flatnonzero(there[:, 0])
    anchors = anchors[rows] / _units(scenes, errors).reshape(-1)[rows, None, None]
    there = there[rows]
    visible = (scenes.keypoints[:, :, 2] > 0).sum(axis=1)
    shares = errors.frequencies(visible, scenes.overlap).reshape(n * k, len(KINDS))[rows]
    law = np.zeros((n * k, len(KINDS), _FINE))
    for kind in range(len(KINDS)):
        law[rows, kind] = _kind_laws(kind, anchors, there, errors.radius[rows % k, kind])
    room = (law[rows].sum(axis=2) > 0) * shares
    total = room.sum(axis=1, keepdims=True)
    law[rows] *= np.divide(room, total, out=np.zeros_like(room), where=total > 0)[:, :, None]
    return law.reshape(n, k, len(KINDS), _FINE)


def _kind_laws(kind: int, anchors: np.ndarray, there: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """(R, _FINE) shares of the similarities of one kind of error; zeros where it has no room.

    Args:
        anchors: (R, A, 2) in the keypoints' units; ``there``: (R, A) bool. As ``anchors_of`` orders them.
        radius: (R, Q) quantiles of the distance.
    """
    begins = there.copy()
    if kind == SWAP:
        begins[:, :2] = False
    elif kind != MISS:
        begins[:, np.arange(begins.shape[1]) != int(kind == INVERSION)] = False
    row, start = np.nonzero(begins)
    far, way = _lattice(radius)
    points = anchors[row, start][:, None] + far[row][..., None] * way
    away = np.linalg.norm(points[:, :, None] - anchors[row][:, None], axis=3)  # (pairs, points, A)
    others = np.arange(anchors.shape[1]) != start[:, None]
    if kind in (GOOD, JITTER, INVERSION):
        limit = np.where(others[:, None], far[row][..., None], -1.0)
    elif kind == SWAP:
        limit = np.where(np.arange(anchors.shape[1]) < 2, far[row][..., None], -1.0)
    else:
        limit = np.where(others, distance(NEAR), -1.0)[:, None]
    fits = (away > limit).all(axis=2)
    weight = fits * np.where((kind == MISS) & (start != 0), ELSEWHERE, 1.0)[:, None]
    bins = _bin(np.exp(-(np.minimum(away[:, :, 0], 1e3) ** 2) / 2))
    law = np.zeros((len(anchors), _FINE))
    np.add.at(law, (row[:, None], bins), weight)
    total = law.sum(axis=1, keepdims=True)
    return np.divide(law, total, out=np.zeros_like(law), where=total > 0)


def _lattice(radius: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(R, _POINTS) distances by their quantiles (R, Q), and (_POINTS, 2) directions of length 1."""
    place = np.arange(_POINTS)
    at = (place + 0.5) / _POINTS * (radius.shape[1] - 1)
    low = at.astype(np.int64)
    far = radius[:, low] + (radius[:, low + 1] - radius[:, low]) * (at - low)
    angle = 2 * np.pi * (place * 144 / _POINTS)
    return far, np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _mean_laws(law: np.ndarray, placed: np.ndarray) -> np.ndarray:
    """(_FINE,) sum over poses of the law of their OKS, from their keypoints' laws (N, K, _FINE)."""
    length = 2 ** int(np.ceil(np.log2(law.shape[1] * _FINE)))
    whole = np.ones((len(law), length // 2 + 1), complex)
    for k in range(law.shape[1]):
        whole *= np.where(placed[:, k, None], np.fft.rfft(law[:, k], length), 1.0)
    count = placed.sum(axis=1)
    some = count > 0
    shares = np.maximum(np.fft.irfft(whole[some], length), 0.0)
    # a similarity stands for its bin's middle
    mean = np.minimum((np.arange(length) + count[some, None] / 2) / count[some, None], _FINE - 1)
    found: np.ndarray = np.bincount(mean.astype(np.int64).ravel(), shares.ravel(), minlength=_FINE)
    return found


def _units(scenes: Scenes, errors: ErrorModel) -> np.ndarray:
    """(N, K) pixels per unit of distance."""
    return np.maximum(np.sqrt(scenes.area)[:, None] * 2 * np.array(errors.skeleton.oks_sigmas), 1e-9)


def _bin(similarity: np.ndarray) -> np.ndarray:
    return np.minimum((similarity * _FINE).astype(np.int64), _FINE - 1)


def _binned(shares: np.ndarray) -> list[float]:
    found: list[float] = shares.reshape(BINS, -1).sum(axis=1).tolist()
    return found


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(np.cumsum(one - other)).max())
