"""Hard negatives: a loop over every pair agrees, crowds are people, the floor holds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpkit.core.instances import Instances
from kpkit.mining.hard_negatives import counts_by_score, mine_hard_negatives, touches_anyone


def scene(seed: int, count: int, pictures: int = 4) -> Instances:
    """Boxes on a coarse grid, so that touching edges, equal boxes and containment all occur."""
    rng = np.random.default_rng(seed)
    box = np.concatenate([rng.integers(0, 8, (count, 2)), rng.integers(1, 5, (count, 2))], axis=1) * 10.0
    keypoints = np.zeros((count, 17, 3))
    keypoints[::2, :, 2] = 2  # every other one without a labelled keypoint
    return Instances.of(
        rng.integers(1, pictures + 1, count),
        box,
        keypoints,
        score=rng.choice([0.1, 0.3, 0.5, 0.7, 0.9, 1.0], count),
        crowd=rng.random(count) < 0.3,
        id=np.arange(count),
    )


def overlap(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two boxes share a region of some area."""
    left, top = max(a[0], b[0]), max(a[1], b[1])
    right, bottom = min(a[0] + a[2], b[0] + b[2]), min(a[1] + a[3], b[1] + b[3])
    return right > left and bottom > top


@given(st.integers(0, 2**31), st.integers(0, 25), st.integers(0, 12), st.sampled_from([0.0, 0.3, 0.5, 0.7]))
@settings(max_examples=100, deadline=None)
def test_against_every_pair(seed: int, boxes: int, humans: int, floor: float) -> None:
    detections, people = scene(seed, boxes), scene(seed + 1, humans, pictures=3)
    wanted = [
        d
        for d in range(boxes)
        if detections.score[d] >= floor
        and not any(
            people.image_id[p] == detections.image_id[d] and overlap(detections.box[d], people.box[p])
            for p in range(humans)
        )
    ]
    found = mine_hard_negatives(detections, people, floor)
    assert sorted(found.id) == wanted
    assert set(found.source) <= {"H"}
    assert not found.keypoints.any()
    for row, source in zip(found.id, range(len(found)), strict=True):
        assert found.box[source].tolist() == detections.box[row].tolist()
        assert found.score[source] == detections.score[row]
    order = found.sorted_by_image()
    np.testing.assert_array_equal(order.id, found.id)


def people_at(*boxes: tuple[float, ...], image: int = 1) -> Instances:
    return Instances.of([image] * len(boxes), np.array(boxes, dtype=float).reshape(-1, 4))


@pytest.mark.parametrize(
    ("box", "touched"),
    [
        ((10, 10, 20, 20), True),  # equal
        ((0, 0, 100, 100), True),  # around
        ((15, 15, 2, 2), True),  # within
        ((29, 29, 10, 10), True),  # one pixel's corner
        ((30, 10, 20, 20), False),  # side by side
        ((10, 30, 20, 20), False),  # below
        ((30, 30, 5, 5), False),  # corner to corner
        ((12, 40, 5, 5), False),  # the same columns, other rows
    ],
)
def test_what_touching_means(box: tuple[float, ...], touched: bool) -> None:
    assert touches_anyone(people_at(box), people_at((10, 10, 20, 20))).tolist() == [touched]
    assert touches_anyone(people_at(box, image=2), people_at((10, 10, 20, 20))).tolist() == [False]


def test_crowds_and_people_without_keypoints_are_people() -> None:
    someone = people_at((10, 10, 20, 20))
    detection = people_at((15, 15, 20, 20)).with_(score=np.array([0.99]))
    assert someone.num_labelled.tolist() == [0]
    assert len(mine_hard_negatives(detection, someone)) == 0
    assert len(mine_hard_negatives(detection, someone.with_(crowd=np.array([True])))) == 0
    assert len(mine_hard_negatives(detection, Instances.empty())) == 1


def test_counts_at_the_paper_s_thresholds() -> None:
    negatives = people_at(*[(k, 0, 1, 1) for k in range(6)]).with_(
        score=np.array([0.4, 0.5, 0.69, 0.7, 0.9, 1.0])
    )
    assert counts_by_score(negatives) == {"0.5": 5, "0.7": 3, "0.9": 2}
    assert counts_by_score(negatives[:0]) == {"0.5": 0, "0.7": 0, "0.9": 0}
