"""Multi-Stage Pose Network: on ResNet-50, on our reading of Refine-50, and the Megvii 2018 report's."""

from __future__ import annotations

from typing import Any

from kpkit.models.entries import LARGE, RESNET50, RESNET101, RESNET152, SMALL, Entry, Published

RESNET101V = (4, 8, 16, 3)
"""The Megvii 2018 report's variant of ResNet-101: blocks moved from the third stage to the first two."""

REPOSITORY, MMPOSE, REPORT = "MSPN repository", "mmpose", "Megvii 2018 report"
REPORT_HEAD = f"{REPORT}, whose heads are 3x3, 1x1"
BYTEDANCE = "ByteDance 2019 report, whose Refine-50 is unpublished"


PRETRAINED = {
    "resnet50": "resnet50.tv_in1k",
    "resnet101": "resnet101.tv_in1k",
    "resnet152": "resnet152.tv_in1k",
    "refine50": "res2net50_26w_4s.in1k",
}
"""ImageNet weights of every stage's body."""


def _entry(slug: str, backbone: str, stages: int, *published: Published, **options: Any) -> Entry:
    return Entry(
        name=f"mspn_{slug}_x{stages}",
        family="MSPN",
        backbone=backbone,
        builder="kpkit.models.mspn:MSPN",
        options={"stages": stages, **options},
        pretrained=PRETRAINED.get(slug, ""),
        published_params=71.9 if (slug, stages) == ("resnet50", 4) else None,
        published=published,
    )


def _resnet50(stages: int, *published: Published) -> Entry:
    return _entry("resnet50", "ResNet-50", stages, *published, depths=RESNET50)


def _refine50(stages: int, *published: Published) -> Entry:
    return _entry("refine50", "Refine-50", stages, *published, depths=RESNET50, block="res2net")


def _report(slug: str, backbone: str, stages: int, ap: float | None, **options: Any) -> Entry:
    """The report's head makes heatmaps by 3x3, then 1x1; the input size of its figures is not known."""
    published = () if ap is None else (Published(input_size=None, ap=ap, source=REPORT),)
    return _entry(slug, backbone, stages, *published, **options, head_kernels=(3, 1))


ENTRIES = (
    _resnet50(
        1,
        Published(input_size=SMALL, ap=71.5, source=REPOSITORY),
        Published(input_size=SMALL, ap=72.3, source=MMPOSE),
        Published(input_size=None, ap=73.3, source=REPORT_HEAD),
    ),
    _resnet50(
        2,
        Published(input_size=SMALL, ap=74.5, source=REPOSITORY),
        Published(input_size=SMALL, ap=75.4, source=MMPOSE),
    ),
    _resnet50(
        3,
        Published(input_size=SMALL, ap=75.2, source=REPOSITORY),
        Published(input_size=SMALL, ap=75.8, source=MMPOSE),
        Published(input_size=None, ap=77.5, source=REPORT_HEAD),
    ),
    _resnet50(
        4,
        Published(input_size=SMALL, ap=75.9, source=REPOSITORY),
        Published(input_size=SMALL, ap=76.5, source=MMPOSE),
        Published(input_size=LARGE, gflops=58.7, ap=76.9, source=f"{REPOSITORY}; GFLOPs: CCM Table 11"),
        Published(input_size=None, ap=77.8, source=REPORT_HEAD),
    ),
    _refine50(1),
    _refine50(2),
    _refine50(3),
    _refine50(
        4,
        Published(input_size=SMALL, ap=76.0, source=BYTEDANCE),
        Published(input_size=LARGE, ap=77.5, source=BYTEDANCE),
    ),
    _report("resnet101", "ResNet-101", 1, 73.7, depths=RESNET101),
    _report("resnet101", "ResNet-101", 2, None, depths=RESNET101),
    _report("resnet101v", "ResNet-101 {4, 8, 16, 3}", 1, 74.1, depths=RESNET101V),
    _report("resnet101v", "ResNet-101 {4, 8, 16, 3}", 2, 77.0, depths=RESNET101V),
    _report("resnet152", "ResNet-152", 1, 73.8, depths=RESNET152),
    _report("inception_resnet101", "Inception-ResNet-101", 1, None, depths=RESNET101V, block="inception"),
    _report("inception_resnet101", "Inception-ResNet-101", 2, 77.5, depths=RESNET101V, block="inception"),
)
