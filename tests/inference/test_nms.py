"""OKS-NMS against the peers' kept rows and against a plain greedy loop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpkit.core.errors import KpkitError
from kpkit.core.instances import Instances
from kpkit.core.skeletons import COCO17
from kpkit.evaluation.oks import pose_oks
from kpkit.inference.nms import oks_nms, top_per_image


def crowd(seed: int, people: int = 40, pictures: int = 4) -> Instances:
    """Near-copies of a few poses over several pictures, unsorted, with tied scores; ``id`` is the row."""
    rng = np.random.default_rng(seed)
    base = rng.uniform(0, 200, (6, 17, 2))
    points = base[rng.integers(0, 6, people)] + rng.normal(0, 1, (people, 17, 2)) * rng.uniform(
        0, 8, (people, 1, 1)
    )
    return Instances.of(
        rng.integers(0, pictures, people),
        rng.uniform(1, 100, (people, 4)),
        np.concatenate([points, rng.random((people, 17, 1))], axis=2),
        score=np.round(rng.random(people), 1),
        area=rng.uniform(1e3, 1e4, people),
        id=np.arange(people),
    )


def greedy(poses: Instances, threshold: float) -> list[int]:
    """The rule in its plainest form."""
    kept: list[int] = []
    for image in np.unique(poses.image_id):
        mine: list[int] = []
        rows = np.flatnonzero(poses.image_id == image)
        for row in rows[np.argsort(-poses.score[rows], kind="stable")]:
            a, b = poses[[row]], poses[mine]
            alike = pose_oks(a.keypoints, a.area, b.keypoints, b.area, COCO17.oks_sigmas)
            if not (alike > threshold).any():
                mine.append(int(row))
        kept += mine
    return kept


@pytest.mark.shared
@pytest.mark.parametrize("threshold", ["0.5", "0.7", "0.9"])
def test_golden(threshold: str, shared: Path) -> None:
    stored = np.load(shared / "golden/oks_nms.npz")
    n = len(stored["scores"])
    poses = Instances.of(
        np.zeros(n, int), np.zeros((n, 4)), stored["poses"],
        score=stored["scores"], area=stored["areas"], id=np.arange(n),
    )  # fmt: skip
    assert oks_nms(poses, float(threshold)).id.tolist() == stored[f"keep_{threshold}"].tolist()
    pairs = pose_oks(
        poses.keypoints[:, None],
        poses.area[:, None],
        poses.keypoints[None],
        poses.area[None],
        COCO17.oks_sigmas,
    )
    np.testing.assert_allclose(pairs, stored["oks_matrix"], atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.3, 0.5, 0.7, 0.9]))
def test_equals_greedy_and_is_idempotent(seed: int, threshold: float) -> None:
    poses = crowd(seed)
    once = oks_nms(poses, threshold)
    assert once.id.tolist() == greedy(poses, threshold)
    assert oks_nms(once, threshold).id.tolist() == once.id.tolist()


def test_pictures_do_not_touch_each_other() -> None:
    one = crowd(1, pictures=1)
    other = one.with_(image_id=one.image_id + 7)
    both = oks_nms(Instances.concat([other, one]), 0.5)
    assert both.image_id.tolist() == sorted(both.image_id.tolist())
    kept = oks_nms(one, 0.5).id.tolist()
    assert both.id.tolist() == kept + kept


def test_area_is_the_callers_choice() -> None:
    poses = crowd(2, pictures=1)
    assert len(oks_nms(poses, 0.7, area=poses.area * 50)) < len(oks_nms(poses, 0.7))
    with pytest.raises(KpkitError, match="areas for 40 poses"):
        oks_nms(poses, area=np.ones(3))


def test_a_threshold_of_one_keeps_even_copies() -> None:
    poses = crowd(4, people=5, pictures=1)
    assert len(oks_nms(Instances.concat([poses, poses]), 1.0)) == 10


def test_no_one() -> None:
    assert len(oks_nms(Instances.empty())) == 0
    assert len(top_per_image(Instances.empty())) == 0


def test_top_per_image() -> None:
    poses = crowd(3, people=90, pictures=3)
    kept = top_per_image(poses, 20)
    assert np.all(np.diff(kept.id) > 0)
    for image in range(3):
        rows = np.flatnonzero(poses.image_id == image)
        best = rows[np.argsort(-poses.score[rows], kind="stable")[:20]]
        assert sorted(best.tolist()) == kept.id[kept.image_id == image].tolist()
