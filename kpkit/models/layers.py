"""Pieces that several networks share, and how fresh parameters are drawn."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def initialise(module: nn.Module, init: str, std: float) -> None:
    """Draw fresh parameters from torch's global generator.

    Args:
        module: changed in place.
        init: ``kaiming`` draws convolutions from N(0, 2 / fan_out) (ResNet, MSPN, CPN); ``gaussian`` from
            N(0, std^2), the Megvii 2018 report's better choice on COCO (its std is not given; HRNet and
            SimpleBaseline use 0.001).
        std: of ``gaussian``; also of every convolution that no batch norm follows (``HeatmapConv``).

    Raises:
        ValueError: another ``init``.
    """
    if init not in ("kaiming", "gaussian"):
        raise ValueError(f"init is {init!r}, not 'kaiming' or 'gaussian'")
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            if init == "kaiming" and not isinstance(layer, HeatmapConv):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            else:
                nn.init.normal_(layer.weight, std=std)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm2d):
            layer.reset_parameters()


class HeatmapNorm(nn.BatchNorm2d):
    """Batch norm on heatmaps (MSPN, CPN). Its scale starts at 0.1, about the spread of a target of peak 1.

    From the usual 1 an optimiser spends hundreds of steps shrinking it before anything else can be learnt.
    """

    def reset_parameters(self) -> None:
        super().reset_parameters()
        nn.init.constant_(self.weight, 0.1)


def heatmap_head(channels: int, keypoints: int, kernel: int = 3, bias: bool = False) -> nn.Sequential:
    """Convolution and batch norm to heatmaps, no ReLU: indices 0, 1."""
    conv = nn.Conv2d(channels, keypoints, kernel, padding=kernel // 2, bias=bias)
    return nn.Sequential(conv, HeatmapNorm(keypoints))


class HeatmapConv(nn.Conv2d):
    """Convolution with bias to heatmaps, no batch norm after it (SimpleBaseline, HRNet, CCM, ViTPose)."""

    def __init__(self, channels: int, keypoints: int, kernel: int = 1) -> None:
        super().__init__(channels, keypoints, kernel, padding=kernel // 2)


def resize(maps: Tensor, size: torch.Size | tuple[int, ...], align_corners: bool = True) -> Tensor:
    """Bilinear resize of (N, C, h, w) to the last two numbers of ``size``; nothing when they are equal.

    ``align_corners`` is True in the public CPN (PyTorch) and MSPN code.
    """
    if maps.shape[-2:] == tuple(size[-2:]):
        return maps
    return nn.functional.interpolate(maps, tuple(size[-2:]), mode="bilinear", align_corners=align_corners)


def concatenate(maps: Sequence[Tensor]) -> Tensor:
    """Join (N, C_i, h, w) maps along the channels.

    In channels-last memory the gradient of a joined map is a view with gaps, on which CPU kernels are up to
    15 times slower (resizing) than on a packed copy, so gradients are packed first.
    """
    return torch.cat([_packing(part) for part in maps], dim=1)


def _packing(part: Tensor) -> Tensor:
    if not part.requires_grad or not part.is_contiguous(memory_format=torch.channels_last):
        return part
    part = part.view_as(part)  # so that other readers' gradients are added after packing
    part.register_hook(_packed)
    return part


def _packed(gradient: Tensor) -> Tensor:
    return gradient.contiguous(memory_format=torch.channels_last)


def global_mean(maps: Tensor) -> Tensor:
    """(N, C, h, w) to (N, C, 1, 1), each channel's mean.

    Unlike adaptive pooling's, its gradient keeps the memory format of ``maps``; adding gradients of two
    formats is several times slower on the CPU.
    """
    return nn.functional.avg_pool2d(maps, maps.shape[-2:])


def conv_bn(
    channels: int,
    out: int,
    kernel: int = 1,
    *,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
    bias: bool = False,
    relu: bool = True,
) -> nn.Sequential:
    """Convolution of 1/stride the size, batch norm and, unless refused, ReLU: indices 0, 1, 2."""
    conv = nn.Conv2d(channels, out, kernel, stride, dilation * (kernel // 2), dilation, groups, bias)
    layers: list[nn.Module] = [conv, nn.BatchNorm2d(out)]
    return nn.Sequential(*layers, nn.ReLU(inplace=True)) if relu else nn.Sequential(*layers)
