"""People as the error synthesis sees them: in the picture, or in the crops they are shown in."""

from __future__ import annotations

import numpy as np

from kpkit.core.crops import transform
from kpkit.core.instances import Instances
from kpkit.data.crops import CropBatch
from kpkit.evaluation.errors import pose_errors
from kpkit.refinement.errors import ErrorModel
from kpkit.refinement.neighbours import neighbours
from kpkit.refinement.synthesis import Scenes


class Surroundings:
    """People, their neighbours, and what somebody took their poses for.

    Args:
        people: N labels.
        errors: whose area is meant.
        estimated: (N, K, 3) poses of them, third value above 0 where there is one; None where nobody has any.
    """

    def __init__(self, people: Instances, errors: ErrorModel, estimated: np.ndarray | None = None) -> None:
        self.people, self.estimated = people, estimated
        self._near = neighbours(people)
        self._area = people.box[:, 2] * people.box[:, 3] if errors.area_of == "box" else people.area

    def whole(self) -> Scenes:
        """All of them, in their pictures."""
        rows = np.arange(len(self.people))
        near, overlap = self._neighbours(rows)
        return Scenes(self.people.keypoints, near, self._area, overlap, self.estimated)

    def cropped(self, batch: CropBatch) -> Scenes:
        """Those of a batch, in their crops: mirrored where the crop is; what lies outside is unlabelled."""
        near, overlap = self._neighbours(batch.rows)
        own = np.concatenate([batch.keypoints, (batch.visibility * batch.inside)[..., None]], axis=2)
        scale = np.abs(np.linalg.det(batch.matrix[:, :, :2]))
        estimated = None
        if self.estimated is not None:
            estimated = self._seen(self.estimated[batch.rows][:, None], batch)[:, 0]
        return Scenes(own, self._seen(near, batch), self._area[batch.rows] * scale, overlap, estimated)

    def _neighbours(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(B, M, K, 3) keypoints and (B,) number of the rows' neighbours."""
        overlap = (self._near[rows] >= 0).sum(axis=1)
        who = self._near[rows, : int(overlap.max(initial=0))]
        return np.where(who[..., None, None] >= 0, self.people.keypoints[who], 0.0), overlap

    def _seen(self, keypoints: np.ndarray, batch: CropBatch) -> np.ndarray:
        """(B, M, K, 3) in the picture -> in the crops."""
        mirrored = keypoints[:, :, self.people.skeleton.flip_order]
        shown = np.where(batch.flipped[:, None, None, None], mirrored, keypoints)
        count, poses, points = shown.shape[:3]
        places = transform(batch.matrix, shown[..., :2].reshape(count, poses * points, 2))
        height, width = batch.images.shape[1:3]
        inside = np.all((places >= -0.5) & (places < np.array([width, height]) - 0.5), axis=2)
        shape = (count, poses, points)
        labelled = shown[..., 2] * inside.reshape(shape)
        return np.concatenate([places.reshape(*shape, 2), labelled[..., None]], axis=3)


def poses_of(people: Instances, poses: Instances) -> np.ndarray:
    """(N, K, 3) each one's pose among somebody's results, third value 1; zeros for people nobody found.

    A pose belongs to the person it reaches as ``evaluation.errors`` says.
    """
    person = pose_errors(people, poses, np.unique(people.image_id)).person
    found = np.zeros_like(people.keypoints)
    rows = np.flatnonzero(person >= 0)
    found[person[rows], :, :2] = poses.keypoints[rows, :, :2]
    found[person[rows], :, 2] = 1
    return found
