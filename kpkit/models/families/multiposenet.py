"""MultiPoseNet: its keypoint subnet as a pose network, and the pose residual network beside it."""

from __future__ import annotations

from kpkit.models.entries import RESNET50, RESNET101, Entry, Published


def _entry(layers: int, depths: tuple[int, ...], *published: tuple[float, str]) -> Entry:
    """A size of the keypoint subnet; published are APs of the whole system on whole images, without boxes."""
    return Entry(
        name=f"multiposenet_resnet{layers}",
        family="MultiPoseNet",
        backbone=f"ResNet-{layers}",
        builder="kpkit.models.multiposenet:KeypointSubnet",
        options={"depths": depths},
        pretrained=f"resnet{layers}.tv_in1k",
        published=tuple(
            Published(input_size=None, ap=ap, source=f"{source}, whole images") for ap, source in published
        ),
    )


def _prn(name: str, bottleneck: bool) -> Entry:
    return Entry(
        name=name,
        family="MultiPoseNet",
        backbone="dense",
        builder="kpkit.models.prn:PRN",
        options={"bottleneck": bottleneck},
        input_shape=(56, 36, 17),
    )


ENTRIES = (
    _entry(50, RESNET50, (62.3, "MultiPoseNet paper")),
    _entry(
        101,
        RESNET101,
        (63.9, "MultiPoseNet paper"),
        (64.3, "MultiPoseNet paper, dilated"),
        (59.0, "MultiPoseNet.pytorch repository"),
    ),
)

COMPANIONS = (_prn("prn_1024", False), _prn("prn_1024_bneck", True))
"""The paper's, and public PyTorch code's with a second hidden layer."""
