"""Errors measured from poses: what was drawn is found again."""

from __future__ import annotations

import numpy as np
import pytest

from kpkit.core.errors import InputError
from kpkit.core.instances import Instances
from kpkit.core.skeletons import COCO17
from kpkit.evaluation.errors import GOOD, INVERSION, JITTER, MISS, SWAP
from kpkit.refinement.errors import distance, published_errors
from kpkit.refinement.measured import measured_errors
from kpkit.refinement.neighbours import neighbours
from kpkit.refinement.synthesis import Scenes, synthesise

UPRIGHT = np.array([
    [0, -80], [5, -84], [-5, -84], [9, -80], [-9, -80], [20, -55], [-20, -55], [30, -20], [-30, -20],
    [34, 12], [-34, 12], [13, 15], [-13, 15], [15, 55], [-15, 55], [16, 95], [-16, 95],
], float)  # fmt: skip


def pairs_of_people(pictures: int = 1500) -> Instances:
    """Two on each picture, the second half covering the first."""
    rng = np.random.default_rng(0)
    centre = np.array([[150.0, 150], [190, 152]]) + rng.normal(0, 3, (pictures, 2, 2))
    points = centre[:, :, None] + UPRIGHT + rng.normal(0, 3, (pictures, 2, 17, 2))
    visible = np.where(rng.random((pictures, 2, 17, 1)) < 0.9, 2.0, 0)
    keypoints = np.concatenate([points, visible], axis=3).reshape(-1, 17, 3)
    low, high = keypoints[..., :2].min(axis=1), keypoints[..., :2].max(axis=1)
    box = np.concatenate([low, high - low], axis=1)
    return Instances.of(np.repeat(np.arange(pictures), 2), box, keypoints, area=np.full(2 * pictures, 9000.0))


def scenes_of(people: Instances) -> Scenes:
    near = neighbours(people)
    others = np.where(near[..., None, None] >= 0, people.keypoints[near], 0)
    return Scenes(people.keypoints, others, people.area, (near >= 0).sum(axis=1))


def test_neighbours_are_those_whose_boxes_overlap() -> None:
    box = [[0, 0, 10, 10], [5, 0, 10, 10], [9.5, 0, 10, 10], [0, 0, 10, 10], [100, 0, 5, 5], [2, 0, 10, 10]]
    people = Instances.of([1, 1, 1, 2, 1, 1], np.array(box), crowd=[False] * 5 + [True])
    nobody = [-1, -1, -1]
    assert neighbours(people).tolist() == [[1, -1, -1], [0, 2, -1], [1, -1, -1], nobody, nobody, [0, 1, 2]]


def test_drawn_errors_are_found_again() -> None:
    people = pairs_of_people()
    given = published_errors()
    drawn = synthesise(scenes_of(people), given, np.random.default_rng(1))
    points = np.where(drawn.kind[..., None] >= 0, drawn.points, people.keypoints[..., :2])
    poses = people.with_(keypoints=np.concatenate([points, np.ones((*points.shape[:2], 1))], axis=2))
    found = measured_errors(people, poses, np.unique(people.image_id))
    assert np.allclose(found.frequency.sum(axis=3), 1)
    usual, wanted = (m.frequencies(np.array([16]), np.array([1]))[0] for m in (found, given))
    # kinds without room are shared out, and a miss of a nose may lie at an eye's twin: near, not equal
    assert np.abs(usual[5:] - wanted[5:]).max() < 0.05
    wrist = COCO17.index("left_wrist")
    assert found.radius[wrist, JITTER, [0, -1]] == pytest.approx(distance(np.array([0.85, 0.5])), abs=0.05)
    assert found.radius[wrist, MISS, 0] == pytest.approx(distance(0.5), abs=0.05)
    assert found.radius[wrist, GOOD, 10] == pytest.approx(distance(0.85) / 2, abs=0.05)
    for kind in (INVERSION, SWAP):
        assert found.radius[wrist, kind, -1] <= distance(0.5) + 1e-6
    again = synthesise(scenes_of(people), found, np.random.default_rng(2))
    shares = [(d.kind == SWAP)[:, wrist].mean() for d in (drawn, again)]
    assert shares[0] == pytest.approx(shares[1], abs=0.02)


def test_people_nobody_found_are_no_errors_of_keypoints() -> None:
    people = pairs_of_people(100)
    found = measured_errors(people, people, np.arange(100))
    assert found.frequencies(np.array([16]), np.array([1]))[0][:, GOOD].min() > 0.99


def test_too_few_poses_are_refused() -> None:
    people = pairs_of_people(20)
    with pytest.raises(InputError, match="too few to measure errors"):
        measured_errors(people, people, np.arange(20))
