"""What every pose network is: images in, every supervised heatmap out, the final one last."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class Output:
    """One supervised heatmap stack of a network, and how its papers supervise it.

    Attributes:
        stride: input pixels per heatmap pixel.
        level: index of the target's Gaussian in the recipe's list, 0 = widest.
        ohkm: whether the loss keeps only the hardest keypoints (online hard keypoint mining).
        weight: factor of this output's loss in the sum.
        auxiliary: serves supervision only; inference does not compute it.
        stage: which of a multi-stage network's stages makes it, from 0.
    """

    stride: int
    level: int = 0
    ohkm: bool = False
    weight: float = 1.0
    auxiliary: bool = False
    stage: int = 0


class Encoder(nn.Module):
    """Base of all backbones: images to feature maps, fine to coarse, the decoder's usual input last.

    Attributes:
        channels: of each map.
        strides: of each map, in input pixels.
    """

    channels: tuple[int, ...]
    strides: tuple[int, ...]


class PoseNetwork(nn.Module):
    """Base of all pose networks.

    Args:
        keypoints: K, heatmaps per output.
        input_size: (height, width) of the crop the network is meant for, in pixels.
        multiple: what both sides must be divisible by.

    Attributes:
        outputs: one ``Output`` per element of what ``forward`` returns, the final one last.

    Raises:
        ValueError: an input size or keypoint count the network cannot take.
    """

    outputs: tuple[Output, ...]

    def __init__(self, *, keypoints: int, input_size: tuple[int, int], multiple: int = 32) -> None:
        super().__init__()
        if keypoints < 1:
            raise ValueError(f"keypoints is {keypoints}, at least 1 is needed")
        if len(input_size) != 2 or any(side < multiple or side % multiple for side in input_size):
            raise ValueError(
                f"input size {tuple(input_size)} is not (height, width) in multiples of {multiple} px"
            )
        self.keypoints = keypoints
        self.input_size = (input_size[0], input_size[1])

    @property
    def input_channels(self) -> int:
        """Channels of what ``forward`` takes: a picture's three, and further ones where it reads a pose."""
        return 3

    @property
    def stride(self) -> int:
        """Input pixels per pixel of the final heatmap."""
        return self.outputs[-1].stride

    @property
    def stage_count(self) -> int:
        """How many stages follow each other, each with heatmaps of its own; 1 for most networks."""
        return self.outputs[-1].stage + 1

    def layers(self) -> list[list[nn.Parameter]]:
        """The encoder's parameters by layer, from the image on, for learning rates that decay towards it.

        Empty where no paper trains the network so.
        """
        return []

    @property
    def heatmap_size(self) -> tuple[int, int]:
        """(height, width) of the final heatmap in pixels."""
        return self.input_size[0] // self.stride, self.input_size[1] // self.stride

    def stream(self, images: Tensor, final_only: bool) -> Iterator[Tensor]:
        """Yield the outputs in the order of ``outputs``; only the final one when ``final_only``."""
        raise NotImplementedError

    def forward(self, images: Tensor, final_only: bool = False) -> list[Tensor]:
        """Heatmaps of a batch of crops.

        Args:
            images: (N, input_channels, H, W) float, normalised as the recipe says. In training mode N must be
                at least 2 (batch statistics).
            final_only: compute and return the final output alone; heads and decoders that only serve
                supervision are skipped.

        Returns:
            Every supervised output, each (N, K, h, w), the final one last.
        """
        return list(self.stream(images, final_only))
