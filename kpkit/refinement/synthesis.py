"""Poses with errors drawn into them, for whole batches of people (PoseFix, section 4.2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kpkit.evaluation.errors import GOOD, INVERSION, JITTER, KINDS, MISS, NEAR, SWAP, UNJUDGED
from kpkit.refinement.errors import ErrorModel, distance

ROUNDS = (1, 8, 64, 448)
"""Places tried for a keypoint, round after round, before its kind counts as impossible (officially 500)."""
ELSEWHERE = 0.25
"""How often a miss starts from each place that is not the keypoint's own, for once from its own."""
_NOWHERE = 1e12


@dataclass(frozen=True, eq=False)
class Scenes:
    """N people of K keypoints and who stands near them, all in one frame (crop pixels or picture pixels).

    Attributes:
        keypoints: (N, K, 3) x, y and visibility; 0 is unlabelled.
        near: (N, M, K, 3) likewise, of each one's neighbours; all 0 where someone has fewer.
        area: (N,) square pixels, what the error model means by a person's area.
        overlap: (N,) int, how many neighbours there are.
        estimated: (N, K, 3) somebody's poses of them, which stand for keypoints nobody labelled; the third
            value is above 0 where there is one. None where there are none.
    """

    keypoints: np.ndarray
    near: np.ndarray
    area: np.ndarray
    overlap: np.ndarray
    estimated: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.keypoints)

    def part(self, rows: slice | np.ndarray) -> Scenes:
        """Some of them, with no more room for neighbours than one of them needs."""
        overlap = self.overlap[rows]
        near = self.near[rows, : int(overlap.max(initial=0))]
        estimated = None if self.estimated is None else self.estimated[rows]
        return Scenes(self.keypoints[rows], near, self.area[rows], overlap, estimated)


@dataclass(frozen=True, eq=False)
class Synthesised:
    """Drawn poses.

    Attributes:
        points: (N, K, 2) pixels; 0 where there is none.
        kind: (N, K) int8 index into ``evaluation.errors.KINDS``; UNJUDGED (-1) for a keypoint that nobody
            labelled or estimated, or that no kind of error has room for: the pose lacks it.
    """

    points: np.ndarray
    kind: np.ndarray


def synthesise(scenes: Scenes, errors: ErrorModel, rng: np.random.Generator) -> Synthesised:
    """Draw a pose of each person.

    Every keypoint gets a kind of error by the model's frequencies, then a place: at a distance the model
    gives, in any direction, from where the kind puts it. A place must not lie nearer to where another kind
    would put the keypoint: other places of its own person and of neighbours are farther away than the one it
    belongs to, and a miss is near none. Kinds without room are left out and the rest shared out anew. A miss
    strays from any of these places.

    The official code differs in two ways that are taken for slips: it inverts a right keypoint round its left
    twin's drawn place, not the true one, and leaves out one of a neighbour's places where a twin is
    unlabelled.

    Args:
        scenes: people, in the model's skeleton.
        errors: frequencies and distances.
        rng: source of all draws; how many are taken depends on the scenes.
    """
    n, k = scenes.keypoints.shape[:2]
    anchors, there = anchors_of(scenes, errors)
    own = np.flatnonzero(there[:, 0])
    draw = _Draw(
        anchors[own],
        there[own],
        (np.sqrt(scenes.area)[:, None] * 2 * np.array(errors.skeleton.oks_sigmas)).reshape(-1)[own],
        errors.radius[own % k],
        rng,
    )
    visible = (scenes.keypoints[:, :, 2] > 0).sum(axis=1)
    frequency = errors.frequencies(visible, scenes.overlap).reshape(n * k, len(KINDS))[own]
    points, kind = np.zeros((n * k, 2)), np.full(n * k, UNJUDGED, np.int8)
    points[own], kind[own] = draw.poses(frequency)
    return Synthesised(points.reshape(n, k, 2), kind.reshape(n, k))


def anchors_of(scenes: Scenes, errors: ErrorModel) -> tuple[np.ndarray, np.ndarray]:
    """Where keypoints may be put: (N * K, 2 + 2 M, 2) places and (N * K, 2 + 2 M) bool, which there are.

    The keypoint's own place, its twin's, then both of every neighbour.
    """
    twin = errors.skeleton.flip_order
    paired = twin != np.arange(len(twin))
    own = scenes.keypoints
    if scenes.estimated is not None:
        own = np.where(own[..., 2:] > 0, own, scenes.estimated)
    near = scenes.near.transpose(0, 2, 1, 3)
    places = [own[:, :, None], scenes.keypoints[:, twin, None], near, near[:, twin]]
    there = [part[..., 2] > 0 for part in places]
    there[1] &= paired[:, None]
    there[3] &= paired[:, None]
    shown = np.concatenate(there, axis=2)
    points = np.where(shown[..., None], np.concatenate([part[..., :2] for part in places], axis=2), _NOWHERE)
    return points.reshape(-1, *points.shape[2:]), shown.reshape(-1, shown.shape[2])


