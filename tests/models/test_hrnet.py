"""Pose HRNet: the official network's tensors, the finest branch read, how it starts and is supervised."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import timm
import torch

from kpkit.core.errors import InputError
from kpkit.models.catalogue import CATALOGUE, create_model
from kpkit.models.hrnet import HRNet, PoseHRNet
from kpkit.models.network import Output


def narrow(**options: Any) -> PoseHRNet:
    return PoseHRNet(**{"width": 8, "modules": (1, 1, 1), "input_size": (64, 96), **options})


@pytest.mark.shared
def test_tensors_are_the_official_ones(shared: Path) -> None:
    keys = json.loads((shared / "golden" / "hrnet_w32_256x192.keys.json").read_text())
    official = {
        (name.replace("final_layer", "head") if name.startswith("final_layer") else f"encoder.{name}"): shape
        for name, shape in keys["tensors"]
    }
    with torch.device("meta"):
        ours = create_model("hrnet_w32").state_dict()
    assert {name: list(tensor.shape) for name, tensor in ours.items()} == official


def test_heatmaps_are_of_the_last_stages_finest_branch() -> None:
    torch.manual_seed(0)
    net = narrow(init="kaiming").eval()
    images = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        third, fourth = net.encoder(images)
        (maps,) = net(images)
        assert maps.shape == (2, 17, 16, 24)
        assert torch.equal(maps, net.head(fourth))
        assert not torch.allclose(maps, net.head(third))


def test_wider_branches_and_more_modules_are_options() -> None:
    net = narrow(width=12, modules=(1, 2, 1), keypoints=14)
    assert net.encoder.channels == (12, 12)
    assert len(net.encoder.stage3) == 2
    assert net.head.weight.shape == (14, 12, 1, 1)


def test_half_the_squared_error_at_one_output() -> None:
    assert narrow().outputs == (Output(stride=4, weight=0.5),)


def test_fresh_kernels_are_the_public_codes() -> None:
    torch.manual_seed(0)
    net = narrow()
    for name in ("encoder.conv2.weight", "encoder.stage4.0.branches.3.0.conv1.weight", "head.weight"):
        assert net.get_parameter(name).std().item() == pytest.approx(0.001, rel=0.15), name
    assert not net.head.bias.any()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"width": 0}, "width is 0"),
        ({"modules": (1, 4)}, "not three counts"),
        ({"input_size": (100, 96)}, "multiples of 32 px"),
    ],
)
def test_what_is_no_hrnet_is_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        create_model("hrnet_w32", **options)


@pytest.mark.parametrize("name", ["hrnet_w32", "hrnet_w48"])
def test_pretrained_weights_fit_the_encoder(name: str) -> None:
    tag = CATALOGUE[name].pretrained
    assert tag in timm.list_pretrained(tag)
    with torch.device("meta"):
        theirs = timm.create_model(tag.split(".")[0]).state_dict()
        ours = create_model(name).get_submodule("encoder").state_dict()
    assert all(theirs[n].shape == t.shape for n, t in ours.items())


def test_branches_equal_timms_tensor_for_tensor() -> None:
    torch.manual_seed(0)
    theirs = timm.create_model("hrnet_w32", features_only=True, feature_location="").eval()
    ours = HRNet().eval()
    missing, unexpected = ours.load_state_dict(theirs.state_dict(), strict=False)
    assert not missing
    assert all(name.startswith("stage4.2.fuse_layers.") for name in unexpected)
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(ours(images)[-1], theirs(images)[1])
