"""The OKS of every pose with every person of its picture, to the last bit as pycocotools computes it.

Matching takes the last of equals, so a sum in another order could change a match. Both ways here (plain numpy
and compiled) do pycocotools' operations in its order, the exponentials always by numpy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kpkit.core import compiled
from kpkit.core.instances import Instances

EPS = float(np.spacing(1.0))
WORTH_COMPILING = 50_000
"""Elements of work from which compiled kernels are used: below, importing numba costs more than it gains."""
_CHUNK = 2_048


@dataclass(frozen=True, eq=False)
class Pairs:
    """N people and D poses of I pictures, both sorted by picture, and the OKS of those that share one.

    Attributes:
        people: (N,) rows in the truth, in its order within a picture.
        people_from: (I + 1,) where each picture begins in ``people``.
        poses: (D,) rows in the results, by falling score within a picture.
        poses_from: (I + 1,) where each picture begins in ``poses``.
        similarity: (P,) OKS in 0..1, picture by picture, pose by pose, person by person.
        pairs_from: (I + 1,) where each picture begins in ``similarity``.
    """

    people: np.ndarray
    people_from: np.ndarray
    poses: np.ndarray
    poses_from: np.ndarray
    similarity: np.ndarray
    pairs_from: np.ndarray

    def places(self) -> tuple[np.ndarray, np.ndarray]:
        """(P,) places in ``people`` and (P,) in ``poses`` of each pair."""
        people = np.repeat(np.diff(self.people_from), np.diff(self.poses_from))
        first = np.repeat(self.people_from[:-1], np.diff(self.poses_from))
        pose = np.repeat(np.arange(len(people)), people)
        begin = np.cumsum(people) - people
        return first[pose] + np.arange(len(pose)) - begin[pose], pose


def compare(truth: Instances, poses: Instances, image_id: np.ndarray, *, most: int) -> Pairs:
    """OKS by COCO's rules: labelled keypoints count; a person without any is a box doubled on each side.

    Args:
        truth, poses: of one skeleton; those on pictures that are not in ``image_id`` are left out.
        image_id: (I,) rising, unique.
        most: so many poses of a picture are compared, those of highest score; of equal scores the first.
    """
    people, people_from = _by_picture(truth.image_id, image_id, None)
    rows, poses_from = _first(*_by_picture(poses.image_id, image_id, poses.score), most)
    counts = np.diff(people_from) * np.diff(poses_from)
    pairs_from = np.concatenate([[0], np.cumsum(counts)])
    variance = (np.array(truth.skeleton.oks_sigmas) * 2) ** 2
    labels = truth.keypoints[people], truth.box[people], truth.area[people]
    pairs = Pairs(people, people_from, rows, poses_from, np.empty(pairs_from[-1]), pairs_from)
    if use_compiled(len(pairs.similarity) * len(variance)):
        from kpkit.evaluation.pairs_compiled import similarity
    else:
        similarity = _similarity
    similarity(*labels, poses.keypoints, pairs, variance)
    return pairs


def use_compiled(work: int) -> bool:
    """Whether compiled kernels are used for so many elements of work."""
    return work >= WORTH_COMPILING and compiled.available()


def _by_picture(
    of_row: np.ndarray, image_id: np.ndarray, score: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Rows by picture, then by falling score, then as they come; and (I + 1,) where each picture begins."""
    rows = np.arange(len(of_row)) if score is None else np.argsort(-score, kind="stable")
    place = np.searchsorted(image_id, of_row[rows])
    known = np.append(image_id, 0)[place] == of_row[rows]
    known &= place < len(image_id)
    rows, place = rows[known], place[known]
    rows = rows[np.argsort(place, kind="stable")]
    return rows, np.concatenate([[0], np.cumsum(np.bincount(place, minlength=len(image_id)))])


def _first(rows: np.ndarray, begin: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """The first rows of each picture."""
    count = np.diff(begin)
    kept = np.arange(len(rows)) - np.repeat(begin[:-1], count) < most
    return rows[kept], np.concatenate([[0], np.cumsum(np.minimum(count, most))])


def _similarity(
    keypoints: np.ndarray,
    box: np.ndarray,
    area: np.ndarray,
    poses: np.ndarray,
    pairs: Pairs,
    variance: np.ndarray,
) -> None:
    """Twin of the kernel: pairs with equally many labels together, so that numpy adds them up alike."""
    person, pose = pairs.places()
    pose = pairs.poses[pose]
    labelled = keypoints[:, :, 2] > 0
    order = np.argsort(~labelled, axis=1, kind="stable")
    of_pair = labelled.sum(axis=1)[person]
    for n in np.unique(of_pair):
        group = np.flatnonzero(of_pair == n)
        for start in range(0, len(group), _CHUNK):
            chosen = group[start : start + _CHUNK]
            who = person[chosen]
            if n:
                which = order[who, :n]
                delta = poses[pose[chosen, None], which, :2] - keypoints[who[:, None], which, :2]
            else:
                which = np.arange(len(variance))[None]
                own = box[who]
                low, high = (own[:, :2] - own[:, 2:])[:, None], (own[:, :2] + own[:, 2:] * 2)[:, None]
                points = poses[pose[chosen], :, :2]
                delta = np.maximum(0, low - points) + np.maximum(0, points - high)
            squared = delta[..., 0] ** 2 + delta[..., 1] ** 2
            exponent = squared / variance[which] / (area[who] + EPS)[:, None] / 2
            pairs.similarity[chosen] = np.exp(-exponent).sum(axis=1) / exponent.shape[1]
