"""Teachers whose errors are known: the agreement rule takes the labels they spoil, and few others."""

from __future__ import annotations

import numpy as np
import pytest

from kpkit.core.skeletons import COCO17
from kpkit.data.coco import AREA_OF_BOX
from kpkit.evaluation.oks import keypoint_oks
from kpkit.heatmaps.blend import weighted_mean
from kpkit.heatmaps.decode import decode
from kpkit.pseudo_labels.agreement import agreement
from kpkit.pseudo_labels.planted import Effect, plant_errors
from tests.heatmaps.drawn import encoded

from .scenes import BODY

SHAPE = (64, 48)
PEOPLE = 120


def truths(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(N, 17, 2) points in heatmap pixels, and (N,) areas of the people."""
    rng = np.random.default_rng(seed)
    scale = rng.uniform(2.2, 2.8, (PEOPLE, 1, 1))
    points = (BODY + rng.normal(0, 0.2, (PEOPLE, 17, 2))) * scale + [24, 32]
    low, high = points.min(axis=1), points.max(axis=1)
    return points, AREA_OF_BOX * (1.2 * (high - low)).prod(axis=1)


def maps_of(points: np.ndarray, seed: int) -> np.ndarray:
    """A sound teacher's maps: half a pixel off, peaks of 0.8 to 1."""
    rng = np.random.default_rng(seed)
    maps = encoded(points + rng.normal(0, 0.5, points.shape), SHAPE)
    return maps * rng.uniform(0.8, 1, maps.shape[:2])[..., None, None].astype(np.float32)


def test_what_is_planted() -> None:
    points, _ = truths()
    plain = maps_of(points, 1)
    before = plain.copy()
    planted = plant_errors(plain, COCO17, np.random.default_rng(5))
    np.testing.assert_array_equal(plain, before)
    assert 4 <= planted.swapped.sum() <= 24 and 4 <= planted.drifted.sum() <= 24
    assert not (planted.swapped & planted.drifted).any()
    sound = ~planted.swapped & ~planted.drifted
    np.testing.assert_array_equal(planted.heatmaps[sound], plain[sound])
    np.testing.assert_array_equal(
        planted.heatmaps[planted.swapped], plain[planted.swapped][:, COCO17.flip_order]
    )
    moved, _ = decode(planted.heatmaps[planted.drifted])
    far = np.linalg.norm(moved - decode(plain[planted.drifted])[0], axis=2)
    # the torso stays inside the map; hands and feet may leave it
    assert (np.abs(np.median(far, axis=1) / SHAPE[0] - 0.225) < 0.1).all()


@pytest.mark.parametrize("teachers", [2, 3])
@pytest.mark.parametrize("error", ["swaps", "drifts"])
def test_the_rule_removes_what_the_errors_spoil(teachers: int, error: str) -> None:
    rates = {"swaps": 0.0, "drifts": 0.0} | {error: 0.1}
    found = []
    for block in range(4):
        points, area = truths(block)
        planted = [
            plant_errors(maps_of(points, seed), COCO17, np.random.default_rng((block, seed)), **rates)
            for seed in range(teachers)
        ]
        blend, scores = decode(weighted_mean([p.heatmaps for p in planted], [1.0] * teachers))
        own = [decode(p.heatmaps)[0] for p in planted]
        agreed = agreement(blend, own, area, COCO17.oks_sigmas) >= 0.5
        right = keypoint_oks(blend, points, area, COCO17.oks_sigmas) >= 0.5
        errors = np.sum([p.swapped | p.drifted for p in planted], axis=0)
        found.append((right & (scores >= 0.3), agreed, errors))
    right, agreed, errors = map(np.concatenate, zip(*found, strict=True))
    everything = np.ones_like(right)  # sound teachers are right on everything here
    effect = Effect.of(everything, right, agreed)
    assert effect.spoilt > 100
    assert effect.removed >= 0.8 * effect.spoilt
    # where all err alike nothing can be told: about a tenth of what two teachers spoil
    some = errors < teachers
    disagreeing = Effect.of(everything[some], right[some], agreed[some])
    assert disagreeing.removed >= 0.95 * disagreeing.spoilt
    sound = errors == 0
    untouched = Effect.of(everything[sound], right[sound], agreed[sound])
    assert untouched.spoilt == 0 and untouched.kept >= 0.99 * untouched.right


def test_a_single_teacher_never_disagrees() -> None:
    points, area = truths()
    assert (agreement(points, [], area, COCO17.oks_sigmas) == 1).all()
    assert (agreement(points, [points], area, COCO17.oks_sigmas) == 1).all()


def test_agreement_is_that_of_the_farthest_teacher_in_oks_units() -> None:
    points, area = truths()
    nose = 2 * COCO17.oks_sigmas[0] * np.sqrt(area)  # where the OKS is exp(-1/2)
    near, far = points.copy(), points.copy()
    near[:, 0, 0] += 0.1 * nose
    far[:, 0, 1] -= nose
    agreed = agreement(points, [near, points, far], area, COCO17.oks_sigmas)
    np.testing.assert_allclose(agreed[:, 0], np.exp(-0.5))
    np.testing.assert_allclose(agreed[:, 1:], 1)
    np.testing.assert_allclose(agreement(points, [near], area, COCO17.oks_sigmas)[:, 0], np.exp(-0.005))


def test_what_counts_as_spoilt_and_as_removed() -> None:
    before = np.array([[True, True, False, True, False]])
    after = np.array([[False, False, False, True, True]])
    kept = np.array([[False, True, True, True, False]])
    # the third was wrong all along, the fifth became right: neither is spoilt
    assert Effect.of(before, after, kept) == Effect(spoilt=2, removed=1, right=2, kept=1)
