"""Drawn poses are spread as the error model means them to be, on real people too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kpkit.core.instances import Instances
from kpkit.core.skeletons import COCO17
from kpkit.data.coco import read_annotations
from kpkit.evaluation.errors import GOOD, INVERSION, JITTER, KINDS, MISS, SWAP
from kpkit.refinement.errors import ErrorModel, distance, published_errors
from kpkit.refinement.intended import (
    BINS,
    KOLMOGOROV,
    Spread,
    drawn_spread,
    intended_spread,
    synthesis_facts,
)
from kpkit.refinement.scenes import Surroundings
from kpkit.refinement.synthesis import Scenes, synthesise

ERRORS = published_errors()
TIMES = 20


@pytest.fixture(scope="module")
def real(shared: Path) -> Scenes:
    """People of COCO's val2017, a few hundred, in their pictures."""
    _, people = read_annotations(shared / "real/coco/annotations/person_keypoints_val2017.json")
    people = people[(people.num_labelled > 0) & ~people.crowd]
    return Surroundings(people, ERRORS).whole()


@pytest.fixture(scope="module")
def meant(real: Scenes) -> Spread:
    """What their poses should be like."""
    return intended_spread(real, ERRORS)


@pytest.mark.shared
def test_poses_of_real_people_are_spread_as_intended(real: Scenes, meant: Spread) -> None:
    assert len(real) > 100 and (real.overlap > 0).sum() > 30
    many = real.part(np.tile(np.arange(len(real)), TIMES))
    drawn = synthesise(many, ERRORS, np.random.default_rng(0))
    found = drawn_spread(many, ERRORS, drawn)
    assert abs(found.keypoints - TIMES * meant.keypoints) <= 1e-3 * found.keypoints
    for kind, name in enumerate(KINDS):
        share = meant.similarity[kind].sum()
        error = np.sqrt(share * (1 - share) / found.keypoints)
        assert abs(found.similarity[kind].sum() - share) < 4 * error, name
        own, theirs = (spread.similarity[kind].cumsum() for spread in (meant, found))
        apart = np.abs(own / own[-1] - theirs / theirs[-1]).max()
        # a little more than chance: the lattice's grain, and bins that a ring's end cuts
        assert apart < KOLMOGOROV / np.sqrt(share * found.keypoints) + 0.005, name
    assert np.abs((meant.oks - found.oks).cumsum()).max() < KOLMOGOROV / np.sqrt(found.poses) + 0.005
    # each kind keeps to its ring: .85 and .5 lie between two bins
    filled = found.similarity > 0
    assert not filled[GOOD, :85].any() and not filled[JITTER, :50].any() and not filled[JITTER, 85:].any()
    assert not filled[MISS, 50:].any() and filled[INVERSION, :50].any() and filled[SWAP, :50].any()


@pytest.mark.shared
def test_poses_of_another_spread_are_told_apart(real: Scenes, meant: Spread) -> None:
    """Poses with a fifth more misses than the model means, and ones that err a tenth less far."""
    more = ERRORS.frequency.copy()
    taken = 0.2 * more[..., MISS]
    more[..., MISS] += taken
    more[..., GOOD] -= taken
    many = real.part(np.tile(np.arange(len(real)), TIMES))
    wrong = ErrorModel(COCO17, more, ERRORS.radius, "box")
    found = drawn_spread(many, ERRORS, synthesise(many, wrong, np.random.default_rng(1)))
    share = meant.similarity[MISS].sum()
    assert found.similarity[MISS].sum() - share > 4 * np.sqrt(share * (1 - share) / found.keypoints)
    nearer = ErrorModel(COCO17, ERRORS.frequency, 0.9 * ERRORS.radius, "box")
    found = drawn_spread(many, ERRORS, synthesise(many, nearer, np.random.default_rng(2)))
    assert np.abs((meant.oks - found.oks).cumsum()).max() > 2 * KOLMOGOROV / np.sqrt(found.poses)


def one_keypoint(people: int = 4000) -> Scenes:
    """Someone of whom only the nose is labelled, alone."""
    keypoints = np.zeros((people, 17, 3))
    keypoints[:, 0] = [50, 40, 2]
    alone = np.zeros((people, 0, 17, 3))
    return Scenes(keypoints, alone, np.full(people, 9000.0), np.zeros(people, int))


def test_a_lone_keypoints_law_is_the_closed_form() -> None:
    """A similarity is exp(-u^2 / 2), u even between a ring's ends; a miss has a fifth of its share here."""
    meant = intended_spread(one_keypoint(1), ERRORS)
    shares = ERRORS.frequencies(np.array([1]), np.array([0]))[0, 0, [GOOD, JITTER, MISS]]
    shares = shares / shares.sum()
    edges = np.linspace(0, 1, 101)[1:]
    far = distance(edges)
    for kind, share, low, high in zip(
        (GOOD, JITTER, MISS), shares, (1, 0.85, 0.5), (0.85, 0.5, 0.1), strict=True
    ):
        near, end = distance(np.array([low, high]))
        wanted = share * (1 - np.clip((far - near) / (end - near), 0, 1))
        assert np.abs(meant.similarity[kind].cumsum() - wanted).max() < 0.01 * share
    assert meant.similarity[[INVERSION, SWAP]].sum() == 0
    assert np.allclose(meant.oks, meant.similarity.sum(axis=0))  # a pose of one keypoint
    assert (meant.poses, meant.keypoints) == (1, 1)


def test_the_law_of_a_mean_is_the_convolution() -> None:
    """Two keypoints without neighbours: their mean's law by hand, from that of each."""
    scenes = one_keypoint(1)
    single = intended_spread(scenes, ERRORS).oks
    scenes.keypoints[:, 1] = [5000, 40, 2]
    pair = intended_spread(scenes, ERRORS)
    other = 2 * pair.similarity.sum(axis=0) - single
    wanted = np.zeros(100)
    for a, b in np.ndindex(100, 100):
        wanted[(a + b + 1) // 2] += single[a] * other[b]
    assert np.abs((wanted - pair.oks).cumsum()).max() < 1e-9


def test_facts_are_shares_in_bins_that_add_up() -> None:
    people = Instances.of(
        [1, 1], [[10, 10, 60, 90], [30, 12, 70, 95]], np.full((2, 17, 3), 2.0) * [20, 25, 1]
    )
    scenes = Surroundings(people, ERRORS).whole()
    facts = synthesis_facts(scenes, ERRORS, synthesise(scenes, ERRORS, np.random.default_rng(0)))
    assert facts["poses"] == 2 and len(facts["oks"]["drawn"]) == BINS
    for side in ("intended", "drawn"):
        assert sum(facts["oks"][side]) == pytest.approx(1)
        assert sum(sum(told[side]) for told in facts["similarity"].values()) == pytest.approx(1)
        assert sum(told[side] for told in facts["kinds"].values()) == pytest.approx(1)
