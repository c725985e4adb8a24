"""Residual Steps Network (Cai et al. ECCV 2020): MSPN of residual steps, with a refined output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn

from kpkit.models.layers import HeatmapNorm, conv_bn, global_mean, initialise
from kpkit.models.mspn import MSPN, Stage


class PoseRefineMachine(nn.Module):
    """Attention on the heatmaps themselves (section 3.3): 3x3, then F * (1 + channel gate * pixel gate).

    Channel gate: mean, two 1x1 convolutions, sigmoid. Pixel gate: 1x1, 9x9 depthwise, sigmoid. Batch norm
    and ReLU follow every convolution (authors' code): gates lie in 0.5..1 and heatmaps are not negative.
    The ReLU on the heatmaps can go silent for good at a learning rate that the other outputs still bear.

    Args:
        keypoints: K.
        bias: convolutions have biases.
    """

    def __init__(self, keypoints: int, bias: bool = True) -> None:
        super().__init__()
        self.refine = nn.Sequential(
            nn.Conv2d(keypoints, keypoints, 3, padding=1, bias=bias),
            HeatmapNorm(keypoints),
            nn.ReLU(inplace=True),
        )
        self.channel_gate = nn.Sequential(
            conv_bn(keypoints, keypoints, bias=bias), conv_bn(keypoints, keypoints, bias=bias), nn.Sigmoid()
        )
        self.pixel_gate = nn.Sequential(
            conv_bn(keypoints, keypoints, bias=bias),
            conv_bn(keypoints, keypoints, 9, groups=keypoints, bias=bias),
            nn.Sigmoid(),
        )

    def forward(self, heatmaps: Tensor) -> Tensor:
        """(N, K, h, w) to the same shape."""
        refined = self.refine(heatmaps)
        return refined * (1 + self.channel_gate(global_mean(refined)) * self.pixel_gate(refined))


class RSN(MSPN):
    """RSN: outputs and targets as ``MSPN``, blocks of ``ResidualSteps`` in its bodies.

    Args:
        keypoints, input_size, stages, width, channels, bias, coarse_weight, init, init_std: see ``MSPN``.
        depths: of every stage's body; (2, 2, 2, 2) is RSN-18, (3, 4, 6, 3) RSN-50.
        prm: a pose refine machine on the final output. The authors' code defines one and never calls it, so
            the published sizes are without.
    """

    def __init__(
        self,
        *,
        keypoints: int = 17,
        input_size: tuple[int, int] = (256, 192),
        stages: int = 1,
        depths: Sequence[int] = (2, 2, 2, 2),
        width: int = 64,
        channels: int = 256,
        prm: bool = False,
        bias: bool = True,
        coarse_weight: float = 0.25,
        init: str = "kaiming",
        init_std: float = 0.001,
    ) -> None:
        super().__init__(
            keypoints=keypoints,
            input_size=input_size,
            stages=stages,
            depths=depths,
            width=width,
            block="rsn",
            channels=channels,
            bias=bias,
            coarse_weight=coarse_weight,
            init=init,
            init_std=init_std,
        )
        if prm:
            machine = PoseRefineMachine(keypoints, bias)
            initialise(machine, init, init_std)
            cast("Stage", self.stages[-1]).units[-1].head.append(machine)
