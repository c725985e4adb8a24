"""Learned scores: equal to scikit-learn's forest, out of fold, kept as arrays that run no code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kpkit.core.errors import InputError, KpkitError
from kpkit.core.instances import Instances
from kpkit.core.skeletons import AIC14
from kpkit.evaluation.oks import oks
from kpkit.inference import learn_scores as module
from kpkit.inference.learn_scores import expected_oks, learn_scores
from kpkit.inference.learned_scores import LearnedScores
from kpkit.inference.pose_features import feature_names, pose_features


def scene(pictures: int = 12, seed: int = 0) -> tuple[Instances, Instances]:
    """Labels, and poses of them: good and bad ones, copies, some of nobody; scores say how good they are."""
    rng = np.random.default_rng(seed)
    image = np.repeat(np.arange(1, pictures + 1), 3)
    n = len(image)
    corner = rng.uniform(0, 300, (n, 1, 2))
    points = corner + rng.uniform(0, 80, (n, 17, 2))
    box = np.concatenate([corner[:, 0], np.full((n, 2), 80.0)], axis=1)
    crowd = np.arange(n) % 7 == 6
    truth = Instances.of(image, box, np.concatenate([points, np.full((n, 17, 1), 2)], axis=2), crowd=crowd)
    far = rng.uniform(0, 25, n)
    found = points + rng.normal(0, 1, points.shape) * far[:, None, None]
    sure = (1 - far / 30)[:, None, None] * np.ones((1, 17, 1))
    poses = Instances.of(image, box, np.concatenate([found, sure], axis=2), score=np.full(n, 0.5), source="P")
    worse = poses.keypoints.copy()
    worse[:, :, :2] += rng.normal(0, 4, worse[:, :, :2].shape)
    copies = poses[::4].with_(keypoints=worse[::4], score=np.full(len(poses[::4]), 0.3))
    nobody = poses[:6].with_(box=poses.box[:6] + 700, keypoints=poses.keypoints[:6] + np.array([700, 700, 0]))
    return truth, Instances.concat([poses, copies, nobody])


@pytest.fixture(scope="module")
def fitted() -> LearnedScores:
    """A forest of the scene."""
    truth, poses = scene()
    return learn_scores(poses, truth, np.unique(truth.image_id))[0]


def test_what_is_learned_is_the_oks_of_a_persons_best_pose_and_nothing_for_others() -> None:
    truth, poses = scene()
    target, taught = expected_oks(poses, truth, np.unique(truth.image_id))
    n = len(truth)
    for row in range(n):
        mine = truth[[row]]
        others = poses.image_id == mine.image_id[0]
        alike = oks(mine.keypoints, mine.area, poses.keypoints, mine.skeleton.oks_sigmas)[0]
        alike[~others] = 0
        copy = n + row // 4 if row % 4 == 0 else row
        best = row if alike[row] >= alike[copy] else copy
        if truth.crowd[row]:
            assert not taught[best] or alike[best] < 0.5
        elif alike[best] > 0.2:
            assert target[best] == pytest.approx(alike[best])
            assert taught[best]
            if copy != row:
                assert target[row if best == copy else copy] == 0
    assert (target[-6:] == 0).all() and taught[-6:].all()


def test_the_arrays_predict_what_the_forest_predicts(monkeypatch: pytest.MonkeyPatch) -> None:
    import sklearn.ensemble

    grown = []
    original = sklearn.ensemble.RandomForestRegressor.fit

    def remember(self: object, *args: object) -> object:
        grown.append(self)
        return original(self, *args)

    monkeypatch.setattr(sklearn.ensemble.RandomForestRegressor, "fit", remember)
    truth, poses = scene()
    forest, out_of_fold = learn_scores(poses, truth, np.unique(truth.image_id))
    assert len(grown) == module.FOLDS + 1
    features = pose_features(poses)
    assert features.shape == (len(poses), len(feature_names(poses.skeleton))) and np.isfinite(features).all()
    np.testing.assert_allclose(forest.predict(poses), grown[-1].predict(features), rtol=1e-12)
    assert np.corrcoef(out_of_fold, expected_oks(poses, truth, truth.image_id)[0])[0, 1] > 0.5


def test_no_pose_is_scored_by_a_forest_that_saw_its_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    truth, poses = scene()
    pictures = np.unique(truth.image_id)
    features = pose_features(poses)
    seen: list[set[int]] = []
    grown = module._grown

    def remember(rows: np.ndarray, target: np.ndarray, of: Instances) -> LearnedScores:
        known = {tuple(row) for row in rows}
        seen.append({int(i) for i, row in zip(poses.image_id, features, strict=True) if tuple(row) in known})
        return grown(rows, target, of)

    monkeypatch.setattr(module, "_grown", remember)
    _, out_of_fold = learn_scores(poses, truth, pictures)
    *folds, last = seen
    assert last == set(pictures.tolist())
    held_out = [set(pictures.tolist()) - fold for fold in folds]
    assert set.union(*held_out) == last and sum(map(len, held_out)) == len(last)
    # labels of one picture change the scores of all pictures but its own
    spoilt = truth.keypoints.copy()
    spoilt[truth.image_id == 5, :, :2] += 400
    _, again = learn_scores(poses, truth.with_(keypoints=spoilt), pictures)
    own = poses.image_id == 5
    np.testing.assert_array_equal(out_of_fold[own], again[own])
    assert (out_of_fold[~own] != again[~own]).any()


def test_kept_and_read_back(fitted: LearnedScores, tmp_path: Path) -> None:
    truth, poses = scene()
    forest = fitted
    forest.write(tmp_path / "a.npz")
    learn_scores(poses, truth, np.unique(truth.image_id))[0].write(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    again = LearnedScores.read(tmp_path / "a.npz")
    np.testing.assert_array_equal(again.predict(poses), forest.predict(poses))
    with pytest.raises(KpkitError, match="not learned on poses of aic14"):
        forest.predict(Instances.empty(AIC14))


@pytest.mark.parametrize("fault", ["circle", "outside", "shorter", "nothing", "absent", "pickle"])
def test_damaged_scores_are_refused(fault: str, fitted: LearnedScores, tmp_path: Path) -> None:
    path = tmp_path / "scores.npz"
    fitted.write(path)
    with np.load(path) as stored:
        arrays = dict(stored)
    inner = int(np.flatnonzero(arrays["feature"] >= 0)[0])
    if fault == "circle":
        arrays["left"][inner] = inner
    elif fault == "outside":
        arrays["right"][inner] = 10**6
    elif fault == "shorter":
        arrays["value"] = arrays["value"][:-1]
    elif fault == "pickle":
        arrays["names"] = np.array([{}], dtype=object)
    if fault == "absent":
        path.unlink()
    else:
        np.savez(path, **arrays)
    if fault == "nothing":
        path.write_bytes(b"")
    with pytest.raises(InputError, match="no learned scores"):
        LearnedScores.read(path)


def test_one_picture_teaches_nothing() -> None:
    truth, poses = scene(pictures=1)
    with pytest.raises(InputError, match=r"cannot be learned on 1 picture"):
        learn_scores(poses, truth, np.array([1]))
