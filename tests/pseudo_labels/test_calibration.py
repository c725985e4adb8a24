"""Scores to probabilities and floors: out of fold, by picture, honest about what they do not know."""

from __future__ import annotations

import numpy as np
import pytest

from kpkit.pseudo_labels.calibration import LEAST, Calibration, folds, out_of_fold, solve_floors


def drawn(people: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Scores, right with probability score squared, judged, pictures of three people."""
    rng = np.random.default_rng(seed)
    scores = rng.random((people, 4))
    right = rng.random((people, 4)) < scores**2
    judged = np.ones((people, 4), bool)
    judged[:, 2] = False  # nothing is known of this keypoint
    judged[LEAST - 1 :, 3] = False  # and too little of this
    return scores, right & judged, judged, np.arange(people) // 3


def test_probabilities_rise_with_the_score_and_are_those_it_was_drawn_with() -> None:
    scores, right, judged, _ = drawn(6000)
    curves = Calibration.fit(scores, right, judged)
    grid = np.tile(np.linspace(0, 1, 50)[:, None], (1, 4))
    found = curves.probability(grid)
    assert (np.diff(found, axis=0) >= 0).all() and (found >= 0).all() and (found <= 1).all()
    assert np.abs(found[2:-2, :2] - grid[2:-2, :2] ** 2).max() < 0.1
    assert (found[:, 2] == 0).all()


def test_folds_keep_pictures_together_and_cover_everyone_once() -> None:
    image_id = np.repeat(np.arange(11), 4)[::-1].copy()
    masks = folds(image_id)
    assert len(masks) == 5 and (np.sum(masks, axis=0) == 1).all()
    for mask in masks:
        assert not set(image_id[mask]) & set(image_id[~mask])
    assert len(folds(np.array([1, 1, 2]))) == 2


def test_out_of_fold_a_score_alone_cannot_tell_its_own_outcome() -> None:
    """Outcomes hang on the picture alone: in sample a curve of few points fits them, held out it cannot."""
    image_id = np.repeat(np.arange(10), 2)
    scores = np.random.default_rng(1).random((20, 1))
    right = (image_id % 2 == 0)[:, None]
    judged = np.ones((20, 1), bool)
    inside = Calibration.fit(scores, right, judged).probability(scores)
    outside = out_of_fold(scores, right, judged, image_id)
    gap = lambda p: p[right].mean() - p[~right].mean()  # noqa: E731
    assert gap(inside) > gap(outside)


@pytest.mark.parametrize("wished", [0.6, 0.75, 0.9])
def test_a_floor_gives_the_precision_wished_for_on_other_people(wished: float) -> None:
    scores, right, judged, image_id = drawn(20000)
    floors = solve_floors(scores, out_of_fold(scores, right, judged, image_id), judged, wished)
    fresh, outcome, _, _ = drawn(20000, seed=9)
    for k in (0, 1):
        assert outcome[fresh[:, k] >= floors[k], k].mean() == pytest.approx(wished, abs=0.02)
    assert np.isinf(floors[2:]).all()


def test_floors_at_their_ends() -> None:
    scores, right, judged, image_id = drawn(600)
    probability = out_of_fold(scores, right, judged, image_id)
    everything = solve_floors(scores, np.ones_like(probability), judged, 0.99)
    assert everything[:2].tolist() == scores[:, :2].min(axis=0).tolist()
    assert np.isinf(solve_floors(scores, np.zeros_like(probability), judged, 0.1)).all()
    # equal scores stand or fall together
    equal = np.full((40, 1), 0.5)
    mixed = np.repeat([1.0, 0.0], 20)[:, None]
    assert np.isinf(solve_floors(equal, mixed, np.ones((40, 1), bool), 0.9)).all()
    assert solve_floors(equal, mixed, np.ones((40, 1), bool), 0.5).tolist() == [0.5]
