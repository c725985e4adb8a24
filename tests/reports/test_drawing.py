"""Colours lie where the keypoints are; cut pictures keep them there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpkit.core.crops import transform
from kpkit.core.skeletons import AIC14, COCO17
from kpkit.reports.drawing import LEFT, MIDDLE, RIGHT, draw_poses, strip, zoom


def _person(*places: tuple[str, float, float]) -> np.ndarray:
    keypoints = np.zeros((1, 17, 3))
    for name, x, y in places:
        keypoints[0, COCO17.index(name)] = x, y, 2
    return keypoints


def _grey() -> np.ndarray:
    return np.full((60, 80, 3), 128, np.uint8)


def test_sides_have_their_colours_along_the_limb() -> None:
    person = _person(
        ("left_shoulder", 60, 10), ("left_elbow", 60, 40), ("right_shoulder", 20, 10), ("right_elbow", 20, 40)
    )
    drawn = draw_poses(_grey(), person, COCO17, thickness=3)
    for y in (14, 25, 38):
        assert tuple(drawn[y, 60]) == LEFT and tuple(drawn[y, 20]) == RIGHT
    assert tuple(drawn[10, 40]) == MIDDLE
    changed = (drawn != 128).any(axis=2)
    assert not changed[45:].any() and not changed[:, :15].any() and not changed[20:, 25:55].any()


def test_the_given_picture_is_not_changed() -> None:
    image = _grey()
    draw_poses(image, _person(("left_hip", 10, 10), ("left_knee", 30, 30)), COCO17)
    assert (image == 128).all()


def test_unlabelled_and_unsure_keypoints_are_left_out() -> None:
    person = _person(("left_shoulder", 60, 10), ("left_elbow", 60, 40))
    person[0, COCO17.index("left_elbow"), 2] = 0
    assert (draw_poses(_grey(), person, COCO17) == 128).all()
    person[0, COCO17.index("left_elbow"), 2] = 0.3
    assert (draw_poses(_grey(), person, COCO17, above=0.3, radius=0) == 128).all()
    assert (draw_poses(_grey(), person, COCO17, above=0.2) != 128).any()


def test_dots_one_colour_and_outline() -> None:
    person = _person(("left_wrist", 30, 30))
    dotted = draw_poses(_grey(), person, COCO17, radius=4)
    assert tuple(dotted[30, 30]) == LEFT and (dotted[30, 36:] == 128).all()
    person = _person(("left_hip", 40, 10), ("left_knee", 40, 50))
    drawn = draw_poses(_grey(), person, COCO17, thickness=1, outline=2, colour=(1, 2, 3))
    assert np.abs(drawn[30, 40].astype(int) - [1, 2, 3]).max() < 5 and (drawn[30, 42] < 60).all()


def test_other_skeletons() -> None:
    keypoints = np.zeros((1, 14, 3))
    keypoints[0, AIC14.index("head_top")] = 40, 5, 1
    keypoints[0, AIC14.index("neck")] = 40, 50, 1
    assert tuple(draw_poses(_grey(), keypoints, AIC14)[30, 40]) == MIDDLE


@pytest.mark.parametrize("far", [1e3, 1e9, np.inf, np.nan, -1e12])
def test_coordinates_far_outside(far: float) -> None:
    person = _person(("left_hip", 40, 10), ("left_knee", far, far))
    assert draw_poses(_grey(), person, COCO17, radius=2).shape == (60, 80, 3)


def test_nobody() -> None:
    assert (draw_poses(_grey(), np.zeros((0, 17, 3)), COCO17, radius=2, outline=1) == 128).all()


@settings(max_examples=40, deadline=None)
@given(
    x=st.floats(0, 150),
    y=st.floats(0, 90),
    w=st.floats(5, 60),
    h=st.floats(5, 60),
    height=st.integers(40, 400),
)
def test_zoom_carries_points_to_their_pixels(x: float, y: float, w: float, h: float, height: int) -> None:
    # a picture whose red is its x and whose green is its y, so that every pixel tells where it was
    rows, columns = np.mgrid[0:120, 0:200]
    image = np.stack([columns, rows, np.zeros_like(rows)], axis=2).astype(np.uint8)
    cut, matrix = zoom(image, np.array([[x, y, w, h]]), height=height)
    assert cut.shape[0] <= height and cut.shape[1] <= 1.6 * height + 1
    middle = np.array([[[min(x + w / 2, 195), min(y + h / 2, 115)]]])
    place = transform(matrix[None], middle)[0, 0]
    column, row = (round(float(v)) for v in place)
    assert 0 <= column < cut.shape[1] and 0 <= row < cut.shape[0]
    pixel = 1 / matrix[0, 0] / 2 + 1.5  # half a pixel of the cut, in the picture's, and rounding
    assert np.abs(cut[row, column, :2].astype(float) - middle[0, 0]).max() <= pixel


def test_zoom_without_boxes_shows_everything() -> None:
    cut, matrix = zoom(_grey(), np.zeros((0, 4)), height=60)
    assert cut.shape == (60, 80, 3)
    np.testing.assert_allclose(matrix, [[1, 0, 0], [0, 1, 0]])


def test_strip() -> None:
    shown = strip([np.zeros((10, 5, 3), np.uint8), np.full((6, 4, 3), 7, np.uint8)], gap=3)
    assert shown.shape == (10, 12, 3)
    assert (shown[:, :5] == 0).all() and (shown[:, 5:8] == 255).all()
    assert (shown[:6, 8:] == 7).all() and (shown[6:, 8:] == 255).all()
