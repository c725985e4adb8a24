"""Random views follow HRNet's distributions and depend on (seed, epoch, row) alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kpkit.core.crops import CropGeometry, fit_boxes
from kpkit.core.errors import KpkitError
from kpkit.core.instances import Instances
from kpkit.data.augment import Augmentation, Views, plain_views, random_views

SIZE = (256, 192)
PLAIN = CropGeometry(SIZE)


def people(n: int, labelled: int = 17) -> Instances:
    rng = np.random.default_rng(1)
    keypoints = np.zeros((n, 17, 3))
    keypoints[:, :, 0] = rng.uniform(20, 60, (n, 17))
    keypoints[:, :, 1] = np.linspace(10, 200, 17)
    keypoints[:, :labelled, 2] = 2
    return Instances.of(np.ones(n), np.tile([10.0, 5, 60, 200], (n, 1)), keypoints)


def draw(augmentation: Augmentation, n: int = 3000, labelled: int = 17, **change: int) -> Views:
    keys = {"seed": 0, "epoch": 0} | change
    return random_views(augmentation, people(n, labelled), np.arange(n), geometry=PLAIN, **keys)


def test_nothing_drawn_is_the_plain_view() -> None:
    off = Augmentation(flip=0, scale=0, rotation=0, half_body=0)
    drawn, plain = draw(off, 10), plain_views(people(10).box, PLAIN)
    for field in ("centre", "size", "rotation", "flip"):
        np.testing.assert_array_equal(getattr(drawn, field), getattr(plain, field))
    assert not plain.flip.any()


def test_distributions_are_hrnets() -> None:
    views = draw(Augmentation(half_body=0))
    plain = plain_views(people(1).box, PLAIN).size
    factor = views.size[:, 0] / plain[0, 0]
    np.testing.assert_allclose(views.size[:, 1] / plain[0, 1], factor)
    assert factor.min() == pytest.approx(0.65)
    assert factor.max() == pytest.approx(1.35)
    assert np.mean(factor < 0.65 + 1e-9) == pytest.approx(0.159, abs=0.03)  # beyond one sigma
    assert views.flip.mean() == pytest.approx(0.5, abs=0.03)
    turned = views.rotation != 0
    assert turned.mean() == pytest.approx(0.6, abs=0.03)
    assert np.abs(views.rotation).max() == 90
    assert np.mean(np.abs(views.rotation[turned]) < 45) == pytest.approx(0.683, abs=0.03)
    assert abs(np.corrcoef(views.flip, factor)[0, 1]) < 0.06


def test_half_body_shows_one_half() -> None:
    settings = Augmentation(flip=0, scale=0, rotation=0, half_body=1)
    views, someone = draw(settings), people(3000)
    points = someone.keypoints[:, :, :2]
    upper = someone.skeleton.upper_body
    shown_upper = np.isclose(views.centre, points[:, upper].mean(axis=1)).all(axis=1)
    shown_lower = np.isclose(views.centre, points[:, ~upper].mean(axis=1)).all(axis=1)
    assert (shown_upper ^ shown_lower).all()
    assert shown_upper.mean() == pytest.approx(0.69, abs=0.03)
    row = int(np.argmax(shown_lower))
    low, high = points[row, ~upper].min(axis=0), points[row, ~upper].max(axis=0)
    box = np.concatenate([low, high - low])[None]
    np.testing.assert_allclose(views.size[row], fit_boxes(box, SIZE, 1.5)[1][0])
    assert draw(Augmentation(half_body=0.3)).centre.std() > 0
    share = (draw(Augmentation(scale=0)).centre != plain_views(someone.box, PLAIN).centre).any(axis=1)
    assert share.mean() == pytest.approx(0.3, abs=0.03)


def test_megvii_s_draws_are_uniform() -> None:
    """MSPN: 0.8 U(.75, 1.25) of a box extended by U(0, .6) and U(0, .8), half turned by U(-45, 45)."""
    settings = Augmentation(
        distribution="uniform", scale=0.25, zoom=0.8, rotation=45, rotation_probability=0.5, half_body=0
    )
    views = draw(settings)
    factor = views.size[:, 0] / plain_views(people(1).box, PLAIN).size[0, 0]
    np.testing.assert_allclose(
        np.quantile(factor, [0, 0.25, 0.5, 0.75, 1]), [0.6, 0.7, 0.8, 0.9, 1.0], atol=0.02
    )
    turned = views.rotation[views.rotation != 0]
    assert len(turned) / 3000 == pytest.approx(0.5, abs=0.03)
    np.testing.assert_allclose(
        np.quantile(turned, [0, 0.25, 0.5, 0.75, 1]), [-45, -22.5, 0, 22.5, 45], atol=3
    )
    assert abs(np.corrcoef(factor, views.rotation)[0, 1]) < 0.06


def test_boxes_are_extended_before_the_fit() -> None:
    """Width and height each by its own draw; margins of the augmentation replace the crop's."""
    geometry = CropGeometry(SIZE, padding=1.0, margins=(1.09, 1.135))
    someone = people(3000).with_(box=np.tile([10.0, 5, 150, 200], (3000, 1)))  # of the crop's aspect
    settings = Augmentation(flip=0, scale=0, rotation=0, half_body=0, extension=(0.6, 0.8))

    def sizes(augmentation: Augmentation) -> np.ndarray:
        rows = np.arange(3000)
        views = random_views(augmentation, someone, rows, seed=0, epoch=0, geometry=geometry)
        np.testing.assert_allclose(views.centre, [[85, 105]] * 3000)
        return views.size[:, 1] / 200

    own = sizes(settings)
    # the larger of 1.09 (1 + .6 u) and 1.135 (1 + .8 v)
    assert own.min() == pytest.approx(1.135, abs=0.03)
    assert own.max() == pytest.approx(1.135 * 1.8, abs=0.01)
    u, v = np.random.default_rng(0).random((2, 100_000))
    expected = np.maximum(1.09 * (1 + 0.6 * u), 1.135 * (1 + 0.8 * v))
    assert own.mean() == pytest.approx(expected.mean(), abs=0.02)
    trained = sizes(replace(settings, margins=(1.05, 1.05)))
    assert trained.max() == pytest.approx(1.05 * 1.8, abs=0.01)
    upper = replace(settings, half_body=1, half_body_padding=1.0)
    half = random_views(upper, someone, np.arange(3000), seed=0, epoch=0, geometry=geometry).size[:, 1]
    plain = replace(upper, extension=(0.0, 0.0))
    bare = random_views(plain, someone, np.arange(3000), seed=0, epoch=0, geometry=geometry).size[:, 1]
    grown = half / bare
    assert 1 <= grown.min() < 1.05
    assert 1.7 < grown.max() <= 1.8


