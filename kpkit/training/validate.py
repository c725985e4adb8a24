"""A network in training judged, by the same path as an ensemble of one."""

from __future__ import annotations

import torch

from kpkit.core.progress import Progress, silent
from kpkit.evaluation.ap import evaluate
from kpkit.inference.finish import finish_poses
from kpkit.inference.network import Predictor
from kpkit.inference.predict import predict_poses
from kpkit.models.network import PoseNetwork
from kpkit.specs.recipe import RecipeSpec
from kpkit.training.sources import Validation


def validate(
    network: PoseNetwork,
    spec: RecipeSpec,
    val: Validation,
    device: torch.device,
    progress: Progress = silent,
) -> dict[str, float]:
    """The ten COCO figures, 0 to 1, of the recipe's decoding and pose rules on its validation boxes."""
    predictor = Predictor("network", network, spec, device)
    poses, _ = predict_poses([predictor], [1.0], predictor.codec, val.crops, spec.decode, progress=progress)
    return evaluate(val.truth, finish_poses(poses, spec.poses), images=val.images)


def false_detections(
    network: PoseNetwork, spec: RecipeSpec, val: Validation, device: torch.device
) -> dict[str, float] | None:
    """How sure a network is of keypoints where nobody is: what hard negatives are to lower (CCM 4.3).

    Returns:
        ``boxes`` looked at and ``mean_keypoint_score`` over all their keypoints, 0 to 1; None without boxes.
    """
    if val.nobody is None:
        return None
    predictor = Predictor("network", network, spec, device)
    poses, _ = predict_poses([predictor], [1.0], predictor.codec, val.nobody, spec.decode)
    return {"boxes": len(poses), "mean_keypoint_score": float(poses.keypoints[:, :, 2].mean())}
