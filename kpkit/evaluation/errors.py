"""What is wrong with each keypoint of each pose, and with whole poses: the errors of Ronchi and Perona.

"Benchmarking and Error Diagnosis in Multi-Instance Pose Estimation" (ICCV 2017), section 3. Its terms here: a
keypoint's similarity with a place is ``exp(-d^2 / (2 s (2 sigma)^2))``, s the area of the person whose place
it is; places are the same keypoint and its left/right twin of every person of the picture. A keypoint lies at
the place it is most similar to. There it is, by this similarity: below .5 a **miss**; at its own place from
.85 **good**, else **jitter**; at its own twin's place an **inversion**; at another person's a **swap**.

A pose is judged against the person it is matched to at an OKS of .1 or more, so that a badly placed pose is
not taken for one on the background.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kpkit.core.instances import Instances
from kpkit.evaluation.curves import FALSE, RIGHT
from kpkit.evaluation.matching import match
from kpkit.evaluation.pairs import EPS
from kpkit.evaluation.rules import COCO, Rules

GOOD, JITTER, INVERSION, SWAP, MISS = range(5)
KINDS = ("good", "jitter", "inversion", "swap", "miss")
"""Names of the kinds, in order of their codes."""
UNJUDGED = -1
"""A keypoint the truth does not label, or of a pose without a person."""

NEAR, CLOSE = 0.5, 0.85
"""Similarities from which a keypoint lies at a place, and from which it lies there well."""
REACHED = 0.1
"""OKS from which a pose has reached a person."""
LOOSE = Rules(thresholds=(REACHED, *COCO.thresholds), areas=COCO.areas[:1])
"""First of all who is matched to whom, however bad the pose."""


@dataclass(frozen=True, eq=False)
class PoseErrors:
    """Errors of M poses against N labels, in the order of both.

    Attributes:
        person: (M,) int64 row in the truth of the person each pose has reached, -1 for none.
        kind: (M, K) int8 index into KINDS, UNJUDGED (-1) where there is nothing to judge.
        similarity: (M, K) in 0..1 with the keypoint's own place; NaN where there is nothing to judge.
        repaired: (M, K, 2) pixels: where each keypoint would lie without its error; see ``pose_errors``.
        background: (M,) bool, judged poses that find nobody, or only people a pose of higher score has taken,
            at an OKS of .1 as at COCO's thresholds: a false positive each.
        unreached: (N,) bool, people to be found whom no pose has reached: a false negative each.
    """

    person: np.ndarray
    kind: np.ndarray
    similarity: np.ndarray
    repaired: np.ndarray
    background: np.ndarray
    unreached: np.ndarray

    def counts(self) -> np.ndarray:
        """(5, K) int64, keypoints of each kind, in order of KINDS."""
        return np.stack([(self.kind == kind).sum(axis=0) for kind in range(len(KINDS))])


def pose_errors(truth: Instances, poses: Instances, image_id: np.ndarray) -> PoseErrors:
    """Find every error of the poses COCO judges: the 20 of highest score of each picture.

    Poses on crowd regions and on people without labels are neither judged nor counted as background.
    Repairs follow the paper: a jittered keypoint is drawn towards its place to a similarity of .85, a missed
    one to .5; one that took another place keeps its offset, seen from its own and in its own person's scale.

    Args:
        truth: labels; those of pictures that are not in ``image_id`` are left out.
        poses: results, of the same skeleton.
        image_id: the pictures judged, in any order.
    """
    found = match(truth, poses, image_id, rules=LOOSE)
    right = found.outcome[0, 0] == RIGHT
    person = np.full(len(poses), -1, np.int64)
    person[found.pose[right]] = found.partner[0, 0][right]
    background = np.zeros(len(poses), bool)
    background[found.pose[(found.outcome[0] == FALSE).all(axis=0)]] = True
    wanted = np.isin(truth.image_id, image_id) & ~truth.crowd & (truth.num_labelled > 0)
    unreached = wanted & ~np.isin(np.arange(len(truth)), person)

    rows = np.flatnonzero(person >= 0)
    kind = np.full(poses.keypoints.shape[:2], UNJUDGED, np.int8)
    similarity = np.full(kind.shape, np.nan)
    repaired = poses.keypoints[:, :, :2].copy()
    if len(rows):
        kind[rows], similarity[rows], repaired[rows] = _keypoints(truth, poses[rows], person[rows])
    return PoseErrors(person, kind, similarity, repaired, background, unreached)


def _keypoints(
    truth: Instances, poses: Instances, person: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Kind, similarity with the own place, and repaired points of the keypoints of poses with a person."""
    twin = truth.skeleton.flip_order
    variance = (np.array(truth.skeleton.oks_sigmas) * 2) ** 2
    points = poses.keypoints[:, :, :2]
    places, area = truth.keypoints, truth.area + EPS

    def exponents(rows: np.ndarray, who: np.ndarray, mirrored: bool) -> np.ndarray:
        """Minus the logarithms of similarities; infinite for places that are not labelled."""
        place = places[who][:, twin] if mirrored else places[who]
        squared = ((points[rows] - place[:, :, :2]) ** 2).sum(axis=2)
        return np.where(place[:, :, 2] > 0, squared / variance / area[who, None] / 2, np.inf)

    everyone = np.arange(len(poses))
    own = exponents(everyone, person, False)
    least, kind = own.copy(), np.full(own.shape, GOOD, np.int8)
    offset, scale = points - places[person, :, :2], np.ones(own.shape)

    def take(rows: np.ndarray, who: np.ndarray, mirrored: bool, name: int) -> None:
        """Where these places are nearer than any before, the keypoints lie there."""
        found = exponents(rows, who, mirrored)
        pose, k = np.nonzero(found < least[rows])
        at, whose = rows[pose], who[pose]
        least[at, k], kind[at, k] = found[pose, k], name
        offset[at, k] = points[at, k] - places[whose, twin[k] if mirrored else k, :2]
        scale[at, k] = np.sqrt(area[person[at]] / area[whose])

    take(everyone, person, True, INVERSION)
    order = np.argsort(truth.image_id, kind="stable")
    first, end = (np.searchsorted(truth.image_id[order], poses.image_id, side=s) for s in ("left", "right"))
    for rank in range(int((end - first).max())):
        rows = np.flatnonzero(end - first > rank)
        who = order[first[rows] + rank]
        others = who != person[rows]
        for mirrored in (False, True):
            take(rows[others], who[others], mirrored, SWAP)

    kind[least > -np.log(NEAR)] = MISS
    kind[(kind == GOOD) & (least > -np.log(CLOSE))] = JITTER
    kind[~np.isfinite(own)] = UNJUDGED
    own_offset = points - places[person, :, :2]
    for name, goal in ((JITTER, CLOSE), (MISS, NEAR)):
        chosen = kind == name
        offset[chosen] = own_offset[chosen]
        scale[chosen] = np.sqrt(-np.log(goal) / own[chosen])
    wrong = kind > GOOD
    repaired = np.where(wrong[..., None], places[person, :, :2] + offset * scale[..., None], points)
    return kind, np.where(kind == UNJUDGED, np.nan, np.exp(-own)), repaired
