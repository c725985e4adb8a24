"""Drawn errors: the official code's statistics, and what each kind promises."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kpkit.core.errors import KpkitError
from kpkit.core.skeletons import AIC14, COCO17
from kpkit.evaluation.errors import GOOD, INVERSION, JITTER, KINDS, MISS, SWAP, UNJUDGED
from kpkit.evaluation.oks import keypoint_oks
from kpkit.refinement.errors import ErrorModel, distance, published_errors
from kpkit.refinement.synthesis import Scenes, Synthesised, synthesise

OFFICIAL = [KINDS.index(name) for name in ("jitter", "miss", "inversion", "swap", "good")]
SITUATIONS = ("all17_alone", "all17_one_neighbour", "nine_one_neighbour", "five_three_neighbours")
ERRORS = published_errors()


def repeated(array: Any, times: int) -> np.ndarray:
    array = np.asarray(array, float)
    return np.broadcast_to(array, (times, *array.shape))


def similarity(scenes: Scenes, drawn: Synthesised) -> np.ndarray:
    """(N, K) with the keypoint's own place, labelled or estimated."""
    own = scenes.keypoints
    if scenes.estimated is not None:
        own = np.where(own[..., 2:] > 0, own, scenes.estimated)
    return keypoint_oks(own, drawn.points, scenes.area, COCO17.oks_sigmas)


@pytest.mark.shared
@pytest.mark.parametrize("situation", SITUATIONS)
def test_statistics_are_the_official_codes(shared: Path, situation: str) -> None:
    golden = json.loads((shared / "golden" / "posefix_stats.json").read_text())
    said = golden["scenarios"][situation]
    assert np.allclose(golden["sigmas"], COCO17.oks_sigmas)
    n = golden["samples"]
    scenes = Scenes(
        keypoints=repeated(said["joints"], n),
        near=repeated(said["neighbours"], n),
        area=np.full(n, golden["area"]),
        overlap=np.full(n, said["overlap"]),
        estimated=repeated(said["estimated"], n),
    )
    drawn = synthesise(scenes, ERRORS, np.random.default_rng(5))
    wanted = np.array(said["probability_median"])
    found = np.stack([(drawn.kind == kind).mean(axis=0) for kind in OFFICIAL], axis=1)
    error = np.sqrt(wanted * (1 - wanted) / n)
    assert (np.abs(found - wanted) <= 4 * error + 1e-4).all()
    # both are samples; 340 comparisons of which none may be beyond four standard errors
    assert (np.abs(found - said["frequency"]) <= 4 * np.sqrt(2) * error).all()
    close = similarity(scenes, drawn)
    slack = 0.015 if situation.startswith("all") else 0.03  # the two slips that are not copied
    assert np.abs(close.mean(axis=0) - said["key_similarity_mean"]).max() < slack
    quantiles = np.quantile(close, [0.5, 0.75, 0.95], axis=0).T
    official = np.array(said["key_similarity_quantiles_05_25_50_75_95"])[:, 2:]
    assert np.abs(quantiles - official).max() < 0.025


def crowd(n: int = 2000, seed: int = 0) -> Scenes:
    """People standing so close to two others that much of their surroundings is taken."""
    rng = np.random.default_rng(seed)
    body = rng.uniform([20, 20], [80, 180], (17, 2))
    people = body + rng.normal(0, 4, (n, 3, 17, 2)) + [[[0, 0]], [[22, 3]], [[-17, 8]]]
    visible = (rng.random((n, 3, 17, 1)) < 0.8) * 2.0
    people = np.concatenate([people, visible], axis=3)
    return Scenes(people[:, 0], people[:, 1:], np.full(n, 12000.0), np.full(n, 2))


