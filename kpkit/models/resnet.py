"""ResNet (He et al. 2016, section 4) with the tensor names of torchvision and timm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from kpkit.models.attention import SpatialChannelAttention
from kpkit.models.network import Encoder


class ResidualBlock(nn.Module):
    """ReLU(residual + skip): (N, channels, h, w) to (N, planes * expansion, h / stride, w / stride).

    Subclasses build their convolutions, close with ``finish`` and say what the ``residual`` is. They take
    (channels, planes, stride) and the keywords ``bias`` and ``attention``:

        channels: of the input.
        planes: 64, 128, 256, 512 in the four stages of a published network.
        stride: of the block.
        bias: convolutions have a bias in front of their batch norm (public MSPN and RSN code).
        attention: spatial and channel attention on the residual, see ``SpatialChannelAttention``.

    Attributes:
        expansion: output channels per plane.
    """

    expansion = 1

    def finish(
        self, channels: int, out: int, stride: int, bias: bool, attention: bool, project: bool | None = None
    ) -> None:
        """Add what follows the residual's convolutions.

        ``project``: 1x1 convolution and batch norm on the skip; None = only where the shape changes.
        """
        if project is None:
            project = stride != 1 or channels != out
        self.relu = nn.ReLU(inplace=True)
        self.downsample = (
            nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=bias), nn.BatchNorm2d(out))
            if project
            else None
        )
        self.attention = SpatialChannelAttention(out) if attention else None

    def residual(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        residual = self.residual(x)
        if self.attention is not None:
            residual = self.attention(residual)
        return self.relu(residual + (x if self.downsample is None else self.downsample(x)))


class BasicBlock(ResidualBlock):
    """Two 3x3 convolutions; the first carries the stride and the dilation."""

    def __init__(
        self,
        channels: int,
        planes: int,
        stride: int = 1,
        dilation: int = 1,
        bias: bool = False,
        attention: bool = False,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, planes, 3, stride, dilation, dilation, bias=bias)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=bias)
        self.bn2 = nn.BatchNorm2d(planes)
        self.finish(channels, planes, stride, bias, attention)

    def residual(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        return self.bn2(self.conv2(out))


class Bottleneck(ResidualBlock):
    """1x1, 3x3, 1x1 convolutions; the 3x3 carries the stride and the dilation.

    Args:
        project: see ``finish``.
        expansion: output channels per plane.
        groups, group_width: the 3x3 has ``groups`` groups of ``planes * group_width // 64`` channels
            (ResNeXt, Xie et al. 2017: 32 and 4); 1 and 64 are ResNet.

    Raises:
        ValueError: groups without channels.
    """

    expansion = 4

    def __init__(
        self,
        channels: int,
        planes: int,
        stride: int = 1,
        dilation: int = 1,
        bias: bool = False,
        attention: bool = False,
        project: bool | None = None,
        expansion: int = 4,
        groups: int = 1,
        group_width: int = 64,
    ) -> None:
        super().__init__()
        inner, out = planes * group_width // 64 * groups, planes * expansion
        if inner < 1:
            raise ValueError(f"{groups} groups of width {group_width} leave no channels of {planes} planes")
        self.conv1 = nn.Conv2d(channels, inner, 1, bias=bias)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, dilation, dilation, groups, bias=bias)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, out, 1, bias=bias)
        self.bn3 = nn.BatchNorm2d(out)
        self.finish(channels, out, stride, bias, attention, project)

    def residual(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        return self.bn3(self.conv3(out))


BLOCKS: Mapping[str, type[ResidualBlock]] = {"basic": BasicBlock, "bottleneck": Bottleneck}


def find_block(blocks: Mapping[str, type[ResidualBlock]], name: str) -> type[ResidualBlock]:
    """The block of a name; raises ValueError listing the known ones."""
    if name not in blocks:
        raise ValueError(f"block is {name!r}, not one of {', '.join(map(repr, blocks))}")
    return blocks[name]


class ResNetStages(Encoder):
    """The four stages of a ResNet without its stem: (N, width, H/4, W/4) to C2..C5.

    Args:
        depths: blocks per stage; (3, 4, 6, 3) is ResNet-50, (3, 4, 23, 3) 101, (3, 8, 36, 3) 152.
        width: planes of the first stage and channels of the input, doubling per stage; 64 is published.
        block: what each stage is made of.
        dilated: the last stage keeps the resolution (output stride 16) with dilation 2 instead. Its first
            block keeps dilation 1, as torchvision and timm do, so that ImageNet weights fit its reach.
            Only the blocks of this file can.
        options: keyword arguments of every block.

    Attributes:
        inputs: channels of the input.
        channels: of C2, C3, C4, C5.
        strides: of C2, C3, C4, C5, in input pixels.

    Raises:
        ValueError: a shape that is no ResNet.
    """

    def __init__(
        self,
        *,
        depths: Sequence[int],
        width: int,
        block: type[ResidualBlock],
        dilated: bool = False,
        **options: Any,
    ) -> None:
        super().__init__()
        if len(depths) != 4 or min(depths) < 1:
            raise ValueError(f"depths is {tuple(depths)}, not four counts of at least 1")
        if width < 1:
            raise ValueError(f"width is {width}, at least 1 is needed")
        self.inputs = width
        self.channels = tuple(width * 2**i * block.expansion for i in range(4))
        self.strides = (4, 8, 16, 16 if dilated else 32)
        channels = width
        for i, depth in enumerate(depths):
            stride = 1 if i == 0 or (dilated and i == 3) else 2
            blocks = []
            for j in range(depth):
                dilation = {"dilation": 2} if dilated and i == 3 and j > 0 else {}
                blocks.append(block(channels, width * 2**i, stride if j == 0 else 1, **options, **dilation))
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

    Images are (N, image_channels, H, W); attributes as ``ResNetStages``.

    Args:
        depths, width, dilated: see ``ResNetStages``.
        block: a key of ``BLOCKS``.
        groups, group_width: of the bottlenecks; 32 and 4 make ResNet-50 a ResNeXt-50 32x4d.
        image_channels: more than 3 where further maps come with the picture (PoseFix).

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
        groups: int = 1,
        group_width: int = 64,
        image_channels: int = 3,
    ) -> None:
        kind = find_block(BLOCKS, block)
        grouped = (groups, group_width) != (1, 64)
        if grouped and kind is not Bottleneck:
            raise ValueError(
                f"{groups} groups of width {group_width} need 'bottleneck' blocks, not {block!r}"
            )
        options = {"groups": groups, "group_width": group_width} if grouped else {}
        super().__init__(depths=depths, width=width, block=kind, dilated=dilated, **options)
        self.conv1 = nn.Conv2d(image_channels, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)

    def forward(self, x: Tensor, additions: Sequence[Tensor] | None = None) -> list[Tensor]:
        return self.stages(self.maxpool(self.relu(self.bn1(self.conv1(x)))), additions)
