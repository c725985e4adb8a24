"""ResNet's tensors are timm's, in name, shape and effect."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch

from kpkit.models.resnet import ResNet


@pytest.mark.parametrize(
    ("peer", "options"),
    [
        ("resnet18", {"depths": (2, 2, 2, 2), "block": "basic"}),
        ("resnet50", {}),
        ("resnext50_32x4d", {"groups": 32, "group_width": 4}),
    ],
)
def test_tensors_and_maps_equal_timms(peer: str, options: dict) -> None:
    torch.manual_seed(0)
    theirs = timm.create_model(peer, features_only=True, out_indices=(1, 2, 3, 4)).eval()
    ours = ResNet(**options).eval()
    ours.load_state_dict(theirs.state_dict())  # strict: the same names and shapes
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        for mine, map_ in zip(ours(images), theirs(images), strict=True):
            torch.testing.assert_close(mine, map_)


@pytest.mark.parametrize(
    "options",
    [
        {"groups": 32, "group_width": 4, "block": "basic"},
        {"groups": 0},
        {"group_width": 4, "width": 8},
    ],
)
def test_groups_that_fit_no_block_are_refused(options: dict) -> None:
    with pytest.raises(ValueError, match="groups of width"):
        ResNet(**options)


def test_dilated_stage_sees_as_far_as_timms() -> None:
    torch.manual_seed(0)
    theirs = timm.create_model("resnet50", features_only=True, output_stride=16, out_indices=(1, 2, 3, 4))
    ours = ResNet(dilated=True).eval()
    ours.load_state_dict(theirs.eval().state_dict())
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        for mine, map_ in zip(ours(images), theirs(images), strict=True):
            torch.testing.assert_close(mine, map_)


def test_dilated_stage_keeps_the_resolution() -> None:
    options: dict[str, Any] = {"depths": (1, 1, 1, 3), "width": 4, "block": "basic"}
    plain, dilated = ResNet(**options).eval(), ResNet(**options, dilated=True).eval()
    dilated.load_state_dict(plain.state_dict())  # the same tensors fit both
    images = torch.randn(1, 3, 128, 128)
    assert [tuple(m.shape[-2:]) for m in plain(images)] == [(32, 32), (16, 16), (8, 8), (4, 4)]
    assert [tuple(m.shape[-2:]) for m in dilated(images)] == [(32, 32), (16, 16), (8, 8), (8, 8)]
    assert [m[1].conv1.dilation for m in (plain.layer4, dilated.layer4)] == [(1, 1), (2, 2)]
