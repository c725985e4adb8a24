"""An ensemble's figures on a labelled data set, and the scores it learns there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kpkit.core.instances import Instances
from kpkit.data.load import LoadedDataset
from kpkit.evaluation.ap import judge
from kpkit.evaluation.bootstrap import difference_intervals, resample
from kpkit.evaluation.matching import Matches
from kpkit.inference.finish import distinct_poses, finish_poses
from kpkit.inference.learn_scores import learn_scores
from kpkit.specs.poses import PosesSpec

SCORES = "scores.npz"
"""What an ensemble that learned scores keeps on its val set, for its other data sets."""


def judge_ensemble(
    poses: Instances, members: Mapping[str, Instances], truth: LoadedDataset, spec: PosesSpec, work: Path
) -> dict[str, Any]:
    """Figures of an ensemble and its members, for the manifest.

    Members are ranked by mean scores, always. With learned scores the ensemble's figures are of scores out of
    fold: no pose is ranked by a forest that saw a pose of its picture. Beside them stand the figures by mean
    scores and the difference with its interval; the forest fitted on all of ``poses`` is kept in ``work``.

    Args:
        poses, members: before scoring and NMS.
        truth: labels and judged pictures.
        spec: the rules.
        work: the artefact's folder.
    """
    plain = spec.model_copy(update={"scoring": "mean"})

    def matched(found: Instances) -> Matches:
        return judge(truth.people, found, images=truth.images).matches()

    by_mean = matched(finish_poses(poses, plain))
    metrics: dict[str, Any] = {"ensemble": by_mean.figures()}
    if spec.scoring == "learned":
        forest, out_of_fold = learn_scores(poses, truth.people, truth.images.id)
        forest.write(work / SCORES)
        learned = matched(distinct_poses(poses.with_(score=out_of_fold), spec))
        metrics = {"ensemble": learned.figures(), "mean_score": by_mean.figures()}
        drawn = resample([learned, by_mean])
        gain = difference_intervals(metrics["ensemble"], metrics["mean_score"], drawn)
        metrics["learned_gain"] = gain["AP"].as_dict()
    metrics["members"] = {
        name: matched(finish_poses(found, plain)).figures() for name, found in members.items()
    }
    return metrics
