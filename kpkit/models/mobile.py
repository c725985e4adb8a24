"""Encoders for phones: MobileNetV2 (Sandler et al. 2018) and ShuffleNetV2 (Ma et al. 2018).

Both return the last maps of their last two stages, C4 and C5, without the 1x1 convolution that widens C5
for the classifier. With ``dilated`` the last stage keeps stride 16 and its 3x3 convolutions get dilation 2,
but for the first block's, as in ``ResNet``.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from torch import Tensor, nn

from kpkit.models.layers import concatenate, conv_bn
from kpkit.models.network import Encoder


def _depthwise(channels: int, stride: int, dilation: int) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, 3, stride, dilation, dilation, groups=channels, bias=False)


def _pointwise(channels: int, out: int) -> nn.Conv2d:
    return nn.Conv2d(channels, out, 1, bias=False)


class InvertedResidual(nn.Sequential):
    """1x1 to ``expansion`` times the channels, 3x3 depthwise, 1x1; a skip where the shape stays.

    ReLU6 after the first two, nothing after the last (section 3 of MobileNetV2). With ``expansion`` 1 there
    is no first 1x1. Tensors are named as timm's.
    """

    def __init__(self, channels: int, out: int, stride: int, dilation: int, expansion: int) -> None:
        inner = channels * expansion
        convs = [("conv_dw", _depthwise(inner, stride, dilation)), ("conv_pw", _pointwise(inner, out))]
        if expansion > 1:
            convs = [("conv_pw", _pointwise(channels, inner)), convs[0], ("conv_pwl", convs[1][1])]
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        for i, (name, conv) in enumerate(convs, start=1):
            layers[name] = conv
            layers[f"bn{i}"] = nn.BatchNorm2d(conv.out_channels)
            if i < len(convs):
                layers[f"act{i}"] = nn.ReLU6(inplace=True)
        super().__init__(layers)
        self.skip = stride == 1 and channels == out

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = super().forward(x)
        return x + out if self.skip else out


class MobileNetV2(Encoder):
    """MobileNetV2 to C4 (96 channels) and C5 (320 channels at the published width).

    Args:
        width: channels of the first convolution; 32 is published. All others are in proportion, in multiples
            of 8: 16 gives timm's ``mobilenetv2_050``.
        dilated: C5 at stride 16 instead of 32.

    Raises:
        ValueError: no channels.
    """

    STAGES = (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    )
    """Expansion, channels, blocks and stride of each stage (Table 2 of the paper)."""

    def __init__(self, *, width: int = 32, dilated: bool = False) -> None:
        super().__init__()
        if width < 1:
            raise ValueError(f"width is {width}, at least 1 is needed")

        def scaled(channels: int) -> int:
            exact = channels * width / 32
            nearest = max(8, int(exact + 4) // 8 * 8)
            return nearest if nearest >= 0.9 * exact else nearest + 8

        channels = scaled(32)
        self.conv_stem = nn.Conv2d(3, channels, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.act1 = nn.ReLU6(inplace=True)
        stages: list[nn.Module] = []
        dilation = 1
        for expansion, out, depth, stride in self.STAGES:
            blocks = []
            for j in range(depth):
                keeps = dilated and len(stages) == 5
                step = stride if j == 0 and not keeps else 1
                blocks.append(InvertedResidual(channels, scaled(out), step, dilation, expansion))
                channels = scaled(out)
                if keeps:
                    dilation = 2
            stages.append(nn.Sequential(*blocks))
        self.blocks = nn.Sequential(*stages)
        self.channels = (scaled(96), scaled(320))
        self.strides = (16, 16 if dilated else 32)

    def forward(self, images: Tensor) -> list[Tensor]:
        """(N, 3, H, W) to C4 and C5, each (N, channels[i], H/strides[i], W/strides[i])."""
        c4 = self.blocks[:5](self.act1(self.bn1(self.conv_stem(images))))
        return [c4, self.blocks[5:](c4)]


class ShuffleUnit(nn.Module):
    """Half the channels pass, half go through 1x1, 3x3 depthwise, 1x1; then the halves are interleaved.

    The first unit of a stage sends all channels both ways, the short one through 3x3 depthwise and 1x1
    (figure 3 of ShuffleNetV2). Tensors are named as torchvision's.
    """

    def __init__(self, channels: int, out: int, stride: int, dilation: int, first: bool) -> None:
        super().__init__()
        half = out // 2
        inputs = channels if first else half
        self.branch1 = nn.Sequential(
            *(
                [_depthwise(inputs, stride, dilation), nn.BatchNorm2d(inputs), *conv_bn(inputs, half)]
                if first
                else []
            )
        )
        self.branch2 = nn.Sequential(
            *conv_bn(inputs, half),
            _depthwise(half, stride, dilation),
            nn.BatchNorm2d(half),
            *conv_bn(half, half),
        )
        self.first = first
        self.shuffle = nn.ChannelShuffle(2)

    def forward(self, x: Tensor) -> Tensor:
        short, long = (x, x) if self.first else x.chunk(2, dim=1)
        out: Tensor = self.shuffle(concatenate([self.branch1(short), self.branch2(long)]))
        return out


class ShuffleNetV2(Encoder):
    """ShuffleNetV2 to C4 (232 channels) and C5 (464 channels at the published 1x width).

    Args:
        width: channels of stage 2, even, doubling per stage; 116 is 1x, 48, 176 and 244 are 0.5x, 1.5x, 2x.
        dilated: C5 at stride 16 instead of 32.

    Raises:
        ValueError: an odd width.
    """

    def __init__(self, *, width: int = 116, dilated: bool = False) -> None:
        super().__init__()
        if width < 2 or width % 2:
            raise ValueError(f"width is {width}, an even number of at least 2 is needed")
        self.conv1 = nn.Sequential(
            nn.Conv2d(3, 24, 3, 2, 1, bias=False), nn.BatchNorm2d(24), nn.ReLU(inplace=True)
        )
        self.maxpool = nn.MaxPool2d(3, 2, 1)

        def stage(channels: int, out: int, depth: int, keep: bool = False) -> nn.Sequential:
            first = ShuffleUnit(channels, out, 1 if keep else 2, 1, True)
            others = (ShuffleUnit(out, out, 1, 2 if keep else 1, False) for _ in range(depth - 1))
            return nn.Sequential(first, *others)

        self.stage2 = stage(24, width, 4)
        self.stage3 = stage(width, 2 * width, 8)
        self.stage4 = stage(2 * width, 4 * width, 4, dilated)
        self.channels = (2 * width, 4 * width)
        self.strides = (16, 16 if dilated else 32)

    def forward(self, images: Tensor) -> list[Tensor]:
        """(N, 3, H, W) to C4 and C5, each (N, channels[i], H/strides[i], W/strides[i])."""
        c4 = self.stage3(self.stage2(self.maxpool(self.conv1(images))))
        return [c4, self.stage4(c4)]


MOBILE_ENCODERS: dict[str, Callable[..., Encoder]] = {
    "mobilenet_v2": MobileNetV2,
    "shufflenet_v2": ShuffleNetV2,
}
