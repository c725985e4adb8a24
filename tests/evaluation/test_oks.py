"""OKS against pycocotools and against what the formula promises."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.cocoeval import COCOeval

from kpkit.core.errors import KpkitError
from kpkit.core.skeletons import COCO17
from kpkit.evaluation.oks import keypoint_oks, oks, pose_oks

SIGMAS = COCO17.oks_sigmas


def scene(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Truths (some without labelled keypoints, some tiny), boxes, areas, poses near them, scores."""
    rng = np.random.default_rng(seed)
    n, m = rng.integers(1, 7), rng.integers(1, 26)
    origin, size = rng.uniform(0, 500, (n, 1, 2)), rng.uniform(5, 300, (n, 1, 2))
    truth = np.concatenate(
        [np.round(origin + size * rng.random((n, 17, 2))), rng.integers(0, 3, (n, 17, 1))], 2
    )
    truth[rng.random(n) < 0.25, :, 2] = 0
    truth[truth[:, :, 2] == 0, :2] = 0
    box = np.concatenate([origin[:, 0], size[:, 0]], axis=1)
    area = size[:, 0].prod(axis=1) * rng.uniform(0.3, 0.8, n)
    pick = rng.integers(0, n, m)
    poses = origin[pick] + size[pick] * rng.random((m, 17, 2))
    near = rng.random(m) < 0.7
    poses[near] = truth[pick[near], :, :2] + rng.normal(0, 1, (near.sum(), 17, 2)) * size[pick[near]] * 0.05
    score = np.round(rng.random(m), 1)  # ties on purpose
    return truth, box, area, poses, score


@pytest.mark.parametrize("seed", range(60))
def test_equals_pycocotools(seed: int) -> None:
    truth, box, area, poses, score = scene(seed)
    judge = COCOeval(iouType="keypoints")
    judge.params.imgIds, judge.params.catIds = [1], [1]
    judge._gts = {
        (1, 1): [
            {"keypoints": k.reshape(-1).tolist(), "bbox": b.tolist(), "area": a}
            for k, b, a in zip(truth, box, area, strict=True)
        ]
    }
    with_v = np.concatenate([poses, np.ones((*poses.shape[:2], 1))], axis=2)
    judge._dts = {
        (1, 1): [
            {"keypoints": k.reshape(-1).tolist(), "score": s} for k, s in zip(with_v, score, strict=True)
        ]
    }
    order = np.argsort(-score, kind="stable")[:20]
    expected = judge.computeOks(1, 1)
    np.testing.assert_allclose(oks(truth, area, poses[order], SIGMAS, box=box).T, expected, atol=1e-9, rtol=0)


@settings(deadline=None)
@given(st.integers(0, 10_000), st.floats(0.1, 10.0))
def test_scale_and_range(seed: int, factor: float) -> None:
    truth, box, area, poses, _ = scene(seed)
    before = oks(truth, area, poses, SIGMAS, box=box)
    assert before.min() >= 0
    assert before.max() <= 1 + 1e-12
    grown = np.concatenate([truth[..., :2] * factor, truth[..., 2:]], axis=2)
    after = oks(grown, area * factor**2, poses * factor, SIGMAS, box=box * factor)
    np.testing.assert_allclose(after, before, atol=1e-9)


@settings(deadline=None)
@given(st.integers(0, 10_000))
def test_own_oks_is_one_and_pose_oks_symmetric(seed: int) -> None:
    truth, box, area, _, _ = scene(seed)
    labelled = (truth[..., 2] > 0).any(axis=1)
    own = np.diag(oks(truth, area, truth[..., :2], SIGMAS, box=box))
    np.testing.assert_allclose(own[labelled], 1, atol=1e-12)
    pairs = pose_oks(truth[:, None], area[:, None], truth[None], area[None], SIGMAS)
    np.testing.assert_allclose(pairs, pairs.T, atol=1e-12)
    np.testing.assert_allclose(np.diag(pairs), 1, atol=1e-12)


def test_only_labelled_keypoints_count() -> None:
    truth = np.zeros((1, 17, 3))
    truth[0, :2, 2] = 2
    pose = np.full((1, 17, 2), 1e4)
    pose[0, 0] = 0
    value = oks(truth, np.array([100.0]), pose, SIGMAS)
    assert value[0, 0] == pytest.approx(0.5)


def test_unlabelled_truth_needs_box() -> None:
    with pytest.raises(KpkitError, match="needs a box"):
        oks(np.zeros((1, 17, 3)), np.ones(1), np.zeros((1, 17, 2)), SIGMAS)
    inside = oks(
        np.zeros((1, 17, 3)), np.ones(1), np.full((1, 17, 2), 19.0), SIGMAS, box=np.array([[0, 0, 10, 10.0]])
    )
    assert inside[0, 0] == 1


@pytest.mark.shared
def test_golden_matrices(shared: Path) -> None:
    stored = np.load(shared / "golden/coco_eval.npz")
    truth = json.loads((shared / "golden/coco_gt.json").read_text())["annotations"]
    found = json.loads((shared / "golden/coco_dt.json").read_text())
    seen = 0
    for name in (n for n in stored if n.startswith("oks_")):
        image = int(name[4:])
        people = [t for t in truth if t["image_id"] == image]
        poses = sorted((d for d in found if d["image_id"] == image), key=lambda d: -d["score"])[:20]
        value = oks(
            np.array([t["keypoints"] for t in people], float).reshape(-1, 17, 3),
            np.array([t["area"] for t in people]),
            np.array([d["keypoints"] for d in poses], float).reshape(-1, 17, 3),
            SIGMAS,
            box=np.array([t["bbox"] for t in people], float),
        )
        np.testing.assert_allclose(value.T, stored[name], atol=1e-12, rtol=0)
        seen += 1
    assert seen > 30


def test_a_keypoint_s_share_of_the_oks() -> None:
    rng = np.random.default_rng(0)
    a, b, area = rng.uniform(0, 30, (5, 17, 2)), rng.uniform(0, 30, (5, 17, 2)), rng.uniform(50, 900, 5)
    shares = keypoint_oks(a, b, area, SIGMAS)
    np.testing.assert_allclose(shares.mean(axis=1), pose_oks(a, area, b, area, SIGMAS))
    one = np.zeros((5, 17, 3))
    one[:, 4, :2], one[:, 4, 2] = a[:, 4], 2
    np.testing.assert_allclose(shares[:, 4], np.diag(oks(one, area, b, SIGMAS)))
