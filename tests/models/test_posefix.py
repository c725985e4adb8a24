"""PoseFix: the port's numbers, what it reads, and how ImageNet's weights come in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from torch import nn

from kpkit.core.errors import InputError
from kpkit.models.catalogue import CATALOGUE, create_model
from kpkit.models.posefix import PoseFix
from kpkit.models.weights import load_weights
from tests.models.peers import empty_model, peer_state

FIXTURE = "posefix_port_resnet50_128x96"
NAMES = [name for name, entry in CATALOGUE.items() if entry.refines]


def narrow(**options: Any) -> PoseFix:
    few = {"width": 8, "depths": (1, 1, 1, 1), "deconvolutions": (16, 12, 8), "input_size": (64, 96)}
    return PoseFix(**{**few, **options})


@pytest.mark.shared
def test_output_equals_the_port(shared: Path, tmp_path: Path) -> None:
    golden = np.load(shared / "golden" / f"{FIXTURE}.npz")
    torch.save(peer_state(shared / "golden" / f"{FIXTURE}.keys.json"), tmp_path / "port.pth")
    net = empty_model("posefix_resnet50", input_size=(128, 96), deconvolution_norm=False)
    loaded = load_weights(net, tmp_path / "port.pth", source="posefix-port")
    assert loaded.part == "network" and not loaded.dropped and not loaded.fresh
    with torch.no_grad():
        (maps,) = net(torch.from_numpy(np.concatenate([golden["input"], golden["pose_maps"]], axis=1)))
    assert maps.shape == golden["output"].shape
    assert np.abs(maps.numpy() - golden["output"]).max() <= 2e-5 * np.abs(golden["output"]).max()


@pytest.mark.shared
def test_the_port_has_no_norms_behind_its_deconvolutions(shared: Path, tmp_path: Path) -> None:
    torch.save(peer_state(shared / "golden" / f"{FIXTURE}.keys.json"), tmp_path / "port.pth")
    with pytest.raises(InputError, match=r"missing \(deconvolutions\.1\.weight"):
        load_weights(empty_model("posefix_resnet50"), tmp_path / "port.pth", source="posefix-port")


def test_the_catalogue_says_who_refines() -> None:
    assert NAMES == ["posefix_resnet50", "posefix_resnet101", "posefix_resnet152"]
    assert CATALOGUE["posefix_resnet152"].published[0].ap == 77.3


def test_it_reads_the_picture_and_every_keypoints_map() -> None:
    torch.manual_seed(0)
    net = narrow(keypoints=5).eval()
    assert net.input_channels == 8
    images = torch.randn(1, 8, 64, 96, requires_grad=True)
    (maps,) = net(images)
    assert maps.shape == (1, 5, 16, 24) and net.stride == 4
    maps.square().sum().backward()
    assert images.grad is not None and images.grad.abs().sum(dim=(0, 2, 3)).min() > 0


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"deconvolutions": (8, 8)}, "not three channel counts"),
        ({"deconvolutions": (8, 0, 8)}, "not one or more channel counts"),
        ({"block": "plain"}, "block is 'plain'"),
    ],
)
def test_what_is_no_posefix_is_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        create_model("posefix_resnet50", **options)


def test_imagenet_weights_come_in_beside_the_pose_maps(tmp_path: Path) -> None:
    torch.manual_seed(0)
    theirs = timm.create_model("resnet18")
    torch.save(theirs.state_dict(), tmp_path / "timm.pth")
    net = narrow(depths=(2, 2, 2, 2), width=64, block="basic", keypoints=5).eval()
    loaded = load_weights(net, tmp_path / "timm.pth", source="timm")
    assert loaded.part == "backbone" and not [name for name in loaded.fresh if name.startswith("encoder.")]
    first = net.encoder.get_submodule("conv1")
    assert isinstance(first, nn.Conv2d)
    assert torch.equal(first.weight[:, :3], theirs.conv1.weight)
    assert not first.weight[:, 3:].any()  # learnt from zero
    images = torch.randn(2, 8, 64, 96)
    net(images)[0].square().sum().backward()
    assert first.weight.grad is not None and first.weight.grad[:, 3:].abs().max() > 0


@pytest.mark.parametrize("name", NAMES)
def test_pretrained_weights_are_known_and_fit(name: str) -> None:
    tag = CATALOGUE[name].pretrained
    assert tag in timm.list_pretrained(tag)
    with torch.device("meta"):
        theirs = timm.create_model(tag.split(".")[0]).state_dict()
        ours = create_model(name).get_submodule("encoder").state_dict()
    shapes = {n: t.shape for n, t in theirs.items() if not n.startswith("fc.")}
    assert {n: t.shape for n, t in ours.items()} == shapes | {"conv1.weight": torch.Size([64, 20, 7, 7])}
