"""What a network in training is told about itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from kpkit.inference.network import Predictor
from kpkit.inference.predict import predict_poses
from kpkit.training.loop import build_network
from kpkit.training.sources import validation_of
from kpkit.training.validate import false_detections

from .dots import draw, recipe

CPU = torch.device("cpu")


def test_false_detections_are_judged_by_their_keypoint_scores(tmp_path: Path) -> None:
    dots = draw(tmp_path, 4)
    spec = recipe()
    network = build_network(spec)
    nobody = dots.people[:3]
    val = validation_of(spec, dots.people, dots, nobody)
    found = false_detections(network, spec, val, CPU)
    predictor = Predictor("network", network, spec, CPU)
    poses, _ = predict_poses([predictor], [1.0], predictor.codec, val.crops, spec.decode)
    assert found is not None and found["boxes"] == 3
    assert found["mean_keypoint_score"] == pytest.approx(poses.keypoints[:3, :, 2].mean())
    for without in (validation_of(spec, dots.people, dots), validation_of(spec, nobody, dots, nobody[:0])):
        assert false_detections(network, spec, without, CPU) is None
