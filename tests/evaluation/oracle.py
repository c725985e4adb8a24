"""pycocotools on people in memory, and scenes with everything that can go wrong in an evaluation."""

from __future__ import annotations

import contextlib
import io
from dataclasses import replace

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from kpkit.core.instances import Instances
from kpkit.core.skeletons import COCO17, Skeleton
from kpkit.evaluation import rules
from kpkit.evaluation.rules import Rules

OTHER_SIGMAS = replace(COCO17, name="other", oks_sigmas=tuple(np.linspace(0.01, 0.15, 17).tolist()))


def pycocotools(
    truth: Instances,
    poses: Instances,
    images: np.ndarray,
    by: Rules = rules.COCO,
    counted: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Precision (A, T, R) and recall (A, T), by pycocotools called as its demo calls it.

    People who are not ``counted`` say they have no labelled keypoints: it ignores them and compares these all
    the same.
    """
    skeleton = truth.skeleton
    number = truth.num_labelled if counted is None else np.where(counted, truth.num_labelled, 0)
    with contextlib.redirect_stdout(io.StringIO()):
        labels = COCO()
        labels.dataset = {
            "images": [{"id": int(i)} for i in images],
            "categories": [{"id": 1, "name": "person"}],
            "annotations": [
                {
                    "id": row + 1,
                    "image_id": int(truth.image_id[row]),
                    "category_id": 1,
                    "keypoints": truth.keypoints[row].ravel().tolist(),
                    "num_keypoints": int(number[row]),
                    "iscrowd": int(truth.crowd[row]),
                    "bbox": truth.box[row].tolist(),
                    "area": float(truth.area[row]),
                }
                for row in range(len(truth))
            ],
        }
        labels.createIndex()
        results = [
            {
                "image_id": int(poses.image_id[row]),
                "category_id": 1,
                "keypoints": poses.keypoints[row].ravel().tolist(),
                "score": float(poses.score[row]),
            }
            for row in range(len(poses))
        ]
        judge = COCOeval(labels, labels.loadRes(results), "keypoints")
        judge.params.kpt_oks_sigmas = np.array(skeleton.oks_sigmas)
        judge.params.iouThrs = np.array(by.thresholds)
        judge.params.recThrs = np.array(by.recalls)
        judge.params.areaRng = [[area.low, area.high] for area in by.areas]
        judge.params.areaRngLbl = [area.name for area in by.areas]
        judge.params.maxDets = [by.max_poses]
        judge.evaluate()
        judge.accumulate()
    precision, recall = judge.eval["precision"], judge.eval["recall"]
    return precision[:, :, 0, :, 0].transpose(2, 0, 1), recall[:, 0, :, 0].T


def scene(
    seed: int, *, pictures: int = 12, skeleton: Skeleton = COCO17
) -> tuple[Instances, Instances, np.ndarray]:
    """Truth, poses, and all picture ids (some without anybody).

    Crowds, people without labels, people of every size, people labelled twice to the pixel, tied scores,
    poses on nobody, several poses on one person, more than 20 poses a picture, rows in no order.
    """
    rng = np.random.default_rng(seed)
    images = rng.permutation(10 * pictures)[:pictures]
    n = int(rng.integers(1, 5 * pictures))
    low, size = rng.uniform(0, 300, (n, 2)), rng.uniform(8, 260, (n, 1)) * rng.uniform(0.4, 1, (n, 2))
    keypoints = np.zeros((n, 17, 3))
    keypoints[:, :, :2] = np.round(low[:, None] + size[:, None] * rng.random((n, 17, 2)))
    keypoints[:, :, 2] = rng.integers(0, 3, (n, 17))
    keypoints[rng.random(n) < 0.2] = 0
    keypoints[keypoints[:, :, 2] == 0] = 0
    truth = Instances.of(
        rng.choice(images[: max(1, pictures - 3)], n),
        np.concatenate([low, size], axis=1),
        keypoints,
        area=size.prod(axis=1) * rng.uniform(0.4, 1, n),
        crowd=rng.random(n) < 0.1,
        skeleton=skeleton,
    )
    truth = Instances.concat([truth, truth[rng.random(n) < 0.1]])
    source = rng.integers(0, len(truth), int(rng.integers(1, 10 * len(truth))))
    points = truth.keypoints[source] + 0.0
    unlabelled = points[:, :, 2] == 0
    about = truth.box[source, None, :2] + truth.box[source, None, 2:] * rng.random((len(source), 17, 2))
    points[:, :, :2] = np.where(unlabelled[..., None], about, points[:, :, :2])
    spread = (
        np.sqrt(truth.area[source])[:, None, None]
        * rng.choice([0, 0.01, 0.05, 0.1], len(source))[:, None, None]
    )
    points[:, :, :2] += rng.normal(0, 1, points[:, :, :2].shape) * spread
    points[:, :, 2] = 1
    image = truth.image_id[source]
    lost = rng.random(len(source)) < 0.15
    image[lost] = rng.choice(images, lost.sum())
    poses = Instances.of(
        image, np.zeros((len(source), 4)), points, score=np.round(rng.random(len(source)), 1),
        source="P", skeleton=skeleton,
    )  # fmt: skip
    return truth, poses, np.sort(images)
