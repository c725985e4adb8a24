"""CCM's parts, switched one by one, and its encoders."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import nn

from kpkit.core.errors import InputError
from kpkit.models.catalogue import create_model
from kpkit.models.ccm import ContextMixer
from kpkit.models.count import Cost, count_cost
from kpkit.models.network import PoseNetwork

SIZES: dict[str, dict[str, Any]] = {
    "ccm_resnet50": {"width": 8, "depths": (1, 1, 1, 2), "channels": (8, 8, 8)},
    "ccm_resnext50": {
        "width": 16,
        "depths": (1, 1, 1, 2),
        "groups": 4,
        "group_width": 4,
        "channels": (8, 8, 8),
    },
    "ccm_mobilenet_v2": {"width": 8, "channels": (8, 8, 8)},
    "ccm_shufflenet_v2": {"width": 8, "channels": (8, 8, 8)},
    "ccm_hrnet_w32": {"width": 8, "modules": (1, 1, 1), "channels": (8,)},
}
BASELINE = {"se": False, "hdc": False, "auxiliary": False, "dilated": False}


def small(name: str = "ccm_resnet50", **options: Any) -> PoseNetwork:
    torch.manual_seed(0)
    return create_model(name, **{"input_size": (64, 96), **SIZES[name], **options})


def cost(name: str, **options: Any) -> Cost:
    with torch.device("meta"):
        return count_cost(create_model(name, **options))


@pytest.mark.parametrize(("se", "hdc"), itertools.product([True, False], repeat=2))
@pytest.mark.parametrize("name", ["ccm_resnet50", "ccm_hrnet_w32"])
def test_every_set_of_parts_trains_all_it_has(name: str, se: bool, hdc: bool) -> None:
    channels = (8, 8) if name == "ccm_hrnet_w32" else (8, 8, 8)
    net = small(name, se=se, hdc=hdc, channels=channels)
    maps = net(torch.randn(2, 3, 64, 96))
    assert [tuple(m.shape) for m in maps] == [(2, 17, 32, 48)] * 2
    torch.stack([(m - 1).square().mean() for m in maps]).sum().backward()
    assert not [n for n, p in net.named_parameters() if p.grad is None or (p.dim() > 1 and not p.grad.any())]


def test_without_any_part_it_is_simple_baseline() -> None:
    """Table 2 starts from SimpleBaseline's 70.4 AP: the same tensors give the same heatmaps."""
    plain = small(**BASELINE).eval()
    options = {"width": 8, "depths": (1, 1, 1, 2), "deconvolutions": (8, 8, 8)}
    baseline = create_model("simplebaseline_resnet50", input_size=(64, 96), **options).eval()
    tensors = list(plain.state_dict().values())
    names = list(baseline.state_dict())
    baseline.load_state_dict(dict(zip(names, tensors, strict=True)))
    images = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        assert torch.equal(plain(images)[0], baseline(images)[0])
    assert cost("ccm_resnet50", **BASELINE) == cost("simplebaseline_resnet50")


@pytest.mark.parametrize("part", ["se", "hdc", "auxiliary", "dilated"])
def test_each_part_is_switched_alone(part: str) -> None:
    """Parameters that a part adds, from the paper's text: C = 256 thrice on 2048 channels."""
    widths = (2048, 256, 256)
    squeeze = sum(c * 64 + 2 * 64 + 64 * 256 + 2 * 256 for c in widths)
    residual = sum(c * 256 + 2 * 256 for c in widths)
    mixing = sum(4 * (9 * c * 64 + 2 * 64) + (256 - c) * 16 * 256 for c in widths)
    decoder = sum(c * 16 * 256 + 2 * 256 for c in (1024, 256, 256)) + 256 * 17 + 17
    added = {"se": squeeze + residual, "hdc": mixing + residual, "auxiliary": decoder, "dilated": 0}
    without, having = cost("ccm_resnet50", **BASELINE), cost("ccm_resnet50", **{**BASELINE, part: True})
    assert having.params - without.params == added[part]
    assert having.gmacs > without.gmacs


def mixer(**parts: bool) -> tuple[ContextMixer, torch.Tensor]:
    torch.manual_seed(0)
    module = ContextMixer(8, 8, **parts).eval()
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.bias)
    return module, torch.randn(2, 8, 4, 6)


