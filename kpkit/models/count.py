"""What a network costs: parameters and multiply-accumulates, in training and in inference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from kpkit.models.network import PoseNetwork
from kpkit.models.shapes import meta_twins, run_shapes


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Cost of one network at its input size, per crop.

    Attributes:
        params: all parameters.
        inference_params: those that the final output needs; the rest serves supervision only.
        gmacs: multiply-accumulates of every output, in 10^9; transposed convolutions count the work they do
            (their input positions), resizing, batch norm and activations count nothing.
        inference_gmacs: of the final output alone.
        gflops: of every output as the tables of HRNet and SimpleBaseline count: in 2^30, transposed
            convolutions at their output positions (four times their work at stride 2).
        inference_gflops: of the final output alone.
    """

    params: int
    inference_params: int
    gmacs: float
    inference_gmacs: float
    gflops: float
    inference_gflops: float


def count_cost(net: nn.Module, input_shape: Sequence[int] | None = None) -> Cost:
    """Count a network's cost for one input in evaluation mode.

    Only shapes are worked out, on whatever device the network lives, so a whole catalogue built under
    ``blueprint`` takes seconds.

    Args:
        net: left as it was.
        input_shape: without the batch; by default a crop of a pose network's ``input_size``.
    """
    if input_shape is None:
        assert isinstance(net, PoseNetwork), "only pose networks know their input's shape"
        input_shape = (net.input_channels, *net.input_size)
    twins = meta_twins(net)
    every = final = _measure(net, twins, input_shape)
    if isinstance(net, PoseNetwork) and any(output.auxiliary for output in net.outputs):
        final = _measure(net, twins, input_shape, final_only=True)
    return Cost(
        params=sum(p.numel() for p in net.parameters()),
        inference_params=sum(final.read.values()),
        gmacs=every.macs / 1e9,
        inference_gmacs=final.macs / 1e9,
        gflops=every.macs_at_outputs / 2**30,
        inference_gflops=final.macs_at_outputs / 2**30,
    )


def _measure(
    module: nn.Module, twins: dict[str, Tensor], input_shape: Sequence[int], **arguments: Any
) -> Meter:
    with Meter([twins[name] for name, _ in module.named_parameters()]) as meter:
        run_shapes(module, twins, input_shape, **arguments)
    return meter


class Meter(TorchFunctionMode):
    """Adds up the multiply-accumulates of the torch calls made within, and the parameters that they read.

    Counting calls, not modules, sees attention and whatever else a module computes by itself.

    Args:
        parameters: to look out for.

    Attributes:
        macs: multiply-accumulates.
        macs_at_outputs: likewise, transposed convolutions at their output positions.
        read: elements of each parameter read, by its ``id``.
    """

    def __init__(self, parameters: Sequence[Tensor] = ()) -> None:
        super().__init__()
        self._sizes = {id(parameter): parameter.numel() for parameter in parameters}
        self.read: dict[int, int] = {}
        self.macs = 0
        self.macs_at_outputs = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in _SAME_SHAPE or (func is Tensor.add and _alike(*args)):
            out = args[0]
        elif func is F.interpolate:
            out = _resized(*args, **kwargs)
        else:
            out = func(*args, **kwargs)
        if func.__name__ != "__get__":  # asking for a shape reads no number
            for argument in (*args, *kwargs.values()):
                if id(argument) in self._sizes:
                    self.read[id(argument)] = self._sizes[id(argument)]
        if func in _RULES:
            macs, at_outputs = _RULES[func](out, *args, **kwargs)
            self.macs += macs
            self.macs_at_outputs += at_outputs
        return out


_SAME_SHAPE = frozenset({
    F.batch_norm, F.layer_norm, F.dropout, F.relu, F.hardtanh, F.relu6, F.gelu, F.silu, F.softmax, torch.relu,
    torch.relu_, torch.sigmoid, Tensor.relu_, Tensor.sigmoid,
})  # fmt: skip
"""What keeps its first argument's shape: on the meta device thirty times slower than a convolution."""


def _alike(*summands: Any) -> bool:
    return all(isinstance(s, Tensor) and s.shape == summands[0].shape for s in summands)


def _resized(maps: Tensor, size: Any = None, scale_factor: Any = None, *_: Any, **__: Any) -> Tensor:
    """The shape is every mode's; nearest alone is quick on the meta device."""
    return F.interpolate(maps, size, scale_factor)


def _convolution(out: Tensor, _inputs: Tensor, weight: Tensor, *_: Any, **__: Any) -> tuple[int, int]:
    macs = out.numel() // out.shape[1] * weight.numel()
    return macs, macs


def _transposed(out: Tensor, inputs: Tensor, weight: Tensor, *_: Any, **__: Any) -> tuple[int, int]:
    at_inputs, at_outputs = (maps.numel() // maps.shape[1] * weight.numel() for maps in (inputs, out))
    return at_inputs, at_outputs


def _linear(_out: Tensor, inputs: Tensor, weight: Tensor, *_: Any, **__: Any) -> tuple[int, int]:
    macs = inputs.numel() * weight.shape[0]
    return macs, macs


def _product(out: Tensor, left: Tensor, _right: Tensor, *_: Any, **__: Any) -> tuple[int, int]:
    macs = out.numel() * left.shape[-1]
    return macs, macs


def _attention(
    out: Tensor, query: Tensor, key: Tensor, _value: Tensor, *_: Any, **__: Any
) -> tuple[int, int]:
    """Queries with keys, then their weights with values: 2 N^2 C for N tokens of C channels."""
    macs = (query.numel() + out.numel()) * key.shape[-2]
    return macs, macs


_RULES: dict[Any, Callable[..., tuple[int, int]]] = {
    F.conv2d: _convolution,
    F.conv_transpose2d: _transposed,
    F.linear: _linear,
    F.scaled_dot_product_attention: _attention,
    torch.matmul: _product,
    Tensor.matmul: _product,
}
"""Multiply-accumulates of a call: the work, and with transposed convolutions at their output positions."""
