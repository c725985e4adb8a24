"""OKS-NMS, soft OKS-NMS and fusion against the peers' kept rows and plain loops, compiled and in numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpkit.core import compiled
from kpkit.core.errors import KpkitError
from kpkit.core.instances import Instances
from kpkit.core.skeletons import COCO17
from kpkit.evaluation.oks import pose_oks
from kpkit.inference.nms import fuse_suppressed, oks_nms, soft_oks_nms, top_per_image

WAYS = ("compiled", "numpy")


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each test runs with the compiled kernels and with their twins."""
    if request.param == "numpy":
        monkeypatch.setattr(compiled, "available", lambda: False)
    elif not compiled.available():
        pytest.skip("numba does not import here")
    return str(request.param)


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


def greedy_soft(poses: Instances, threshold: float, decay: str, keep: int) -> tuple[list[int], list[float]]:
    """Soft suppression in its plainest form: selected rows and their scores."""
    rows: list[int] = []
    scores: list[float] = []
    for image in np.unique(poses.image_id):
        left = {int(row): float(poses.score[row]) for row in np.flatnonzero(poses.image_id == image)}
        for _ in range(min(keep, len(left))):
            best = max(left, key=lambda row: (left[row], -row))
            rows.append(best)
            scores.append(left.pop(best))
            for row in left:
                a, b = poses[[best]], poses[[row]]
                o = float(pose_oks(a.keypoints, a.area, b.keypoints, b.area, COCO17.oks_sigmas)[0])
                if decay == "gaussian":
                    left[row] *= np.exp(-(o**2) / threshold)
                elif o >= threshold:
                    left[row] *= 1 - o
    return rows, scores


@pytest.fixture
def golden(shared: Path) -> tuple[Instances, dict[str, np.ndarray]]:
    """The poses the peers were run on, and what they kept."""
    stored = dict(np.load(shared / "golden/oks_nms.npz"))
    n = len(stored["scores"])
    poses = Instances.of(
        np.zeros(n, int), np.zeros((n, 4)), stored["poses"],
        score=stored["scores"], area=stored["areas"], id=np.arange(n),
    )  # fmt: skip
    return poses, stored


@pytest.mark.shared
@pytest.mark.parametrize("threshold", ["0.5", "0.7", "0.9"])
def test_golden(threshold: str, golden: tuple[Instances, dict[str, np.ndarray]], way: str) -> None:
    poses, stored = golden
    assert oks_nms(poses, float(threshold)).id.tolist() == stored[f"keep_{threshold}"].tolist()
    soft = soft_oks_nms(poses, float(threshold))
    assert soft.id.tolist() == stored[f"soft_keep_{threshold}"].tolist()
    assert np.all(np.diff(soft.score) <= 0)
    pairs = pose_oks(
        poses.keypoints[:, None],
        poses.area[:, None],
        poses.keypoints[None],
        poses.area[None],
        COCO17.oks_sigmas,
    )
    np.testing.assert_allclose(pairs, stored["oks_matrix"], atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.3, 0.5, 0.7, 0.9]), st.sampled_from(WAYS))
def test_equals_greedy_and_is_idempotent(seed: int, threshold: float, way: str) -> None:
    poses = crowd(seed)
    with pytest.MonkeyPatch.context() as patch:
        if way == "numpy":
            patch.setattr(compiled, "available", lambda: False)
        once = oks_nms(poses, threshold)
        assert once.id.tolist() == greedy(poses, threshold)
        assert oks_nms(once, threshold).id.tolist() == once.id.tolist()


@pytest.mark.parametrize("threshold", [0.3, 0.9])
@pytest.mark.parametrize("decay", ["linear", "gaussian"])
def test_soft_equals_a_plain_loop(decay: str, threshold: float, way: str) -> None:
    for seed in range(4):
        poses = crowd(seed, people=50)
        poses = poses.with_(score=poses.score + 0.001 * np.arange(50))  # no ties: decays differ in last bits
        rows, scores = greedy_soft(poses, threshold, decay, keep=9)
        soft = soft_oks_nms(poses, threshold, decay=decay, keep=9)  # type: ignore[arg-type]
        assert soft.id.tolist() == rows
        np.testing.assert_allclose(soft.score, scores, rtol=1e-12)
        assert threshold == 0.9 or (soft.score < poses.score[rows]).any()


def test_a_gaussian_decay_needs_a_divisor() -> None:
    with pytest.raises(KpkitError, match="above 0"):
        soft_oks_nms(crowd(1), 0.0)


def test_fused_poses_are_means_weighted_by_oks(way: str) -> None:
    for seed in range(4):
        poses = crowd(seed)
        kept, fused = oks_nms(poses, 0.6), fuse_suppressed(poses, 0.6)
        assert fused.id.tolist() == kept.id.tolist()
        np.testing.assert_array_equal(fused.score, kept.score)
        groups: dict[int, list[int]] = {int(row): [] for row in kept.id}
        for row in np.lexsort((-poses.score, poses.image_id)).tolist():
            one = poses[[row]]
            mine = kept[kept.image_id == one.image_id[0]]
            alike = pose_oks(mine.keypoints, mine.area, one.keypoints, one.area, COCO17.oks_sigmas)
            better = np.flatnonzero(alike > 0.6)
            groups[row if row in groups else int(mine.id[better[0]])].append(row)
        assert max(map(len, groups.values())) > 1
        for place, (head, rows) in enumerate(groups.items()):
            a, b = poses[[head]], poses[rows]
            weight = pose_oks(a.keypoints, a.area, b.keypoints, b.area, COCO17.oks_sigmas)
            wanted = np.average(b.keypoints, axis=0, weights=weight)
            np.testing.assert_allclose(fused.keypoints[place], wanted, rtol=1e-12)


def test_pictures_do_not_touch_each_other(way: str) -> None:
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


def test_a_threshold_of_one_keeps_even_copies(way: str) -> None:
    poses = crowd(4, people=5, pictures=1)
    assert len(oks_nms(Instances.concat([poses, poses]), 1.0)) == 10


def test_no_one(way: str) -> None:
    for rule in (oks_nms, soft_oks_nms, fuse_suppressed):
        assert len(rule(Instances.empty())) == 0
    assert len(top_per_image(Instances.empty())) == 0


def test_top_per_image() -> None:
    poses = crowd(3, people=90, pictures=3)
    kept = top_per_image(poses, 20)
    assert np.all(np.diff(kept.id) > 0)
    for image in range(3):
        rows = np.flatnonzero(poses.image_id == image)
        best = rows[np.argsort(-poses.score[rows], kind="stable")[:20]]
        assert sorted(best.tolist()) == kept.id[kept.image_id == image].tolist()