def test_excitation_multiplies_the_mixed_map_only() -> None:
    module, x = mixer()
    assert module.excitation is not None
    assert module.residual is not None
    with torch.no_grad():
        for norm, bias in ((module.excitation[1][1], -100.0), (module.residual[1], 3.0)):
            norm.weight.zero_()
            norm.bias.fill_(bias)
        out = module(x)  # the gate is shut, and the residual branch says 3 everywhere
    assert torch.equal(out, torch.full((2, 8, 8, 12), 3.0))


def test_every_dilation_is_mixed() -> None:
    module, x = mixer(se=False)
    assert [branch[0].dilation for branch in module.dilated] == [(d, d) for d in (1, 2, 3, 4)]
    assert {branch[0].out_channels for branch in module.dilated} == {2}
    with torch.no_grad():
        before = module(x)
        for branch in module.dilated:
            branch[1].bias.add_(1)
            after = module(x)
            assert not torch.equal(before, after)
            before = after


@pytest.mark.parametrize(
    ("name", "count", "dilated", "strides"),
    [
        ("ccm_resnet50", 1, True, [8, 8]),
        ("ccm_resnet50", 2, True, [4, 4]),
        ("ccm_resnet50", 3, True, [2, 2]),
        ("ccm_resnet50", 4, True, [2, 2]),
        ("ccm_resnet50", 3, False, [2, 4]),
        ("ccm_resnet50", 4, False, [1, 2]),
        ("ccm_mobilenet_v2", 3, True, [2, 2]),
        ("ccm_shufflenet_v2", 3, False, [2, 4]),
        ("ccm_hrnet_w32", 1, None, [2, 2]),
        ("ccm_hrnet_w32", 3, None, [2, 2]),
    ],
)
def test_modules_double_until_stride_two(
    name: str, count: int, dilated: bool | None, strides: list[int]
) -> None:
    options = {} if dilated is None else {"dilated": dilated}
    net = small(name, channels=(8,) * count, **options).eval()
    assert [o.stride for o in net.outputs] == strides
    with torch.no_grad():
        maps = net(torch.zeros(1, 3, 64, 96))
    assert [tuple(m.shape[-2:]) for m in maps] == [(64 // s, 96 // s) for s in strides]


def test_encoders_differ_by_what_timm_and_torchvision_say() -> None:
    """Under one decoder, parameters differ by the encoders' own and by what reads their channels."""
    timm, vision = pytest.importorskip("timm"), pytest.importorskip("torchvision.models")
    with torch.device("meta"):
        shuffle = vision.shufflenet_v2_x1_0()
        bodies = {
            "ccm_resnet50": timm.create_model("resnet50", features_only=True),
            "ccm_resnet101": timm.create_model("resnet101", features_only=True),
            "ccm_resnext50": timm.create_model("resnext50_32x4d", features_only=True),
            "ccm_mobilenet_v2": timm.create_model("mobilenetv2_100", features_only=True),
            "ccm_shufflenet_v2": nn.Sequential(shuffle.conv1, shuffle.stage2, shuffle.stage3, shuffle.stage4),
        }
    last = {"ccm_mobilenet_v2": 320, "ccm_shufflenet_v2": 464}
    per_channel = 256 + 64 + 9 * 256  # RES, SE and HDC of the first module
    decoders = {
        name: cost(name).inference_params
        - sum(p.numel() for p in body.parameters())
        - per_channel * last.get(name, 2048)
        for name, body in bodies.items()
    }
    assert len(set(decoders.values())) == 1


@pytest.mark.parametrize("name", SIZES)
def test_gaussian_initialisation_reaches_encoder_and_decoder(name: str) -> None:
    net = small(name, init="gaussian", init_std=0.05)
    weights = [m.weight for m in net.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    assert torch.cat([w.flatten() for w in weights]).std().item() == pytest.approx(0.05, rel=0.05)
    assert all(w.std() < 0.12 for w in weights if w.numel() > 1)


def test_unknown_design_is_refused() -> None:
    with pytest.raises(InputError, match="ccm_mobilenet_v2: design is 'mobilenet_v3'"):
        create_model("ccm_mobilenet_v2", design="mobilenet_v3")
