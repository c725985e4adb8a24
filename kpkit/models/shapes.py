"""Networks as shapes alone: built and run without drawing, holding or computing a single number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.overrides import TorchFunctionMode


@contextmanager
def blueprint() -> Iterator[None]:
    """Within it modules are built on the meta device, none of their parameters drawn.

    Several times faster than the meta device alone, which goes through the motions of every draw.
    """
    with torch.device("meta"), _Undrawn():
        yield


class _Undrawn(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in _FILLS:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


_FILLS = frozenset({
    Tensor.fill_, Tensor.normal_, Tensor.uniform_, Tensor.zero_,
    nn.init.constant_, nn.init.kaiming_uniform_, nn.init.normal_, nn.init.uniform_,
})  # fmt: skip


def meta_twins(module: nn.Module) -> dict[str, Tensor]:
    """A meta tensor for every parameter and buffer of a module, by name; its own where it lives there."""
    named = [*module.named_parameters(), *module.named_buffers()]
    return {
        name: tensor if tensor.is_meta else torch.empty_like(tensor, device="meta") for name, tensor in named
    }


def run_shapes(module: nn.Module, twins: dict[str, Tensor], shape: Sequence[int], **arguments: Any) -> None:
    """One forward pass of one input on the meta device, in evaluation mode, wherever the module lives.

    Args:
        module: left as it was.
        twins: from ``meta_twins``, standing in for its tensors.
        shape: of the input, without the batch; (input_channels, H, W) for a pose network.
        arguments: further keyword arguments of its ``forward``.
    """
    training = [part for part in module.modules() if part.training]
    module.eval()
    first = next(module.parameters())
    inputs = torch.empty(1, *shape, device="meta", dtype=first.dtype)
    try:
        with torch.no_grad():
            if first.is_meta:
                module(inputs, **arguments)
            else:
                functional_call(module, twins, (inputs,), arguments)
    finally:
        for part in training:
            part.training = True
