"""Poses matched to people once; figures of any part of the pictures, or of a draw, from the same matches.

Matching never looks beyond one picture, so a bootstrap draw, a fold or a split only adds up again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from kpkit.core.errors import InputError, KpkitError
from kpkit.core.instances import Instances
from kpkit.evaluation.curves import FALSE, IGNORED, RIGHT, Curves, curves
from kpkit.evaluation.pairs import compare, use_compiled
from kpkit.evaluation.rules import COCO, Rules

_NEARLY_ONE = 1 - 1e-10
"""A threshold of 1 would refuse a perfect pose over its last bit."""


@dataclass(frozen=True, eq=False)
class Matches:
    """D judged poses (at most ``rules.max_poses`` a picture) on I pictures, and whom each has found.

    Attributes:
        image_id: (I,) int64, rising.
        rules: thresholds, areas, recalls.
        picture: (D,) row of each pose's picture in ``image_id``; rising, within a picture by falling score.
        pose: (D,) row of each pose in the results.
        score: (D,) its score.
        partner: (A, T, D) int32 row in the truth of the person it is matched to, -1 for none.
        outcome: (A, T, D) uint8: curves.FALSE, RIGHT or IGNORED.
        people: (A, I) int64, people to be found on each picture.
    """

    image_id: np.ndarray
    rules: Rules
    picture: np.ndarray
    pose: np.ndarray
    score: np.ndarray
    partner: np.ndarray
    outcome: np.ndarray
    people: np.ndarray

    @cached_property
    def _ranked(self) -> tuple[np.ndarray, np.ndarray]:
        """Pictures and outcomes by falling score; of equal scores the earlier picture first."""
        order = np.argsort(-self.score, kind="stable")
        return self.picture[order], np.ascontiguousarray(self.outcome[:, :, order])

    def curves(self, image_weights: np.ndarray | None = None) -> Curves:
        """Precision and recall.

        Args:
            image_weights: (I,) whole numbers from 0, how often each picture counts; None counts each once.

        Raises:
            KpkitError: weights of another length, negative or not whole.
        """
        picture, outcome = self._ranked
        if image_weights is None:
            return curves(outcome, np.ones(len(picture), np.int64), self.people.sum(axis=1), self.rules)
        weights = np.asarray(image_weights)
        if weights.shape != self.image_id.shape:
            raise KpkitError(f"weights of shape {weights.shape} for {len(self.image_id)} pictures")
        if (weights < 0).any() or (weights != np.floor(weights)).any():
            raise KpkitError("weights of pictures must be whole numbers from 0")
        weights = weights.astype(np.int64)
        return curves(outcome, weights[picture], self.people @ weights, self.rules)

    def figures(self, image_weights: np.ndarray | None = None) -> dict[str, float]:
        """The ten figures (with COCO's rules), 0..1, -1 where nobody of that size is; see ``curves``."""
        return self.curves(image_weights).figures()

    def subset(self, image_ids: np.ndarray) -> Matches:
        """The same matches on a part of the pictures.

        Raises:
            InputError: an id that is not among ``image_id``.
        """
        foreign = np.setdiff1d(image_ids, self.image_id)
        if len(foreign):
            raise InputError(f"image id {int(foreign[0])} is not among the pictures judged")
        kept = np.isin(self.image_id, image_ids)
        poses = kept[self.picture]
        row = np.cumsum(kept) - 1
        return replace(
            self,
            image_id=self.image_id[kept],
            picture=row[self.picture[poses]],
            pose=self.pose[poses],
            score=self.score[poses],
            partner=self.partner[:, :, poses],
            outcome=self.outcome[:, :, poses],
            people=self.people[:, kept],
        )


def match(
    truth: Instances,
    poses: Instances,
    image_id: np.ndarray,
    *,
    rules: Rules = COCO,
    counted: np.ndarray | None = None,
) -> Matches:
    """Match poses to people by the rules of the COCO keypoint evaluation.

    Box and area of a pose are those of its K points. Ignored are crowd regions, people without labelled
    keypoints and those outside a range of area: poses matched to them, and unmatched poses outside the range,
    count neither for nor against. Inputs are taken as sound (``guard`` refuses what is not).

    Args:
        truth: labels; those of pictures that are not in ``image_id`` are left out.
        poses: results, likewise.
        image_id: the pictures judged, in any order.
        rules: thresholds, areas, poses a picture.
        counted: (N,) bool, people beyond these are ignored too; None for no further restriction.
    """
    image_id = np.unique(image_id)
    pairs = compare(truth, poses, image_id, most=rules.max_poses)
    people = truth[pairs.people]
    ignored = people.crowd | (people.num_labelled == 0)
    if counted is not None:
        ignored |= ~counted[pairs.people]
    ignored = np.stack([ignored | _outside(people.area, area.low, area.high) for area in rules.areas])
    pose_area = extent_area(poses.keypoints)[pairs.poses]
    outside = np.stack([_outside(pose_area, area.low, area.high) for area in rules.areas])

    partner = np.full((len(rules.areas), len(rules.thresholds), len(pairs.poses)), -1, np.int32)
    thresholds = np.minimum(np.array(rules.thresholds), _NEARLY_ONE)
    way = _match
    if use_compiled(len(pairs.similarity) * partner.shape[0] * partner.shape[1]):
        from kpkit.evaluation.matching_compiled import match as way
    places = pairs.pairs_from, pairs.people_from, pairs.poses_from
    way(pairs.similarity, *places, ignored, people.crowd, thresholds, partner)

    outcome = np.where(outside, IGNORED, FALSE).astype(np.uint8)[:, None].repeat(len(thresholds), axis=1)
    a, t, d = np.nonzero(partner >= 0)
    found = partner[a, t, d]
    outcome[a, t, d] = np.where(ignored[a, found], IGNORED, RIGHT)
    partner[a, t, d] = pairs.people[found]
    pictures = np.arange(len(image_id))
    of_person = np.repeat(pictures, np.diff(pairs.people_from))
    return Matches(
        image_id=image_id,
        rules=rules,
        picture=np.repeat(pictures, np.diff(pairs.poses_from)),
        pose=pairs.poses,
        score=poses.score[pairs.poses],
        partner=partner,
        outcome=outcome,
        people=np.stack([np.bincount(of_person[~row], minlength=len(pictures)) for row in ignored]),
    )


def extent_area(keypoints: np.ndarray) -> np.ndarray:
    """(M, K, 2 or more) points -> (M,) area of the box around all of them, labelled or not."""
    sides = [keypoints[:, :, axis].max(axis=1) - keypoints[:, :, axis].min(axis=1) for axis in (0, 1)]
    area: np.ndarray = sides[0] * sides[1]
    return area


def _outside(area: np.ndarray, low: float, high: float) -> np.ndarray:
    return (area < low) | (area > high)


def _match(
    similarity: np.ndarray,
    pairs_from: np.ndarray,
    people_from: np.ndarray,
    poses_from: np.ndarray,
    ignored: np.ndarray,
    crowd: np.ndarray,
    thresholds: np.ndarray,
    partner: np.ndarray,
) -> None:
    """Twin of the kernel: pictures with equally many people together, pose after pose of each at once."""
    people, poses = np.diff(people_from), np.diff(poses_from)
    for n in np.unique(people[(people > 0) & (poses > 0)]):
        pictures = np.flatnonzero((people == n) & (poses > 0))
        persons = people_from[pictures, None] + np.arange(n)
        out = ignored[:, None, persons]  # (A, 1, I, n)
        again = out & crowd[persons]
        taken = np.zeros((*partner.shape[:2], *persons.shape), bool)
        for rank in range(poses[pictures].max()):
            active = np.flatnonzero(poses[pictures] > rank)
            at = pictures[active]
            value = similarity[pairs_from[at, None] + rank * n + np.arange(n)]
            alike = value >= thresholds[:, None, None]  # (T, I, n)
            free = alike & (~taken[:, :, active] | again[:, :, active])
            counts = free & ~out[:, :, active]
            choice = np.where(counts.any(axis=-1, keepdims=True), counts, free)
            ranked = np.where(choice, value, -1.0)[..., ::-1]
            found = n - 1 - ranked.argmax(axis=-1)
            a, t, i = np.nonzero(choice.any(axis=-1))
            place = found[a, t, i]
            partner[a, t, poses_from[at[i]] + rank] = persons[active[i], place]
            taken[a, t, active[i], place] = True
