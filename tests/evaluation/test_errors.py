"""Errors planted in perfect poses are found, named, counted, repaired and priced."""

from __future__ import annotations

import numpy as np
import pytest

from kpkit.core.instances import Instances
from kpkit.core.skeletons import COCO17
from kpkit.evaluation.ap import evaluate
from kpkit.evaluation.error_costs import ERRORS, best_scores, error_costs
from kpkit.evaluation.errors import GOOD, INVERSION, JITTER, KINDS, MISS, SWAP, UNJUDGED, pose_errors
from kpkit.evaluation.matching import match
from kpkit.evaluation.oks import keypoint_oks

from .oracle import scene

SIGMAS = np.array(COCO17.oks_sigmas)
IMAGES = np.arange(40)


def crowd_of_two(pictures: int = 40, seed: int = 0) -> Instances:
    """Two people a picture, far from each other, keypoints far apart: no place is near another."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(np.arange(5) * 200.0, np.arange(4) * 200.0), axis=-1).reshape(-1, 2)
    keypoints = np.full((2 * pictures, 17, 3), 2.0)
    for row in range(2 * pictures):
        keypoints[row, :, :2] = rng.permutation(grid)[:17] + (row % 2) * np.array([1500.0, 0.0])
    # Scales differ, so that a swap's offset has to be measured in its own person's
    return Instances.of(
        np.repeat(np.arange(pictures), 2), np.tile([0.0, 0, 900, 700], (2 * pictures, 1)), keypoints,
        area=np.tile([6000.0, 12000.0], pictures), score=np.linspace(1, 0.5, 2 * pictures),
    )  # fmt: skip


def at_similarity(truth: Instances, similarity: float) -> np.ndarray:
    """(N, K) pixels from a place where keypoints have this similarity with it."""
    reach: np.ndarray = np.sqrt(-2 * np.log(similarity) * truth.area[:, None]) * 2 * SIGMAS
    return reach


def plant(truth: Instances, kind: int, k: int, rows: np.ndarray, similarity: float) -> Instances:
    """Poses whose keypoint ``k`` is wrong in these rows; all else lies where it should."""
    keypoints = truth.keypoints.copy()
    twin = int(COCO17.flip_order[k])
    neighbour = rows ^ 1
    if kind in (GOOD, JITTER, MISS):
        keypoints[rows, k, 1] += at_similarity(truth, similarity)[rows, k]
    elif kind == INVERSION:
        keypoints[rows, k, :2] = truth.keypoints[rows, twin, :2]
        keypoints[rows, k, 0] += at_similarity(truth, similarity)[rows, k]
    else:
        keypoints[rows, k, :2] = truth.keypoints[neighbour, twin, :2]
        keypoints[rows, k, 1] -= at_similarity(truth, similarity)[neighbour, k]
    return truth.with_(keypoints=keypoints)


CASES = [
    (GOOD, 9, 0.9, 0.9), (JITTER, 9, 0.84, 0.85), (JITTER, 0, 0.51, 0.85), (MISS, 9, 0.49, 0.5),
    (MISS, 15, 0.01, 0.5), (INVERSION, 9, 0.97, 0.97), (INVERSION, 3, 0.6, 0.6), (SWAP, 9, 0.8, 0.8),
    (SWAP, 0, 0.55, 0.55),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "k", "similarity", "after"), CASES)
def test_planted_errors_are_named_and_repaired(kind: int, k: int, similarity: float, after: float) -> None:
    truth = crowd_of_two()
    rows = np.arange(0, 80, 3)
    poses = plant(truth, kind, k, rows, similarity)
    found = pose_errors(truth, poses, IMAGES)
    expected = np.full((80, 17), GOOD)
    expected[rows, k] = kind
    np.testing.assert_array_equal(found.kind, expected)
    np.testing.assert_array_equal(found.person, np.arange(80))
    assert not found.background.any() and not found.unreached.any()
    assert found.counts()[kind, k] == (len(rows) if kind else 80) and found.counts().sum() == 80 * 17
    other = np.ones((80, 17), bool)
    other[rows, k] = False
    np.testing.assert_array_equal(found.repaired[other], poses.keypoints[other, :2])
    mended = keypoint_oks(found.repaired, truth.keypoints, truth.area, SIGMAS)[rows, k]
    np.testing.assert_allclose(mended, after, atol=1e-9)
    own = keypoint_oks(poses.keypoints, truth.keypoints, truth.area, SIGMAS)
    np.testing.assert_allclose(found.similarity, own, atol=1e-12)


@pytest.mark.parametrize(
    ("kind", "similarity"), [(JITTER, 0.51), (MISS, 0.01), (INVERSION, 0.9), (SWAP, 0.8)]
)
def test_each_kind_costs_and_the_others_do_not(kind: int, similarity: float) -> None:
    """Most keypoints of every third pose are wrong in one way: its repair gains AP, no other repair does."""
    truth = crowd_of_two()
    rows = np.arange(0, 80, 3)
    poses = truth
    for keypoint in range(1 if kind == INVERSION else 0, 14):  # the nose has no twin
        moved = plant(truth, kind, keypoint, rows, similarity)
        keypoints = poses.keypoints.copy()
        keypoints[rows, keypoint] = moved.keypoints[rows, keypoint]
        poses = poses.with_(keypoints=keypoints)
    ap = evaluate(truth, poses)["AP"]
    assert ap < 0.9
    costs = {row.error: row for row in error_costs(truth, poses, IMAGES)}
    assert list(costs) == list(ERRORS)
    assert costs[KINDS[kind]].count == (13 if kind == INVERSION else 14) * len(rows)
    assert costs[KINDS[kind]].gain["AP"] > 0.02
    for name in {"miss", "swap", "inversion", "jitter"} - {KINDS[kind]}:
        assert costs[name].gain["AP"] == 0 and costs[name].count == 0
    assert costs["jitter"].repaired == pytest.approx(ap + costs[KINDS[kind]].gain["AP"])


def test_only_labelled_keypoints_and_people_are_judged() -> None:
    truth = crowd_of_two()
    keypoints = truth.keypoints.copy()
    keypoints[0, 9] = 0
    keypoints[2] = 0
    crowd = np.zeros(80, bool)
    crowd[4] = True
    labels = truth.with_(keypoints=keypoints, crowd=crowd)
    found = pose_errors(labels, truth, IMAGES)
    assert found.kind[0, 9] == UNJUDGED and np.isnan(found.similarity[0, 9])
    assert (found.kind[[2, 4]] == UNJUDGED).all() and found.person[[2, 4]].tolist() == [-1, -1]
    assert not found.background.any() and not found.unreached.any()
    # A place that is not labelled is nobody's: the twin's absence turns an inversion into a miss
    turned = plant(truth, INVERSION, 10, np.array([0]), 0.97)
    assert pose_errors(truth, turned, IMAGES).kind[0, 10] == INVERSION
    assert pose_errors(labels, turned, IMAGES).kind[0, 10] == MISS


def test_false_positives_and_negatives() -> None:
    truth = crowd_of_two()
    nowhere = truth[:5].with_(keypoints=truth.keypoints[:5] + 9000.0, score=np.full(5, 2.0))
    again = truth[10:14].with_(
        keypoints=truth.keypoints[10:14] + np.array([0.5, 0, 0]), score=np.full(4, 0.1)
    )
    poses = Instances.concat([nowhere, truth[10:], again])
    found = pose_errors(truth, poses, IMAGES)
    assert np.flatnonzero(found.background).tolist() == [0, 1, 2, 3, 4, 75, 76, 77, 78]
    assert np.flatnonzero(found.unreached).tolist() == list(range(10))
    costs = {row.error: row for row in error_costs(truth, poses, IMAGES, found)}
    assert costs["false positive"].count == 9 and costs["false negative"].count == 10
    assert costs["false positive"].gain["AP"] > 0.02 and costs["false negative"].gain["AP"] > 0.05
    assert costs["false negative"].repaired == pytest.approx(1)
    assert costs["miss"].gain["AP"] == 0


def test_wrong_order_is_a_cost_of_scores() -> None:
    """Random scores on poses of all qualities and ghosts; the best order leaves nothing to gain."""
    truth = crowd_of_two()
    rng = np.random.default_rng(0)
    spread = rng.choice([0.0, 8.0, 20.0], 80)[:, None, None]
    found = truth.with_(keypoints=truth.keypoints + spread * rng.normal(0, 1, (80, 17, 3)) * [1, 1, 0])
    ghosts = truth.with_(keypoints=truth.keypoints + np.array([5000.0, 0, 0]))
    poses = Instances.concat([found, ghosts])
    poses = poses.with_(score=rng.random(160))
    costs = {row.error: row for row in error_costs(truth, poses, IMAGES)}
    assert costs["score"].gain["AP"] > 0.1
    best = poses.with_(score=best_scores(truth, poses, IMAGES))
    figures = evaluate(truth, best)
    # With the best order precision is 1 up to the last person found: AP is AR, read off at 101 recalls
    assert figures["AP"] == pytest.approx(figures["AR"], abs=0.011)
    assert evaluate(truth, best[best.score > 0])["AP"] == pytest.approx(figures["AP"])


@pytest.mark.parametrize("seed", range(8))
def test_on_any_scene(seed: int) -> None:
    """Whatever comes: repairs of whole poses never cost, and no order is better than the best."""
    truth, poses, images = scene(seed)
    poses = poses[np.sort(match(truth, poses, images).pose)]  # fewer poses would let others be judged
    found = pose_errors(truth, poses, images)
    assert ((found.kind == UNJUDGED) == np.isnan(found.similarity)).all()
    assert not found.background[found.person >= 0].any()
    costs = {row.error: row for row in error_costs(truth, poses, images, found)}
    assert set(costs["jitter"].gain) == {"AP", "AP50", "AP75"}
    for name in ("score", "false positive", "false negative"):
        assert costs[name].gain["AP"] >= -1e-9, name
    assert costs["false positive"].repaired == pytest.approx(costs["score"].repaired, abs=1e-9)
    score = best_scores(truth, poses, images)
    assert ((score == -2) | (np.abs(score) <= 1)).all()


def test_nobody_and_nothing() -> None:
    truth = crowd_of_two(2)
    images = np.arange(3)
    none = pose_errors(truth, Instances.empty(), images)
    assert none.kind.shape == (0, 17) and none.unreached.all()
    costs = error_costs(truth, Instances.empty(), images)
    assert costs[-1].count == 4 and costs[-2].gain["AP"] == 0
    assert np.isnan(costs[-1].gain["AP"]) and np.isnan(costs[-1].repaired)
    nobody = error_costs(Instances.empty(), truth, images)
    assert nobody[-2].count == 4 and all(np.isnan(row.gain["AP"]) for row in nobody)
