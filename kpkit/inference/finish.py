"""From a network's poses to the rows that are judged."""

from __future__ import annotations

import numpy as np

from kpkit.core.errors import KpkitError
from kpkit.core.instances import Instances
from kpkit.inference.learned_scores import LearnedScores
from kpkit.inference.nms import fuse_suppressed, oks_nms, soft_oks_nms, top_per_image
from kpkit.inference.rescore import rescore
from kpkit.specs.poses import PosesSpec


def finish_poses(poses: Instances, spec: PosesSpec, learned: LearnedScores | None = None) -> Instances:
    """Score poses, settle doubles by OKS, keep the best of each picture.

    Args:
        poses: as a blend, a merge or a file gave them.
        spec: the rules.
        learned: what ``scoring = "learned"`` needs.

    Raises:
        KpkitError: learned scores are asked for and not given.
    """
    if spec.scoring == "mean":
        scored = mean_scored(poses, spec.score_floor)
    elif learned is not None:
        scored = poses.with_(score=learned.predict(poses))
    else:
        raise KpkitError('scoring = "learned" needs scores that an ensemble has learned on its val set')
    return distinct_poses(scored, spec)


def mean_scored(poses: Instances, floor: float) -> Instances:
    """Box score times mean keypoint score over a floor; merged poses (source ``"M"``) have theirs already."""
    scored = rescore(poses, floor).score
    return poses.with_(score=np.where(poses.source == "M", poses.score, scored))


def distinct_poses(scored: Instances, spec: PosesSpec) -> Instances:
    """The poses of a picture after ``spec.nms``, best ``spec.max_poses`` of each."""
    if spec.nms == "soft_gaussian":
        return soft_oks_nms(scored, spec.oks_nms, keep=spec.max_poses)
    if spec.oks_nms == 1:
        return top_per_image(scored, spec.max_poses)
    if spec.nms == "soft_linear":
        return soft_oks_nms(scored, spec.oks_nms, decay="linear", keep=spec.max_poses)
    rule = fuse_suppressed if spec.nms == "fusion" else oks_nms
    return top_per_image(rule(scored, spec.oks_nms), spec.max_poses)
