"""The two families' rescoring rules, by hand."""

from __future__ import annotations

import numpy as np

from kpkit.core.instances import Instances
from kpkit.inference.rescore import rescore


def people(*keypoint_scores: list[float]) -> Instances:
    n = len(keypoint_scores)
    points = np.zeros((n, 17, 3))
    points[:, :, 2] = keypoint_scores
    return Instances.of(np.arange(n), np.zeros((n, 4)), points, score=np.full(n, 0.5))


def test_every_keypoint_counts_without_a_floor() -> None:
    poses = people([1.0] * 10 + [0.0] * 7, [-0.1] * 17)
    np.testing.assert_allclose(rescore(poses).score, [0.5 * 10 / 17, -0.05])


def test_floor_is_strict_and_nobody_above_scores_zero() -> None:
    poses = people([0.8, 0.4] + [0.2] * 15, [0.2] * 17, [0.9] * 17)
    np.testing.assert_allclose(rescore(poses, 0.2).score, [0.5 * 0.6, 0, 0.45])


def test_only_the_score_changes() -> None:
    poses = people([0.3] * 17)
    after = rescore(poses, 0.2)
    assert after.keypoints is poses.keypoints
    assert poses.score[0] == 0.5
