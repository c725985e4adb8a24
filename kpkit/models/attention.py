"""Spatial and channel-wise attention (Su et al. CVPR 2019) for any residual block."""

from __future__ import annotations

from torch import Tensor, nn

from kpkit.models.layers import conv_bn, global_mean


class SpatialChannelAttention(nn.Module):
    """Weighs the pixels, then the channels of a residual: the attention of the paper's SCARB.

    Pixels: 1x1 convolution to one map, batch norm, sigmoid. Channels: mean of the weighed map, 1x1 to a
    fraction of the channels, ReLU, 1x1 back, sigmoid. The order is the paper's; the batch norm, without
    which fresh weights would saturate the sigmoid, and the fraction are ours.

    Args:
        channels: C.
        reduction: C divided by the hidden channels, of which there are at least 4.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        hidden = max(channels // reduction, 4)
        self.where = nn.Sequential(*conv_bn(channels, 1, relu=False), nn.Sigmoid())
        self.what = nn.Sequential(
            nn.Conv2d(channels, hidden, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) to the same shape."""
        x = x * self.where(x)
        return x * self.what(global_mean(x))
