"""Box overlap and boxes of keypoints."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask

from kpkit.core.boxes import box_iou, box_of_keypoints, pair_iou


@given(st.integers(0, 2**32), st.integers(0, 6), st.integers(0, 6))
def test_overlap_equals_pycocotools(seed: int, n: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.random((n, 4)) * 50 + [0, 0, 1, 1], rng.random((m, 4)) * 50 + [0, 0, 1, 1]
    crowd = rng.random(m) < 0.5
    ours = box_iou(a, b, crowd)
    assert ours.shape == (n, m)
    if n and m:
        np.testing.assert_allclose(ours, mask.iou(a, b, crowd.astype(np.uint8)), atol=1e-12)
        np.testing.assert_allclose(box_iou(a, b), box_iou(b, a).T)
        np.testing.assert_allclose(np.diag(box_iou(a, a)), 1)
    assert ((ours >= 0) & (ours <= 1 + 1e-12)).all()


def test_boxes_without_size_overlap_nothing() -> None:
    zero = np.zeros((1, 4))
    assert box_iou(zero, zero).tolist() == [[0.0]]
    assert box_iou(np.array([[0.0, 0, 2, 2]]), np.array([[2.0, 0, 2, 2]])).tolist() == [[0.0]]


def test_box_of_labelled_keypoints() -> None:
    keypoints = np.zeros((2, 3, 3))
    keypoints[0] = [[5, 9, 2], [8, 4, 1], [-100, -100, 0]]
    assert box_of_keypoints(keypoints).tolist() == [[5, 4, 3, 5], [0, 0, 0, 0]]


@given(st.integers(0, 2**31))
@settings(max_examples=50, deadline=None)
def test_row_by_row_is_the_diagonal_of_every_pair(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 9, (2, 6, 4)).astype(float)
    crowd = rng.random(6) < 0.5
    np.testing.assert_array_equal(pair_iou(a, b), np.diag(box_iou(a, b)))
    np.testing.assert_array_equal(pair_iou(a, b, crowd), np.diag(box_iou(a, b, crowd)))
