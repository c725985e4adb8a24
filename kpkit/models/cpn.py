"""Cascaded Pyramid Network (Chen et al., CVPR 2018): GlobalNet, then RefineNet on its features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor, nn

from kpkit.models.layers import HeatmapNorm, concatenate, conv_bn, heatmap_head, initialise, resize
from kpkit.models.network import Output, PoseNetwork
from kpkit.models.resnet import Bottleneck, ResNet


class GlobalNet(nn.Module):
    """Feature pyramid over C5..C2 with a heatmap head on each level (paper section 3.2.1).

    The heads follow the public PyTorch code: 1x1, 3x3, resize, then batch norm on the heatmaps themselves.

    Args:
        encoder_channels: of C2, C3, C4, C5.
        channels: of every pyramid level.
        keypoints: K.
    """

    def __init__(self, encoder_channels: Sequence[int], channels: int, keypoints: int) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(conv_bn(c, channels) for c in reversed(encoder_channels))
        self.upsamples = nn.ModuleList(conv_bn(channels, channels, relu=False) for _ in range(3))
        self.heads = nn.ModuleList(
            nn.Sequential(
                conv_bn(channels, channels), nn.Conv2d(channels, keypoints, 3, padding=1, bias=False)
            )
            for _ in range(4)
        )
        self.head_norms = nn.ModuleList(HeatmapNorm(keypoints) for _ in range(4))

    def forward(self, encoded: Sequence[Tensor]) -> list[Tensor]:
        """C2..C5 to four maps of ``channels``, coarse to fine (strides 32, 16, 8, 4)."""
        pyramid: list[Tensor] = []
        for i, maps in enumerate(reversed(encoded)):
            level = self.laterals[i](maps)
            if pyramid:
                level = level + self.upsamples[i - 1](resize(pyramid[-1], level.shape))
            pyramid.append(level)
        return pyramid

    def heatmaps(self, pyramid: Sequence[Tensor]) -> Iterator[Tensor]:
        """Heatmaps of each level, all at the finest level's size, coarse to fine."""
        for level, head, norm in zip(pyramid, self.heads, self.head_norms, strict=True):
            yield norm(resize(head(level), pyramid[-1].shape))


class RefineNet(nn.Module):
    """Bottlenecks on each pyramid level, more on coarser ones, concatenated and fused (section 3.2.2).

    Args:
        channels: of the pyramid levels and of every bottleneck's output; half of it inside.
        keypoints: K.
        project: 1x1 convolution on every skip (public PyTorch code) instead of identity (authors' TF code).
    """

    def __init__(self, channels: int, keypoints: int, project: bool) -> None:
        super().__init__()
        skip = True if project else None

        def bottleneck(inputs: int) -> Bottleneck:
            return Bottleneck(inputs, channels // 2, project=skip, expansion=2)

        self.cascade = nn.ModuleList(
            nn.Sequential(*(bottleneck(channels) for _ in range(3 - i))) for i in range(4)
        )
        self.fuse = bottleneck(4 * channels)
        self.head = heatmap_head(channels, keypoints)

    def forward(self, pyramid: Sequence[Tensor]) -> Tensor:
        """Four pyramid maps, coarse to fine, to heatmaps at the finest one's size."""
        finest = pyramid[-1].shape
        levels = [resize(blocks(m), finest) for blocks, m in zip(self.cascade, pyramid, strict=True)]
        heatmaps: Tensor = self.head(self.fuse(concatenate(levels)))
        return heatmaps


class CPN(PoseNetwork):
    """CPN on a ResNet. Five outputs at stride 4: GlobalNet coarse to fine, then RefineNet.

    Targets as in the public PyTorch code: the coarsest map gets the widest Gaussian (level 0), the finest
    and RefineNet the narrowest (level 3); RefineNet's loss mines hard keypoints (section 3.2.2).

    Args:
        keypoints: K.
        input_size: (height, width) in pixels, multiples of 32.
        depths, width, block: of the ResNet encoder.
        channels: of the pyramid and RefineNet; 256 is published.
        refine_projection: see ``RefineNet``; True is the PyTorch code's 27.4 M parameters, False the 27.0 M
            of the paper's own code.
        global_weight: loss weight of each GlobalNet level: 1/8 in the authors' TF code, 1/2 in the PyTorch
            one; the paper gives none.
        init, init_std: see ``initialise``.
    """

    def __init__(
        self,
        *,
        keypoints: int = 17,
        input_size: tuple[int, int] = (256, 192),
        depths: Sequence[int] = (3, 4, 6, 3),
        width: int = 64,
        block: str = "bottleneck",
        channels: int = 256,
        refine_projection: bool = True,
        global_weight: float = 0.125,
        init: str = "kaiming",
        init_std: float = 0.001,
    ) -> None:
        super().__init__(keypoints=keypoints, input_size=input_size)
        if channels < 2 or channels % 2:
            raise ValueError(f"channels is {channels}, an even number of at least 2 is needed")
        self.encoder = ResNet(depths=depths, width=width, block=block)
        self.global_net = GlobalNet(self.encoder.channels, channels, keypoints)
        self.refine_net = RefineNet(channels, keypoints, refine_projection)
        self.outputs = (
            *(Output(stride=4, level=i, weight=global_weight, auxiliary=True) for i in range(4)),
            Output(stride=4, level=3, ohkm=True),
        )
        initialise(self, init, init_std)

    def stream(self, images: Tensor, final_only: bool) -> Iterator[Tensor]:
        pyramid = self.global_net(self.encoder(images))
        if not final_only:
            yield from self.global_net.heatmaps(pyramid)
        yield self.refine_net(pyramid)
