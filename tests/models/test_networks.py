"""What holds for every network: outputs, gradients, determinism, the inference path, bf16."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from kpkit.models.catalogue import CATALOGUE, create_model
from kpkit.models.network import Output, PoseNetwork
from kpkit.models.resnet import ResNet

# The tiny sizes the shipped documents train, by family.
TINY: dict[str, dict[str, Any]] = {
    "cpn_resnet50": {"width": 16, "depths": (2, 2, 2, 2), "block": "basic", "channels": 32},
    "mspn_resnet50_x2": {"width": 16, "depths": (1, 1, 1, 1), "block": "basic", "channels": 32},
    "ccm_resnet50": {"width": 16, "depths": (2, 2, 2, 2), "block": "basic", "channels": (64, 32)},
}
NARROW: dict[str, dict[str, Any]] = {
    "CPN": {"width": 4, "channels": 8, "depths": (1, 1, 2, 1)},
    "MSPN": {"width": 4, "channels": 8, "depths": (1, 1, 2, 1)},
    "ccm_resnet": {"width": 4, "channels": (16, 8, 8), "depths": (1, 1, 2, 2)},
    "ccm_hrnet": {"width": 8, "channels": (8, 8), "modules": (1, 1, 1)},
}


def narrow(name: str, **options: Any) -> PoseNetwork:
    entry = CATALOGUE[name]
    key = entry.family if entry.family != "CCM" else "_".join(name.split("_")[:2]).rstrip("0123456789")
    return create_model(name, **{"input_size": (64, 96), **NARROW[key], **options})


def loss_of(maps: list[torch.Tensor]) -> torch.Tensor:
    return torch.stack([(m.float() - 1).square().mean() for m in maps]).sum()


def spots(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Crops (count, 3, 128, 96) with one bright square each, and (count, 17, 32, 24) peaks at its place."""
    images = torch.zeros(count, 3, 128, 96)
    targets = torch.zeros(count, 17, 32, 24)
    rows, columns = torch.arange(32.0)[:, None], torch.arange(24.0)
    for i in range(count):
        y, x = int(torch.randint(4, 28, ())), int(torch.randint(4, 20, ()))
        images[i, :, 4 * y - 4 : 4 * y + 4, 4 * x - 4 : 4 * x + 4] = 2.0
        targets[i] = torch.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 8)
    return images, targets


