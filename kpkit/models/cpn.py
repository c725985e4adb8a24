"""Cascaded Pyramid Network (Chen et al., CVPR 2018): GlobalNet, then RefineNet on its features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor, nn

from kpkit.models.inception_resnet import InceptionResNetV2
from kpkit.models.layers import HeatmapNorm, concatenate, conv_bn, heatmap_head, initialise, resize
from kpkit.models.network import Encoder, Output, PoseNetwork
from kpkit.models.resnet import Bottleneck, ResNet

REFINEMENTS: dict[str, tuple[int, ...]] = {
    "none": (),
    "concat": (0, 0, 0, 0),
    "single": (1, 1, 1, 1),
    "cascade": (3, 2, 1, 0),
}
"""Bottlenecks on each pyramid level, coarse to fine, in the rows of the paper's Table 4."""


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

    def heatmaps(self, pyramid: Sequence[Tensor], finest_only: bool = False) -> Iterator[Tensor]:
        """Heatmaps of each level (or of the finest alone), all at the finest level's size, coarse to fine."""
        for i in range(len(pyramid) - 1 if finest_only else 0, len(pyramid)):
            yield self.head_norms[i](resize(self.heads[i](pyramid[i]), pyramid[-1].shape))


class RefineNet(nn.Module):
    """Bottlenecks on each pyramid level, more on coarser ones, concatenated and fused (section 3.2.2).

    Args:
        channels: of the pyramid levels and of every bottleneck's output; half of it inside.
        keypoints: K.
        blocks: bottlenecks per pyramid level, coarse to fine. Fewer than four numbers read the finest levels
            only (Table 5).
        project: 1x1 convolution on every skip (public PyTorch code) instead of identity (authors' TF code).
    """

    def __init__(self, channels: int, keypoints: int, blocks: Sequence[int], project: bool) -> None:
        super().__init__()
        skip = True if project else None

        def bottleneck(inputs: int) -> Bottleneck:
            return Bottleneck(inputs, channels // 2, project=skip, expansion=2)

        self.cascade = nn.ModuleList(
            nn.Sequential(*(bottleneck(channels) for _ in range(count))) for count in blocks
        )
        self.fuse = bottleneck(len(blocks) * channels)
        self.head = heatmap_head(channels, keypoints)

    def forward(self, pyramid: Sequence[Tensor]) -> Tensor:
        """Pyramid maps, coarse to fine, to heatmaps at the finest one's size."""
        finest = pyramid[-1].shape
        read = pyramid[-len(self.cascade) :]
        levels = [resize(blocks(maps), finest) for blocks, maps in zip(self.cascade, read, strict=True)]
        heatmaps: Tensor = self.head(self.fuse(concatenate(levels)))
        return heatmaps


class CPN(PoseNetwork):
    """CPN on any encoder with four maps. Five outputs at stride 4: GlobalNet coarse to fine, then RefineNet.

    Targets as in the public PyTorch code: the coarsest map gets the widest Gaussian (level 0), the finest
    and RefineNet the narrowest (level 3); RefineNet's loss mines hard keypoints (section 3.2.2). The losses
    of Table 7: L2 for both nets is this network trained with ``ohkm`` equal to the number of keypoints, L2
    and L2* is as it stands, L2* for both is ``global_ohkm``.

    The GFLOPs of Tables 4 and 5 are 2^30 multiply-accumulates of the final output on a ResNet whose stride
    sits on the first 1x1 (0.21 fewer than ours) and with ``refine_projection``: so counted, every variant
    here costs what is printed, but for ``"none"``, printed 3.90, counted 4.41: its head is not described.

    Args:
        encoder: four maps at strides 4, 8, 16 and 32.
        channels: of the pyramid and RefineNet, even; 256 is published.
        refine: what RefineNet puts on the pyramid levels before concatenating them (Table 4): ``"cascade"``
            3, 2, 1 and 0 bottlenecks from C5 to C2, as published; ``"single"`` one on each; ``"concat"``
            none; ``"none"`` leaves RefineNet out and the finest GlobalNet head is the final output.
        refine_levels: pyramid levels RefineNet reads (Table 5): 1 is C2, 2 is C2 and C3, ..., 4 is all.
        refine_projection: see ``RefineNet``; True is the PyTorch code's 27.4 M parameters, False the 27.0 M
            of the paper's own code.
        global_ohkm: GlobalNet's losses mine hard keypoints, too.
        global_weight: loss weight of each GlobalNet level: 1/8 in the authors' TF code, 1/2 in the PyTorch
            one; the paper gives none. 0 is Table 7's rows without a loss on GlobalNet.
        keypoints: K.
        input_size: (height, width) in pixels, multiples of 32.
        init, init_std: see ``initialise``.

    Raises:
        ValueError: an odd channel count, an unknown refinement, other than 1 to 4 levels.
    """

    def __init__(
        self,
        encoder: Encoder,
        *,
        channels: int,
        refine: str,
        refine_levels: int,
        refine_projection: bool,
        global_ohkm: bool,
        global_weight: float,
        keypoints: int,
        input_size: tuple[int, int],
        init: str,
        init_std: float,
    ) -> None:
        super().__init__(keypoints=keypoints, input_size=input_size)
        if channels < 2 or channels % 2:
            raise ValueError(f"channels is {channels}, an even number of at least 2 is needed")
        if refine not in REFINEMENTS:
            raise ValueError(f"refine is {refine!r}, not one of {', '.join(map(repr, REFINEMENTS))}")
        if not 1 <= refine_levels <= 4:
            raise ValueError(f"refine_levels is {refine_levels}, not 1 to 4")
        self.encoder = encoder
        self.global_net = GlobalNet(encoder.channels, channels, keypoints)
        blocks = REFINEMENTS[refine][-refine_levels:]
        self.refine_net = RefineNet(channels, keypoints, blocks, refine_projection) if blocks else None
        pyramid = tuple(
            Output(
                stride=4,
                level=i,
                ohkm=global_ohkm,
                weight=global_weight,
                auxiliary=self.refine_net is not None or i < 3,
            )
            for i in range(4)
        )
        self.outputs = (*pyramid, Output(stride=4, level=3, ohkm=True)) if self.refine_net else pyramid
        initialise(self, init, init_std)

    def stream(self, images: Tensor, final_only: bool) -> Iterator[Tensor]:
        pyramid = self.global_net(self.encoder(images))
        if self.refine_net is None:
            yield from self.global_net.heatmaps(pyramid, finest_only=final_only)
            return
        if not final_only:
            yield from self.global_net.heatmaps(pyramid)
        yield self.refine_net(pyramid)


def cpn_resnet(
    *,
    keypoints: int = 17,
    input_size: tuple[int, int] = (256, 192),
    depths: Sequence[int] = (3, 4, 6, 3),
    width: int = 64,
    block: str = "bottleneck",
    channels: int = 256,
    refine: str = "cascade",
    refine_levels: int = 4,
    refine_projection: bool = True,
    global_ohkm: bool = False,
    global_weight: float = 0.125,
    init: str = "kaiming",
    init_std: float = 0.001,
) -> CPN:
    """CPN on a ResNet. Arguments as ``ResNet`` and ``CPN``."""
    return CPN(
        ResNet(depths=depths, width=width, block=block),
        channels=channels,
        refine=refine,
        refine_levels=refine_levels,
        refine_projection=refine_projection,
        global_ohkm=global_ohkm,
        global_weight=global_weight,
        keypoints=keypoints,
        input_size=input_size,
        init=init,
        init_std=init_std,
    )


def cpn_inception_resnet(
    *,
    keypoints: int = 17,
    input_size: tuple[int, int] = (256, 192),
    depths: Sequence[int] = (10, 20, 9),
    width: int = 32,
    channels: int = 256,
    refine: str = "cascade",
    refine_levels: int = 4,
    refine_projection: bool = True,
    global_ohkm: bool = False,
    global_weight: float = 0.125,
    init: str = "kaiming",
    init_std: float = 0.001,
) -> CPN:
    """CPN on Inception-ResNet-v2, the encoder of the paper's best entries (section 4.3).

    Arguments as ``InceptionResNetV2`` and ``CPN``. Which maps the authors read is not published: see
    ``InceptionResNetV2``.
    """
    return CPN(
        InceptionResNetV2(depths=depths, width=width),
        channels=channels,
        refine=refine,
        refine_levels=refine_levels,
        refine_projection=refine_projection,
        global_ohkm=global_ohkm,
        global_weight=global_weight,
        keypoints=keypoints,
        input_size=input_size,
        init=init,
        init_std=init_std,
    )
