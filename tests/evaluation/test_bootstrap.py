"""Intervals over pictures: they cover what they should, compare pairwise, depend on the seed alone."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kpkit.core.errors import InputError
from kpkit.core.instances import Instances
from kpkit.evaluation.bootstrap import Interval, difference_intervals, figure_intervals, resample
from kpkit.evaluation.matching import Matches, match
from kpkit.evaluation.rules import FIGURES, Area, Rules

from .oracle import scene

ONE = Rules(thresholds=(0.5,), areas=(Area("", 0, 1e10),))


def drawn_matches(rng: np.random.Generator, pictures: int, share: np.ndarray) -> Matches:
    """One person and one pose a picture; the pose is right with the picture's probability."""
    right = rng.random(pictures) < share
    return Matches(
        image_id=np.arange(pictures),
        rules=ONE,
        picture=np.arange(pictures),
        pose=np.arange(pictures),
        score=np.linspace(1, 0, pictures),
        partner=np.where(right, 0, -1)[None, None].astype(np.int32),
        outcome=right[None, None].astype(np.uint8),
        people=np.ones((1, pictures), np.int64),
    )


def test_the_interval_covers_the_recall_in_95_of_100_cases() -> None:
    rng = np.random.default_rng(0)
    covered = []
    for seed in range(60):
        found = drawn_matches(rng, 90, np.full(90, 0.7))
        recall = figure_intervals(found.figures(), only(resample([found], draws=60, seed=seed), 0))["AR"]
        covered.append(recall.low <= 0.7 <= recall.high)
    assert 0.85 <= np.mean(covered) <= 0.99


def only(drawn: dict[str, np.ndarray], row: int) -> dict[str, np.ndarray]:
    return {name: values[row] for name, values in drawn.items()}


def test_pairs_cancel_what_both_find_hard() -> None:
    """Two results that differ on a few pictures: their difference is surer than either figure."""
    rng = np.random.default_rng(1)
    hard = rng.random(400)
    a = drawn_matches(np.random.default_rng(2), 400, hard)
    right = a.outcome[0, 0] == 1
    better = right | (rng.random(400) < 0.1)
    b = drawn_matches(rng, 400, better.astype(float))
    drawn = resample([b, a], draws=200, seed=0)
    gain = difference_intervals(b.figures(), a.figures(), drawn)["AR"]
    alone = figure_intervals(b.figures(), only(drawn, 0))["AR"]
    assert gain.value == pytest.approx(better.mean() - right.mean())
    assert 0 < gain.low <= gain.value <= gain.high and not gain.of_chance
    assert gain.high - gain.low < 0.6 * (alone.high - alone.low)


def test_equal_results_do_not_differ() -> None:
    truth, poses, images = scene(3)
    found = match(truth, poses, images)
    drawn = resample([found, found], draws=20, seed=4)
    assert list(drawn) == list(FIGURES)
    for interval in difference_intervals(found.figures(), found.figures(), drawn).values():
        if not math.isnan(interval.value):
            assert (interval.low, interval.value, interval.high) == (0, 0, 0) and interval.of_chance


def test_draws_are_figures_of_those_pictures_and_depend_on_the_seed_alone() -> None:
    truth, poses, images = scene(5)
    found = match(truth, poses, images)
    other = match(truth, poses[::2], images)
    one, both = resample([found], draws=6, seed=9), resample([other, found], draws=6, seed=9)
    for name in FIGURES:
        np.testing.assert_array_equal(one[name][0], both[name][1])
    assert any((resample([found], draws=6, seed=8)[name] != one[name]).any() for name in FIGURES)
    assert all(np.nanmax(values) <= 1 for values in one.values())


def test_sizes_nobody_has() -> None:
    truth, poses, images = scene(1)
    small = truth.with_(area=np.full(len(truth), 2000.0))
    found = match(small, poses, images)
    intervals = figure_intervals(found.figures(), only(resample([found], draws=5), 0))
    assert intervals["APL"].as_dict() == {"value": None, "low": None, "high": None}
    assert Interval(math.nan, math.nan, math.nan).of_chance
    assert not math.isnan(intervals["APM"].low)


def test_other_pictures_are_refused() -> None:
    truth, poses, images = scene(1)
    with pytest.raises(InputError, match="different pictures"):
        resample([match(truth, poses, images), match(truth, poses, images[1:])], draws=2)


def test_no_pictures() -> None:
    nobody = Instances.empty()
    found = match(nobody, nobody, np.zeros(0, np.int64))
    assert np.isnan(resample([found], draws=3)["AP"]).all()
