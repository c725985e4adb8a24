"""What a network costs: parameters and multiply-accumulates, in training and in inference."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from kpkit.models.network import PoseNetwork


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Cost of one network at its input size, per crop.

    Attributes:
        params: all parameters.
        inference_params: those that the final output needs; the rest serves supervision only.
        gmacs: multiply-accumulates of every output, in 10^9; transposed convolutions count the work they do
            (their input positions), resizing and batch norm count nothing.
        inference_gmacs: of the final output alone.
    """

    params: int
    inference_params: int
    gmacs: float
    inference_gmacs: float


def count_cost(net: PoseNetwork) -> Cost:
    """Count a network's cost by one crop of ``net.input_size`` through it, in evaluation mode.

    The network may live on the meta device (built under ``torch.device("meta")``), which costs no memory.
    """
    used: dict[int, int] = {}

    def note(layer: nn.Module, _inputs: object) -> None:
        used.update((id(p), p.numel()) for p in layer.parameters(recurse=False))

    handles = [layer.register_forward_pre_hook(note) for layer in net.modules()]
    try:
        inference_macs = _macs(net, final_only=True)
    finally:
        for handle in handles:
            handle.remove()
    return Cost(
        params=sum(p.numel() for p in net.parameters()),
        inference_params=sum(used.values()),
        gmacs=_macs(net, final_only=False) / 1e9,
        inference_gmacs=inference_macs / 1e9,
    )


def _macs(net: PoseNetwork, final_only: bool) -> float:
    parameter = next(net.parameters())
    images = torch.zeros(1, 3, *net.input_size, device=parameter.device, dtype=parameter.dtype)
    training = net.training
    net.eval()
    counter = FlopCounterMode(display=False)
    try:
        with torch.no_grad(), counter:
            net(images, final_only=final_only)
    finally:
        net.train(training)
    return counter.get_total_flops() / 2  # the counter counts a multiply-accumulate as two
