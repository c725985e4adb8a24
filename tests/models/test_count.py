"""Costs are those that torch's own counter finds, of every family, without computing anything."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from kpkit.models.catalogue import CATALOGUE, create_model
from kpkit.models.count import count_cost
from kpkit.models.network import PoseNetwork
from kpkit.models.shapes import blueprint

# the first name of each constructor and kind of backbone: further ones differ by numbers only
ONE_EACH = list(
    {(e.builder, e.backbone.split("-")[0]): e.name for e in reversed(CATALOGUE.values())}.values()
)


def built(name: str, **options: object) -> PoseNetwork:
    with blueprint():
        return create_model(name, **options)  # type: ignore[arg-type]


def torch_gmacs(net: PoseNetwork, final_only: bool) -> float:
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        net.eval()(torch.zeros(1, net.input_channels, *net.input_size, device="meta"), final_only=final_only)
    return counter.get_total_flops() / 2 / 1e9  # torch counts a multiply-accumulate as two


@pytest.mark.parametrize("name", ONE_EACH)
def test_multiply_accumulates_are_those_of_torchs_counter(name: str) -> None:
    net = built(name, input_size=(128, 96), keypoints=14)
    cost = count_cost(net)
    assert cost.gmacs == torch_gmacs(net, final_only=False) > 0
    assert cost.inference_gmacs == torch_gmacs(net, final_only=True) > 0


@pytest.mark.parametrize("name", ONE_EACH)
def test_inference_parameters_are_those_the_final_output_moves(name: str) -> None:
    net = built(name, input_size=(128, 96))
    final = net(torch.zeros(2, net.input_channels, 128, 96, device="meta"), final_only=True)[-1]
    gradients = torch.autograd.grad(final.sum(), list(net.parameters()), allow_unused=True)
    moved = sum(p.numel() for p, g in zip(net.parameters(), gradients, strict=True) if g is not None)
    assert count_cost(net).inference_params == moved


def test_published_convention_counts_in_gi_and_deconvolutions_at_their_outputs() -> None:
    def net(*layers: nn.Module) -> nn.Module:
        return nn.Sequential(*layers)

    plain = count_cost(net(nn.Conv2d(8, 16, 3, padding=1, groups=2)), (8, 32, 24))
    assert plain.gmacs == 32 * 24 * 16 * 4 * 9 / 1e9
    assert plain.gflops == 32 * 24 * 16 * 4 * 9 / 2**30
    deconvolution = count_cost(net(nn.ConvTranspose2d(8, 16, 4, 2, 1)), (8, 32, 24))
    assert deconvolution.gmacs == 32 * 24 * 8 * 16 * 16 / 1e9
    assert deconvolution.gflops == 4 * 32 * 24 * 8 * 16 * 16 / 2**30


class Block(nn.Module):
    """Attention of all tokens, a position per token, and a parameter whose shape alone is asked."""

    def __init__(self, tokens: int, channels: int) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.zeros(tokens, channels))
        self.idle = nn.Parameter(torch.zeros(channels))
        self.qkv = nn.Linear(channels, 3 * channels)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x + self.position).chunk(3, dim=-1)
        return nn.functional.scaled_dot_product_attention(q, k, v).reshape(-1, self.idle.shape[0])


def test_attention_and_bare_parameters_are_seen() -> None:
    n, c = 12, 8
    cost = count_cost(Block(n, c), (n, c))
    assert cost.gmacs * 1e9 == pytest.approx(3 * n * c * c + 2 * n * n * c)
    assert cost.params - cost.inference_params == c


def test_counting_computes_nothing_and_leaves_the_network_as_it_was() -> None:
    net = create_model("cpn_resnet50", width=4, channels=8, depths=(1, 1, 1, 1), input_size=(64, 64))
    net.get_submodule("encoder.bn1").eval()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    count_cost(net)
    assert [name for name, part in net.named_modules() if not part.training] == ["encoder.bn1"]
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    assert all(parameter.device.type == "cpu" for parameter in net.parameters())


def test_a_blueprint_has_the_shapes_of_the_network_and_no_numbers() -> None:
    options = {"width": 4, "channels": 8, "depths": (1, 1, 1, 1), "input_size": (64, 64)}
    sketch, net = built("cpn_resnet50", **options), create_model("cpn_resnet50", **options)  # type: ignore[arg-type]
    assert {k: v.shape for k, v in sketch.state_dict().items()} == {
        k: v.shape for k, v in net.state_dict().items()
    }
    assert all(tensor.device.type == "meta" for tensor in sketch.state_dict().values())
    assert count_cost(sketch) == count_cost(net)
    assert torch.zeros(1).device.type == "cpu"
