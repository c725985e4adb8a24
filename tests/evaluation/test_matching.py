"""Every precision and recall against pycocotools; both ways of computing; parts and draws of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kpkit.core.errors import InputError, KpkitError
from kpkit.core.instances import Instances
from kpkit.evaluation import curves, matching, pairs
from kpkit.evaluation.ap import judge
from kpkit.evaluation.matching import Matches, match
from kpkit.evaluation.rules import COCO, FIGURES, Area, Rules

from .oracle import OTHER_SIGMAS, pycocotools, scene

OTHER_RULES = Rules(
    thresholds=(0.1, 0.5, 0.75, 1.0),
    areas=(Area("", 0, 1e10), Area("S", 0, 32**2), Area("XL", 20_000, 1e10)),
    max_poses=5,
    recalls=(0.0, 0.3, 0.5, 1.0),
)


@pytest.fixture(params=["compiled", "plain"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Small scenes run through plain numpy of their own accord; here each way is forced."""
    for module in (pairs, matching, curves):
        monkeypatch.setattr(module, "use_compiled", lambda work: request.param == "compiled")
    return str(request.param)


def same_everywhere(
    found: Matches,
    truth: Instances,
    poses: Instances,
    images: np.ndarray,
    rules: Rules = COCO,
    counted: np.ndarray | None = None,
) -> None:
    ours = found.curves()
    precision, recall = pycocotools(truth, poses, images, rules, counted)
    np.testing.assert_allclose(ours.precision, precision, atol=1e-12, rtol=0)
    np.testing.assert_allclose(ours.recall, recall, atol=1e-12, rtol=0)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("seed", range(20))
def test_every_entry_equals_pycocotools(seed: int) -> None:
    truth, poses, images = scene(seed)
    same_everywhere(match(truth, poses, images), truth, poses, images)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("seed", range(6))
def test_other_sigmas_areas_thresholds_recalls_and_numbers_of_poses(seed: int) -> None:
    truth, poses, images = scene(seed, skeleton=OTHER_SIGMAS)
    same_everywhere(match(truth, poses, images, rules=OTHER_RULES), truth, poses, images, OTHER_RULES)


def test_scenes_hold_every_hard_case() -> None:
    """What the random scenes are trusted to cover is in them."""
    ties = crowds = blanks = full = ignored = empty = 0
    for seed in range(20):
        truth, poses, images = scene(seed)
        found = match(truth, poses, images)
        ties += len(poses) - len(np.unique(np.stack([poses.image_id, poses.score]), axis=1).T)
        crowds += int((found.partner >= 0)[:, :, :].any() and truth.crowd[found.partner[0, 0]].any())
        blanks += int((truth.num_labelled[found.partner[0, 0][found.partner[0, 0] >= 0]] == 0).any())
        full += int((np.bincount(found.picture) == 20).any())
        ignored += int((found.outcome == curves.IGNORED).any())
        empty += len(np.setdiff1d(images, truth.image_id))
    assert min(ties, crowds, blanks, full, ignored, empty) > 0


@pytest.mark.shared
def test_golden_curves(shared: Path) -> None:
    stored = np.load(shared / "golden/coco_eval.npz")
    found = judge(shared / "golden/coco_gt.json", shared / "golden/coco_dt.json").matches().curves()
    np.testing.assert_allclose(found.precision, stored["precision"].transpose(2, 0, 1), atol=1e-12)
    np.testing.assert_allclose(found.recall, stored["recall"].T, atol=1e-12)
    assert list(found.figures()) == list(FIGURES)
    np.testing.assert_allclose(list(found.figures().values()), stored["stats"], atol=1e-12)


REAL = [
    ("coco/annotations/person_keypoints_val2014_100.json",
     "coco/results/person_keypoints_val2014_fakekeypoints100_results.json"),
    ("coco/annotations/wholebody_example_gt.json", "coco/results/wholebody_example_keypoints_results.json"),
    ("other/litehrnet18_1000/gt.json.gz", "other/litehrnet18_1000/result_keypoints.json.gz"),
]  # fmt: skip


