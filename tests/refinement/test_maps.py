"""PoseFix's maps and loss, against the port's numbers and by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from kpkit.refinement.maps import PEAK, coarse_to_fine_loss, pose_maps, soft_argmax, split_pixels


@pytest.mark.shared
def test_pose_maps_equal_the_ports(shared: Path) -> None:
    golden = np.load(shared / "golden" / "posefix_io.npz")
    points, present = torch.from_numpy(golden["coord"]), torch.from_numpy(golden["valid"]) > 0
    assert 0 < present.sum() < present.numel()
    maps = pose_maps(points, present, (384, 288), 9.0)[:, :, ::12, ::12].numpy()
    assert np.abs(maps - golden["gauss_sigma9_stride12"]).max() <= 2e-5 * PEAK


@pytest.mark.shared
def test_soft_argmax_equals_the_ports(shared: Path) -> None:
    golden = np.load(shared / "golden" / "posefix_io.npz")
    points = soft_argmax(torch.from_numpy(golden["heatmaps"])).numpy() * 4
    assert np.abs(points - golden["soft_argmax_input_96x72"]).max() <= 1e-4


def test_a_pose_map_is_a_gaussian_of_its_sigma() -> None:
    points = torch.tensor([[[10.25, 4.0], [3.0, 3.0]]])
    maps = pose_maps(points, torch.tensor([[True, False]]), (32, 24), 2.0)
    assert maps.shape == (1, 2, 32, 24) and not maps[0, 1].any()
    assert maps[0, 0, 4, 10].item() == pytest.approx(255 * math.exp(-(0.25**2) / 8), rel=1e-5)
    assert maps[0, 0, 8, 12].item() == pytest.approx(255 * math.exp(-(4**2 + 1.75**2) / 8), rel=1e-5)


def test_a_target_is_split_over_the_pixels_round_the_keypoint() -> None:
    points = torch.tensor([[[2.25, 1.5], [3.0, 2.0], [-0.2, 0.0], [5.1, 3.4]]])
    pixels, shares = split_pixels(points, (4, 6))
    dense = torch.zeros(4, 4 * 6).scatter_add_(1, pixels[0], shares[0]).unflatten(1, (4, 6))
    wanted = torch.zeros(4, 4, 6)
    wanted[0, 1:3, 2], wanted[0, 1:3, 3] = 0.375, 0.125
    wanted[1, 2, 3] = wanted[2, 0, 0] = wanted[3, 3, 5] = 1  # the last two lie beyond the outermost centres
    assert torch.allclose(dense, wanted, atol=1e-6)
    assert torch.allclose(shares.sum(2), torch.ones(1, 4))


def test_the_mean_of_a_target_is_the_keypoint() -> None:
    points = torch.rand(2, 5, 2) * torch.tensor([11.0, 7.0])
    pixels, shares = split_pixels(points, (8, 12))
    x, y = (pixels % 12 * shares).sum(2), (pixels // 12 * shares).sum(2)
    assert torch.allclose(torch.stack([x, y], 2), points, atol=1e-4)


def test_the_loss_is_both_parts_over_all_keypoints() -> None:
    logits = torch.zeros(1, 2, 4, 6)  # the softmax is flat: every pixel 1/24, the mean place (2.5, 1.5)
    points = torch.tensor([[[2.0, 1.0], [0.0, 0.0]]])
    one = coarse_to_fine_loss(logits, points, torch.tensor([[1.0, 0.0]]))
    assert one.item() == pytest.approx((math.log(24) + 0.5) / 2, rel=1e-6)
    half = coarse_to_fine_loss(logits, points, torch.tensor([[0.5, 0.0]]))
    assert half.item() == pytest.approx(one.item() / 2, rel=1e-6)


def test_the_loss_is_learnt_away() -> None:
    torch.manual_seed(0)
    logits = torch.zeros(3, 4, 16, 12, requires_grad=True)
    points = torch.rand(3, 4, 2) * torch.tensor([11.0, 15.0])
    optimiser = torch.optim.Adam([logits], 0.3)
    for _ in range(200):
        optimiser.zero_grad()
        coarse_to_fine_loss(logits, points, torch.ones(3, 4)).backward()
        optimiser.step()
    assert (soft_argmax(logits) - points).abs().max() < 0.05
