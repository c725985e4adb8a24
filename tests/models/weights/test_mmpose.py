"""mmpose's names and mmpose's outputs, both recorded from its own code at release 1.3.2."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from kpkit.core.errors import InputError
from kpkit.models.catalogue import create_model
from kpkit.models.network import PoseNetwork
from kpkit.models.weights import load_weights
from tests.models.peers import draw


def renamed(*pairs: tuple[str, str]) -> Callable[[str], str]:
    """Our name to mmpose's."""

    def rename(name: str) -> str:
        for pattern, replacement in pairs:
            name = re.sub(pattern, replacement, name)
        return name

    return rename


SIMPLE = renamed(
    (r"^encoder\.", "backbone."),
    (r"^head\.", "head.final_layer."),
    (r"^deconvolutions\.", "head.deconv_layers."),
)


def multi_stage(kind: str) -> Callable[[str], str]:
    """``kind``: ``mspn`` or ``rsn``."""
    wrapped = ("conv", "bn")
    parts = {
        "lateral": "in_skip",
        "upsample": "up_conv",
        "encoder_skip": "out_skip1",
        "decoder_skip": "out_skip2",
    }

    def rename(name: str) -> str:
        if found := re.fullmatch(r"stem\.(\d)\.(.+)", name):
            return f"backbone.top.top.0.{wrapped[int(found[1])]}.{found[2]}"
        if found := re.fullmatch(r"stages\.(\d)\.up\.(\d)\.head\.(\d)\.(\d)\.(.+)", name):
            layer = int(found[1]) * 4 + int(found[2])
            return f"head.predict_layers.{layer}.conv_layers.{found[3]}.{wrapped[int(found[4])]}.{found[5]}"
        stage = f"backbone.multi_stage_{kind}"
        if found := re.fullmatch(r"stages\.(\d)\.up\.(\d)\.(\w+)\.(\d)\.(.+)", name):
            unit = f"{stage}.{found[1]}.upsample.up{int(found[2]) + 1}"
            return f"{unit}.{parts[found[3]]}.{wrapped[int(found[4])]}.{found[5]}"
        if found := re.fullmatch(r"stages\.(\d)\.cross\.(\d)\.(.+)", name):
            return f"{stage}.{found[1]}.upsample.up4.cross_conv.{wrapped[int(found[2])]}.{found[3]}"
        found = re.fullmatch(r"stages\.(\d)\.down\.(layer\d\.\d+)\.(.+)", name)
        assert found, name
        rest = re.sub(r"^downsample\.(\d)", lambda m: f"downsample.{wrapped[int(m[1])]}", found[3])
        if kind == "rsn":
            rest = re.sub(r"^(conv|bn)1\.", r"conv_bn_relu1.\1.", rest)
            rest = re.sub(r"^(conv|bn)3\.", r"conv_bn3.\1.", rest)
            if step := re.fullmatch(r"steps\.(\d)\.(\d)\.(\d)\.(.+)", rest):
                i, j = int(step[1]) + 1, int(step[2]) + 1
                rest = f"conv_bn_relu2_{i}_{j}.{wrapped[int(step[3])]}.{step[4]}"
        return f"{stage}.{found[1]}.downsample.{found[2]}.{rest}"

    return rename


def peer(net: PoseNetwork, rename: Callable[[str], str]) -> dict[str, Tensor]:
    return {rename(name): tensor for name, tensor in net.state_dict().items()}


@pytest.mark.parametrize(
    ("name", "options", "rename", "count", "digest"),
    [
        ("hrnet_w32", {}, SIMPLE, 1754, "3c3a94e00a1fdf73"),
        ("simplebaseline_resnet50", {}, SIMPLE, 338, "3165fb863a306955"),
        ("mspn_resnet50_x2", {"bias": False}, multi_stage("mspn"), 864, "05774047e345da18"),
        ("rsn18_x1", {"bias": False}, multi_stage("rsn"), 690, "16445975a252cedb"),
    ],
)
def test_names_and_shapes_are_the_published_networks(
    name: str, options: dict[str, Any], rename: Callable[[str], str], count: int, digest: str
) -> None:
    with torch.device("meta"):
        state = peer(create_model(name, **options), rename)
    lines = "\n".join(sorted(f"{name} {tuple(tensor.shape)}" for name, tensor in state.items()))
    assert len(state) == count
    assert hashlib.sha256(lines.encode()).hexdigest()[:16] == digest


SMALL: Mapping[str, tuple[str, dict[str, Any], Callable[[str], str], list[float], list[float]]] = {
    "mspn": (
        "mspn_resnet50_x2",
        {"depths": (1, 1, 1, 1), "channels": 8},
        multi_stage("mspn"),
        [-0.3469542, 0.0500108, 0.1000696, 0.1914997],
        [0.483043, 0.360893, 0.425697, 0.238572, 0.546506, 0.990959, 0.813775, 0.559065],
    ),
    "rsn": (
        "rsn18_x1",
        {"stages": 2, "depths": (1, 1, 1, 1), "channels": 8},
        multi_stage("rsn"),
        [0.2682954, 0.4433427, 0.0475454, 0.017352],
        [0.545231, 0.511538, 0.391295, 0.574431, 0.532102, 1.126505, 0.774064, 0.995164],
    ),
    "hrnet": (
        "hrnet_w32",
        {"width": 8, "modules": (1, 1, 1)},
        SIMPLE,
        [-3.2399011, 2.6039903, -0.5860585, 0.1187543],
        [22.6964645],
    ),
    "resnet": (
        "simplebaseline_resnet50",
        {"depths": (2, 2, 2, 2), "block": "basic", "deconvolutions": (8, 8, 8)},
        SIMPLE,
        [-0.0447593, -0.3119255, -0.051637, 0.2281192],
        [0.7363377],
    ),
}
"""Network, options, names; four values of the last output and the largest of each output."""


