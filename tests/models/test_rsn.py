"""RSN: MSPN's skeleton, and the pose refine machine on the final output only."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from kpkit.models.catalogue import create_model
from kpkit.models.mspn import MSPN
from kpkit.models.network import PoseNetwork
from kpkit.models.rsn import PoseRefineMachine


def small(**options: object) -> PoseNetwork:
    torch.manual_seed(0)
    return create_model("rsn18_x4", width=8, channels=8, stages=2, input_size=(64, 64), **options)


def test_outputs_are_mspns() -> None:
    net = small()
    assert isinstance(net, MSPN)
    assert net.outputs == create_model("mspn_resnet50_x2", width=4, channels=4).outputs


@torch.no_grad()
def test_the_refine_machine_serves_the_final_output_only() -> None:
    plain, refined = small().eval(), small(prm=True).eval()
    refined.load_state_dict(plain.state_dict(), strict=False)
    images = torch.randn(1, 3, 64, 64)
    before, after = plain(images), refined(images)
    for one, other in zip(before[:-1], after[:-1], strict=True):
        torch.testing.assert_close(one, other)
    machine = next(m for m in refined.modules() if isinstance(m, PoseRefineMachine))
    torch.testing.assert_close(after[-1], machine(before[-1]))
    torch.testing.assert_close(refined(images, final_only=True)[-1], after[-1])


@torch.no_grad()
def test_refined_is_the_map_times_one_plus_both_gates() -> None:
    machine = PoseRefineMachine(3).eval()
    heatmaps = torch.randn(2, 3, 12, 9)
    refined = machine.refine(heatmaps)
    assert refined.min() == 0
    for gate, value in ((machine.channel_gate[1], 1.0), (machine.pixel_gate[1], 2.0)):
        nn.init.zeros_(gate[1].weight)  # the gate's last batch norm
        nn.init.constant_(gate[1].bias, value)
    product = torch.sigmoid(torch.tensor(1.0)) * torch.sigmoid(torch.tensor(2.0))
    torch.testing.assert_close(machine(heatmaps), refined * (1 + product))


@torch.no_grad()
def test_the_pixel_gate_sees_four_pixels_around() -> None:
    gate = PoseRefineMachine(2).eval().pixel_gate
    for parameter in gate.parameters():
        parameter.abs_()
    spot = torch.zeros(1, 2, 15, 15)
    spot[:, :, 7, 7] = 1
    moved = (gate(spot) != gate(torch.zeros_like(spot))).nonzero()[:, 2:]
    assert moved.min(0).values.tolist() == [3, 3]
    assert moved.max(0).values.tolist() == [11, 11]


def test_the_refine_machine_is_small() -> None:
    whole, plain = (sum(p.numel() for p in small(prm=p).parameters()) for p in (True, False))
    k = 17
    expected = (9 * k * k) + 3 * (k * k) + 81 * k + 5 * (k + 2 * k)  # five convolutions, biases, batch norms
    assert whole - plain == expected


@pytest.mark.parametrize("prm", [False, True])
def test_every_parameter_gets_a_gradient(prm: bool) -> None:
    net = small(prm=prm)
    sum(m.square().mean() for m in net(torch.randn(2, 3, 64, 64))).backward()
    assert not [n for n, p in net.named_parameters() if p.grad is None]
    assert not [n for n, p in net.named_parameters() if p.dim() > 1 and not p.grad.any()]
