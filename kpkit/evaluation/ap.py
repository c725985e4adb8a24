"""Average precision of poses: the ten COCO figures, equal to pycocotools', on guarded inputs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kpkit.core.instances import ImageTable, Instances
from kpkit.evaluation.guard import guard_images, guard_results, guard_truth
from kpkit.evaluation.matching import Matches, match
from kpkit.evaluation.pairs import compare
from kpkit.evaluation.rules import COCO, FIGURES

__all__ = ["FIGURES", "Judged", "evaluate", "judge", "per_image_scores"]


@dataclass(frozen=True, eq=False)
class Judged:
    """Sound inputs of an evaluation.

    Attributes:
        image_id: (I,) int64, the pictures judged, rising.
        truth: labels on them.
        poses: results on them.
    """

    image_id: np.ndarray
    truth: Instances
    poses: Instances

    def matches(self) -> Matches:
        """Poses matched to people by COCO's rules."""
        return match(self.truth, self.poses, self.image_id)


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
        Without any result all others are 0. Each figure equals pycocotools' to 1e-9.

    Raises:
        InputError: a NaN or infinite value, another keypoint count than the truth's, the same pose
            twice in a picture, a result for a picture that is not judged, or an unreadable file.
    """
    return judge(truth, results, images=images, only_truth_images=only_truth_images).matches().figures()


def judge(
    truth: Instances | str | Path,
    results: Instances | str | Path,
    *,
    images: ImageTable | None = None,
    only_truth_images: bool = False,
    cache: Path | None = None,
) -> Judged:
    """Read and guard the inputs of an evaluation; arguments and errors as ``evaluate``.

    ``cache`` is the folder in which a truth that was read is kept; see data.coco.read_annotations.
    """
    judged, labels = _read_truth(truth, images, cache)
    poses = _read_results(results)
    results_file = None if isinstance(results, Instances) else results
    guard_results(poses, labels, results_file)
    if only_truth_images:
        poses = poses[np.isin(poses.image_id, judged)]
    else:
        guard_images(poses, judged, results_file)
    return Judged(judged, labels, poses)


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
    pairs = compare(labels, results, image_id, most=COCO.max_poses)
    best = np.zeros(len(pairs.people))
    np.maximum.at(best, pairs.places()[0], pairs.similarity)
    people = np.diff(pairs.people_from)
    total = np.bincount(np.repeat(np.arange(len(image_id)), people), best, minlength=len(image_id))
    mean = np.full(len(image_id), np.nan)
    np.divide(total, people, out=mean, where=people > 0)
    order = np.sort(results.image_id)
    number = np.searchsorted(order, image_id, side="right") - np.searchsorted(order, image_id, side="left")
    return {"image_id": image_id, "oks": mean, "people": people, "poses": number}


def _read_truth(
    truth: Instances | str | Path, images: ImageTable | None, cache: Path | None = None
) -> tuple[np.ndarray, Instances]:
    """Ids of the judged pictures, rising, and the labels on them."""
    if isinstance(truth, Instances):
        labels, listed = truth, truth.image_id
    else:
        from kpkit.data.coco import read_annotations

        table, labels = read_annotations(truth, cache=cache)
        listed = table.id
    guard_truth(labels, None if isinstance(truth, Instances) else truth)
    judged = np.unique(listed if images is None else images.id)
    return judged, labels[np.isin(labels.image_id, judged)]


def _read_results(results: Instances | str | Path) -> Instances:
    if isinstance(results, Instances):
        return results
    from kpkit.data.results import read_results

    return read_results(results)
