"""Residual blocks with several scales inside: Res2Net, RSN's residual steps, Inception-ResNet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from torch import Tensor, nn

from kpkit.models import resnet
from kpkit.models.layers import concatenate, conv_bn
from kpkit.models.resnet import ResidualBlock

SCALES = 4
"""Groups of channels, or branches, of a Res2Net or RSN block."""


def _branch_width(channels: int) -> int:
    """Channels of one of four branches: 26 of 64, the published width of Res2Net (26w x 4s) and of RSN."""
    width = channels * 26 // 64
    if width < 1:
        raise ValueError(f"{channels} channels are too few for {SCALES} branches, at least 3 are needed")
    return width


class Res2NetBottleneck(ResidualBlock):
    """1x1, a ladder of 3x3 convolutions over four groups of channels, 1x1 (Gao et al. 2019, section 3.1).

    Each group but the last has a 3x3 that reads the group plus the result of the group before; the last
    passes through. Where the block changes shape the groups do not meet, and the last is mean-pooled
    (authors' code). Tensor names are timm's.
    """

    expansion = 4

    def __init__(
        self, channels: int, planes: int, stride: int = 1, bias: bool = False, attention: bool = False
    ) -> None:
        super().__init__()
        self.width = _branch_width(planes)
        inner, out = SCALES * self.width, planes * self.expansion
        self.conv1 = nn.Conv2d(channels, inner, 1, bias=bias)
        self.bn1 = nn.BatchNorm2d(inner)
        self.convs = nn.ModuleList(
            nn.Conv2d(self.width, self.width, 3, stride, 1, bias=bias) for _ in range(SCALES - 1)
        )
        self.bns = nn.ModuleList(nn.BatchNorm2d(self.width) for _ in range(SCALES - 1))
        self.conv3 = nn.Conv2d(inner, out, 1, bias=bias)
        self.bn3 = nn.BatchNorm2d(out)
        self.finish(channels, out, stride, bias, attention)
        # The mean counts the zeros of the padding, as the authors' weights were trained.
        self.pool = nn.AvgPool2d(3, stride, 1) if self.downsample is not None else None

    def residual(self, x: Tensor) -> Tensor:
        *groups, last = self.relu(self.bn1(self.conv1(x))).split(self.width, 1)
        scales: list[Tensor] = []
        for group, conv, bn in zip(groups, self.convs, self.bns, strict=True):
            read = group if not scales or self.pool is not None else group + scales[-1]
            scales.append(self.relu(bn(conv(read))))
        scales.append(last if self.pool is None else self.pool(last))
        return self.bn3(self.conv3(concatenate(scales)))


class ResidualSteps(ResidualBlock):
    """RSN's residual steps block (Cai et al. 2020, section 3.1): 1x1, four branches of 1 to 4 3x3, 1x1.

    Step j of branch i reads the step before it (the branch's quarter of channels at first) plus step j of
    branch i - 1 where there is one. Each branch's last step goes on. The first 1x1 carries the stride, and
    branches are as wide as the block's input says, both as in the authors' code.
    """

    expansion = 1

    def __init__(
        self, channels: int, planes: int, stride: int = 1, bias: bool = False, attention: bool = False
    ) -> None:
        super().__init__()
        self.width = self.branch_width(channels, planes)
        inner, out = SCALES * self.width, planes * self.expansion
        self.conv1 = nn.Conv2d(channels, inner, 1, stride, bias=bias)
        self.bn1 = nn.BatchNorm2d(inner)
        self.steps = nn.ModuleList(
            nn.ModuleList(conv_bn(self.width, self.width, 3, bias=bias) for _ in range(i + 1))
            for i in range(SCALES)
        )
        self.conv3 = nn.Conv2d(inner, out, 1, bias=bias)
        self.bn3 = nn.BatchNorm2d(out)
        self.finish(channels, out, stride, bias, attention)

    @staticmethod
    def branch_width(channels: int, planes: int) -> int:
        """Channels of a branch."""
        return _branch_width(channels)

    def residual(self, x: Tensor) -> Tensor:
        quarters = self.relu(self.bn1(self.conv1(x))).split(self.width, 1)
        lasts: list[Tensor] = []
        above: list[Tensor] = []  # the steps of branch i - 1
        for step, branch in zip(quarters, self.steps, strict=True):
            steps: list[Tensor] = []
            for j, conv in enumerate(cast("nn.ModuleList", branch)):
                step = conv(step + above[j] if j < len(above) else step)
                steps.append(step)
            lasts.append(step)
            above = steps
        return self.bn3(self.conv3(concatenate(lasts)))


class ResidualStepsBottleneck(ResidualSteps):
    """Residual steps between a bottleneck's wide ends: 4 x planes channels out, branches of 26/64 planes.

    Not published; our reading of what RSN's steps would be in a ResNet-50 of full width.
    """

    expansion = 4

    @staticmethod
    def branch_width(channels: int, planes: int) -> int:
        return _branch_width(planes)


class InceptionBottleneck(ResidualBlock):
    """A bottleneck whose 3x3 is an Inception-ResNet-A unit (Szegedy et al. 2017, figure 16).

    Branches 1x1; 1x1, 3x3; 1x1, 3x3, 3x3 of 32, 32 and 32-48-64 channels for 64 planes, concatenated; 1x1 to
    4 x planes. The Megvii 2018 report names an Inception-ResNet-101 and no more, so this is our reading: the
    stride sits on each branch's first convolution that is not a 1x1 reduction, and batch norm after the last
    1x1 stands where Inception-ResNet scales the residual down.
    """

    expansion = 4

    def __init__(
        self, channels: int, planes: int, stride: int = 1, bias: bool = False, attention: bool = False
    ) -> None:
        super().__init__()
        if planes < 4:
            raise ValueError(f"{planes} planes are too few for Inception branches, at least 4 are needed")
        thin, wide, widest = planes // 2, 3 * planes // 4, planes
        self.branches = nn.ModuleList(
            [
                conv_bn(channels, thin, stride=stride, bias=bias),
                nn.Sequential(
                    conv_bn(channels, thin, bias=bias), conv_bn(thin, thin, 3, stride=stride, bias=bias)
                ),
                nn.Sequential(
                    conv_bn(channels, thin, bias=bias),
                    conv_bn(thin, wide, 3, stride=stride, bias=bias),
                    conv_bn(wide, widest, 3, bias=bias),
                ),
            ]
        )
        out = planes * self.expansion
        self.conv3 = nn.Conv2d(2 * thin + widest, out, 1, bias=bias)
        self.bn3 = nn.BatchNorm2d(out)
        self.finish(channels, out, stride, bias, attention)

    def residual(self, x: Tensor) -> Tensor:
        return self.bn3(self.conv3(concatenate([branch(x) for branch in self.branches])))


BLOCKS: Mapping[str, type[ResidualBlock]] = {
    **resnet.BLOCKS,
    "res2net": Res2NetBottleneck,
    "rsn": ResidualSteps,
    "rsn_bottleneck": ResidualStepsBottleneck,
    "inception": InceptionBottleneck,
}
