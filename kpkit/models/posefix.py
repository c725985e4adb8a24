"""PoseFix (Moon, Chang and Lee, CVPR 2019): a picture and somebody's pose in it, to a better pose."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from kpkit.models.layers import HeatmapConv, initialise
from kpkit.models.network import Output, PoseNetwork
from kpkit.models.resnet import ResNet
from kpkit.models.simplebaseline import Deconvolutions

SIGMAS = {256: 7.0, 384: 9.0}
"""Width of the Gaussians that show the pose, in crop pixels, by the crops' height (official code)."""


def pose_sigma(height: int) -> float:
    """SIGMAS of a crop's height in pixels; of others the same share of the height as the nearest one's."""
    known = min(SIGMAS, key=lambda published: abs(published - height))
    return round(SIGMAS[known] * height / known, 2)


class PoseFix(PoseNetwork):
    """PoseFix: a ResNet that reads the pose beside the crop, three up-sampling blocks, a 1x1 convolution.

    Its input is (N, 3 + K, H, W): the crop, and behind it one Gaussian per keypoint of the pose to refine
    (section 3.2, ``refinement.maps.pose_maps``). Its one output, at stride 4, are logits: the softmax over a
    keypoint's map is where it lies (coarse), the mean of the softmax its coordinate (fine; section 3.3,
    ``refinement.maps.soft_argmax``). As in the official code, an up-sampling block is a 4x4 stride 2
    deconvolution, batch norm and ReLU; a public PyTorch port leaves the batch norms out.

    Args:
        keypoints: K.
        input_size: (height, width) in pixels, multiples of 32.
        depths, width, block: of the ResNet encoder.
        deconvolutions: channels of each of the three.
        deconvolution_norm: batch norms behind them.
        init, init_std: see ``initialise``; the official code draws deconvolutions from N(0, 0.01^2), and the
            rest by fan-in where no ImageNet weights come in.

    Raises:
        ValueError: another number of deconvolutions, which the output's stride hangs on.
    """

    def __init__(
        self,
        *,
        keypoints: int = 17,
        input_size: tuple[int, int] = (384, 288),
        depths: Sequence[int] = (3, 8, 36, 3),
        width: int = 64,
        block: str = "bottleneck",
        deconvolutions: Sequence[int] = (256, 256, 256),
        deconvolution_norm: bool = True,
        init: str = "kaiming",
        init_std: float = 0.01,
    ) -> None:
        super().__init__(keypoints=keypoints, input_size=input_size)
        if len(deconvolutions) != 3:
            raise ValueError(f"deconvolutions is {tuple(deconvolutions)}, not three channel counts")
        self.encoder = ResNet(depths=depths, width=width, block=block, image_channels=self.input_channels)
        self.deconvolutions = Deconvolutions(
            self.encoder.channels[-1], deconvolutions, norm=deconvolution_norm
        )
        self.head = HeatmapConv(deconvolutions[-1], keypoints)
        self.outputs = (Output(stride=4),)
        initialise(self, init, init_std)

    @property
    def input_channels(self) -> int:
        """The crop's three and one per keypoint."""
        return 3 + self.keypoints

    def stream(self, images: Tensor, final_only: bool) -> Iterator[Tensor]:
        yield self.head(self.deconvolutions(self.encoder(images)[-1]))
