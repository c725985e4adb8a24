"""kpkit's own weights of another network, of which the encoder alone is taken."""

from __future__ import annotations

import re

import torch
from torch import Tensor

from kpkit.models.network import PoseNetwork
from kpkit.models.weights.rules import Rules


def beside_poses(filters: Tensor, network: PoseNetwork) -> Tensor:
    """The first filters of a network that sees pictures alone, zero on maps that are read beside them.

    The official PoseFix leaves those as freshly drawn; from zero the pose is learnt without blurring what
    the pictures taught.
    """
    further = network.input_channels - filters.shape[1]
    return torch.cat([filters, filters.new_zeros(len(filters), further, *filters.shape[2:])], dim=1)


STEM = "encoder.conv1.weight"
"""The tensor of a ResNet that reads the picture."""
BESIDE_POSES = {rf"^{re.escape(STEM)}$": beside_poses}

ENCODER = Rules(
    drops=(r"^(?!encoder\.)",),
    fills=(r"^encoder\.",),
    converts=BESIDE_POSES,
)
