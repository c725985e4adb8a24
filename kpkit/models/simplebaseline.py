"""SimpleBaseline (Xiao, Wu and Wei, ECCV 2018): deconvolutions on the last map of a ResNet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor, nn

from kpkit.models.layers import HeatmapConv, initialise
from kpkit.models.network import Output, PoseNetwork
from kpkit.models.resnet import ResNet


class Deconvolutions(nn.Sequential):
    """4x4 stride 2 deconvolution, batch norm and ReLU, once per element of ``channels`` (section 2).

    (N, inputs, h, w) to (N, channels[-1], h * 2^n, w * 2^n). The deconvolutions have no bias (public code).

    Args:
        inputs: channels of the map they read.
        channels: of each deconvolution; at least one, all positive.
        norm: batch norms behind them.
    """

    def __init__(self, inputs: int, channels: Sequence[int], *, norm: bool = True) -> None:
        if not channels or min(channels) < 1:
            raise ValueError(f"deconvolutions is {tuple(channels)}, not one or more channel counts")
        layers: list[nn.Module] = []
        for before, after in zip([inputs, *channels], channels, strict=False):
            layers.append(nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False))
            layers += [nn.BatchNorm2d(after)] if norm else []
            layers.append(nn.ReLU(inplace=True))
        super().__init__(*layers)


class SimpleBaseline(PoseNetwork):
    """SimpleBaseline: ResNet, deconvolutions, 1x1 convolution. One output, at stride 4 with three of them.

    Its loss is half the mean squared error, as in the public code.

    Args:
        keypoints: K.
        input_size: (height, width) in pixels, multiples of 32.
        depths, width, block: of the ResNet encoder.
        deconvolutions: channels of each; three of 256 are published, each halves the heatmaps' stride.
        init, init_std: see ``initialise``; the public code draws every convolution from N(0, 0.001^2) where
            no ImageNet weights come in.
    """

    def __init__(
        self,
        *,
        keypoints: int = 17,
        input_size: tuple[int, int] = (256, 192),
        depths: Sequence[int] = (3, 4, 6, 3),
        width: int = 64,
        block: str = "bottleneck",
        deconvolutions: Sequence[int] = (256, 256, 256),
        init: str = "gaussian",
        init_std: float = 0.001,
    ) -> None:
        super().__init__(keypoints=keypoints, input_size=input_size)
        self.encoder = ResNet(depths=depths, width=width, block=block)
        if len(deconvolutions) > 5:
            raise ValueError(
                f"{len(deconvolutions)} deconvolutions cannot each halve the encoder's stride 32"
            )
        self.deconvolutions = Deconvolutions(self.encoder.channels[-1], deconvolutions)
        self.head = HeatmapConv(deconvolutions[-1], keypoints)
        self.outputs = (Output(stride=self.encoder.strides[-1] // 2 ** len(deconvolutions), weight=0.5),)
        initialise(self, init, init_std)

    def stream(self, images: Tensor, final_only: bool) -> Iterator[Tensor]:
        yield self.head(self.deconvolutions(self.encoder(images)[-1]))
