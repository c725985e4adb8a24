"""Inception-ResNet-v2 (Szegedy et al., AAAI 2017) as an encoder with the tensor names of timm."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn

from kpkit.models.layers import concatenate
from kpkit.models.network import Encoder

Kernel = int | tuple[int, int]
Step = tuple[int, Kernel] | tuple[int, Kernel, int]


def _conv(channels: int, out: int, kernel: Kernel, stride: int = 1) -> nn.Sequential:
    """Convolution, batch norm, ReLU; padded so that stride 1 keeps the size and stride 2 halves it."""
    height, width = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    padding = (height // 2, width // 2)
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(channels, out, (height, width), stride, padding, bias=False),
            bn=nn.BatchNorm2d(out, eps=1e-3),
            relu=nn.ReLU(inplace=True),
        )
    )


def _branch(channels: int, *steps: Step) -> nn.Module:
    """Convolutions in a row, each (channels, kernel[, stride]); a single one stands without a sequence."""
    layers = []
    for out, *shape in steps:
        layers.append(_conv(channels, out, *shape))  # type: ignore[arg-type]
        channels = out
    return layers[0] if len(layers) == 1 else nn.Sequential(*layers)


class Mixed(nn.Module):
    """Branches of one input, concatenated."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.names = [f"branch{i}" for i in range(len(branches))]
        for name, branch in zip(self.names, branches, strict=True):
            self.add_module(name, branch)

    def forward(self, x: Tensor) -> Tensor:
        return concatenate([self.get_submodule(name)(x) for name in self.names])


class Residual(Mixed):
    """Branches, concatenated, a 1x1 convolution with bias, scaled down and added to the input.

    Args:
        channels: of the input and the output.
        joined: of the concatenation.
        scale: of what is added (section 3.3 of the paper; the values are the public code's).
        relu: after the sum.
    """

    def __init__(
        self, channels: int, joined: int, scale: float, *branches: nn.Module, relu: bool = True
    ) -> None:
        super().__init__(*branches)
        self.conv2d = nn.Conv2d(joined, channels, 1)
        self.scale = scale
        self.relu = nn.ReLU() if relu else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.relu(x + self.scale * self.conv2d(super().forward(x)))
        return out


class InceptionResNetV2(Encoder):
    """Inception-ResNet-v2 with padding wherever the original has none, to C2..C5.

    The original shrinks a map by a pixel or two in its unpadded convolutions and pools: of a 256x192 crop
    it makes 60x44, 29x21, 14x10 and 6x4, whose pixels do not lie where a pyramid expects them. Padded by 1,
    each of those layers keeps or halves the size (64x48, 32x24, 16x12, 8x6), the weights fit as they are,
    and what a layer samples moves by at most a pixel of its input. Max-pools pad with minus infinity; the
    average pool leaves the padding out of its mean, as published.

    The maps are the last of each resolution: 192 channels after ``conv2d_4a`` (C2, stem only), 320 after
    ``repeat`` (C3), 1088 after ``repeat_1`` (C4) and 1536 after ``conv2d_7b`` (C5: what the classifier
    reads, so that all of the ImageNet weights serve; the 2080 channels before it would cost the pyramid
    more and leave them out).

    Args:
        depths: residual blocks of strides 8, 16 and 32; (10, 20, 9) is published. One more follows at 32.
        width: channels of the first convolution, which all others are multiples of; even, 32 is published.

    Raises:
        ValueError: other shapes.
    """

    def __init__(self, *, depths: Sequence[int] = (10, 20, 9), width: int = 32) -> None:
        super().__init__()
        if len(depths) != 3 or min(depths) < 1:
            raise ValueError(f"depths is {tuple(depths)}, not three counts of at least 1")
        if width < 2 or width % 2:
            raise ValueError(f"width is {width}, an even number of at least 2 is needed")

        def c(channels: int) -> int:
            """A published channel count, all of which are multiples of 16, at this width."""
            return channels * width // 32

        self.channels = (c(192), c(320), c(1088), c(1536))
        self.strides = (4, 8, 16, 32)
        self.conv2d_1a = _conv(3, c(32), 3, 2)
        self.conv2d_2a = _conv(c(32), c(32), 3)
        self.conv2d_2b = _conv(c(32), c(64), 3)
        self.maxpool_3a = nn.MaxPool2d(3, 2, 1)
        self.conv2d_3b = _conv(c(64), c(80), 1)
        self.conv2d_4a = _conv(c(80), c(192), 3)
        self.maxpool_5a = nn.MaxPool2d(3, 2, 1)
        self.mixed_5b = Mixed(
            _branch(c(192), (c(96), 1)),
            _branch(c(192), (c(48), 1), (c(64), 5)),
            _branch(c(192), (c(64), 1), (c(96), 3), (c(96), 3)),
            nn.Sequential(
                nn.AvgPool2d(3, 1, 1, count_include_pad=False),
                _conv(c(192), c(64), 1),
            ),
        )
        self.repeat = nn.Sequential(
            *(
                Residual(
                    c(320),
                    c(128),
                    0.17,
                    _branch(c(320), (c(32), 1)),
                    _branch(c(320), (c(32), 1), (c(32), 3)),
                    _branch(c(320), (c(32), 1), (c(48), 3), (c(64), 3)),
                )
                for _ in range(depths[0])
            )
        )
        self.mixed_6a = Mixed(
            _branch(c(320), (c(384), 3, 2)),
            _branch(c(320), (c(256), 1), (c(256), 3), (c(384), 3, 2)),
            nn.MaxPool2d(3, 2, 1),
        )
        self.repeat_1 = nn.Sequential(
            *(
                Residual(
                    c(1088),
                    c(384),
                    0.1,
                    _branch(c(1088), (c(192), 1)),
                    _branch(c(1088), (c(128), 1), (c(160), (1, 7)), (c(192), (7, 1))),
                )
                for _ in range(depths[1])
            )
        )
        self.mixed_7a = Mixed(
            _branch(c(1088), (c(256), 1), (c(384), 3, 2)),
            _branch(c(1088), (c(256), 1), (c(288), 3, 2)),
            _branch(c(1088), (c(256), 1), (c(288), 3), (c(320), 3, 2)),
            nn.MaxPool2d(3, 2, 1),
        )

        def block8(scale: float, relu: bool) -> Residual:
            return Residual(
                c(2080),
                c(448),
                scale,
                _branch(c(2080), (c(192), 1)),
                _branch(c(2080), (c(192), 1), (c(224), (1, 3)), (c(256), (3, 1))),
                relu=relu,
            )

        self.repeat_2 = nn.Sequential(*(block8(0.2, True) for _ in range(depths[2])))
        self.block8 = block8(1.0, False)
        self.conv2d_7b = _conv(c(2080), c(1536), 1)

    def forward(self, images: Tensor) -> list[Tensor]:
        """(N, 3, H, W) to C2..C5, each (N, channels[i], H/strides[i], W/strides[i])."""
        stem = self.conv2d_2b(self.conv2d_2a(self.conv2d_1a(images)))
        c2 = self.conv2d_4a(self.conv2d_3b(self.maxpool_3a(stem)))
        c3 = self.repeat(self.mixed_5b(self.maxpool_5a(c2)))
        c4 = self.repeat_1(self.mixed_6a(c3))
        c5 = self.conv2d_7b(self.block8(self.repeat_2(self.mixed_7a(c4))))
        return [c2, c3, c4, c5]
