"""AP against pycocotools run on the same files, on real and golden pairs, and what is refused."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from kpkit.core.errors import InputError
from kpkit.core.instances import ImageTable, Instances
from kpkit.core.skeletons import AIC14
from kpkit.evaluation.ap import FIGURES, evaluate, per_image_scores


def load(path: Path) -> Any:
    data = path.read_bytes()
    return json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)


def reference(
    truth: dict[str, Any], results: list[dict[str, Any]], images: list[int] | None = None
) -> list[float]:
    """pycocotools as its own documentation runs it."""
    with contextlib.redirect_stdout(io.StringIO()):
        gt = COCO()
        gt.dataset = json.loads(json.dumps(truth))
        gt.createIndex()
        judge = COCOeval(gt, gt.loadRes(json.loads(json.dumps(results))), "keypoints")
        if images is not None:
            judge.params.imgIds = images
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return judge.stats.tolist()


def labels_of(truth: dict[str, Any]) -> tuple[ImageTable, Instances]:
    rows = truth["annotations"]
    table = ImageTable.of([i["id"] for i in truth["images"]], [str(i["id"]) for i in truth["images"]])
    return table, Instances.of(
        [r["image_id"] for r in rows],
        [r["bbox"] for r in rows],
        [np.reshape(r["keypoints"], (-1, 3)) for r in rows],
        area=[r["area"] for r in rows],
        crowd=[r["iscrowd"] for r in rows],
        id=[r["id"] for r in rows],
    )


def poses_of(results: list[dict[str, Any]]) -> Instances:
    return Instances.of(
        [r["image_id"] for r in results],
        np.zeros((len(results), 4)),
        [np.reshape(r["keypoints"], (-1, 3)) for r in results],
        score=[r["score"] for r in results],
        source="P",
    )


def random_scene(seed: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Pictures with and without people, crowds, people without labels, ties, more than 20 poses."""
    rng = np.random.default_rng(seed)
    images = [{"id": int(i)} for i in rng.permutation(50)[: rng.integers(2, 9)]]
    people, poses = [], []
    for image in images:
        for _ in range(rng.integers(0, 6)):
            low, size = rng.uniform(0, 400, 2), rng.uniform(20, 260, 2)
            points = np.concatenate(
                [np.round(low + size * rng.random((17, 2))), rng.integers(0, 3, (17, 1))], 1
            )
            if rng.random() < 0.2:
                points[:] = 0
            points[points[:, 2] == 0] = 0
            people.append(
                {
                    "id": len(people) + 1, "image_id": image["id"], "category_id": 1,
                    "iscrowd": int(rng.random() < 0.15), "num_keypoints": int((points[:, 2] > 0).sum()),
                    "bbox": [*low, *size], "area": float(size.prod() * 0.5),
                    "keypoints": points.ravel().tolist(),
                }
            )  # fmt: skip
            for _ in range(rng.integers(0, 8)):
                moved = points.copy()
                moved[:, :2] += rng.normal(0, rng.uniform(0.2, 12), (17, 2))
                moved[:, 2] = 1
                poses.append(
                    {
                        "image_id": image["id"], "category_id": 1, "keypoints": moved.ravel().tolist(),
                        "score": float(np.round(rng.random(), 2)),
                    }
                )  # fmt: skip
    if not poses:
        poses = [{"image_id": images[0]["id"], "category_id": 1, "keypoints": list(range(51)), "score": 0.5}]
    order = rng.permutation(len(poses))
    return {"images": images, "annotations": people, "categories": [{"id": 1, "name": "person"}]}, [
        poses[i] for i in order
    ]


@pytest.mark.parametrize("seed", range(25))
def test_equals_pycocotools_on_random_scenes(seed: int) -> None:
    truth, results = random_scene(seed)
    table, labels = labels_of(truth)
    ours = evaluate(labels, poses_of(results), images=table)
    assert list(ours) == list(FIGURES)
    np.testing.assert_allclose(list(ours.values()), reference(truth, results), atol=1e-12)


PAIRS = {
    "fakekeypoints": (
        "coco/annotations/person_keypoints_val2014_100.json",
        "coco/results/person_keypoints_val2014_fakekeypoints100_results.json",
        [0.372, 0.636, 0.348, 0.384, 0.386, 0.514, 0.734, 0.504, 0.508, 0.522],
    ),
    "wholebody": (
        "coco/annotations/wholebody_example_gt.json",
        "coco/results/wholebody_example_keypoints_results.json",
        [0.854, 1.000, 0.935, 0.777, 0.923, 0.896, 1.000, 0.958, 0.827, 0.954],
    ),
    "litehrnet": (
        "other/litehrnet18_1000/gt.json.gz",
        "other/litehrnet18_1000/result_keypoints.json.gz",
        [0.827, 0.967, 0.912, -1, 0.830, 0.863, 0.979, 0.932, -1, 0.867],
    ),
}  # fmt: skip


@pytest.mark.shared
@pytest.mark.parametrize("name", PAIRS)
def test_real_pairs(name: str, shared: Path) -> None:
    truth_file, results_file, published = PAIRS[name]
    truth_file, results_file = shared / "real" / truth_file, shared / "real" / results_file
    ours = list(evaluate(truth_file, results_file).values())
    np.testing.assert_allclose(ours, published, atol=5e-4)
    np.testing.assert_allclose(ours, reference(load(truth_file), load(results_file)), atol=1e-12)


@pytest.mark.shared
def test_golden_pair(shared: Path) -> None:
    stats = np.load(shared / "golden/coco_eval.npz")["stats"]
    ours = evaluate(shared / "golden/coco_gt.json", shared / "golden/coco_dt.json")
    np.testing.assert_allclose(list(ours.values()), stats, atol=1e-12)


