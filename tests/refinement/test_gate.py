"""What refinement is worth, keypoint by keypoint, and poses known again."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kpkit.core.instances import Instances
from kpkit.core.skeletons import COCO17
from kpkit.data.results import read_results, write_results
from kpkit.evaluation.oks import keypoint_oks
from kpkit.refinement.fingerprints import fingerprints
from kpkit.refinement.gate import ENOUGH, gated, refinement_gain

NOSE, WRIST, ANKLE = (COCO17.index(name) for name in ("nose", "left_wrist", "left_ankle"))


def people(count: int = 60) -> Instances:
    rng = np.random.default_rng(0)
    points = rng.uniform(20, 180, (count, 17, 2))
    labels = np.full((count, 17, 1), 2.0)
    labels[:, NOSE] = 0
    box = np.tile([0.0, 0, 200, 200], (count, 1))
    return Instances.of(
        np.arange(count) // 2 * 10, box, np.concatenate([points, labels], axis=2), area=np.full(count, 8e3)
    )


def moved(poses: Instances, keypoint: int, by: np.ndarray) -> Instances:
    points = poses.keypoints.copy()
    points[:, keypoint, 0] += by
    return poses.with_(keypoints=points)


def test_what_helps_is_accepted_and_what_harms_is_not() -> None:
    truth = people()
    noise = np.random.default_rng(1).normal(0, 1, len(truth))
    before = moved(moved(truth, WRIST, 6 + noise), 7, 3 * noise)
    after = moved(moved(before, WRIST, -5 - noise), ANKLE, np.full(len(truth), 9.0))
    gain = refinement_gain(truth, before, after, np.unique(truth.image_id))
    sigmas = COCO17.oks_sigmas
    was, now = (keypoint_oks(truth.keypoints, p.keypoints, truth.area, sigmas) for p in (before, after))
    assert np.allclose(gain.value[1:], (now - was).mean(axis=0)[1:]) and np.isnan(gain.value[NOSE])
    assert gain.low[WRIST] < gain.value[WRIST] < gain.high[WRIST]
    assert np.flatnonzero(gain.accepted).tolist() == [WRIST]
    assert gain.high[ANKLE] < 0
    whole = (now - was)[:, 1:].sum(axis=1)
    assert (gain.better, gain.worse) == ((whole > 0).mean(), (whole < 0).mean())
    mixed = gated(before, after, gain.accepted)
    assert np.array_equal(mixed.keypoints[:, WRIST], after.keypoints[:, WRIST])
    assert np.array_equal(mixed.keypoints[:, ANKLE], before.keypoints[:, ANKLE])


def test_chance_is_not_accepted() -> None:
    truth = people(40)
    rng = np.random.default_rng(2)
    before = truth.with_(keypoints=truth.keypoints + rng.normal(0, 4, truth.keypoints.shape) * [1, 1, 0])
    after = truth.with_(keypoints=truth.keypoints + rng.normal(0, 4, truth.keypoints.shape) * [1, 1, 0])
    gain = refinement_gain(truth, before, after, np.unique(truth.image_id))
    assert gain.accepted.sum() <= 2  # of 16 half are better by chance


def test_a_few_pictures_accept_nothing() -> None:
    truth = people(2 * (ENOUGH - 1))
    before = moved(truth, WRIST, np.full(len(truth), 6.0))
    gain = refinement_gain(truth, before, truth, np.unique(truth.image_id))
    assert gain.value[WRIST] > 0.02 and not gain.accepted.any() and np.isnan(gain.low).all()


def test_nobody_found_nothing_gained() -> None:
    truth = people(4)
    away = truth.with_(keypoints=truth.keypoints + np.array([1e4, 0, 0]))
    gain = refinement_gain(truth, away, truth, np.unique(truth.image_id))
    assert not gain.accepted.any() and gain.better == gain.worse == 0


def test_poses_are_known_again_from_a_file(tmp_path: Path) -> None:
    poses = people().with_(score=np.linspace(0.1, 1, 60))
    write_results(tmp_path / "results.json", poses[::-1])
    again = read_results(tmp_path / "results.json")
    own = fingerprints(poses)
    assert np.array_equal(fingerprints(again), own[::-1])
    assert len(np.unique(own)) == 60
    assert not np.isin(fingerprints(moved(poses, WRIST, np.full(60, 0.02))), own).any()
    assert not np.isin(fingerprints(poses.with_(image_id=poses.image_id + 1)), own).any()
