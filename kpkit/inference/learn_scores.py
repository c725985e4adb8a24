"""Fitting what a pose's OKS can be expected to be; scikit-learn is imported here and nowhere else for it."""

from __future__ import annotations

import numpy as np

from kpkit.core.errors import InputError
from kpkit.core.instances import Instances
from kpkit.core.seeds import generator
from kpkit.evaluation.curves import IGNORED, RIGHT
from kpkit.evaluation.matching import match
from kpkit.evaluation.pairs import compare
from kpkit.evaluation.rules import Area, Rules
from kpkit.inference.learned_scores import LearnedScores
from kpkit.inference.pose_features import feature_names, pose_features

FOLDS = 5
TREES, LEAF, SAMPLE = 100, 10, 20_000
"""Trees; fewest poses in a leaf, or a twentieth of few poses; most poses a tree is grown on, which bounds
time and size on COCO."""
_MATCHED_IGNORED = (0.1, 0.5)
"""Least OKS with the person a pose is of, and with one who is not judged (COCO ignores poses from .5 on)."""
_EVERYONE = 1 << 30


def expected_oks(poses: Instances, truth: Instances, image_id: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the scores should be: the OKS with the person a pose is the best of, 0 for all other poses.

    A second pose of a person is worth nothing, however good: counted as right it would rank copies high,
    and each would cost precision. Best poses choose first, among the people to be found.

    Args:
        poses, truth: as of ``evaluation.evaluate``.
        image_id: the pictures judged.

    Returns:
        (N,) in 0..1 and (N,) bool: poses to learn from. The others lie on people who are not judged (crowds,
        nobody's keypoints labelled), which says nothing of them, or on no judged picture.
    """
    pairs = compare(truth, poses, np.unique(image_id), most=_EVERYONE)
    person, pose = pairs.places()
    wanted = (~truth.crowd & (truth.num_labelled > 0))[pairs.people][person]
    best = np.zeros(len(pairs.poses))
    np.maximum.at(best, pose[wanted], pairs.similarity[wanted])
    rules = Rules(thresholds=_MATCHED_IGNORED, areas=(Area("", 0.0, np.inf),), max_poses=_EVERYONE)
    found = match(truth, poses[pairs.poses].with_(score=best), image_id, rules=rules)
    right, ignored = found.outcome[0, 0] == RIGHT, found.outcome[0, 1] == IGNORED
    partner = np.full(len(best), -1)
    partner[found.pose] = np.where(right, found.partner[0, 0], -1)
    taught = np.zeros(len(poses), bool)
    taught[pairs.poses[found.pose]] = right | ~ignored
    target = np.zeros(len(poses))
    matched = pairs.people[person] == partner[pose]
    target[pairs.poses[pose[matched]]] = pairs.similarity[matched]
    return target, taught


def learn_scores(
    poses: Instances, truth: Instances, image_id: np.ndarray
) -> tuple[LearnedScores, np.ndarray]:
    """Fit a forest on all poses; and score each pose by forests that saw nothing of its picture.

    Args: as of ``expected_oks``.

    Returns:
        The forest, for other pictures, and (N,) scores out of fold (``FOLDS`` folds of whole pictures, fewer
        where there are fewer pictures), for figures on these.

    Raises:
        InputError: fewer than two pictures have poses to learn from.
    """
    target, taught = expected_oks(poses, truth, image_id)
    pictures = np.unique(poses.image_id[taught])
    if len(pictures) < 2:
        raise InputError(
            f"scores cannot be learned on {len(pictures)} picture(s) with poses",
            remedy='leave scoring at "mean", or name a larger val',
        )
    features = pose_features(poses)
    folds = min(FOLDS, len(pictures))
    place = generator(0, "folds of learned scores").permutation(len(pictures)) % folds
    number = np.minimum(np.searchsorted(pictures, poses.image_id), len(pictures) - 1)
    fold = np.where(pictures[number] == poses.image_id, place[number], 0)
    out_of_fold = np.zeros(len(poses))
    for held_out in range(folds):
        rows = taught & (fold != held_out)
        forest = _grown(features[rows], target[rows], poses)
        out_of_fold[fold == held_out] = forest.predict_features(features[fold == held_out])
    return _grown(features[taught], target[taught], poses), out_of_fold


def _grown(features: np.ndarray, target: np.ndarray, poses: Instances) -> LearnedScores:
    """A random forest as arrays."""
    from sklearn.ensemble import RandomForestRegressor

    forest = RandomForestRegressor(
        TREES,
        min_samples_leaf=max(1, min(LEAF, len(features) // 20)),
        max_features=1 / 3,
        max_samples=min(SAMPLE, len(features)),
        random_state=0,
    )
    forest.fit(features, target)
    trees = [tree.tree_ for tree in forest.estimators_]
    sizes = [tree.node_count for tree in trees]
    roots = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    feature = np.concatenate([np.where(tree.children_left < 0, -1, tree.feature) for tree in trees])
    own = np.arange(len(feature))
    ways = [
        np.concatenate([getattr(tree, side) + root for tree, root in zip(trees, roots, strict=True)])
        for side in ("children_left", "children_right")
    ]
    left, right = (np.where(feature < 0, own, way).astype(np.int32) for way in ways)
    return LearnedScores(
        names=feature_names(poses.skeleton),
        roots=roots.astype(np.int64),
        feature=feature.astype(np.int32),
        threshold=np.concatenate([tree.threshold for tree in trees]),
        left=left,
        right=right,
        value=np.concatenate([tree.value[:, 0, 0] for tree in trees]),
    )
