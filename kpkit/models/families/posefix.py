"""PoseFix."""

from __future__ import annotations

from kpkit.models.entries import LARGE, RESNET50, RESNET101, RESNET152, Entry, Published


def _entry(layers: int, depths: tuple[int, ...], *published: Published) -> Entry:
    return Entry(
        name=f"posefix_resnet{layers}",
        family="PoseFix",
        backbone=f"ResNet-{layers}",
        builder="kpkit.models.posefix:PoseFix",
        options={"depths": depths},
        pretrained=f"resnet{layers}.tv_in1k",
        published=published,
        refines=True,
    )


ENTRIES = (
    _entry(50, RESNET50),
    _entry(101, RESNET101),
    _entry(
        152,
        RESNET152,
        Published(input_size=LARGE, ap=77.3, source="PoseFix repository, from HRNet-w48's 76.3"),
    ),
)
