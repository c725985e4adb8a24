"""Multi-Stage Pose Network."""

from __future__ import annotations

from kpkit.models.entries import LARGE, RESNET50, SMALL, Entry, Published


def _entry(stages: int, *published: Published) -> Entry:
    return Entry(
        name=f"mspn_resnet50_x{stages}",
        family="MSPN",
        backbone="ResNet-50",
        builder="kpkit.models.mspn:MSPN",
        options={"stages": stages, "depths": RESNET50},
        published_params=71.9 if stages == 4 else None,
        published=published,
    )


ENTRIES = (
    _entry(1, Published(input_size=SMALL, ap=71.5, source="MSPN repository")),
    _entry(2, Published(input_size=SMALL, ap=74.5, source="MSPN repository")),
    _entry(3, Published(input_size=SMALL, ap=75.2, source="MSPN repository")),
    _entry(
        4,
        Published(input_size=SMALL, ap=75.9, source="MSPN repository"),
        Published(input_size=LARGE, gflops=58.7, ap=76.9, source="MSPN repository; GFLOPs: CCM Table 11"),
    ),
)