@pytest.mark.shared
def test_a_part_of_the_pictures(shared: Path) -> None:
    """The bundle's second figure: only the 47 pictures that have results."""
    truth = load(shared / "real" / PAIRS["fakekeypoints"][0])
    results = load(shared / "real" / PAIRS["fakekeypoints"][1])
    ids = sorted({r["image_id"] for r in results})
    table, labels = labels_of(truth)
    part = table[np.isin(table.id, ids)]
    ours = evaluate(labels, poses_of(results), images=part)
    expected = [0.377, 0.645, 0.355, 0.389, 0.392, 0.522, 0.745, 0.511, 0.515, 0.530]
    np.testing.assert_allclose(list(ours.values()), expected, atol=5e-4)
    half = table[np.isin(table.id, ids[:20])]
    with pytest.raises(InputError, match="not in the truth"):
        evaluate(labels, poses_of(results), images=half)
    ours = evaluate(labels, poses_of(results), images=half, only_truth_images=True)
    np.testing.assert_allclose(list(ours.values()), reference(truth, results, ids[:20]), atol=1e-12)


def small() -> tuple[Instances, Instances]:
    truth, results = random_scene(3)
    return labels_of(truth)[1], poses_of(results)


def test_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    evaluate(*small())
    assert capsys.readouterr().out == ""


def test_no_results_score_zero_and_no_truth_minus_one() -> None:
    truth, _ = small()
    figures = evaluate(truth, Instances.empty())
    assert figures["AP"] == figures["AR50"] == 0
    assert set(evaluate(Instances.empty(), Instances.empty()).values()) == {-1.0}


def test_unpunished_without_the_image_list_and_punished_with_it() -> None:
    """A pose on a picture without people is a false positive only where the picture is listed."""
    truth, _ = small()
    truth = truth[~truth.crowd & (truth.num_labelled > 0)]
    ghost = Instances.of([999], np.zeros((1, 4)), np.arange(51.0).reshape(1, 17, 3), score=[2.0])
    poses = Instances.concat([truth.with_(score=np.linspace(0.4, 0.5, len(truth))), ghost])
    with pytest.raises(InputError, match=r"image id 999 is not in the truth \(1 of"):
        evaluate(truth, poses)
    assert evaluate(truth, poses, only_truth_images=True)["AP"] == pytest.approx(1)
    table = ImageTable.of([*np.unique(truth.image_id), 999], ["x"] * (len(np.unique(truth.image_id)) + 1))
    assert evaluate(truth, poses, images=table)["AP"] < 0.99


def test_silent_failures_of_pycocotools_are_refused() -> None:
    truth, poses = small()
    broken = poses.keypoints.copy()
    broken[4, 3, 0] = np.nan
    with pytest.raises(InputError, match=f"row 4: a keypoint is NaN or infinite .image {poses.image_id[4]}"):
        evaluate(truth, poses.with_(keypoints=broken))
    score = poses.score.copy()
    score[2] = np.inf
    with pytest.raises(InputError, match="row 2: the score is NaN"):
        evaluate(truth, poses.with_(score=score))
    with pytest.raises(
        InputError, match=f"row {len(poses)}: image .* already in row 0 .{len(poses)} such rows"
    ):
        evaluate(truth, Instances.concat([poses, poses]))
    with pytest.raises(InputError, match=r"14 keypoints \(aic14\), the truth 17"):
        evaluate(truth, poses.speaking(AIC14))
    area = truth.area.copy()
    area[1] = np.nan
    with pytest.raises(InputError, match="row 1: a value is NaN"):
        evaluate(truth.with_(area=area), poses)


def test_area_and_box_of_results_play_no_part() -> None:
    truth, poses = small()
    other = poses.with_(area=np.full(len(poses), 7.0), box=np.ones((len(poses), 4)))
    assert evaluate(truth, poses) == evaluate(truth, other)


def test_per_image_scores() -> None:
    truth, _ = small()
    truth = truth[~truth.crowd & (truth.num_labelled > 0)]
    assert len(truth) >= 2
    scores = per_image_scores(truth, truth)
    np.testing.assert_allclose(scores["oks"], 1)
    assert scores["people"].sum() == len(truth)
    hit = truth[:1]
    table = ImageTable.of([*np.unique(truth.image_id), 999], ["x"] * (len(np.unique(truth.image_id)) + 1))
    scores = per_image_scores(truth, hit, images=table)
    row = int(np.flatnonzero(scores["image_id"] == hit.image_id[0])[0])
    assert scores["oks"][row] >= 1 / scores["people"][row] - 1e-12
    assert np.isnan(scores["oks"][-1])
    others = (scores["people"] > 0) & (np.arange(len(table)) != row)
    assert (scores["oks"][others] == 0).all()


def test_per_image_scores_see_twenty_poses() -> None:
    truth, _ = small()
    truth = truth[~truth.crowd & (truth.num_labelled > 0)][:1]
    far = Instances.concat([truth.with_(keypoints=truth.keypoints + 5000.0 + k) for k in range(20)])
    for above, expected in ((19, 1.0), (20, 0.0)):
        poses = Instances.concat([truth.with_(score=np.array([0.1])), far[:above]])
        assert per_image_scores(truth, poses)["oks"][0] == pytest.approx(expected)


def test_imports_stay_light() -> None:
    code = "import kpkit.evaluation.ap, sys; print([m for m in ('torch', 'ray', 'cv2') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
