"""Weights are found where there is something to find, and left alone where there is nothing."""

from __future__ import annotations

import numpy as np
import pytest

from kpkit.core.errors import KpkitError
from kpkit.ensembles.choice import SEARCHED, believed, search
from kpkit.ensembles.fits import CONTINUOUS, EQUAL, GREEDY, KEYPOINT, MEMBER, METHODS, fit_all
from kpkit.ensembles.folds import image_folds
from kpkit.ensembles.objective import mean_gain, person_value
from kpkit.ensembles.tried import TriedWeights, normal

from .drawn_errors import DrawnErrors


def test_folds_never_share_a_picture_and_are_even() -> None:
    image_id = np.repeat(np.arange(100, 203) * 7, 3)
    dealt = image_folds(image_id, 5, seed=1)
    assert set(dealt) == set(image_id.tolist())  # one fold for each picture, so none is in two
    sizes = np.bincount(list(dealt.values()))
    assert sizes.tolist() == [21, 21, 21, 20, 20]
    assert dealt == image_folds(image_id[::-1], 5, seed=1) != image_folds(image_id, 5, seed=2)
    with pytest.raises(KpkitError, match="9 pictures are too few for 5 folds"):
        image_folds(np.arange(9), 5)


def test_a_value_is_the_share_of_thresholds_passed_made_continuous() -> None:
    oks = np.array([0.2, 0.475, 0.5, 0.72, 0.975, 1.0])
    labelled = np.ones((6, 1), bool)
    value = person_value(oks[:, None], labelled)
    np.testing.assert_allclose(value, [0, 0, 0.05, 0.49, 1, 1])
    fine = np.linspace(0, 1, 100001)
    staircase = (fine[:, None] > np.arange(0.5, 0.96, 0.05)).mean(axis=1)
    smooth = person_value(fine[:, None], np.ones((len(fine), 1), bool))
    assert abs(staircase - smooth).max() <= 0.0501
    assert abs((staircase - smooth).mean()) < 1e-4
    # only labelled keypoints count
    assert person_value(np.array([[1.0, 0.0]]), np.array([[True, False]]))[0] == 1


def test_gains_are_counted_by_picture() -> None:
    gain = np.array([1.0, 1.0, 0.0, 0.0])
    mean, alone = mean_gain(gain, np.arange(4))
    _, together = mean_gain(gain, np.array([0, 0, 1, 1]))
    assert mean == 0.5
    assert alone == pytest.approx(np.std(gain, ddof=1) / 2)
    assert together == pytest.approx(0.5)  # two pictures say less than four
    assert np.isnan(mean_gain(gain, np.zeros(4))[1])


def test_nothing_is_decoded_twice() -> None:
    drawn = DrawnErrors(0, np.ones(3))
    looked: list[np.ndarray] = []

    def look(weights: np.ndarray) -> np.ndarray:
        looked.extend(weights)
        return drawn.look(weights)

    tried = TriedWeights(look, drawn.labelled, 3)
    tried.values([np.array([1, 1, 0]), np.array([2, 2, 0]), np.array([1, 0, 0])])
    tried.values([np.array([0.5, 0.5, 0]), np.array([0, 1, 0])])
    assert [row.tolist() for row in looked] == [[0.5, 0.5, 0], [1, 0, 0], [0, 1, 0]]
    mixed = np.eye(3)[[k % 2 for k in range(17)]]
    before = len(tried)
    by_hand = drawn.look(np.eye(3)[:2])
    by_hand = np.where(np.arange(17) % 2, by_hand[1], by_hand[0])
    np.testing.assert_allclose(tried.mixed_value(mixed), person_value(by_hand, drawn.labelled), atol=1e-6)
    assert len(tried) == before  # a pose of other weights per keypoint costs no decoding


def test_a_good_member_among_bad_ones_is_found_by_every_method() -> None:
    drawn = DrawnErrors(1, np.array([4.0, 0.5, 4.0]))
    fitted = fit_all(drawn.tried(), np.arange(len(drawn.image_id)), 6)
    assert list(fitted) == list(METHODS)
    for method in (MEMBER, GREEDY, CONTINUOUS, KEYPOINT):
        weights = fitted[method]
        assert weights.shape == (17, 3)
        np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-8)
        assert (weights[:, 1] > 0.75).all(), method
    np.testing.assert_allclose(fitted[EQUAL], 1 / 3, atol=1e-8)


def test_continuous_weights_near_the_best_there_are() -> None:
    # errors of independent members are weighted best by their inverse variances
    spread = np.array([0.6, 0.9, 1.2])
    drawn = DrawnErrors(2, spread, people=1500)
    weights = fit_all(drawn.tried(), np.arange(1500), 12)
    best = normal(spread**-2)
    assert abs(weights[CONTINUOUS][0] - best).max() < 0.06
    assert abs(weights[GREEDY][0] - best).max() < 0.09


def test_weights_per_keypoint_are_recovered() -> None:
    spread = np.ones((17, 2))
    spread[:9, 0] = spread[9:, 1] = 5.0  # one sees the lower half of the body badly, the other the upper
    drawn = DrawnErrors(3, spread)
    per_fold, whole = search(drawn.tried(), drawn.folds(), drawn.image_id, 4)
    for chosen in [*per_fold, whole]:
        assert chosen.method == KEYPOINT
        weights = chosen.weights[SEARCHED]
        assert (weights[:9, 1] > 0.6).all() and (weights[9:, 0] > 0.6).all()
    assert whole.gains[KEYPOINT][0] > 5 * whole.gains[KEYPOINT][1]


def test_a_fold_is_judged_by_weights_that_did_not_see_it() -> None:
    """Spoiling a fold's people changes what is chosen for the others, never for itself."""
    spread = np.array([0.5, 1.0, 2.0])
    drawn = DrawnErrors(4, spread)
    fold = drawn.folds()
    before, whole = search(drawn.tried(), fold, drawn.image_id, 4)
    drawn.errors[fold == 2] = drawn.errors[fold == 2][:, :, ::-1]  # there the worst member is the best
    after, whole_after = search(drawn.tried(), fold, drawn.image_id, 4)
    for method in [*METHODS, SEARCHED]:
        assert (before[2].weights[method] == after[2].weights[method]).all()
    assert before[2].gains == after[2].gains
    assert any((before[f].weights[CONTINUOUS] != after[f].weights[CONTINUOUS]).any() for f in (0, 1, 3, 4))
    assert (whole.weights[CONTINUOUS] != whole_after.weights[CONTINUOUS]).any()


def test_equal_members_stay_equal() -> None:
    taken = []
    for seed in range(4):
        drawn = DrawnErrors(10 + seed, np.ones(6))
        per_fold, whole = search(drawn.tried(), drawn.folds(), drawn.image_id, 6)
        taken += [chosen.method for chosen in [*per_fold, whole]]
        # fitted weights lose on people they were not fitted on
        assert whole.gains[KEYPOINT][0] < 0
    assert taken.count(EQUAL) >= 23


def test_a_gain_is_believed_beyond_its_error_only() -> None:
    assert believed({"greedy": (0.01, 0.01), "continuous": (0.02, 0.02)}) == EQUAL
    assert believed({"greedy": (0.01, 0.005), "continuous": (0.02, 0.02)}) == "greedy"
    assert believed({"greedy": (0.01, 0.005), "continuous": (0.02, 0.01)}) == "continuous"
    assert believed({"greedy": (0.0, 0.0), "continuous": (0.1, float("nan"))}) == EQUAL
