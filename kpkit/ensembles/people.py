"""The people weights are chosen on: each labelled person with the box that shows it, and its stored maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kpkit.core.errors import KpkitError
from kpkit.core.instances import Instances
from kpkit.core.progress import Progress, silent
from kpkit.ensembles.stored import StoredEnsemble
from kpkit.evaluation.oks import keypoint_oks
from kpkit.heatmaps.decode import decode
from kpkit.specs.poses import DecodeSpec

_VALUES = 1 << 22  # heatmap values blended at once: 16 MiB


def people_and_boxes(truth: Instances, poses: Instances) -> tuple[np.ndarray, np.ndarray]:
    """Pair labelled people with poses of their picture, the most alike pair first, each pose once.

    Args:
        truth: labels; crowds and people without labelled keypoints are left out.
        poses: one per box.

    Returns:
        rows of ``truth`` and of ``poses``, by rising row of ``poses``. People for whom no box is left are
        not among them: no weights help them.
    """
    wanted = np.flatnonzero((truth.num_labelled > 0) & ~truth.crowd)
    person, pose = _pairs_of_pictures(truth.image_id[wanted], poses.image_id)
    person = wanted[person]
    labels = truth.keypoints[person]
    sigmas = truth.skeleton.oks_sigmas
    seen = labels[:, :, 2] > 0
    close = keypoint_oks(labels, poses.keypoints[pose], truth.area[person], sigmas)
    alike = (close * seen).sum(axis=1) / seen.sum(axis=1)
    order = np.lexsort((pose, person, -alike))
    person, pose = person[order], pose[order]
    rows: list[np.ndarray] = [np.zeros((0, 2), np.int64)]
    while len(person):
        # pairs that are the best for both, at once: no other pair can take either of them away
        best = np.intersect1d(np.unique(person, return_index=True)[1], np.unique(pose, return_index=True)[1])
        rows.append(np.stack([person[best], pose[best]], axis=1))
        left = ~np.isin(person, person[best]) & ~np.isin(pose, pose[best])
        person, pose = person[left], pose[left]
    found = np.concatenate(rows)
    found = found[np.argsort(found[:, 1], kind="stable")]
    return found[:, 0], found[:, 1]


def _pairs_of_pictures(image_a: np.ndarray, image_b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows (a, b) of every pair that shares a picture."""
    order = np.argsort(image_b, kind="stable")
    low, high = (np.searchsorted(image_b, image_a, side=side, sorter=order) for side in ("left", "right"))
    count = high - low
    a = np.repeat(np.arange(len(image_a)), count)
    within = np.arange(len(a)) - np.repeat(np.cumsum(count) - count, count)
    return a, order[np.repeat(low, count) + within]


class PeopleMaps:
    """The members' heatmaps of P people, in a scratch file; closeness under any weights.

    Only these boxes are blended while weights are chosen: of a detector's list one in ten or fewer shows a
    labelled person.

    Args:
        path: the scratch file, float16, 2 P K M h w bytes.
        ensemble: stored members.
        truth: (P) labels, and ``rows`` (P,) rising rows of the box list that show them.
        decoding: as in the document; the maps are kept flip-tested.
        progress: told boxes done.
    """

    def __init__(
        self,
        path: Path,
        ensemble: StoredEnsemble,
        truth: Instances,
        rows: np.ndarray,
        decoding: DecodeSpec,
        progress: Progress = silent,
    ) -> None:
        if len(rows) == 0:
            raise KpkitError("no box shows a labelled person, so there is nothing to choose weights by")
        self._codec, self._decoding, self._truth = ensemble.codec, decoding, truth
        self._box = ensemble.boxes.box[rows]
        self.labelled = truth.keypoints[:, :, 2] > 0
        shape = (len(rows), self.labelled.shape[1], len(ensemble), *ensemble.codec.shape)
        self._maps = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=shape)
        for batch in ensemble.batches(decoding.flip_test, decoding.flip_shift):
            first, last = np.searchsorted(rows, (batch.rows.start, batch.rows.stop))
            chosen = rows[first:last] - batch.rows.start
            for m, maps in enumerate(batch.maps):
                self._maps[first:last, :, m] = maps[chosen]
            progress(batch.rows.stop, len(ensemble.boxes), "boxes", "maps of labelled people")

    def look(self, weights: np.ndarray) -> np.ndarray:
        """(C, M) weights of sum 1 -> (C, P, K) closeness 0 to 1, float32."""
        people, keypoints, members, height, width = self._maps.shape
        candidates, count = weights.astype(np.float32), len(weights)
        out = np.zeros((count, people, keypoints), np.float32)
        step = max(_VALUES // (count * keypoints * height * width), 1)
        for begin in range(0, people, step):
            rows = slice(begin, min(begin + step, people))
            maps = self._maps[rows].astype(np.float32)
            n = len(maps)
            blends = np.matmul(candidates, maps.reshape(n, keypoints, members, -1))  # (n, K, C, h w)
            blends = blends.reshape(n, keypoints * count, height, width)
            points, _ = decode(blends, **self._decoding.options)
            points = self._codec.to_image(points, self._box[rows])
            points = points.reshape(n, keypoints, count, 2).transpose(2, 0, 1, 3)
            truth = self._truth[rows]
            sigmas = truth.skeleton.oks_sigmas
            out[:, rows] = keypoint_oks(truth.keypoints, points, truth.area, sigmas)
        return out


def error_correlation(closeness: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    """How alike members err: correlation of what they lose of the OKS, keypoint by keypoint.

    Members that lose on the same keypoints add little to each other. The loss, not the distance, because a
    blend that is beside a keypoint by far loses no more than one that is beside it by twice as far.

    Args:
        closeness: (M, P, K) each member's own.
        labelled: (P, K) bool.

    Returns:
        (M, M) from -1 to 1; 0 for a member that loses the same everywhere.
    """
    lost = 1 - closeness[:, labelled].astype(np.float64)
    lost -= lost.mean(axis=1, keepdims=True)
    size = np.sqrt((lost**2).sum(axis=1))
    scale = np.outer(size, size)
    found = np.divide(lost @ lost.T, scale, out=np.zeros_like(scale), where=scale > 0)
    np.fill_diagonal(found, 1.0)
    return found
