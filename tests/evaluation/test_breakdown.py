"""Parts of the labels against pycocotools on a truth that holds nothing else, and by construction."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from kpkit.core.instances import Instances
from kpkit.core.skeletons import COCO17
from kpkit.evaluation.ap import judge
from kpkit.evaluation.breakdown import FIGURES, breakdown, max_iou
from kpkit.evaluation.rules import COCO, Rules

from .oracle import pycocotools, scene

ONE = Rules(areas=COCO.areas[:1])


def ap(truth: Instances, poses: Instances, images: np.ndarray) -> float:
    precision = pycocotools(truth, poses, images, ONE)[0]
    return float(precision.mean())


@pytest.mark.parametrize("seed", range(3))
def test_parts_of_labels_are_a_truth_with_these_labels_alone(seed: int) -> None:
    truth, poses, images = scene(seed)
    found = breakdown(truth, poses, images)
    assert [part.name for part in found["keypoints"]] == list(COCO17.keypoints)
    for k in (0, 9):
        keypoints = np.where(np.arange(17)[:, None] == k, truth.keypoints, 0)
        part = found["keypoints"][k]
        assert part.figures["AP"] == pytest.approx(
            ap(truth.with_(keypoints=keypoints), poses, images), abs=1e-9
        )
        judged = ~truth.crowd & (truth.keypoints[:, k, 2] > 0)
        assert part.people == part.labels == judged.sum()
    for part, code in zip(found["visibility"], (2, 1), strict=True):
        keypoints = np.where(truth.keypoints[:, :, 2:] == code, truth.keypoints, 0)
        assert part.figures["AP"] == pytest.approx(
            ap(truth.with_(keypoints=keypoints), poses, images), abs=1e-9
        )
        assert part.labels == (truth.keypoints[~truth.crowd][:, :, 2] == code).sum()
        assert list(part.figures) == list(FIGURES)


@pytest.mark.parametrize("seed", range(3))
def test_groups_hold_everybody_once(seed: int) -> None:
    """Every person is in one group, and is counted there alone."""
    truth, poses, images = scene(seed)
    found = breakdown(truth, poses, images)["labelled"]
    assert [part.name for part in found] == ["1 to 5", "6 to 10", "11 to 15", "16 to 17"]
    wanted = ~truth.crowd & (truth.num_labelled > 0)
    assert sum(part.people for part in found) == wanted.sum()
    for part, low, high in zip(found, (1, 6, 11, 16), (5, 10, 15, 17), strict=True):
        chosen = wanted & (truth.num_labelled >= low) & (truth.num_labelled <= high)
        assert part.people == chosen.sum() and part.labels == truth.num_labelled[chosen].sum()
        if not part.people:
            assert part.figures["AP"] == -1 and np.isnan(part.oks)


def test_a_group_found_whole_is_perfect_whatever_happens_to_the_others() -> None:
    truth, _, images = scene(2)
    truth = truth[~truth.crowd & (truth.num_labelled > 0)]
    truth = truth[np.unique(truth.keypoints.reshape(len(truth), -1), axis=0, return_index=True)[1]]
    many = truth.num_labelled > 10
    poses = truth[many].with_(score=np.linspace(0.5, 1, many.sum()))
    found = breakdown(truth, poses, images)["labelled"]
    for part, perfect in zip(found, (0, 0, 1, 1), strict=True):
        if part.people:
            assert part.figures["AP"] == pytest.approx(perfect)
            assert part.oks == pytest.approx(1) if perfect else np.isnan(part.oks)


def test_max_iou_and_ochuman_s_splits() -> None:
    """Boxes beside each other with overlaps known by construction."""
    box = [[0, 0, 10, 10], [0, 0, 10, 6], [0, 0, 10, 8], [50, 0, 10, 10], [50, 0, 10, 10], [0, 0, 10, 10]]
    people = Instances.of([1, 1, 1, 1, 1, 2], box, crowd=[0, 0, 0, 0, 1, 0])
    np.testing.assert_allclose(max_iou(people), [0.8, 0.75, 0.8, 0, 1, 0])
    assert len(max_iou(Instances.empty())) == 0
    keypoints = np.concatenate(
        [np.random.default_rng(0).uniform(0, 300, (6, 17, 2)), np.full((6, 17, 1), 2)], 2
    )
    truth = people.with_(keypoints=keypoints)
    low, moderate, hard = breakdown(truth, truth, np.array([1, 2]))["overlap"]
    assert (low.people, moderate.people, hard.people) == (2, 0, 3)
    assert hard.figures["AP"] == pytest.approx(1)
    assert "moderate" in moderate.name and "hard" in hard.name


@pytest.mark.shared
def test_ochuman_s_people_overlap(shared: Path) -> None:
    """OCHuman holds people of MaxIoU above .5; in the sample all whose neighbour is labelled too."""
    rows = json.loads((shared / "real/other/ochuman/test_ochuman.json").read_text())["annotations"]
    image = np.array([r["image_id"] for r in rows])
    overlap = max_iou(Instances.of(image, [r["bbox"] for r in rows]))
    accompanied = np.bincount(image)[image] > 1
    assert (
        accompanied.sum() == 4 and (overlap[accompanied] > 0.5).all() and (overlap[~accompanied] == 0).all()
    )


@pytest.mark.shared
def test_real_pair(shared: Path) -> None:
    coco = shared / "real/coco"
    inputs = judge(
        coco / "annotations/person_keypoints_val2014_100.json",
        coco / "results/person_keypoints_val2014_fakekeypoints100_results.json",
    )
    found = breakdown(inputs.truth, inputs.poses, inputs.image_id)
    wanted = inputs.truth[~inputs.truth.crowd]
    assert sum(part.labels for part in found["keypoints"]) == wanted.num_labelled.sum()
    assert sum(part.people for part in found["overlap"]) == (wanted.num_labelled > 0).sum() == 139
    assert all(0 < part.oks < 1 for part in found["keypoints"])


def test_nobody() -> None:
    truth, poses, images = scene(0)
    found = breakdown(Instances.empty(), poses, images)
    assert all(part.people == 0 and part.figures["AP"] == -1 for parts in found.values() for part in parts)
    assert breakdown(truth, Instances.empty(), images)["visibility"][0].figures["AP"] == 0
