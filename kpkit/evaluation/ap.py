"""Average precision of poses: the ten COCO figures from pycocotools, on guarded inputs, without prints."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from kpkit.core.instances import ImageTable, Instances
from kpkit.evaluation.guard import guard_images, guard_results, guard_truth
from kpkit.evaluation.oks import oks

FIGURES = ("AP", "AP50", "AP75", "APM", "APL", "AR", "AR50", "AR75", "ARM", "ARL")
"""The ten figures, in the order pycocotools gives them. M and L: people of medium and large area."""

MAX_POSES = 20
"""COCO judges the 20 highest-scoring poses of a picture."""


def evaluate(
    truth: Instances | str | Path,
    results: Instances | str | Path,
    *,
    images: ImageTable | None = None,
    only_truth_images: bool = False,
) -> dict[str, float]:
    """Judge poses against labels as the COCO server does.

    The boxes and areas of results are taken from their keypoints (all of them, labelled or not), as
    pycocotools does when it loads a file; ``results.box`` and ``results.area`` play no part. People
    without labelled keypoints and crowd regions are ignored: poses on them neither help nor harm.

    Args:
        truth: labels, or a COCO annotation file.
        results: poses, or a COCO results file.
        images: the pictures judged. Default: those of the annotation file, or, when ``truth`` is
            Instances, those with at least one row in it; then poses on pictures without any person go
            unpunished unless ``images`` names these pictures. Labels of other pictures are left out.
        only_truth_images: leave out results for pictures that are not judged, instead of refusing them
            (test-challenge is judged on a part of test2017).

    Returns:
        FIGURES to 0..1; -1 where the truth holds no person of that size, as pycocotools says it.
        Without any result all others are 0.

    Raises:
        InputError: a NaN or infinite value, another keypoint count than the truth's, the same pose
            twice in a picture, a result for a picture that is not judged, or an unreadable file.
    """
    judged, labels = _read_truth(truth, images)
    poses = _read_results(results)
    results_file = None if isinstance(results, Instances) else results
    guard_results(poses, labels, results_file)
    if only_truth_images:
        poses = poses[np.isin(poses.image_id, judged)]
    else:
        guard_images(poses, judged, results_file)
    return dict(zip(FIGURES, _coco_stats(judged, labels, poses), strict=True))


def per_image_scores(
    truth: Instances, results: Instances, *, images: ImageTable | None = None
) -> dict[str, np.ndarray]:
    """How well each picture went, to find the best and the worst of them.

    A person's score is its best OKS with any of the picture's 20 highest-scoring poses (0 without one).
    People without labelled keypoints and crowd regions do not count.

    Args:
        truth: labels.
        results: poses.
        images: the pictures to report. Default: those with a row in ``truth``.

    Returns:
        Arrays of one length, ready for a table: ``image_id`` int64 rising, ``oks`` the mean over the
        picture's people (NaN where it has none to judge), ``people`` and ``poses`` their numbers.
    """
    image_id, labels = _read_truth(truth, images)
    guard_results(results, labels, None)
    labels = labels[~labels.crowd & (labels.num_labelled > 0)]
    labels = labels[np.argsort(labels.image_id, kind="stable")]
    poses = results[np.lexsort((-results.score, results.image_id))]
    label_from, label_to = (np.searchsorted(labels.image_id, image_id, side=s) for s in ("left", "right"))
    pose_from, pose_to = (np.searchsorted(poses.image_id, image_id, side=s) for s in ("left", "right"))
    mean = np.full(len(image_id), np.nan)
    for row in np.flatnonzero(label_to > label_from):
        people = labels[label_from[row] : label_to[row]]
        found = poses.keypoints[pose_from[row] : min(pose_to[row], pose_from[row] + MAX_POSES)]
        similar = oks(people.keypoints, people.area, found, labels.skeleton.oks_sigmas)
        mean[row] = similar.max(axis=1, initial=0.0).mean()
    return {
        "image_id": image_id,
        "oks": mean,
        "people": label_to - label_from,
        "poses": pose_to - pose_from,
    }


def _read_truth(truth: Instances | str | Path, images: ImageTable | None) -> tuple[np.ndarray, Instances]:
    """Ids of the judged pictures, rising, and the labels on them."""
    if isinstance(truth, Instances):
        labels, listed = truth, truth.image_id
    else:
        from kpkit.data.coco import read_annotations

        table, labels = read_annotations(truth)
        listed = table.id
    guard_truth(labels, None if isinstance(truth, Instances) else truth)
    judged = np.unique(listed if images is None else images.id)
    return judged, labels[np.isin(labels.image_id, judged)]


def _read_results(results: Instances | str | Path) -> Instances:
    if isinstance(results, Instances):
        return results
    from kpkit.data.results import read_results

    return read_results(results)


def _coco_stats(judged: np.ndarray, truth: Instances, poses: Instances) -> list[float]:
    """The ten figures from pycocotools."""
    pictures = [{"id": int(i)} for i in judged]
    points = poses.keypoints[:, :, :2]
    # A fold over an empty axis has no value, and there is nothing to fold without poses.
    low = points.min(axis=1) if len(poses) else np.zeros((0, 2))
    size = points.max(axis=1) - low if len(poses) else np.zeros((0, 2))
    ignorable = [
        {"num_keypoints": n, "iscrowd": c}
        for n, c in zip(truth.num_labelled.tolist(), truth.crowd.astype(int).tolist(), strict=True)
    ]
    scores = [{"score": s} for s in poses.score.tolist()]
    with contextlib.redirect_stdout(io.StringIO()):
        judge = COCOeval(
            _coco(pictures, truth, truth.box, truth.area, ignorable),
            _coco(pictures, poses, np.concatenate([low, size], axis=1), size[:, 0] * size[:, 1], scores),
            "keypoints",
        )
        judge.params.kpt_oks_sigmas = np.array(truth.skeleton.oks_sigmas)
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return [float(value) for value in judge.stats]


def _coco(
    pictures: list[dict[str, int]],
    people: Instances,
    box: np.ndarray,
    area: np.ndarray,
    more: list[dict[str, float]],
) -> COCO:
    """A pycocotools data set in memory. Ids count from 1: pycocotools takes a match with id 0 for none."""
    flat = people.keypoints.reshape(len(people), 3 * len(people.skeleton))
    coco = COCO()
    coco.dataset = {
        "images": pictures,
        "categories": [{"id": 1, "name": "person"}],
        "annotations": [
            {"id": row + 1, "image_id": image, "category_id": 1, "keypoints": flat[row], "bbox": b, "area": a}
            | more[row]
            for row, (image, b, a) in enumerate(
                zip(people.image_id.tolist(), box.tolist(), area.tolist(), strict=True)
            )
        ],
    }
    coco.createIndex()
    return coco