@pytest.mark.parametrize("release", ["0.x", "1.x"])
@pytest.mark.parametrize("family", SMALL)
def test_outputs_equal_mmpose(tmp_path: Path, family: str, release: str) -> None:
    name, options, rename, values, peaks = SMALL[family]
    without_bias = {"bias": False} if family in ("mspn", "rsn") else {}
    drawn = {
        peers: draw(peers, tensor.shape)
        for peers, tensor in peer(
            create_model(name, input_size=(64, 64), **options, **without_bias), rename
        ).items()
    }
    if release == "0.x":
        drawn = {re.sub(r"^head\.", "keypoint_head.", peers): tensor for peers, tensor in drawn.items()}
        drawn["ema_backbone_conv1_weight"] = torch.zeros(3)
    torch.save({"meta": {"epoch": 210}, "state_dict": drawn}, tmp_path / "peer.pth")
    net = create_model(name, input_size=(64, 64), **options).eval()
    loaded = load_weights(net, tmp_path / "peer.pth", source="mmpose")
    assert loaded.dropped == (("ema_backbone_conv1_weight",) if release == "0.x" else ())
    assert not loaded.fresh and bool(loaded.zeroed) == bool(without_bias)
    with torch.no_grad():
        maps = net(draw("input", (1, 3, 64, 64)))
    assert [m.abs().max().item() for m in maps] == pytest.approx(peaks, rel=2e-5)
    last = maps[-1].flatten()
    found = last[[0, len(last) // 3, len(last) // 2, -1]].tolist()
    assert found == pytest.approx(values, abs=2e-5 * peaks[-1])


def test_a_bias_that_is_missing_among_others_is_a_fault(tmp_path: Path) -> None:
    name, options, rename, *_ = SMALL["mspn"]
    net = create_model(name, input_size=(64, 64), **options)
    state = peer(net, rename)
    del state["backbone.top.top.0.conv.bias"]
    torch.save({"state_dict": state}, tmp_path / "peer.pth")
    with pytest.raises(InputError, match=r"1 missing \(stem.0.bias\)"):
        load_weights(net, tmp_path / "peer.pth", source="mmpose")


VITPOSE = {"width": 32, "depth": 3, "heads": 4, "deconvolutions": (8, 8), "input_size": (64, 48)}
VITPOSE_OUTPUTS = {
    "simple": ([0.5507504, 0.5568153, -0.0769359, -0.7324988, -1.0771418], 1.9424319),
    "classic": ([-0.1809565, -0.2334276, 0.1810110, -0.1417055, 0.1644018], 0.7733060),
}
"""Column [::4, 5, 3] of the original repository's heatmaps, and their largest value."""

ORIGINAL = renamed(
    (r"^encoder\.norm\.", "backbone.last_norm."),
    (r"^encoder\.", "backbone."),
    (r"^decoder\.", "keypoint_head.deconv_layers."),
    (r"^head\.", "keypoint_head.final_layer."),
)
MMPRETRAIN = renamed(
    (r"^encoder\.norm\.", "backbone.ln1."),
    (r"^encoder\.patch_embed\.proj\.", "backbone.patch_embed.projection."),
    (r"^encoder\.blocks\.", "backbone.layers."),
    (r"\.norm([12])\.", r".ln\1."),
    (r"\.mlp\.fc1\.", ".ffn.layers.0.0."),
    (r"\.mlp\.fc2\.", ".ffn.layers.1."),
    (r"^encoder\.", "backbone."),
    (r"^decoder\.", "head.deconv_layers."),
    (r"^head\.(?!deconv)", "head.final_layer."),
)


@pytest.mark.parametrize("decoder", VITPOSE_OUTPUTS)
@pytest.mark.parametrize("release", ["original", "1.x"])
def test_vitpose_by_both_names_gives_the_authors_outputs(tmp_path: Path, decoder: str, release: str) -> None:
    net = create_model("vitpose_b", **VITPOSE, decoder=decoder).eval()
    state = {}
    for ours, tensor in net.state_dict().items():
        original = ORIGINAL(ours)
        if ours == "encoder.pos_embed":
            drawn = draw(original, (1, 1 + tensor.shape[1], tensor.shape[2]))  # a class token's comes first
            if release == "1.x":
                drawn = drawn[:, 1:] + drawn[:, :1]
        else:
            drawn = draw(original, tensor.shape)
        state[original if release == "original" else MMPRETRAIN(ours)] = drawn
    torch.save({"state_dict": state}, tmp_path / "peer.pth")
    loaded = load_weights(net, tmp_path / "peer.pth", source="mmpose")
    assert len(loaded.loaded) == len(net.state_dict()) and not loaded.dropped
    with torch.no_grad():
        (maps,) = net(draw("input", (1, 3, 64, 48)))
    column, peak = VITPOSE_OUTPUTS[decoder]
    assert maps.abs().max().item() == pytest.approx(peak, rel=2e-5)
    assert maps[0, ::4, 5, 3].tolist() == pytest.approx(column, abs=2e-5 * peak)
