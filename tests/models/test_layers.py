"""How fresh parameters are drawn."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from kpkit.models.network import PoseNetwork

from .reduced import reduced

CONV = "encoder.layer4.0.conv2.weight"  # 3x3 with 256 kernels


def wide(**options: Any) -> PoseNetwork:
    torch.manual_seed(0)
    return reduced("ccm_resnet50", width=32, channels=(32, 32), **options)


def test_kaiming_follows_the_kernels_of_each_convolution() -> None:
    net = wide()
    assert net.get_parameter(CONV).std().item() == pytest.approx((2 / (9 * 256)) ** 0.5, rel=0.02)


def test_gaussian_has_one_width() -> None:
    assert wide(init="gaussian", init_std=0.02).get_parameter(CONV).std().item() == pytest.approx(
        0.02, rel=0.02
    )


def test_heatmaps_start_near_nothing() -> None:
    net = wide()
    assert net.get_parameter("decoder.2.weight").std().item() == pytest.approx(0.001, rel=0.15)
    assert not any(m.bias.any() for m in net.modules() if isinstance(m, nn.Conv2d) and m.bias is not None)
