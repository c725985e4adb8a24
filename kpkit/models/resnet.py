"""ResNet (He et al. 2016, section 4) with the tensor names of torchvision and timm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from kpkit.models.network import Encoder


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a skip; the first carries the stride. See ``Bottleneck`` for the arguments."""

    expansion = 1

    def __init__(
        self,
        channels: int,
        planes: int,
        stride: int = 1,
        dilation: int = 1,
        bias: bool = False,
        project: bool | None = None,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, planes, 3, stride, dilation, dilation, bias=bias)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=bias)
        self.bn2 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _projection(channels, planes, stride, bias, project)

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return self.relu(out + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions and a skip; the 3x3 carries the stride and the dilation.

    Args:
        channels: of the input.
        planes: channels of the 3x3 in a ResNet; the output has ``planes * expansion`` channels.
        stride: of the 3x3 and the projection.
        dilation: of the 3x3.
        bias: convolutions have a bias in front of their batch norm (public MSPN code).
        project: 1x1 convolution on the skip; None = only where the shape changes.
        expansion: output channels per plane.
        groups, group_width: the 3x3 has ``groups`` groups of ``planes * group_width // 64`` channels
            (ResNeXt, Xie et al. 2017: 32 and 4); 1 and 64 are ResNet.
    """

    expansion = 4

    def __init__(
        self,
        channels: int,
        planes: int,
        stride: int = 1,
        dilation: int = 1,
        bias: bool = False,
        project: bool | None = None,
        expansion: int = 4,
        groups: int = 1,
        group_width: int = 64,
    ) -> None:
        super().__init__()
        inner, out = planes * group_width // 64 * groups, planes * expansion
        self.conv1 = nn.Conv2d(channels, inner, 1, bias=bias)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, dilation, dilation, groups, bias=bias)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, out, 1, bias=bias)
        self.bn3 = nn.BatchNorm2d(out)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _projection(channels, out, stride, bias, project)

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        return self.relu(out + (x if self.downsample is None else self.downsample(x)))


BLOCKS: dict[str, type[BasicBlock] | type[Bottleneck]] = {"basic": BasicBlock, "bottleneck": Bottleneck}


def _projection(channels: int, out: int, stride: int, bias: bool, project: bool | None) -> nn.Module | None:
    if project is None:
        project = stride != 1 or channels != out
    if not project:
        return None
    return nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=bias), nn.BatchNorm2d(out))


class ResNetStages(Encoder):
    """The four stages of a ResNet without its stem: (N, width, H/4, W/4) to C2..C5.

    Args:
        depths: blocks per stage; (3, 4, 6, 3) is ResNet-50, (3, 4, 23, 3) 101, (3, 8, 36, 3) 152.
        width: planes of the first stage and channels of the input, doubling per stage; 64 is published.
        block: a key of ``BLOCKS``.
        dilated: the last stage keeps the resolution (output stride 16) with dilation 2 instead. Its first
            block keeps dilation 1, as torchvision and timm do, so that ImageNet weights fit its reach.
        bias: convolutions have biases.
        groups, group_width: of the bottlenecks; 32 and 4 make ResNet-50 a ResNeXt-50 32x4d.

    Attributes:
        channels: of C2, C3, C4, C5.
        strides: of C2, C3, C4, C5, in input pixels.

    Raises:
        ValueError: a shape that is no ResNet.
    """

    def __init__(
        self,
        *,
        depths: Sequence[int] = (3, 4, 6, 3),
        width: int = 64,
        block: str = "bottleneck",
        dilated: bool = False,
        bias: bool = False,
        groups: int = 1,
        group_width: int = 64,
    ) -> None:
        super().__init__()
        if len(depths) != 4 or min(depths) < 1:
            raise ValueError(f"depths is {tuple(depths)}, not four counts of at least 1")
        if width < 1:
            raise ValueError(f"width is {width}, at least 1 is needed")
        if block not in BLOCKS:
            raise ValueError(f"block is {block!r}, not one of {', '.join(map(repr, BLOCKS))}")
        grouping: dict[str, Any] = {}
        if (groups, group_width) != (1, 64):
            if block != "bottleneck" or groups < 1 or width * group_width < 64:
                raise ValueError(
                    f"{groups} groups of width {group_width} do not fit {block} blocks of {width}"
                )
            grouping = {"groups": groups, "group_width": group_width}
        kind = BLOCKS[block]
        self.channels = tuple(width * 2**i * kind.expansion for i in range(4))
        self.strides = (4, 8, 16, 16 if dilated else 32)
        channels = width
        for i, depth in enumerate(depths):
            stride = 1 if i == 0 or (dilated and i == 3) else 2
            blocks = []
            for j in range(depth):
                dilation = 2 if dilated and i == 3 and j > 0 else 1
                blocks.append(
                    kind(channels, width * 2**i, stride if j == 0 else 1, dilation, bias, **grouping)
                )
                channels = self.channels[i]
            self.add_module(f"layer{i + 1}", nn.Sequential(*blocks))

    def stages(self, x: Tensor, additions: Sequence[Tensor] | None = None) -> list[Tensor]:
        """C2..C5, each (N, channels[i], H/strides[i], W/strides[i]).

        ``additions`` are four maps of these shapes added to each stage's output before the next stage reads
        it (MSPN's cross-stage feature aggregation).
        """
        maps = []
        for i in range(4):
            x = self.get_submodule(f"layer{i + 1}")(x)
            if additions is not None:
                x = x + additions[i]
            maps.append(x)
        return maps

    def forward(self, x: Tensor, additions: Sequence[Tensor] | None = None) -> list[Tensor]:
        return self.stages(x, additions)


class ResNet(ResNetStages):
    """A ResNet from image to C2..C5: 7x7 stride 2 convolution, 3x3 stride 2 max-pool, four stages.

    Arguments and attributes as ``ResNetStages``; images are (N, 3, H, W).
    """

    def __init__(
        self,
        *,
        depths: Sequence[int] = (3, 4, 6, 3),
        width: int = 64,
        block: str = "bottleneck",
        dilated: bool = False,
        groups: int = 1,
        group_width: int = 64,
    ) -> None:
        super().__init__(
            depths=depths, width=width, block=block, dilated=dilated, groups=groups, group_width=group_width
        )
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)

    def forward(self, x: Tensor, additions: Sequence[Tensor] | None = None) -> list[Tensor]:
        return self.stages(self.maxpool(self.relu(self.bn1(self.conv1(x)))), additions)
