"""From poses to judged rows: each rule of ``[poses]``."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from kpkit.core.errors import KpkitError
from kpkit.core.instances import Instances
from kpkit.inference.finish import finish_poses, mean_scored
from kpkit.inference.learned_scores import LearnedScores
from kpkit.inference.pose_features import feature_names
from kpkit.specs.poses import PosesSpec


def poses() -> Instances:
    """One person seen twice, nearly alike, and somebody else."""
    rng = np.random.default_rng(0)
    one, other = rng.uniform(0, 100, (2, 17, 2))
    points = np.stack([one, one + 1.0, other + 300])
    scores = np.array([0.8, 0.6, 0.4])[:, None, None] * np.ones((3, 17, 1))
    box = np.concatenate([points.min(axis=1), np.ptp(points, axis=1)], axis=1)
    keypoints = np.concatenate([points, scores], axis=2)
    return Instances.of([1, 1, 1], box, keypoints, score=[0.5, 0.5, 0.5], source="P", id=[0, 1, 2])


def test_each_rule() -> None:
    hard = finish_poses(poses(), PosesSpec())
    assert hard.id.tolist() == [0, 2]
    np.testing.assert_allclose(hard.score, [0.4, 0.2])
    linear = finish_poses(poses(), PosesSpec(nms="soft_linear"))
    assert linear.id.tolist() == [0, 2, 1] and linear.score[2] < 0.03
    gaussian = finish_poses(poses(), PosesSpec(nms="soft_gaussian", oks_nms=1.0))
    assert gaussian.id.tolist() == [0, 2, 1] and 0.1 < gaussian.score[2] < 0.2
    fused = finish_poses(poses(), PosesSpec(nms="fusion"))
    assert fused.id.tolist() == [0, 2]
    moved = fused.keypoints[0, :, :2] - poses().keypoints[0, :, :2]
    assert (moved > 0.4).all() and (moved < 0.5).all()
    for nms in ("hard", "soft_linear", "fusion"):
        assert len(finish_poses(poses(), PosesSpec(nms=nms, oks_nms=1.0))) == 3
        assert len(finish_poses(poses(), PosesSpec(nms=nms, max_poses=1))) == 1


def test_merged_poses_are_not_scored_again() -> None:
    both = poses().with_(source=np.array(["P", "M", "M"]))
    np.testing.assert_allclose(mean_scored(both, 0.2).score, [0.4, 0.5, 0.5])


def test_learned_scores_rank() -> None:
    # one tree that asks for the mean keypoint score alone
    names = feature_names(poses().skeleton)
    forest = LearnedScores(
        names=names,
        roots=np.array([0]),
        feature=np.array([names.index("mean"), -1, -1]),
        threshold=np.array([0.7, 0.0, 0.0]),
        left=np.array([1, 1, 2]),
        right=np.array([2, 1, 2]),
        value=np.array([0.0, 0.9, 0.1]),
    )
    spec = PosesSpec(scoring="learned")
    learned = finish_poses(poses(), spec, forest)
    assert learned.id.tolist() == [1, 2]
    np.testing.assert_allclose(learned.score, [0.9, 0.9])
    with pytest.raises(KpkitError, match="has learned on its val set"):
        finish_poses(poses(), spec)


def test_a_gaussian_without_a_divisor_is_no_rule() -> None:
    with pytest.raises(ValidationError, match="above 0"):
        PosesSpec(nms="soft_gaussian", oks_nms=0.0)
