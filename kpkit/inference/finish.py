"""From a network's poses to the rows that are judged."""

from __future__ import annotations

from kpkit.core.instances import Instances
from kpkit.inference.nms import oks_nms, top_per_image
from kpkit.inference.rescore import rescore
from kpkit.specs.poses import PosesSpec


def finish_poses(poses: Instances, spec: PosesSpec) -> Instances:
    """Rescore (box score x mean keypoint score), drop doubles by OKS, keep the best of each picture."""
    scored = rescore(poses, spec.score_floor)
    if spec.oks_nms < 1:
        scored = oks_nms(scored, spec.oks_nms)
    return top_per_image(scored, spec.max_poses)
