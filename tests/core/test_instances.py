"""The container of people, and the table of pictures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpkit.core.errors import KpkitError
from kpkit.core.instances import ImageTable, Instances, picture_pairs
from kpkit.core.skeletons import AIC14, COCO17

FIELDS = ("image_id", "box", "keypoints", "score", "area", "crowd", "source", "id")


def people(n: int, seed: int = 0) -> Instances:
    rng = np.random.default_rng(seed)
    keypoints = rng.random((n, 17, 3)) * 100
    keypoints[:, :, 2] = rng.integers(0, 3, (n, 17))
    return Instances.of(
        rng.integers(0, 5, n), rng.random((n, 4)) * 50, keypoints,
        score=rng.random(n), crowd=rng.random(n) < 0.5, id=np.arange(n), source="U",
    )  # fmt: skip


def same(a: Instances, b: Instances) -> None:
    assert a.skeleton == b.skeleton
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(a, field), getattr(b, field), field)


def test_neutral_values() -> None:
    one = Instances.of([3], [[1, 2, 4, 5]])
    assert one.area.tolist() == [20]
    assert one.score.tolist() == [1]
    assert one.crowd.tolist() == [False]
    assert one.id.tolist() == [0]
    assert one.source.tolist() == ["C"]
    assert one.num_labelled.tolist() == [0]
    assert one.image_id.dtype == np.int64


@given(st.integers(0, 9), st.integers(0, 9))
def test_concat_then_slice_is_identity(n: int, m: int) -> None:
    first, second = people(n), people(m, 1)
    whole = Instances.concat([first, second])
    assert len(whole) == n + m
    same(whole[:n], first)
    same(whole[np.arange(n + m) >= n], second)
    same(Instances.concat([whole]), whole)


def test_empty_joins_with_anything() -> None:
    same(Instances.concat([Instances.empty(), people(2)]), people(2))
    assert len(Instances.concat([])) == 0
    assert len(people(3)[np.zeros(3, bool)]) == 0
    assert len(Instances.empty(AIC14).speaking(COCO17)) == 0


def test_shapes_and_skeletons_must_agree() -> None:
    with pytest.raises(KpkitError, match=r"Instances\.score has shape \(2,\), must be \(3,\)"):
        people(3).with_(score=np.ones(2))
    with pytest.raises(KpkitError, match="cannot join instances of skeletons aic14, coco17"):
        Instances.concat([people(1), people(1).speaking(AIC14)])


@given(st.integers(0, 6), st.integers(0, 2**32))
def test_speaking_there_and_back_keeps_the_twelve(n: int, seed: int) -> None:
    start = people(n, seed)
    back = start.speaking(AIC14).speaking(COCO17)
    shared = COCO17.positions_in(AIC14) >= 0
    assert shared.sum() == 12
    np.testing.assert_array_equal(back.keypoints[:, shared], start.keypoints[:, shared])
    assert not back.keypoints[:, ~shared].any()
    same(back.with_(keypoints=start.keypoints), start)
    assert start.speaking(COCO17) is start


@given(st.integers(1, 20), st.integers(0, 2**32))
def test_canonical_order_does_not_depend_on_the_given_one(n: int, seed: int) -> None:
    start = people(n, seed)
    shuffled = start[np.random.default_rng(seed).permutation(n)]
    same(start.sorted_by_image(), shuffled.sorted_by_image())
    assert (np.diff(start.sorted_by_image().image_id) >= 0).all()


def test_box_hash_sees_boxes_images_and_order_only() -> None:
    start = people(4)
    digest = start.boxes_hash()
    assert start.with_(score=start.score / 2).boxes_hash() == digest
    assert start.with_(box=start.box + 1e-5).boxes_hash() == digest or np.any(
        np.round(start.box * 1000) != np.round((start.box + 1e-5) * 1000)
    )
    assert start.with_(box=start.box + 0.01).boxes_hash() != digest
    assert start.with_(image_id=start.image_id + 1).boxes_hash() != digest
    assert start[::-1].boxes_hash() != digest


def test_image_rows() -> None:
    table = ImageTable.of([30, 10, 2**60], ["a", "b", "c"])
    assert table.rows_of(np.array([10, 2**60, 11, 30, -5, 2**62])).tolist() == [1, 2, -1, 0, -1, -1]
    assert ImageTable.of([], []).rows_of(np.array([1])).tolist() == [-1]
    assert table[np.array([2, 0])].file_name == ("c", "a")
    assert table[table.id > 20].id.tolist() == [30, 2**60]
    assert table.width.tolist() == [0, 0, 0]


def test_image_table_faults() -> None:
    with pytest.raises(KpkitError, match="image id 4 occurs more than once"):
        ImageTable.of([4, 5, 4], ["a", "b", "c"])
    with pytest.raises(KpkitError, match="differ in length"):
        ImageTable.of([4, 5], ["a"])


def weighted(count: int) -> Instances:
    weight = np.random.default_rng(count).random((count, 17))
    return Instances.of(np.arange(count), np.ones((count, 4)), keypoint_weight=weight)


def test_keypoint_weights_follow_their_people() -> None:
    plain, heavy = Instances.of([7, 8], np.ones((2, 4))), weighted(3)
    assert plain.keypoint_weight is None and (plain.weights == 1).all()
    assert plain[:1].keypoint_weight is None and Instances.concat([plain, plain]).keypoint_weight is None
    joined = Instances.concat([plain, heavy])
    np.testing.assert_array_equal(joined.weights, np.concatenate([np.ones((2, 17)), heavy.weights]))
    np.testing.assert_array_equal(joined[[4, 0]].weights, joined.weights[[4, 0]])
    there = heavy.speaking(AIC14)
    np.testing.assert_array_equal(there.weights[:, 0], heavy.weights[:, 6])  # right_shoulder
    assert (there.weights[:, 12:] == 1).all()
    with pytest.raises(KpkitError, match="keypoint_weight has shape"):
        heavy.with_(keypoint_weight=np.ones((3, 16)))


@given(st.integers(0, 2**31), st.integers(0, 9), st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_pairs_of_one_picture(seed: int, n: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 4, n), rng.integers(0, 4, m)
    rows, others = picture_pairs(a, b)
    assert list(zip(rows.tolist(), others.tolist(), strict=True)) == [
        (i, k) for i in range(n) for k in range(m) if a[i] == b[k]
    ]