@pytest.mark.parametrize("name", CATALOGUE)
def test_outputs_have_the_declared_shapes(name: str) -> None:
    with torch.device("meta"):
        net = create_model(name, keypoints=14).eval()
    for size in ((256, 192), (384, 288)):
        with torch.no_grad():
            maps = net(torch.zeros(2, 3, *size, device="meta"))
        assert [tuple(m.shape) for m in maps] == [
            (2, 14, size[0] // o.stride, size[1] // o.stride) for o in net.outputs
        ]
    assert net.stride == (2 if name.startswith("ccm") else 4)
    assert net.heatmap_size == (256 // net.stride, 192 // net.stride)


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_parameter_gets_a_gradient(name: str) -> None:
    torch.manual_seed(0)
    net = narrow(name)
    loss_of(net(torch.randn(2, 3, 64, 96))).backward()
    without = [n for n, p in net.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert not without
    # A bias in front of a batch norm has a gradient of zero by design; every weight must really move.
    still = [n for n, p in net.named_parameters() if p.dim() > 1 and not p.grad.any()]
    assert not still


@pytest.mark.parametrize("name", ["cpn_resnet50", "mspn_resnet50_x2", "ccm_resnet50", "ccm_hrnet_w32"])
def test_final_only_is_the_last_output_and_skips_the_rest(name: str) -> None:
    torch.manual_seed(0)
    net = narrow(name).eval()
    images = torch.randn(2, 3, 64, 96)
    called: set[str] = set()
    for layer_name, layer in net.named_modules():
        layer.register_forward_pre_hook(lambda *_, layer_name=layer_name: called.add(layer_name))
    with torch.no_grad():
        final = net(images, final_only=True)
        quick = set(called)
        every = net(images)
    assert len(final) == 1
    assert len(every) == len(net.outputs) > 1
    assert torch.equal(final[0], every[-1])
    skipped = called - quick
    assert any("head" in s or "auxiliary" in s for s in skipped)
    assert not any(isinstance(net.get_submodule(s), ResNet) for s in skipped)


def test_outputs_are_supervised_as_the_papers_do() -> None:
    cpn, mspn, ccm = narrow("cpn_resnet50"), narrow("mspn_resnet50_x2"), narrow("ccm_resnet50")
    assert [o.level for o in cpn.outputs] == [0, 1, 2, 3, 3]
    assert [o.ohkm for o in cpn.outputs] == [False] * 4 + [True]
    assert [o.level for o in mspn.outputs] == [0, 1, 2, 3, 1, 2, 3, 4]
    assert [o.weight for o in mspn.outputs] == [0.25, 0.25, 0.25, 1.0] * 2
    assert [o.ohkm for o in mspn.outputs] == [False, False, False, True] * 2
    assert ccm.outputs == (Output(stride=2, weight=0.5, auxiliary=True), Output(stride=2))
    for net in (cpn, mspn, ccm):
        assert [o.auxiliary for o in net.outputs] == [True] * (len(net.outputs) - 1) + [False]


def test_auxiliary_decoder_keeps_its_own_stride_without_dilation() -> None:
    net = narrow("ccm_resnet50", dilated=False).eval()
    assert [o.stride for o in net.outputs] == [2, 4]
    maps = net(torch.zeros(1, 3, 64, 96))
    assert [tuple(m.shape[-2:]) for m in maps] == [(32, 48), (16, 24)]


@pytest.mark.parametrize("name", TINY)
def test_tiny_trains_in_bf16_and_channels_last(name: str) -> None:
    torch.manual_seed(0)
    net = create_model(name, input_size=(128, 96), **TINY[name]).to(memory_format=torch.channels_last)
    assert sum(p.numel() for p in net.parameters()) < 1.2e6
    images, targets = spots(8)
    optimiser = torch.optim.AdamW(net.parameters(), 3e-3)
    losses = []
    for _ in range(25):
        with torch.autocast("cpu", torch.bfloat16):
            maps = net(images.to(memory_format=torch.channels_last))
        assert all(m.dtype == torch.bfloat16 for m in maps)
        loss = torch.stack([(m.float() - targets).square().mean() for m in maps]).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("name", TINY)
def test_memory_format_changes_no_gradient(name: str) -> None:
    gradients = []
    for memory_format in (torch.contiguous_format, torch.channels_last):
        torch.manual_seed(0)
        net = create_model(name, input_size=(64, 64), **TINY[name]).double().to(memory_format=memory_format)
        images = torch.randn(2, 3, 64, 64, dtype=torch.float64).to(memory_format=memory_format)
        torch.stack([m.square().mean() for m in net(images)]).sum().backward()
        gradients.append(torch.cat([p.grad.flatten() for p in net.parameters()]))
    assert torch.allclose(*gradients, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", ["cpn_resnet50", "ccm_hrnet_w32"])
def test_same_seed_same_parameters(name: str) -> None:
    states = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        states.append(narrow(name).state_dict())
    assert all(torch.equal(states[0][k], states[1][k]) for k in states[0])
    assert not all(torch.equal(states[0][k], states[2][k]) for k in states[0])


def test_initialisation_follows_its_name() -> None:
    torch.manual_seed(0)
    options = {"width": 32, "channels": (32, 32)}
    kaiming = narrow("ccm_resnet50", **options)
    gaussian = narrow("ccm_resnet50", **options, init="gaussian", init_std=0.02)
    conv = "encoder.layer4.0.conv2.weight"  # 3x3 with 256 kernels
    assert kaiming.get_parameter(conv).std().item() == pytest.approx((2 / (9 * 256)) ** 0.5, rel=0.02)
    assert gaussian.get_parameter(conv).std().item() == pytest.approx(0.02, rel=0.02)
    assert kaiming.get_parameter("decoder.2.weight").std().item() == pytest.approx(0.001, rel=0.15)
    assert not any(m.bias.any() for m in kaiming.modules() if isinstance(m, nn.Conv2d) and m.bias is not None)


def test_dilated_stage_sees_twice_as_far() -> None:
    torch.manual_seed(0)
    options = {"depths": (1, 1, 1, 3), "width": 4, "block": "basic"}
    plain, dilated = ResNet(**options), ResNet(**options, dilated=True)
    dilated.load_state_dict(plain.state_dict())  # the same tensors fit both
    images = torch.randn(1, 3, 128, 128)
    assert [tuple(m.shape[-2:]) for m in plain.eval()(images)] == [(32, 32), (16, 16), (8, 8), (4, 4)]
    assert [tuple(m.shape[-2:]) for m in dilated.eval()(images)] == [(32, 32), (16, 16), (8, 8), (8, 8)]
    assert [m[1].conv1.dilation for m in (plain.layer4, dilated.layer4)] == [(1, 1), (2, 2)]


def test_resnet_equals_timm_tensor_for_tensor() -> None:
    timm = pytest.importorskip("timm")
    theirs = timm.create_model(
        "resnet50", features_only=True, output_stride=16, out_indices=(1, 2, 3, 4)
    ).eval()
    ours = ResNet(dilated=True).eval()
    ours.load_state_dict(theirs.state_dict())
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        for a, b in zip(ours(images), theirs(images), strict=True):
            assert torch.allclose(a, b, atol=1e-5)


def test_hrnet_equals_timm_tensor_for_tensor() -> None:
    timm = pytest.importorskip("timm")
    from kpkit.models.hrnet import HRNet

    full = timm.create_model("hrnet_w32", features_only=True, feature_location="").eval()
    ours = HRNet().eval()
    missing, unexpected = ours.load_state_dict(full.state_dict(), strict=False)
    assert not missing
    assert all(name.startswith("stage4.2.fuse_layers.") for name in unexpected)
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(ours(images)[-1], full(images)[1])
