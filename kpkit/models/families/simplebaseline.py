"""SimpleBaseline."""

from __future__ import annotations

from kpkit.models.entries import LARGE, RESNET50, RESNET101, RESNET152, SMALL, Entry, Published

TABLE = "HRNet repository"


def _entry(
    layers: int,
    depths: tuple[int, ...],
    params: float,
    small: tuple[float, float],
    large: tuple[float, float],
) -> Entry:
    """A row of the repository's table; ``small`` and ``large`` are (GFLOPs, AP) at the two input sizes."""
    return Entry(
        name=f"simplebaseline_resnet{layers}",
        family="SimpleBaseline",
        backbone=f"ResNet-{layers}",
        builder="kpkit.models.simplebaseline:SimpleBaseline",
        options={"depths": depths},
        pretrained=f"resnet{layers}.tv_in1k",
        published_params=params,
        published=tuple(
            Published(input_size=size, gflops=gflops, ap=ap, source=TABLE)
            for size, (gflops, ap) in ((SMALL, small), (LARGE, large))
        ),
    )


ENTRIES = (
    _entry(50, RESNET50, 34.0, (8.9, 70.4), (20.0, 72.2)),
    _entry(101, RESNET101, 53.0, (12.4, 71.4), (27.9, 73.6)),
    _entry(152, RESNET152, 68.6, (15.7, 72.0), (35.3, 74.3)),
)
