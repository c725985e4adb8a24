"""Labels against a truth: matching one to one, what counts as right, who is left out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpkit.core.instances import Instances
from kpkit.core.skeletons import COCO17
from kpkit.evaluation.oks import oks
from kpkit.pseudo_labels.judging import counts, judge

from .scenes import crowd


def labels_of(truth: Instances, **fields: np.ndarray) -> Instances:
    """The truth as labels."""
    return truth.with_(source=np.full(len(truth), "U"), **fields)


def test_the_truth_itself_is_right() -> None:
    truth = crowd(9, seed=0)
    judged = judge(labels_of(truth), truth)
    visible = truth.keypoints[:, :, 2] > 0
    np.testing.assert_array_equal(judged.kept, visible)
    np.testing.assert_array_equal(judged.right(0.99), visible)
    assert not judged.unknown.any() and not judged.nobody.any() and not judged.unjudged.any()
    table = counts(judged, COCO17.keypoints)
    assert list(table) == list(COCO17.keypoints)
    assert table["left_shoulder"] == {"kept": 9, "right_50": 9, "right_75": 9, "unknown": 0}


@pytest.mark.parametrize(("share", "right"), [(0.3, (1, 1)), (0.9, (1, 0)), (1.3, (0, 0))])
def test_right_is_a_matter_of_oks(share: float, right: tuple[int, int]) -> None:
    truth = crowd(1, seed=3)
    points = truth.keypoints.copy()
    points[0, 5, 0] += share * 2 * COCO17.oks_sigmas[5] * np.sqrt(truth.area[0])
    row = counts(judge(labels_of(truth, keypoints=points), truth), COCO17.keypoints)["left_shoulder"]
    assert row == {"kept": 1, "right_50": right[0], "right_75": right[1], "unknown": 0}
    # as the evaluation's own OKS says of that keypoint alone
    alone = np.zeros_like(truth.keypoints)
    alone[:, 5] = truth.keypoints[:, 5]
    value = oks(alone, truth.area, points, COCO17.oks_sigmas)[0, 0]
    assert (value >= 0.5, value >= 0.75) == tuple(map(bool, right))


def test_points_the_truth_lacks_are_wrong_and_told() -> None:
    truth = crowd(2, seed=1)
    known = truth.keypoints.copy()
    known[:, 9] = 0
    points = truth.keypoints.copy()
    points[:, :, 2] = 2
    judged = judge(labels_of(truth, keypoints=points), truth.with_(keypoints=known))
    table = counts(judged, COCO17.keypoints)
    assert table["left_wrist"] == {"kept": 2, "right_50": 0, "right_75": 0, "unknown": 2}
    assert not judged.nobody.any()


def test_a_double_and_a_stranger_are_nobody() -> None:
    truth = crowd(3, seed=2)
    stranger = truth[:1].with_(
        keypoints=truth.keypoints[:1] + np.array([0, 3000, 0]), box=truth.box[:1] + np.array([0, 3000, 0, 0])
    )
    worse = truth[:1].with_(keypoints=truth.keypoints[:1] + np.array([1, 0, 0]))
    labels = labels_of(Instances.concat([worse, truth[1:], truth[:1], stranger]))
    judged = judge(labels, truth)
    # of two labels of one person the better one is it, and the other takes no neighbour
    assert judged.nobody.tolist() == [True, False, False, False, True]
    assert not judged.right(0.5)[[0, 4]].any() and judged.right(0.99)[1:4].sum() > 30
    assert (judged.unknown[[0, 4]] == (labels.keypoints[[0, 4], :, 2] > 0)).all()


def test_someone_the_truth_does_not_label_is_not_judged() -> None:
    truth = crowd(3, seed=2)
    bare = np.zeros_like(truth.keypoints)
    unlabelled = truth.with_(keypoints=np.where([[[False]], [[True]], [[True]]], bare, truth.keypoints))
    region = unlabelled.box.copy()
    region[2] = [0, 0, 4000, 4000]
    known = unlabelled.with_(box=region, crowd=np.array([False, False, True]))
    judged = judge(labels_of(truth), known)
    assert judged.unjudged.tolist() == [False, True, True]
    assert not judged.nobody.any() and not judged.kept[1:].any() and judged.kept[0].any()
    # a crowd region counts by the share of the label it covers, a person by IoU
    far = known.with_(box=region / [1, 1, 3, 3])
    assert judge(labels_of(truth), far[[0, 1]]).nobody.tolist() == [False, True, True]


@given(st.integers(0, 2**31), st.integers(0, 7), st.integers(0, 7))
@settings(max_examples=40, deadline=None)
def test_against_a_loop(seed: int, some: int, others: int) -> None:
    truth = crowd(others, seed=seed, per_picture=2)
    labels = labels_of(crowd(some, seed=seed + 1, per_picture=2))
    judged = judge(labels, truth)
    totals = {}
    for row in range(some):
        for other in np.flatnonzero(truth.image_id == labels.image_id[row]).tolist():
            both = (labels.keypoints[row, :, 2] > 0) & (truth.keypoints[other, :, 2] > 0)
            far = ((labels.keypoints[row] - truth.keypoints[other])[:, :2] ** 2).sum(axis=1)
            sigma = 2 * np.array(COCO17.oks_sigmas)
            totals[row, other] = np.where(both, np.exp(-far / (2 * sigma**2 * truth.area[other])), 0).sum()
    matched = {}
    while totals and max(totals.values()) >= 0.5:
        row, other = max(totals, key=lambda pair: totals[pair])
        matched[row] = totals[row, other]
        totals = {pair: v for pair, v in totals.items() if pair[0] != row and pair[1] != other}
    for row in range(some):
        assert judged.nobody[row] == (row not in matched)
        assert judged.similarity[row].sum() == pytest.approx(matched.get(row, 0.0))


def test_nobody_at_all() -> None:
    truth = crowd(3, seed=0)
    assert judge(truth[:0], truth).kept.shape == (0, 17)
    assert judge(labels_of(truth), truth[:0]).nobody.all()
