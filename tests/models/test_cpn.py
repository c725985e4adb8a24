"""CPN's variants against the paper's own counts, and Inception-ResNet-v2 against timm's."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from kpkit.core.errors import InputError
from kpkit.models.catalogue import create_model
from kpkit.models.count import count_cost
from kpkit.models.inception_resnet import InceptionResNetV2
from kpkit.models.network import Output, PoseNetwork

NARROW: dict[str, Any] = {"width": 4, "channels": 8, "depths": (1, 1, 2, 1), "input_size": (64, 96)}
VARIANTS: list[dict[str, Any]] = [
    {"refine": "none"},
    {"refine": "concat"},
    {"refine": "single"},
    {"refine": "cascade"},
    {"refine_levels": 1},
    {"refine_levels": 2},
    {"refine_levels": 3},
    {"refine": "concat", "refine_levels": 2},
    {"refine_projection": False},
]


def narrow(**options: Any) -> PoseNetwork:
    torch.manual_seed(0)
    return create_model("cpn_resnet50", **{**NARROW, **options})


@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_every_variant_supervises_all_of_its_parameters(options: dict) -> None:
    net = narrow(**options)
    maps = net(torch.randn(2, 3, 64, 96))
    assert [tuple(m.shape) for m in maps] == [(2, 17, 16, 24)] * len(net.outputs)
    torch.stack([(m - 1).square().mean() for m in maps]).sum().backward()
    assert not [n for n, p in net.named_parameters() if p.grad is None or (p.dim() > 1 and not p.grad.any())]


@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_every_variant_answers_alone_as_among_all(options: dict) -> None:
    net = narrow(**options).eval()
    images = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        (final,) = net(images, final_only=True)
        assert torch.equal(final, net(images)[-1])


# Tables 4 and 5: GFLOPs of the final output in 2^30, on a ResNet-50 that strides in its first 1x1.
@pytest.mark.parametrize(
    ("options", "published"),
    [
        ({"refine": "concat"}, 5.87),
        ({"refine": "single"}, 6.92),
        ({"refine": "cascade"}, 6.20),
        ({"refine_levels": 1}, 5.02),
        ({"refine_levels": 2}, 5.50),
        ({"refine_levels": 3}, 5.88),
    ],
    ids=str,
)
def test_refinements_cost_what_the_paper_prints(options: dict, published: float) -> None:
    with torch.device("meta"):
        gmacs = count_cost(create_model("cpn_resnet50", **options)).inference_gmacs
    later_stride = 4.004 - 3.777  # measured: ResNet-50 with the stride on the 3x3, on the first 1x1
    assert (gmacs - later_stride) * 1e9 / 2**30 == pytest.approx(published, abs=0.01)


def test_without_refine_net_the_finest_head_is_the_output() -> None:
    whole, plain = narrow(), narrow(refine="none")
    plain.load_state_dict({k: v for k, v in whole.state_dict().items() if not k.startswith("refine_net.")})
    images = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        heads = whole.eval()(images)[:4]
        assert all(map(torch.equal, plain.eval()(images), heads))
    assert [o.auxiliary for o in plain.outputs] == [True, True, True, False]
    assert [o.level for o in plain.outputs] == [0, 1, 2, 3]
    assert {o.weight for o in plain.outputs} == {0.125}


def test_refine_net_reads_the_finest_levels() -> None:
    """What a RefineNet on C2 and C3 returns does not depend on the coarser maps of the pyramid."""
    net = narrow(refine_levels=2).eval()
    pyramid = [torch.randn(1, 8, 2 * 2**i, 3 * 2**i) for i in range(4)]
    refine: Any = net.refine_net
    with torch.no_grad():
        before = refine(pyramid)
        assert torch.equal(before, refine([pyramid[0] + 1, pyramid[1] + 1, *pyramid[2:]]))
        assert not torch.equal(before, refine([*pyramid[:2], pyramid[2] + 1, pyramid[3]]))


def test_both_nets_may_mine_hard_keypoints() -> None:
    assert [o.ohkm for o in narrow().outputs] == [False] * 4 + [True]
    assert [o.ohkm for o in narrow(global_ohkm=True).outputs] == [True] * 5
    assert narrow(global_ohkm=True, refine="none").outputs[-1] == Output(
        stride=4, level=3, ohkm=True, weight=0.125
    )


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("cpn_resnet50", {"refine": "hourglass"}),
        ("cpn_resnet50", {"refine_levels": 0}),
        ("cpn_resnet50", {"refine_levels": 5}),
        ("cpn_inception_resnet_v2", {"width": 3}),
        ("cpn_inception_resnet_v2", {"depths": (1, 1)}),
        ("cpn_inception_resnet_v2", {"depths": (1, 0, 1)}),
    ],
)
def test_other_variants_are_refused(name: str, options: dict) -> None:
    with pytest.raises(InputError, match=f"{name}: {next(iter(options))} is"), torch.device("meta"):
        create_model(name, **options)


def padded_timm(**options: Any) -> nn.Module:
    """timm's network with the paddings that ``InceptionResNetV2`` promises."""
    timm = pytest.importorskip("timm")
    net: nn.Module = timm.create_model("inception_resnet_v2", **options).eval()
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.MaxPool2d) and layer.kernel_size in (3, (3, 3)):
            layer.padding = (1, 1)
    return net


def test_inception_resnet_equals_padded_timm_tensor_for_tensor() -> None:
    theirs = padded_timm(features_only=True, out_indices=(1, 2, 3, 4))
    ours = InceptionResNetV2().eval()
    ours.load_state_dict(theirs.state_dict())  # every tensor, under timm's own name
    images = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        for a, b, channels in zip(ours(images), theirs(images), ours.channels, strict=True):
            assert a.shape[1] == channels
            assert torch.allclose(a, b, rtol=1e-5, atol=1e-6 * float(b.abs().max()))


@pytest.mark.parametrize("size", [(256, 192), (384, 288)])
def test_inception_resnet_keeps_to_its_strides(size: tuple[int, int]) -> None:
    with torch.device("meta"):
        encoder = InceptionResNetV2()
        maps = encoder.eval()(torch.zeros(1, 3, *size))
    assert [tuple(m.shape[-2:]) for m in maps] == [(size[0] // s, size[1] // s) for s in (4, 8, 16, 32)]
    assert sum(p.numel() for p in encoder.parameters()) == 54_306_464  # timm's, less the classifier


def test_max_pools_never_return_their_padding() -> None:
    encoder = InceptionResNetV2(width=2, depths=(1, 1, 1))
    pools = [layer for layer in encoder.modules() if isinstance(layer, nn.MaxPool2d)]
    assert len(pools) == 4
    for pool in pools:
        assert torch.equal(pool(torch.full((1, 1, 6, 8), -3.0)), torch.full((1, 1, 3, 4), -3.0))


def test_inception_width_scales_every_channel_count() -> None:
    def shapes(width: int) -> list[Tensor]:
        with torch.device("meta"):
            convolutions = InceptionResNetV2(width=width, depths=(1, 1, 1)).state_dict()
        return [v for k, v in convolutions.items() if k.endswith("conv.weight") and "1a" not in k]

    for half, whole in zip(shapes(16), shapes(32), strict=True):
        assert [2 * n for n in half.shape[:2]] == list(whole.shape[:2])
