"""MultiPoseNet (Kocabas, Karagoz and Akbas, ECCV 2018): keypoint and person subnets on one ResNet.

The pose residual network that gives keypoints to persons is in ``prn``. Where the paper is silent, the
public PyTorch port decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor, nn

from kpkit.models.layers import HeatmapConv, concatenate, initialise
from kpkit.models.network import Output, PoseNetwork
from kpkit.models.resnet import ResNet
from kpkit.models.retinanet import PersonSubnet, anchors, decode_boxes


class KeypointPyramid(nn.Module):
    """K2 to K5: laterals and nearest-neighbour sums from C5 up to C2; a 3x3 convolution on all but K5.

    Args:
        encoder_channels: of C2, C3, C4, C5.
        channels: of every level.
    """

    def __init__(self, encoder_channels: Sequence[int], channels: int) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(nn.Conv2d(c, channels, 1) for c in reversed(encoder_channels))
        self.smooths = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(3))

    def forward(self, encoded: Sequence[Tensor]) -> list[Tensor]:
        """C2..C5 to four maps, coarse to fine: K5, K4, K3, K2."""
        sums: list[Tensor] = []
        for lateral, maps in zip(self.laterals, reversed(encoded), strict=True):
            level = lateral(maps)
            sums.append(level + _enlarge(sums[-1], level) if sums else level)
        return [sums[0], *(smooth(maps) for smooth, maps in zip(self.smooths, sums[1:], strict=True))]


def _enlarge(maps: Tensor, like: Tensor) -> Tensor:
    return nn.functional.interpolate(maps, like.shape[-2:], mode="nearest")


class KeypointSubnet(PoseNetwork):
    """The keypoint estimation subnet (section 3.1). Five outputs at stride 4: K5 to K2's, then the final one.

    The paper runs it on whole images, where a map holds everybody's keypoints, and adds a person
    segmentation map to the keypoints'; as one of kpkit's pose networks it is trained top-down, on crops with
    the keypoints of one person. Every level is supervised alike through a 1x1 convolution of its own. Final
    maps: two 3x3 convolutions per level, which halve the channels, without ReLU, joined at K2's size, a
    3x3 convolution with ReLU, a 1x1 convolution. No batch norm outside the encoder.

    Args:
        keypoints: K.
        input_size: (height, width) in pixels, multiples of 32.
        depths, width, block, dilated: of the ResNet encoder.
        channels: of the pyramid, even; 256 is published.
        init, init_std: see ``initialise``; N(0, 0.01^2) is the port's, which learns much faster here than
            Kaiming's: nothing but the encoder has batch norm.

    Raises:
        ValueError: an odd channel count.
    """

    def __init__(
        self,
        *,
        keypoints: int = 17,
        input_size: tuple[int, int] = (256, 192),
        depths: Sequence[int] = (3, 4, 6, 3),
        width: int = 64,
        block: str = "bottleneck",
        dilated: bool = False,
        channels: int = 256,
        init: str = "gaussian",
        init_std: float = 0.01,
    ) -> None:
        super().__init__(keypoints=keypoints, input_size=input_size)
        if channels < 2 or channels % 2:
            raise ValueError(f"channels is {channels}, not an even number")
        self.encoder = ResNet(depths=depths, width=width, block=block, dilated=dilated)
        self.pyramid = KeypointPyramid(self.encoder.channels, channels)
        self.level_heads = nn.ModuleList(HeatmapConv(channels, keypoints) for _ in range(4))
        half = channels // 2
        self.branches = nn.ModuleList(
            nn.Sequential(nn.Conv2d(channels, half, 3, padding=1), nn.Conv2d(half, half, 3, padding=1))
            for _ in range(4)
        )
        self.fuse = nn.Sequential(nn.Conv2d(4 * half, channels, 3, padding=1), nn.ReLU(inplace=True))
        self.head = HeatmapConv(channels, keypoints)
        self.outputs = (*(Output(stride=4, auxiliary=True) for _ in range(4)), Output(stride=4))
        initialise(self, init, init_std)

    def stream(self, images: Tensor, final_only: bool) -> Iterator[Tensor]:
        yield from self.decode(self.encoder(images), final_only)

    def decode(self, encoded: Sequence[Tensor], final_only: bool) -> Iterator[Tensor]:
        """The outputs from the encoder's C2..C5."""
        levels = self.pyramid(encoded)
        finest = levels[-1]
        if not final_only:
            for head, maps in zip(self.level_heads, levels, strict=True):
                yield _enlarge(head(maps), finest)
        branches = zip(self.branches, levels, strict=True)
        joined = concatenate([_enlarge(branch(maps), finest) for branch, maps in branches])
        yield self.head(self.fuse(joined))


class MultiPoseNet(nn.Module):
    """Keypoint and person subnets on one encoder, for whole images.

    The paper trains the keypoint subnet first, then the person subnet with the encoder held. Images are sized
    to a short side of 800 pixels (paper) or 608 (port) for persons, 480 for keypoints.

    Args:
        keypoint_subnet: whose encoder both share; not dilated, which the person pyramid's strides forbid.

    Raises:
        ValueError: a dilated encoder.
    """

    def __init__(self, keypoint_subnet: KeypointSubnet) -> None:
        super().__init__()
        encoder = keypoint_subnet.encoder
        if encoder.strides != (4, 8, 16, 32):
            raise ValueError(f"the person subnet reads strides 8, 16 and 32, not {encoder.strides[1:]}")
        self.keypoint_subnet = keypoint_subnet
        self.person_subnet = PersonSubnet(encoder.channels[1:], keypoint_subnet.head.in_channels)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Everybody's keypoints, and persons, in one pass.

        Args:
            images: (N, 3, H, W) float, sides divisible by 32.

        Returns:
            Heatmaps (N, K, H/4, W/4), scores from 0 to 1 (N, A) and boxes (N, A, 4), corners x, y, x, y in
            pixels, of every anchor; ``retinanet.select_persons`` keeps an image's best.
        """
        encoded = self.keypoint_subnet.encoder(images)
        (heatmaps,) = self.keypoint_subnet.decode(encoded, final_only=True)
        logits, regressions = self.person_subnet(encoded[1:])
        size = (images.shape[-2], images.shape[-1])
        boxes = decode_boxes(regressions, anchors(*size).to(images), size)
        return heatmaps, logits.sigmoid(), boxes
