"""A refiner at work: boxes, mirrored looks, batches, and places that come back to the picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kpkit.core.instances import Instances
from kpkit.data.crops import picture_paths
from kpkit.inference.network import normaliser
from kpkit.models.network import Output
from kpkit.refinement import refiner as module
from kpkit.refinement.refiner import Refiner, look, pose_boxes
from tests.refinement.test_lesson import refiner
from tests.training.dots import draw


class Echo(nn.Module):
    """Logits so peaked that each keypoint is found where its pose map is brightest."""

    outputs = (Output(stride=4),)
    stride = 4

    def forward(self, images: Tensor) -> list[Tensor]:
        return [images[:, 3:, ::4, ::4] * 240]


def everyone(tmp_path: Path) -> tuple[Instances, list[str]]:
    loaded = draw(tmp_path, people=5)
    poses = loaded.people.with_(keypoints=loaded.people.keypoints * [1, 1, 0.3])
    return poses, picture_paths(poses, loaded.images, loaded.folder)


def test_boxes_are_tight_and_never_flat() -> None:
    keypoints = np.zeros((3, 17, 3))
    keypoints[0, :, :2] = np.arange(17)[:, None] * [2.0, 1.0] + [10, 20]
    keypoints[1, :, :2] = [50, 60]
    present = np.ones((3, 17), bool)
    present[0, -1], present[2] = False, False
    assert pose_boxes(keypoints, present).tolist() == [[10, 20, 30, 15], [40, 50, 20, 20], [-10, -10, 20, 20]]


def test_places_come_back_to_the_picture(tmp_path: Path) -> None:
    poses, pictures = everyone(tmp_path)
    spec = refiner()
    for flip in (False, True):
        decode = spec.decode.model_copy(update={"flip_test": flip})
        net = Refiner(Echo(), spec.model_copy(update={"decode": decode}), torch.device("cpu"))  # type: ignore[arg-type]
        found = net.refine(poses, pictures)
        # the echo knows places to the nearest heatmap pixel, four crop pixels apart
        assert np.abs(found.keypoints - poses.keypoints)[..., :2].max() < 3.3
        assert np.abs((found.keypoints - poses.keypoints)[..., :2].mean()) < 0.3
        assert np.array_equal(found.keypoints[..., 2], poses.keypoints[..., 2])
        assert np.array_equal(found.box, poses.box) and np.array_equal(found.score, poses.score)


@pytest.mark.parametrize("std", [1 / 255, 0.225])
def test_poses_are_as_bright_as_pictures_in_every_normalisation(std: float) -> None:
    spec = refiner()
    network = spec.network.model_copy(update={"mean": (0.0,) * 3, "std": (std,) * 3})
    white = normaliser(network, torch.device("cpu"))(np.full((1, *network.input_size, 3), 255, np.uint8))
    shown: list[Tensor] = []

    class Ear(nn.Module):
        def forward(self, images: Tensor) -> list[Tensor]:
            shown.append(images)
            return [images]

    points = torch.full((1, 17, 2), 30.0)
    look(Ear(), spec.model_copy(update={"network": network}), white, points, torch.ones(1, 17).bool())
    assert shown[0][:, 3:].amax(dim=(2, 3)).numpy() == pytest.approx(float(white.max()), rel=1e-5)


def test_batches_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    poses, pictures = everyone(tmp_path)
    net = Refiner(Echo(), refiner(), torch.device("cpu"))  # type: ignore[arg-type]
    whole = net.refine(poses, pictures)
    done: list[int] = []
    monkeypatch.setattr(module, "BATCH", 2)
    parts = net.refine(poses, pictures, progress=lambda number, *_: done.append(number))
    assert done == [2, 4, 5]
    assert np.allclose(whole.keypoints, parts.keypoints)


def test_keypoints_a_pose_lacks_are_not_shown(tmp_path: Path) -> None:
    poses, pictures = everyone(tmp_path)
    seen: list[Tensor] = []

    class Looking(Echo):
        def forward(self, images: Tensor) -> list[Tensor]:
            seen.append(images)
            return super().forward(images)

    net = Refiner(Looking(), refiner(), torch.device("cpu"))  # type: ignore[arg-type]
    present = np.ones((5, 17), bool)
    present[:, 4] = False
    net.refine(poses, pictures, present=present)
    assert not seen[0][:, 3 + 4].any() and seen[0][:, 3:7].amax(dim=(2, 3)).min() > 3.5
