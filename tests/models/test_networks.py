"""What holds for every network of the catalogue. Full sizes on the meta device, numbers at reduced width.

``reduced.py`` says how each constructor is reduced; what a family alone promises stands in its own file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnxruntime
import pytest
import torch
from torch import nn

from kpkit.exporters.onnx import export_onnx
from kpkit.models.catalogue import CATALOGUE, create_model
from kpkit.models.entries import LARGE, SMALL
from kpkit.models.fuse import fuse_batch_norm
from kpkit.models.network import Output, PoseNetwork
from kpkit.models.shapes import blueprint
from kpkit.models.weights import load_weights, save_weights

from .reduced import distinct_names, reduced, reduction

DISTINCT = distinct_names()

# The tiny sizes the shipped documents train, by family.
TINY: dict[str, dict[str, Any]] = {
    "cpn_resnet50": {"width": 16, "depths": (2, 2, 2, 2), "block": "basic", "channels": 32},
    "mspn_resnet50_x2": {"width": 16, "depths": (1, 1, 1, 1), "block": "basic", "channels": 32},
    "ccm_resnet50": {"width": 16, "depths": (2, 2, 2, 2), "block": "basic", "channels": (64, 32)},
}


def pictures(net: PoseNetwork, count: int = 2) -> torch.Tensor:
    return torch.randn(count, net.input_channels, *net.input_size)


def lived(net: PoseNetwork) -> PoseNetwork:
    """The network with numbers as after training: none that a layer multiplies or adds is 1 or 0."""
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.running_mean, 0, 0.1)
            nn.init.uniform_(layer.running_var, 0.5, 1.5)
            nn.init.normal_(layer.weight, 1, 0.1)
            nn.init.normal_(layer.bias, 0, 0.1)
    return net.eval()


def crops_and_targets(net: PoseNetwork, count: int = 8) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Crops of coarse noise, and for each output the Gaussians (sigma 8 px) of places drawn for each crop."""
    height, width = net.input_size
    images = torch.randn(count, net.input_channels, height // 8, width // 8)
    images = images.repeat_interleave(8, 2).repeat_interleave(8, 3)
    places = torch.rand(count, net.keypoints, 2) * torch.tensor([height - 1.0, width - 1.0])
    targets = []
    for output in net.outputs:
        down = (torch.arange(0.0, height, output.stride) - places[..., :1]).square()
        across = (torch.arange(0.0, width, output.stride) - places[..., 1:]).square()
        targets.append(torch.exp(-(down[..., :, None] + across[..., None, :]) / (2 * 8**2)))
    return images, targets


def full_size(name: str, size: tuple[int, int]) -> PoseNetwork:
    with blueprint():
        return create_model(name, keypoints=14, input_size=size)


@pytest.mark.parametrize("name", CATALOGUE)
def test_full_size_takes_both_inputs_and_trains_whole(name: str) -> None:
    for size in (LARGE, SMALL):
        net = full_size(name, size)
        with torch.set_grad_enabled(size == SMALL):
            maps = net(torch.zeros(2, net.input_channels, *size, device="meta"))
        assert [tuple(m.shape) for m in maps] == [
            (2, 14, size[0] // output.stride, size[1] // output.stride) for output in net.outputs
        ]
        assert net.heatmap_size == tuple(maps[-1].shape[-2:])
        assert not net.outputs[-1].auxiliary
    torch.stack([m.sum() for m in maps]).sum().backward()
    assert not [n for n, p in net.named_parameters() if p.grad is None]


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_name_is_reduced(name: str) -> None:
    assert sum(p.numel() for p in reduced(name).parameters()) < 1.5e6


@pytest.mark.parametrize("name", DISTINCT)
def test_every_weight_is_moved_by_the_loss(name: str) -> None:
    torch.manual_seed(0)
    net = reduced(name)
    maps = net(pictures(net))
    torch.stack([(m - 1).square().mean() for m in maps]).sum().backward()
    assert not [n for n, p in net.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    # A bias in front of a batch norm has a gradient of zero by design; every weight must really move.
    assert not [n for n, p in net.named_parameters() if p.dim() > 1 and not p.grad.any()]


@pytest.mark.parametrize("name", DISTINCT)
def test_final_only_is_the_last_output_and_skips_the_rest(name: str) -> None:
    torch.manual_seed(0)
    net = lived(reduced(name))
    images = pictures(net)
    called: set[str] = set()
    for layer_name, layer in net.named_modules():
        layer.register_forward_pre_hook(lambda *_, layer_name=layer_name: called.add(layer_name))
    with torch.no_grad():
        final = net(images, final_only=True)
        quick = set(called)
        every = net(images)
    assert len(final) == 1
    assert len(every) == len(net.outputs)
    assert torch.equal(final[0], every[-1])
    assert bool(called - quick) == any(output.auxiliary for output in net.outputs)


@pytest.mark.parametrize("name", DISTINCT)
def test_overfits_eight_crops(name: str) -> None:
    torch.manual_seed(0)
    net, row = reduced(name, keypoints=5), reduction(name)
    images, targets = crops_and_targets(net)
    nothing = targets[-1].square().mean()  # the loss of empty heatmaps
    before = {n: p.detach().clone() for n, p in net.named_parameters() if p.dim() > 1}
    optimiser = torch.optim.Adam(net.parameters(), row.learning_rate)
    for _ in range(row.steps):
        losses = [(m - t).square().mean() for m, t in zip(net(images), targets, strict=True)]
        if losses[-1] < 0.2 * nothing:
            # A decoder alone learns eight crops from random features too: all of the network must have moved.
            assert not [n for n, p in before.items() if torch.equal(p, net.get_parameter(n))]
            return
        optimiser.zero_grad()
        torch.stack(losses).sum().backward()
        optimiser.step()
    pytest.fail(f"the final output's loss is {losses[-1] / nothing:.2f} of empty heatmaps'")


@pytest.mark.parametrize("name", DISTINCT)
def test_saved_weights_load_bit_for_bit(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net, other = lived(reduced(name)), reduced(name).eval()
    save_weights(net, tmp_path / "weights.safetensors")
    loaded = load_weights(other, tmp_path / "weights.safetensors")
    assert not loaded.fresh
    images = pictures(net)
    with torch.no_grad():
        assert all(torch.equal(a, b) for a, b in zip(net(images), other(images), strict=True))


@pytest.mark.parametrize("name", DISTINCT)
def test_folded_batch_norms_change_nothing(name: str) -> None:
    torch.manual_seed(0)
    net = lived(reduced(name))
    before = {n: t.clone() for n, t in net.state_dict().items()}
    folded = fuse_batch_norm(net)
    images = pictures(net)
    with torch.no_grad():
        for a, b in zip(net(images), folded(images), strict=True):
            assert (a - b).abs().max() < 1e-5 * a.abs().max()
    assert all(torch.equal(t, before[n]) for n, t in net.state_dict().items())


@pytest.mark.parametrize("name", DISTINCT)
def test_onnxruntime_agrees(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = lived(reduced(name))
    export_onnx(net, tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    images = pictures(net, 5)
    with torch.no_grad():
        wanted = net(images, final_only=True)[-1]
    found = torch.from_numpy(session.run(["heatmaps"], {"images": images.numpy()})[0])
    assert (found - wanted).abs().max() < 1e-4 * wanted.abs().max()


@pytest.mark.parametrize("name", DISTINCT)
def test_bf16_in_channels_last_is_the_same_network(name: str) -> None:
    torch.manual_seed(0)
    net = lived(reduced(name))
    images = pictures(net)
    with torch.no_grad():
        plain = net(images)
        net, images = net.to(memory_format=torch.channels_last), images.to(memory_format=torch.channels_last)
        for a, b in zip(plain, net(images), strict=True):
            assert (a - b).abs().max() < 1e-5 * a.abs().max()
        with torch.autocast("cpu", torch.bfloat16):
            quick = net(images)
    for a, b in zip(plain, quick, strict=True):
        assert b.dtype == torch.bfloat16
        assert (a - b).norm() < 0.05 * a.norm()
    net.train()
    with torch.autocast("cpu", torch.bfloat16):
        maps = net(images)
    torch.stack([(m.float() - 1).square().mean() for m in maps]).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


def test_outputs_are_supervised_as_the_papers_do() -> None:
    cpn, mspn, ccm = reduced("cpn_resnet50"), reduced("mspn_resnet50_x2"), reduced("ccm_resnet50")
    assert [o.level for o in cpn.outputs] == [0, 1, 2, 3, 3]
    assert [o.ohkm for o in cpn.outputs] == [False] * 4 + [True]
    assert [o.level for o in mspn.outputs] == [0, 1, 2, 3, 1, 2, 3, 4]
    assert [o.weight for o in mspn.outputs] == [0.25, 0.25, 0.25, 1.0] * 2
    assert [o.ohkm for o in mspn.outputs] == [False, False, False, True] * 2
    assert [o.stage for o in mspn.outputs] == [0] * 4 + [1] * 4
    assert (mspn.stage_count, cpn.stage_count) == (2, 1)
    assert ccm.outputs == (Output(stride=2, weight=0.5, auxiliary=True), Output(stride=2))
    for net in (cpn, mspn, ccm):
        assert [o.auxiliary for o in net.outputs] == [True] * (len(net.outputs) - 1) + [False]


@pytest.mark.parametrize("name", TINY)
def test_tiny_trains_in_bf16_and_channels_last(name: str) -> None:
    torch.manual_seed(0)
    net = create_model(name, input_size=(128, 96), **TINY[name]).to(memory_format=torch.channels_last)
    assert sum(p.numel() for p in net.parameters()) < 1.2e6
    images, targets = crops_and_targets(net)
    optimiser = torch.optim.AdamW(net.parameters(), 3e-3)
    losses = []
    for _ in range(25):
        with torch.autocast("cpu", torch.bfloat16):
            maps = net(images.to(memory_format=torch.channels_last))
        assert all(m.dtype == torch.bfloat16 for m in maps)
        loss = torch.stack(
            [(m.float() - t).square().mean() for m, t in zip(maps, targets, strict=True)]
        ).sum()
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


@pytest.mark.parametrize("name", DISTINCT)
def test_same_seed_same_parameters(name: str) -> None:
    states = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        states.append(reduced(name).state_dict())
    assert all(torch.equal(states[0][k], states[1][k]) for k in states[0])
    assert not all(torch.equal(states[0][k], states[2][k]) for k in states[0])
