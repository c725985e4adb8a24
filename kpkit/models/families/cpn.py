"""Cascaded Pyramid Network."""

from __future__ import annotations

from kpkit.models.entries import LARGE, RESNET50, RESNET101, SMALL, Entry, Published

ENTRIES = (
    Entry(
        name="cpn_resnet50",
        family="CPN",
        backbone="ResNet-50",
        builder="kpkit.models.cpn:CPN",
        options={"depths": RESNET50},
        published_params=27.0,
        published=(
            Published(input_size=SMALL, gflops=6.2, ap=69.4, source="CPN paper"),
            Published(input_size=LARGE, gflops=13.9, ap=71.6, source="CPN paper"),
        ),
    ),
    Entry(
        name="cpn_resnet101",
        family="CPN",
        backbone="ResNet-101",
        builder="kpkit.models.cpn:CPN",
        options={"depths": RESNET101},
        published=(Published(input_size=LARGE, ap=72.9, source="tf-cpn repository"),),
    ),
)
