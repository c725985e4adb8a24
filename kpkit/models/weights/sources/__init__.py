"""The table of sources: who named the tensors -> which network of ours -> by what rules."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from torch import nn

from kpkit.core.errors import InputError
from kpkit.models.weights.rules import Rules
from kpkit.models.weights.sources import hrnet, megvii, mmpose, multiposenet, own, posefix, pytorch_cpn, timm

SOURCES: Mapping[str, Mapping[str, Rules]] = MappingProxyType(
    {
        "kpkit": {"Module": Rules()},
        "kpkit-encoder": {"encoder Module": own.ENCODER},
        "hrnet-official": {"PoseHRNet": hrnet.HRNET},
        "simplebaseline-official": {"SimpleBaseline": hrnet.SIMPLEBASELINE},
        "mspn-official": {"MSPN": megvii.STAGES},
        "rsn-official": {"RSN": megvii.STAGES},
        "pytorch-cpn": {"CPN": pytorch_cpn.CPN},
        "multiposenet-port": {
            "KeypointSubnet": multiposenet.KEYPOINT_SUBNET,
            "PersonSubnet": multiposenet.PERSON_SUBNET,
            "PRN": multiposenet.PRN,
        },
        "posefix-port": {"PoseFix": posefix.PORT},
        "mmpose": {
            "PoseHRNet": mmpose.HRNET,
            "SimpleBaseline": mmpose.SIMPLEBASELINE,
            "MSPN": mmpose.STAGES,
            "ViTPose": mmpose.VITPOSE,
        },
        "timm": {
            "MSPN": timm.STAGES,
            "encoder ResNet": timm.RESNET,
            "encoder HRNet": timm.HRNET,
            "encoder InceptionResNetV2": timm.INCEPTION_RESNET,
            "encoder MobileNetV2": timm.MOBILENET,
            "encoder ShuffleNetV2": timm.SHUFFLENET,
            "encoder ViT": timm.VIT,
        },
    }
)
"""Source -> class of the network, or of its encoder where any network with such a one takes the weights."""


def find_rules(network: nn.Module, source: str) -> Rules:
    """The rules by which a source's file fills this network; InputError where there are none."""
    if source not in SOURCES:
        raise InputError(f"weights source {source!r} is unknown", remedy=f"known: {', '.join(SOURCES)}")
    table = SOURCES[source]
    keys = [kind.__name__ for kind in type(network).__mro__]
    encoder = getattr(network, "encoder", None)
    if isinstance(encoder, nn.Module):
        keys += [f"encoder {kind.__name__}" for kind in type(encoder).__mro__]
    for key in keys:
        if key in table:
            return table[key]
    raise InputError(
        f"source {source!r} has no weights for a {type(network).__name__}",
        remedy=f"it fills {', '.join(table)}",
    )
