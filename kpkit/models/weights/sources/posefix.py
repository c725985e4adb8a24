"""redleaf-kim's Pytorch-PoseFix, a port of the official TensorFlow code.

Its networks are built with ``deconvolution_norm=False``.
"""

from __future__ import annotations

from kpkit.models.weights.rules import Convention, Rules
from kpkit.models.weights.sources.hrnet import SIMPLEBASELINE

MEANS = (123.68, 116.78, 103.94)
"""Taken off blue, green and red, 0..255, though they are red's first; nothing is divided."""

PORT = Rules(
    renames=SIMPLEBASELINE.renames,
    conventions={
        "posefix": Convention(
            mean=(MEANS[0] / 255, MEANS[1] / 255, MEANS[2] / 255),
            std=(1 / 255, 1 / 255, 1 / 255),
            channel_order="bgr",
            codec={"convention": "classic", "margins": [1.2, 1.2], "padding": 1.25},
            poses={"oks_nms": 0.9},
        )
    },
)