@dataclass
class _Draw:
    """R keypoints.

    Args:
        anchors: (R, A, 2).
        there: (R, A) bool.
        unit: (R,) pixels per unit of distance.
        radius: (R, 5, Q).
    """

    anchors: np.ndarray
    there: np.ndarray
    unit: np.ndarray
    radius: np.ndarray
    rng: np.random.Generator

    def poses(self, frequency: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(R, 5) shares of the kinds -> (R, 2) points and (R,) kinds."""
        shares = frequency.copy()
        shares[~self.there[:, 1], INVERSION] = 0
        shares[~self.there[:, 2:].any(axis=1), SWAP] = 0
        points, kinds = np.zeros((len(shares), 2)), np.full(len(shares), UNJUDGED, np.int8)
        rows = np.arange(len(shares))
        while len(rows):
            rows = rows[shares[rows].any(axis=1)]
            kind = _choose(shares[rows], self.rng.random(len(rows)))
            left = []
            for name, places in ((name, rows[kind == name]) for name in range(len(KINDS))):
                for found, at in self._placed(name, places):
                    points[found], kinds[found] = at, name
                    places = places[~np.isin(places, found, assume_unique=True)]
                shares[places, name] = 0
                left.append(places)
            rows = np.concatenate(left)
        return points, kinds

    def _placed(self, kind: int, rows: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Those of the rows that a place is found for, with it, round by round."""
        for tries in ROUNDS:
            if not len(rows):
                return
            points, fits = self._tried(kind, rows, tries)
            found = fits.any(axis=1)
            first = fits.argmax(axis=1)[found]
            yield rows[found], points[found, first]
            rows = rows[~found]

    def _tried(self, kind: int, rows: np.ndarray, tries: int) -> tuple[np.ndarray, np.ndarray]:
        """(n, tries, 2) places and (n, tries) bool, whether each may be taken."""
        radius, angle = self.rng.random((2, len(rows), tries))
        start = self._start(kind, rows, tries)
        far = _interpolated(self.radius[rows, kind], radius) * self.unit[rows, None]
        anchors = self.anchors[rows]
        points = np.take_along_axis(anchors, start[..., None], axis=1)
        turn = 2 * np.pi * angle
        points = points + np.stack([far * np.cos(turn), far * np.sin(turn)], axis=2)
        limit = far
        if kind == MISS:
            limit = np.broadcast_to(distance(NEAR) * self.unit[rows, None], far.shape)
        last = 2 if kind == SWAP else anchors.shape[1]  # a swap may lie between two neighbours
        fits = np.ones(far.shape, bool)
        for place in range(last):
            offset = points - anchors[:, None, place]
            apart = (offset * offset).sum(axis=2) > limit * limit
            fits &= apart | (start == place)
        return points, fits

    def _start(self, kind: int, rows: np.ndarray, tries: int) -> np.ndarray:
        """(n, tries) index of the place each try starts from."""
        if kind in (GOOD, JITTER, INVERSION):
            return np.full((len(rows), tries), int(kind == INVERSION))
        weight = self.there[rows] * (ELSEWHERE if kind == MISS else 1.0)
        weight[:, 0] = kind == MISS
        if kind == SWAP:
            weight[:, 1] = 0
        return _choose(weight[:, None], self.rng.random((len(rows), tries)))


def _choose(weight: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Indices along the last axis of (..., A) weights, as often as they weigh, by numbers (...) in 0..1."""
    total = weight.cumsum(axis=-1)
    return (total[..., :-1] <= at[..., None] * total[..., -1:]).sum(axis=-1)


def _interpolated(quantiles: np.ndarray, at: np.ndarray) -> np.ndarray:
    """(n, Q) quantiles at (n, tries) numbers from 0 to 1."""
    place = at * (quantiles.shape[1] - 1)
    low = place.astype(np.int64)
    below, above = (np.take_along_axis(quantiles, low + step, axis=1) for step in (0, 1))
    return below + (above - below) * (place - low)