@pytest.mark.shared
@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(("truth", "results"), REAL, ids=["fakekeypoints", "wholebody", "litehrnet"])
def test_real_pairs(truth: str, results: str, shared: Path) -> None:
    inputs = judge(shared / "real" / truth, shared / "real" / results)
    same_everywhere(inputs.matches(), inputs.truth, inputs.poses, inputs.image_id)


def test_both_ways_are_bit_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for compiled in (True, False):
        for module in (pairs, matching, curves):
            monkeypatch.setattr(module, "use_compiled", lambda work, compiled=compiled: compiled)
        truth, poses, images = scene(7, pictures=60)
        matches = match(truth, poses, images)
        similarity = pairs.compare(truth, poses, images, most=20).similarity
        found.append((similarity, matches.partner, matches.outcome, matches.curves().precision))
    for a, b in zip(*found, strict=True):
        assert (a == b).all()


@pytest.mark.parametrize("seed", range(5))
def test_a_subset_is_those_pictures_alone(seed: int) -> None:
    truth, poses, images = scene(seed)
    found = match(truth, poses, images)
    part = np.random.default_rng(seed).permutation(images)[:7]
    alone = match(truth, poses, part)
    subset = found.subset(part)
    for name in ("image_id", "picture", "pose", "score", "partner", "outcome", "people"):
        np.testing.assert_array_equal(getattr(subset, name), getattr(alone, name), err_msg=name)
    assert found.figures(np.isin(images, part)) == alone.figures() == subset.figures()


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("seed", range(6))
def test_a_draw_is_its_pictures_several_times(seed: int) -> None:
    """Weights against the same pictures copied under new ids, judged by pycocotools."""
    truth, poses, images = scene(seed)
    rng = np.random.default_rng(seed)
    poses = poses.with_(
        score=rng.permutation(len(poses)) / len(poses)
    )  # ties within a picture would part copies
    weights = rng.multinomial(len(images), np.full(len(images), 1 / len(images)))
    copies: dict[str, list[Instances]] = {"truth": [], "poses": []}
    ids: list[int] = []
    for image, times in zip(images, weights, strict=True):
        for copy in range(times):
            ids.append(int(image) * 100 + copy)
            for name, people in (("truth", truth), ("poses", poses)):
                own = people[people.image_id == image]
                copies[name].append(own.with_(image_id=np.full(len(own), ids[-1])))
    found = match(truth, poses, images).curves(weights)
    precision, recall = pycocotools(
        Instances.concat(copies["truth"]), Instances.concat(copies["poses"]), np.array(ids)
    )
    np.testing.assert_allclose(found.precision, precision, atol=1e-12)
    np.testing.assert_allclose(found.recall, recall, atol=1e-12)


def test_weights_and_pictures_are_checked() -> None:
    truth, poses, images = scene(0)
    found = match(truth, poses, images)
    wrong: list[Any] = [np.ones(3), np.full(len(images), 0.5), np.full(len(images), -1)]
    for weights in wrong:
        with pytest.raises(KpkitError, match="weights"):
            found.figures(weights)
    with pytest.raises(InputError, match="image id -5 is not among"):
        found.subset(np.array([-5]))


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("seed", range(4))
def test_people_left_out_are_ignored_not_missed(seed: int) -> None:
    truth, poses, images = scene(seed)
    kept = np.random.default_rng(seed).random(len(truth)) < 0.5
    found = match(truth, poses, images, counted=kept)
    assert found.people[0].sum() == (kept & ~truth.crowd & (truth.num_labelled > 0)).sum()
    same_everywhere(found, truth, poses, images, counted=kept)


def test_one_perfect_pose_has_every_precision() -> None:
    truth, _, _ = scene(1)
    one = truth[~truth.crowd & (truth.num_labelled > 0) & (truth.area > 96**2)][:1]
    found = match(one, one, one.image_id)
    assert (found.curves().precision[[0, 2]] == pytest.approx(1)) and found.people.tolist() == [[1], [0], [1]]
    assert (found.curves().precision[1] == -1).all()
    assert found.figures()["APM"] == -1 and found.figures()["AP"] == pytest.approx(1)
