"""Batch norm folded into the convolutions before it: the same network, quicker to look at crops."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar, cast

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from kpkit.models.network import PoseNetwork
from kpkit.models.shapes import meta_twins, run_shapes

Net = TypeVar("Net", bound=PoseNetwork)


def fuse_batch_norm(net: Net) -> Net:
    """A copy of a network for inference, without the batch norms that directly follow a convolution.

    In evaluation mode such a pair is one affine map of the convolution's inputs, so the copy's heatmaps are
    the network's up to rounding (1e-5 of their maximum in float32). Which pairs there are is read off one
    forward pass, not guessed from names: a convolution whose output anything else reads stays as it is.

    Args:
        net: any pose network; not changed.

    Returns:
        The copy, in evaluation mode. It has other tensor names and cannot be trained any further.
    """
    fused = copy.deepcopy(net).eval()
    for conv, norm in list(_pairs(net)):
        _fold(fused, conv, norm)
    return fused


def _fold(net: nn.Module, conv: str, norm: str) -> None:
    before, after = net.get_submodule(conv), net.get_submodule(norm)
    assert isinstance(before, nn.Conv2d | nn.ConvTranspose2d)
    assert isinstance(after, nn.BatchNorm2d)
    transposed = isinstance(before, nn.ConvTranspose2d)
    if not (transposed and before.groups > 1):  # whose kernels no factor per output channel fits
        _set(net, conv, fuse_conv_bn_eval(before, after, transpose=transposed))
        _set(net, norm, _rest(after))


def _rest(norm: nn.Module) -> nn.Module:
    """What timm's batch norms with a built-in activation do beside the norm."""
    return cast("nn.Module", norm.act) if hasattr(norm, "act") else nn.Identity()


def _set(net: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(net.get_submodule(parent), child, module)


def _pairs(net: PoseNetwork) -> Iterator[tuple[str, str]]:
    """Names of each convolution and the batch norm that alone reads its output."""
    twins = meta_twins(net)
    with _Readers(net, twins) as seen:
        run_shapes(net, twins, (net.input_channels, *net.input_size))
    for conv, output in seen.outputs:
        readers = seen.readers[id(output)]
        if seen.calls[conv] == 1 and len(readers) == 1 and readers[0] and seen.calls[readers[0]] == 1:
            yield conv, readers[0]


class _Readers(TorchFunctionMode):
    """Watches a forward pass: what each convolution puts out and which batch norms (else "") read it."""

    def __init__(self, net: nn.Module, twins: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.convs: dict[int, str] = {}
        self.norms: dict[int, str] = {}
        for name, layer in net.named_modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                self.convs[id(twins[f"{name}.weight"])] = name
            elif isinstance(layer, nn.BatchNorm2d):
                self.norms[id(twins[f"{name}.running_mean"])] = name
        self.calls: Counter[str] = Counter()
        self.outputs: list[tuple[str, Tensor]] = []  # held, so that no id is used twice
        self.readers: dict[int, list[str]] = {}

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if not any(isinstance(leaf, Tensor) for leaf in tree_leaves(result)):
            return result  # it only asks for a shape or the like
        inputs = [id(leaf) for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        norm = next((self.norms[i] for i in inputs if i in self.norms), "")
        conv = next((self.convs[i] for i in inputs if i in self.convs), "")
        self.calls.update(name for name in (norm, conv) if name)
        for i in inputs:
            if i in self.readers:
                self.readers[i].append(norm)
        if conv and isinstance(result, Tensor):
            self.outputs.append((conv, result))
            self.readers[id(result)] = []
        return result