def test_every_kind_lies_where_it_should() -> None:
    scenes = crowd()
    drawn = synthesise(scenes, ERRORS, np.random.default_rng(1))
    unit = np.sqrt(12000) * 2 * np.array(COCO17.oks_sigmas)
    twin = COCO17.flip_order
    own = scenes.keypoints
    places = np.stack(
        [own, own[:, twin], *(p for m in (0, 1) for p in (scenes.near[:, m], scenes.near[:, m][:, twin]))], 2
    )
    there = places[..., 2] > 0
    there[:, 0, [1, 3, 5]] = False  # a nose has no twin
    away = np.linalg.norm(drawn.points[:, :, None] - places[..., :2], axis=3) / unit[:, None]
    away = np.where(there, away, np.inf)
    assert ((drawn.kind == UNJUDGED) == ~there[:, :, 0]).mean() > 0.999
    far = {GOOD: (0, 0.85), JITTER: (0.85, 0.5), MISS: (0.5, 0.1)}
    for kind, (near, end) in far.items():
        chosen = away[drawn.kind == kind]
        start = chosen.min(axis=1) if kind == MISS else chosen[:, 0]
        low = distance(near) if near else 0
        assert len(chosen) > 300
        assert start.min() >= low - 1e-9
        assert start.max() <= distance(end) + 1e-9
        if kind != MISS:
            assert (chosen.argmin(axis=1) == 0).all()
    inverted, swapped = away[drawn.kind == INVERSION], away[drawn.kind == SWAP]
    assert len(inverted) > 300 and (inverted.argmin(axis=1) == 1).all()
    assert len(swapped) > 300 and (swapped.argmin(axis=1) >= 2).all()
    assert max(inverted[:, 1].max(), swapped.min(axis=1).max()) <= distance(0.5)


def test_a_keypoint_nobody_knows_is_left_out() -> None:
    keypoints = np.zeros((50, 17, 3))
    keypoints[:, 5] = [40, 60, 2]
    nobody = np.zeros((50, 0, 17, 3))
    scenes = Scenes(keypoints, nobody, np.full(50, 5000.0), np.zeros(50, int))
    drawn = synthesise(scenes, ERRORS, np.random.default_rng(2))
    assert (drawn.kind[:, 5] != UNJUDGED).all()
    assert (np.delete(drawn.kind, 5, axis=1) == UNJUDGED).all() and not np.delete(
        drawn.points, 5, axis=1
    ).any()
    assert not np.isin(drawn.kind, [INVERSION, SWAP]).any()  # no twin is labelled, nobody is near


def test_a_kind_without_room_is_shared_out() -> None:
    """Three neighbours' wrists surround a wrist closely: whatever lies near it lies nearer to one of them."""
    keypoints, near = np.zeros((400, 17, 3)), np.zeros((400, 3, 17, 3))
    keypoints[:, 9] = [40, 60, 2]
    near[:, :, 9] = np.array([40, 60, 2]) + np.array([[2, 0, 0], [-1, 1.8, 0], [-1, -1.8, 0]]) * 1e-6
    scenes = Scenes(keypoints, near, np.full(400, 5000.0), np.full(400, 3))
    drawn = synthesise(scenes, ERRORS, np.random.default_rng(3))
    assert set(np.unique(drawn.kind[:, 9])) == {MISS, SWAP}
    shares = ERRORS.frequencies(np.array([1]), np.array([3]))[0, 9, [MISS, SWAP]]
    assert (drawn.kind[:, 9] == MISS).mean() == pytest.approx(shares[0] / shares.sum(), abs=0.1)


def test_equal_draws_give_equal_poses() -> None:
    scenes = crowd(40)
    one, two, other = (synthesise(scenes, ERRORS, np.random.default_rng(seed)) for seed in (7, 7, 8))
    assert np.array_equal(one.points, two.points) and np.array_equal(one.kind, two.kind)
    assert not np.array_equal(one.points, other.points)


def test_published_shares_add_up_and_crowds_are_swapped_more() -> None:
    assert np.allclose(ERRORS.frequency.sum(axis=3), 1)
    few, many = ERRORS.frequencies(np.array([9, 9]), np.array([0, 1]))
    wrist = COCO17.index("left_wrist")
    assert few[wrist, SWAP] == 0.06 and many[wrist, SWAP] == 0.15
    assert ERRORS.frequencies(np.array([15]), np.array([3]))[0, wrist, SWAP] == 0.15
    assert ERRORS.frequencies(np.array([16]), np.array([3]))[0, wrist, SWAP] == 0.06


def test_errors_of_another_skeleton_are_refused() -> None:
    with pytest.raises(KpkitError, match="do not fit"):
        ErrorModel(AIC14, ERRORS.frequency, ERRORS.radius, "box")
