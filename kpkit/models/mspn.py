"""Multi-Stage Pose Network (Li et al. 2019): U-shaped stages that pass their features on, coarse to fine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

from torch import Tensor, nn

from kpkit.models.layers import conv_bn, heatmap_head, initialise, resize
from kpkit.models.multiscale import BLOCKS
from kpkit.models.network import Output, PoseNetwork
from kpkit.models.resnet import ResNetStages, find_block


class UpUnit(nn.Module):
    """One resolution of a stage's decoder: lateral map plus the coarser unit's, and a heatmap head.

    The head ends in a batch norm on the heatmaps.

    Args:
        encoder_channels: of the encoder map at this resolution.
        channels: of the decoder.
        keypoints: K.
        first: the coarsest unit, which has nothing to add.
        passes_on: a later stage reads this unit (all but the last stage).
        head_kernels: of the head's two convolutions.
        bias: convolutions have biases.
    """

    def __init__(
        self,
        encoder_channels: int,
        channels: int,
        keypoints: int,
        *,
        first: bool,
        passes_on: bool,
        head_kernels: Sequence[int],
        bias: bool,
    ) -> None:
        super().__init__()
        self.lateral = conv_bn(encoder_channels, channels, bias=bias, relu=False)
        self.relu = nn.ReLU(inplace=True)
        self.upsample = None if first else conv_bn(channels, channels, bias=bias, relu=False)
        self.encoder_skip = conv_bn(encoder_channels, encoder_channels, bias=bias) if passes_on else None
        self.decoder_skip = conv_bn(channels, encoder_channels, bias=bias) if passes_on else None
        self.head = nn.Sequential(
            conv_bn(channels, channels, head_kernels[0], bias=bias),
            heatmap_head(channels, keypoints, head_kernels[1], bias=bias),
        )

    def forward(self, encoded: Tensor, coarser: Tensor | None) -> Tensor:
        """Fused map of this resolution (N, channels, h, w)."""
        fused = self.lateral(encoded)
        if self.upsample is not None and coarser is not None:
            fused = fused + self.upsample(resize(coarser, fused.shape))
        return self.relu(fused)

    def addition(self, encoded: Tensor, fused: Tensor) -> Tensor:
        """What the next stage adds to its encoder map of this resolution (section 3.2)."""
        assert self.encoder_skip is not None and self.decoder_skip is not None
        return self.encoder_skip(encoded) + self.decoder_skip(fused)


class Stage(nn.Module):
    """A ResNet body downwards and four up units (section 3.1).

    Args:
        body: takes and gives maps as ``ResNetStages`` does.
        channels: of the decoder.
        keypoints: K.
        last: no later stage reads this one.
        head_kernels, bias: see ``UpUnit``.
    """

    def __init__(
        self,
        body: ResNetStages,
        channels: int,
        keypoints: int,
        *,
        last: bool,
        head_kernels: Sequence[int],
        bias: bool,
    ) -> None:
        super().__init__()
        self.down = body
        self.up = nn.ModuleList(
            UpUnit(
                c, channels, keypoints, first=i == 0, passes_on=not last, head_kernels=head_kernels, bias=bias
            )
            for i, c in enumerate(reversed(body.channels))
        )
        self.cross = None if last else conv_bn(channels, body.inputs, bias=bias)

    @property
    def units(self) -> list[UpUnit]:
        """The up units, coarse to fine."""
        return cast("list[UpUnit]", list(self.up))

    def forward(self, x: Tensor, additions: Sequence[Tensor] | None) -> tuple[list[Tensor], list[Tensor]]:
        """Encoder maps and fused maps, both coarse to fine, of a (N, width, H/4, W/4) map."""
        encoded = self.down(x, additions)[::-1]
        fused: list[Tensor] = []
        for unit, maps in zip(self.units, encoded, strict=True):
            fused.append(unit(maps, fused[-1] if fused else None))
        return encoded, fused

    def heatmaps(self, fused: Sequence[Tensor]) -> Iterator[Tensor]:
        """Four heatmap stacks at the finest map's size, coarse to fine."""
        for unit, maps in zip(self.units, fused, strict=True):
            yield resize(unit.head(maps), fused[-1].shape)

    def pass_on(self, encoded: Sequence[Tensor], fused: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """The next stage's input and its four additions, fine to coarse."""
        assert self.cross is not None
        additions = [u.addition(e, f) for u, e, f in zip(self.units, encoded, fused, strict=True)]
        return self.cross(fused[-1]), additions[::-1]


class MSPN(PoseNetwork):
    """MSPN on a ResNet of any block: four outputs per stage at stride 4, coarse to fine (section 3.3).

    Targets: a unit's Gaussian narrows from coarse to fine, and those of the last stage are one step narrower
    (levels 1..4; 0..3 before), so a recipe names five Gaussians. As in the public code the finest map of
    every stage mines hard keypoints with weight 1, the others have weight 1/4.

    Args:
        keypoints: K.
        input_size: (height, width) in pixels, multiples of 32.
        stages: 1 to 4 are published.
        depths, width: of every stage's ResNet body; depths (4, 8, 16, 3) are the Megvii 2018 report's
            variant of ResNet-101.
        block: of the bodies, a key of ``multiscale.BLOCKS``.
        attention: spatial and channel attention on every block's residual, see ``SpatialChannelAttention``.
        channels: of the decoders; 256 is published.
        head_kernels: of the two convolutions that make heatmaps: (1, 3) in the public code, (3, 1) in the
            Megvii 2018 report. The report is silent on their channels and batch norms, which stay.
        bias: convolutions have a bias in front of their batch norm, as in the authors' code; mmpose's MSPN
            and RSN have none.
        coarse_weight: loss weight of all but the finest map of a stage.
        init, init_std: see ``initialise``.
    """

    def __init__(
        self,
        *,
        keypoints: int = 17,
        input_size: tuple[int, int] = (256, 192),
        stages: int = 1,
        depths: Sequence[int] = (3, 4, 6, 3),
        width: int = 64,
        block: str = "bottleneck",
        attention: bool = False,
        channels: int = 256,
        head_kernels: Sequence[int] = (1, 3),
        bias: bool = True,
        coarse_weight: float = 0.25,
        init: str = "kaiming",
        init_std: float = 0.001,
    ) -> None:
        super().__init__(keypoints=keypoints, input_size=input_size)
        if stages < 1 or channels < 1:
            raise ValueError(f"stages is {stages} and channels {channels}, at least 1 of each is needed")
        if len(head_kernels) != 2 or any(k < 1 or k % 2 == 0 for k in head_kernels):
            raise ValueError(f"head_kernels is {tuple(head_kernels)}, not two odd sizes")
        kind = find_block(BLOCKS, block)
        self.stem = nn.Sequential(*conv_bn(3, width, 7, stride=2, bias=bias), nn.MaxPool2d(3, 2, 1))
        self.stages = nn.ModuleList(
            Stage(
                ResNetStages(depths=depths, width=width, block=kind, bias=bias, attention=attention),
                channels,
                keypoints,
                last=i == stages - 1,
                head_kernels=head_kernels,
                bias=bias,
            )
            for i in range(stages)
        )
        self.outputs = tuple(
            Output(
                stride=4,
                level=j + (i == stages - 1),
                ohkm=j == 3,
                weight=1.0 if j == 3 else coarse_weight,
                auxiliary=(i, j) != (stages - 1, 3),
                stage=i,
            )
            for i in range(stages)
            for j in range(4)
        )
        initialise(self, init, init_std)

    def stream(self, images: Tensor, final_only: bool) -> Iterator[Tensor]:
        x, additions = self.stem(images), None
        for stage in cast("list[Stage]", list(self.stages)):
            encoded, fused = stage(x, additions)
            if not final_only:
                yield from stage.heatmaps(fused)
            elif stage.cross is None:
                yield stage.units[-1].head(fused[-1])
            if stage.cross is not None:
                x, additions = stage.pass_on(encoded, fused)
