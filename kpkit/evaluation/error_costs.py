"""What each kind of error costs: the AP that is gained when it is repaired, alone and after those before it.

Ronchi and Perona (ICCV 2017), sections 3 and 4. Repairs of keypoints are those of ``errors.pose_errors``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kpkit.core.instances import Instances
from kpkit.evaluation.errors import INVERSION, JITTER, MISS, REACHED, SWAP, PoseErrors, pose_errors
from kpkit.evaluation.matching import match
from kpkit.evaluation.pairs import compare
from kpkit.evaluation.rules import COCO, Rules

_LOCAL = {"miss": MISS, "swap": SWAP, "inversion": INVERSION, "jitter": JITTER}
FALSE_POSITIVE, FALSE_NEGATIVE = "false positive", "false negative"
ERRORS = (*_LOCAL, "score", FALSE_POSITIVE, FALSE_NEGATIVE)
"""Kinds of error, in the order they are repaired."""
GAINS = ("AP", "AP50", "AP75")
_ALL_SIZES = Rules(areas=COCO.areas[:1])


@dataclass(frozen=True)
class ErrorCost:
    """One kind of error.

    Attributes:
        error: one of ERRORS.
        count: keypoints with it, poses (false positives) or people (false negatives); None for scores.
        gain: GAINS to what repairing it alone adds, -1..1; NaN where nobody is (left) to be found.
        repaired: AP when it and all before it in ERRORS are repaired, 0..1 or NaN likewise.
    """

    error: str
    count: int | None
    gain: dict[str, float]
    repaired: float


def error_costs(
    truth: Instances, poses: Instances, image_id: np.ndarray, errors: PoseErrors | None = None
) -> list[ErrorCost]:
    """Repair each kind of error and count the AP again, over people of every size.

    - miss, swap, inversion, jitter: the keypoints are put where ``pose_errors`` says.
    - score: poses are ranked by ``best_scores``.
    - false positive: the poses ``pose_errors`` finds on the background are left out.
    - false negative: people whom no pose reaches are ignored.

    In the sequence of repairs the last two are looked for again, among poses already mended.

    Args:
        truth, poses, image_id: as ``pose_errors`` takes them.
        errors: what it found; None finds them here.

    Returns:
        One row per kind, in order of ERRORS.
    """
    errors = pose_errors(truth, poses, image_id) if errors is None else errors
    before = _figures(truth, poses, image_id)
    counts = {error: int((errors.kind == kind).sum()) for error, kind in _LOCAL.items()}
    counts |= {FALSE_POSITIVE: int(errors.background.sum()), FALSE_NEGATIVE: int(errors.unreached.sum())}
    repaired, left = poses, errors
    rows = []
    for error in ERRORS:
        alone, counted = _repaired(error, truth, poses, image_id, errors, errors)
        after = _figures(truth, alone, image_id, counted)
        gain = {name: after[name] - before[name] for name in GAINS}
        if error == FALSE_POSITIVE:
            left = pose_errors(truth, repaired, image_id)
        repaired, counted = _repaired(error, truth, repaired, image_id, errors, left)
        ap = _figures(truth, repaired, image_id, counted)["AP"]
        rows.append(ErrorCost(error, counts.get(error), gain, ap))
    return rows


def _repaired(
    error: str,
    truth: Instances,
    poses: Instances,
    image_id: np.ndarray,
    errors: PoseErrors,
    left: PoseErrors,
) -> tuple[Instances, np.ndarray | None]:
    """Poses without one kind of error, and the people that count, None for all.

    Keypoints are wrong as in ``errors``, found on the poses as given; whole poses as in ``left``.
    """
    if error in _LOCAL:
        return _moved(poses, errors.kind == _LOCAL[error], errors.repaired), None
    if error == "score":
        return poses.with_(score=best_scores(truth, poses, image_id)), None
    if error == FALSE_POSITIVE:
        return poses[~left.background], None
    return poses, ~left.unreached


def best_scores(truth: Instances, poses: Instances, image_id: np.ndarray) -> np.ndarray:
    """Scores that rank poses best: each pose's OKS with a person of its own.

    Pose and person with the greatest OKS of all belong together, then those with the greatest among the rest,
    down to .1. Poses without a person rank below all others. In this order the evaluation gives every pose
    its own person, so that at any threshold all that are right come before all that are wrong.

    Returns:
        (M,) in -1..1; -2 for poses that are not judged because 20 of their picture score higher.
    """
    pairs = compare(truth, poses, image_id, most=COCO.max_poses)
    person, pose = pairs.places()
    wanted = (~truth.crowd & (truth.num_labelled > 0))[pairs.people][person]
    best = np.zeros(len(pairs.poses))
    np.maximum.at(best, pose[wanted], pairs.similarity[wanted])
    score = best - 1
    order = np.argsort(-pairs.similarity, kind="stable")
    order = order[(wanted & (pairs.similarity >= REACHED))[order]]
    while len(order):
        firsts = [np.unique(ends[order], return_index=True)[1] for ends in (person, pose)]
        chosen = order[np.intersect1d(firsts[0], firsts[1])]
        score[pose[chosen]] = pairs.similarity[chosen]
        taken = np.isin(person[order], person[chosen]) | np.isin(pose[order], pose[chosen])
        order = order[~taken]
    scores = np.full(len(poses), -2.0)
    scores[pairs.poses] = score
    return scores


def _moved(poses: Instances, which: np.ndarray, points: np.ndarray) -> Instances:
    keypoints = poses.keypoints.copy()
    keypoints[which, :2] = points[which]
    return poses.with_(keypoints=keypoints)


def _figures(
    truth: Instances, poses: Instances, image_id: np.ndarray, counted: np.ndarray | None = None
) -> dict[str, float]:
    figures = match(truth, poses, image_id, rules=_ALL_SIZES, counted=counted).figures()
    return {name: value if value >= 0 else np.nan for name, value in figures.items()}
