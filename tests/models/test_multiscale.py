"""Blocks with several scales inside: equal to timm's where timm has them, and of one interface."""

from __future__ import annotations

import pytest
import timm
import torch
from timm.models.res2net import Bottle2neck
from timm.models.resnet import Bottleneck as TimmBottleneck
from timm.models.resnet import ResNet as TimmResNet
from torch import Tensor, nn

from kpkit.core.errors import InputError
from kpkit.models.attention import SpatialChannelAttention
from kpkit.models.catalogue import create_model
from kpkit.models.multiscale import BLOCKS, InceptionBottleneck, ResidualSteps
from kpkit.models.resnet import Bottleneck, ResNetStages

WIDE = ("bottleneck", "res2net", "rsn_bottleneck", "inception")


def body(block: str, **options: bool) -> ResNetStages:
    return ResNetStages(depths=(2, 1, 1, 1), width=16, block=BLOCKS[block], **options)


def parameters(*modules: nn.Module) -> int:
    return sum(p.numel() for module in modules for p in module.parameters())


def scattered(module: nn.Module) -> nn.Module:
    """Batch norms with statistics and scales of their own, so that none passes unnoticed."""
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for tensor in (layer.weight, layer.running_var):
                nn.init.uniform_(tensor, 0.5, 1.5)
            for tensor in (layer.bias, layer.running_mean):
                nn.init.normal_(tensor, std=0.3)
    return module.eval()


def test_res2net_stages_equal_timms() -> None:
    torch.manual_seed(0)
    theirs = scattered(timm.create_model("res2net50_26w_4s"))
    ours = ResNetStages(depths=(3, 4, 6, 3), width=64, block=BLOCKS["res2net"]).eval()
    state = {name: t for name, t in theirs.state_dict().items() if name.startswith("layer")}
    ours.load_state_dict(state)  # strict: the same names and shapes
    x = torch.randn(1, 64, 16, 12)
    with torch.no_grad():
        maps, expected = ours(x), x
        for i in range(4):
            expected = theirs.get_submodule(f"layer{i + 1}")(expected)
            torch.testing.assert_close(maps[i], expected, rtol=1e-4, atol=1e-5)


