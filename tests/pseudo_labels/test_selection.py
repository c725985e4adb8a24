"""Pseudo labels: how many people, which keypoints, whose box."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpkit.core.errors import KpkitError
from kpkit.core.instances import Instances
from kpkit.pseudo_labels.selection import Rules, label_people, people_per_picture, solve_threshold

# --- the detection threshold


def test_as_many_as_wanted_pass() -> None:
    scores = np.array([0.2, 0.9, 0.5, 0.8, 0.7, 0.99])
    found = solve_threshold(scores, pictures=2, wanted=1.5)
    assert (found.score, found.wanted, found.reached) == (0.8, 1.5, 1.5)
    assert (scores >= found.score).sum() == 3


def test_ties_stay_together() -> None:
    found = solve_threshold(np.array([0.9, 0.8, 0.8, 0.8, 0.1]), pictures=1, wanted=2)
    assert (found.score, found.reached) == (0.8, 4)


def test_too_few_detections_all_pass() -> None:
    found = solve_threshold(np.array([0.4, 0.3]), pictures=2, wanted=3)
    assert (found.score, found.reached) == (0.3, 1.0)


def test_at_least_one_passes() -> None:
    assert solve_threshold(np.array([0.4, 0.3]), pictures=100, wanted=0.001).score == 0.4


def test_no_detection_is_refused() -> None:
    with pytest.raises(KpkitError, match=r"^there is no detection on the pictures to label$"):
        solve_threshold(np.zeros(0), pictures=3, wanted=1.0)


@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=60), st.integers(1, 20), st.floats(0.01, 6),
    st.booleans(),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_the_threshold_is_the_highest_that_suffices(
    drawn: list[int], pictures: int, wanted: float, distinct: bool
) -> None:
    scores = np.array(drawn, dtype=float) / 30
    if distinct:
        scores = np.unique(scores)
    found = solve_threshold(scores, pictures, wanted)
    passing = int((scores >= found.score).sum())
    assert found.reached == passing / pictures
    asked = max(round(wanted * pictures), 1)
    assert passing >= min(asked, len(scores))
    # the next higher threshold lets through too few
    assert (scores > found.score).sum() < asked
    if distinct and asked <= len(scores):
        assert passing == asked
        assert abs(found.reached - wanted) <= max(0.5, 1 - wanted * pictures) / pictures + 1e-9


def test_people_per_picture_counts_whom_a_network_is_trained_on() -> None:
    keypoints = np.zeros((4, 17, 3))
    keypoints[[0, 1, 3], 5, 2] = [1, 2, 2]
    people = Instances.of([1, 1, 2, 2], np.ones((4, 4)), keypoints, crowd=[False, False, False, True])
    assert people_per_picture(people, 5) == 2 / 5
    assert people_per_picture(people[:0], 5) == 0
    assert people_per_picture(people[:0], 0) == 0


# --- the keypoints


def poses(seed: int, count: int) -> Instances:
    rng = np.random.default_rng(seed)
    box = np.concatenate([rng.uniform(0, 200, (count, 2)), rng.uniform(20, 100, (count, 2))], axis=1)
    keypoints = np.concatenate(
        [rng.uniform(-20, 320, (count, 17, 2)), rng.choice([0.2, 0.89, 0.9, 0.97], (count, 17, 1))], axis=2
    )
    return Instances.of(np.arange(count) // 2, box, keypoints, score=rng.random(count), source="P")


@given(st.integers(0, 2**31), st.integers(0, 8), st.sampled_from([0.5, 0.9, 0.95]), st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_what_is_kept(seed: int, count: int, floor: float, least: int) -> None:
    given_ = poses(seed, count)
    before = given_.keypoints.copy()
    kept = Rules(np.full(17, floor)).kept(given_.keypoints[:, :, 2], np.ones((count, 17)))
    labels, chosen = label_people(given_, kept, least)
    np.testing.assert_array_equal(given_.keypoints, before)
    sure = before[:, :, 2] >= floor
    rows = np.flatnonzero(sure.sum(axis=1) >= least)
    assert len(labels) == len(rows)
    assert np.flatnonzero(chosen).tolist() == rows.tolist()
    np.testing.assert_array_equal(labels.image_id, given_.image_id[rows])
    assert labels.id.tolist() == list(range(1, len(rows) + 1))
    assert set(labels.source) <= {"U"}
    for label, row in enumerate(rows):
        for k in range(17):
            expected = [*before[row, k, :2], 2.0] if sure[row, k] else [0, 0, 0]
            assert labels.keypoints[label, k].tolist() == expected
        x, y, width, height = labels.box[label]
        inner = np.concatenate([given_.box[row][None, :2], before[row, sure[row], :2]])
        outer = np.concatenate(
            [given_.box[row][None, :2] + given_.box[row][None, 2:], before[row, sure[row], :2]]
        )
        np.testing.assert_allclose([x, y], inner.min(axis=0))
        np.testing.assert_allclose([x + width, y + height], outer.max(axis=0))
        assert labels.area[label] == width * height


def test_a_box_that_holds_its_keypoints_stays() -> None:
    one = poses(0, 1)
    keypoints = one.keypoints.copy()
    keypoints[0, :, :2] = one.box[0, :2] + one.box[0, 2:] / 2
    keypoints[0, :, 2] = 0.99
    keypoints[0, 3] = [-500, -500, 0.5]  # unsure: does not stretch the box
    labels, _ = label_people(one.with_(keypoints=keypoints), keypoints[:, :, 2] >= 0.9, 1)
    np.testing.assert_allclose(labels.box, one.box)
    assert labels.num_labelled.tolist() == [16]