@pytest.mark.parametrize("labelled", [0, 8])
def test_half_body_needs_more_than_eight_labelled(labelled: int) -> None:
    views = draw(Augmentation(half_body=1), 50, labelled)
    np.testing.assert_array_equal(views.centre, plain_views(people(50).box, PLAIN).centre)


def test_half_body_takes_the_half_that_has_keypoints() -> None:
    views = draw(Augmentation(half_body=1, scale=0, upper_body_share=0.5), 200, 11)  # upper body only
    upper = people(200).keypoints[:, :11, :2].mean(axis=1)
    np.testing.assert_allclose(views.centre, upper)


def test_views_depend_on_seed_epoch_and_row_alone() -> None:
    settings = Augmentation()
    whole = draw(settings, 40)
    rows = np.array([31, 2, 17])
    part = random_views(settings, people(40)[rows], rows, seed=0, epoch=0, geometry=PLAIN)
    for field in ("centre", "size", "rotation", "flip"):
        np.testing.assert_array_equal(getattr(part, field), getattr(whole, field)[rows])
    for other in (draw(settings, 40, epoch=1), draw(settings, 40, seed=1)):
        assert (other.size != whole.size).any(axis=1).mean() > 0.6
        assert (other.rotation != whole.rotation).mean() > 0.6


@pytest.mark.parametrize(
    "wrong",
    [
        {"flip": 1.5},
        {"scale": 1.0},
        {"rotation": -1.0},
        {"half_body": -0.1},
        {"half_body_padding": 0.0},
        {"zoom": 0.0},
        {"margins": (1.0, 0.0)},
        {"extension": (-0.1, 0.0)},
        {"distribution": "cauchy"},
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(KpkitError, match=next(iter(wrong))):
        Augmentation(**wrong)  # type: ignore[arg-type]