def test_residual_steps_read_what_the_paper_draws() -> None:
    """Each step adds 1 to what it reads, so that the values count how many steps and quarters meet."""

    class Increment(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + 1

    block = ResidualSteps(8, 8)
    block.steps = nn.ModuleList(nn.ModuleList(Increment() for _ in range(i + 1)) for i in range(4))
    joined: list[Tensor] = []
    block.conv1 = block.bn1 = block.bn3 = nn.Identity()
    block.conv3 = nn.Identity()
    block.conv3.register_forward_hook(lambda _m, inputs, _o: joined.append(inputs[0]))
    block.width = 2
    block(torch.tensor([1.0, 1.0, 10.0, 10.0, 100.0, 100.0, 1000.0, 1000.0])[None, :, None, None])
    a = {(1, 1): 1 + 1}
    a[2, 1] = 10 + a[1, 1] + 1
    a[2, 2] = a[2, 1] + 1
    a[3, 1] = 100 + a[2, 1] + 1
    a[3, 2] = a[3, 1] + a[2, 2] + 1
    a[3, 3] = a[3, 2] + 1
    a[4, 1] = 1000 + a[3, 1] + 1
    a[4, 2] = a[4, 1] + a[3, 2] + 1
    a[4, 3] = a[4, 2] + a[3, 3] + 1
    a[4, 4] = a[4, 3] + 1
    assert joined[0].flatten().tolist() == [a[i, i] for i in (1, 1, 2, 2, 3, 3, 4, 4)]


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("attention", [False, True])
def test_every_block_keeps_the_interface_of_a_stage(block: str, attention: bool) -> None:
    stages = body(block, attention=attention)
    expansion = 4 if block in WIDE else 1
    assert stages.channels == tuple(expansion * c for c in (16, 32, 64, 128))
    maps = stages(torch.randn(2, 16, 16, 8))
    assert [tuple(m.shape[1:]) for m in maps] == [
        (c, 16 // s, 8 // s) for c, s in zip(stages.channels, (1, 2, 4, 8), strict=True)
    ]
    sum(m.square().mean() for m in maps).backward()
    assert all(p.grad is not None for p in stages.parameters())


@pytest.mark.parametrize("block", WIDE)
def test_mspns_skips_and_decoders_do_not_depend_on_the_block(block: str) -> None:
    plain, other = (create_model("mspn_resnet50_x2", width=8, channels=8, block=b) for b in (WIDE[0], block))
    shapes = [{n: p.shape for n, p in net.named_parameters() if ".down." not in n} for net in (plain, other)]
    assert shapes[0] == shapes[1]


def test_inception_branches_are_inception_resnet_as_of_64_planes() -> None:
    block = InceptionBottleneck(256, 64)
    shapes = [tuple(m.weight.shape) for m in block.modules() if isinstance(m, nn.Conv2d)]
    assert shapes == [
        (32, 256, 1, 1),
        *[(32, 256, 1, 1), (32, 32, 3, 3)],
        *[(32, 256, 1, 1), (48, 32, 3, 3), (64, 48, 3, 3)],
        (256, 128, 1, 1),
    ]


@torch.no_grad()
def test_attention_weighs_the_residual_alone() -> None:
    torch.manual_seed(0)
    plain, weighed = (Bottleneck(32, 8, attention=a).eval() for a in (False, True))
    weighed.load_state_dict(plain.state_dict(), strict=False)
    x = torch.randn(2, 32, 6, 4).relu()
    attention = weighed.attention
    assert isinstance(attention, SpatialChannelAttention)
    assert not torch.allclose(weighed(x), plain(x))
    for layer, value in ((attention.where[1], 50.0), (attention.what[2], 50.0)):
        nn.init.zeros_(layer.weight)
        nn.init.constant_(layer.bias, value)
    torch.testing.assert_close(weighed(x), plain(x))
    nn.init.constant_(attention.what[2].bias, -50.0)  # every channel shut
    torch.testing.assert_close(weighed(x), x)


@torch.no_grad()
def test_attention_weighs_pixels_before_channels() -> None:
    torch.manual_seed(0)
    attention = scattered(SpatialChannelAttention(8))
    x = torch.randn(2, 8, 5, 3)
    weighed = x * attention.where(x)
    expected = weighed * attention.what(weighed.mean((2, 3), keepdim=True))
    torch.testing.assert_close(attention(x), expected)


HEADS = 4 * (256 - 17) * 256 * 8
"""Weights by which the report's heads (3x3, 1x1) exceed the public ones (1x1, 3x3), per stage."""


@pytest.mark.parametrize(
    ("slug", "stages", "block", "depths", "heads"),
    [
        ("refine50", 1, Bottle2neck, (3, 4, 6, 3), 0),
        ("refine50", 4, Bottle2neck, (3, 4, 6, 3), 0),
        ("resnet101", 2, TimmBottleneck, (3, 4, 23, 3), HEADS),
        ("resnet101v", 1, TimmBottleneck, (4, 8, 16, 3), HEADS),
        ("resnet101v", 2, TimmBottleneck, (4, 8, 16, 3), HEADS),
        ("resnet152", 1, TimmBottleneck, (3, 8, 36, 3), HEADS),
    ],
)
def test_stages_hold_what_timms_hold_and_a_bias_per_convolution(
    slug: str, stages: int, block: type, depths: tuple[int, ...], heads: int
) -> None:
    def stage_size(block: type, depths: tuple[int, ...]) -> int:
        peer = TimmResNet(block, depths, base_width=26 if block is Bottle2neck else 64)
        layers = [peer.get_submodule(f"layer{i}") for i in (1, 2, 3, 4)]
        convs = [m for layer in layers for m in layer.modules() if isinstance(m, nn.Conv2d)]
        return parameters(*layers) + sum(conv.out_channels for conv in convs)

    with torch.device("meta"):
        ours, plain = create_model(f"mspn_{slug}_x{stages}"), create_model(f"mspn_resnet50_x{stages}")
        more = stage_size(block, depths) - stage_size(TimmBottleneck, (3, 4, 6, 3))
    assert parameters(ours) == parameters(plain) + stages * (more + heads)


def test_the_reports_heads_look_wide_first() -> None:
    net = create_model("mspn_resnet101v_x1", width=8, channels=12, depths=(1, 1, 1, 1))
    heads = [p.shape for n, p in net.named_parameters() if ".up.2.head." in n and p.dim() == 4]
    assert heads == [(12, 12, 3, 3), (17, 12, 1, 1)]


def test_without_biases_no_convolution_has_one() -> None:
    net = create_model("mspn_resnet50_x2", width=8, channels=8, bias=False)
    assert all(m.bias is None for m in net.modules() if isinstance(m, nn.Conv2d))


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("mspn_refine50_x1", {"width": 2}, "too few for 4 branches"),
        ("mspn_inception_resnet101_x1", {"width": 3}, "too few for Inception"),
        ("mspn_resnet50_x1", {"block": "dense"}, "'bottleneck', 'res2net'"),
        ("mspn_resnet50_x1", {"head_kernels": (3,)}, "not two odd sizes"),
        ("mspn_resnet50_x1", {"head_kernels": (2, 3)}, "not two odd sizes"),
    ],
)
def test_what_cannot_be_built_is_said(name: str, options: dict, words: str) -> None:
    with pytest.raises(InputError, match=words), torch.device("meta"):
        create_model(name, **options)
