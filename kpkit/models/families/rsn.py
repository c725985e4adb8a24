"""Residual Steps Network."""

from __future__ import annotations

from kpkit.models.entries import LARGE, RESNET50, SMALL, Entry, Published

AUTHORS, MMPOSE = "RSN repository", "mmpose"


def _rsn18(stages: int, *published: Published) -> Entry:
    """The authors' public code."""
    return Entry(
        name=f"rsn18_x{stages}",
        family="RSN",
        backbone="RSN-18",
        builder="kpkit.models.rsn:RSN",
        options={"stages": stages, "depths": (2, 2, 2, 2)},
        published=published,
    )


def _rsn50(stages: int, *published: Published) -> Entry:
    """mmpose's size; the authors' RSN-50 is not public."""
    return Entry(
        name=f"rsn50_x{stages}",
        family="RSN",
        backbone="RSN-50",
        builder="kpkit.models.rsn:RSN",
        options={"stages": stages, "depths": RESNET50, "bias": False},
        published_params=111.8 if stages == 4 else None,
        published=published,
    )


ENTRIES = (
    _rsn18(
        1,
        Published(input_size=SMALL, gflops=2.5, ap=73.6, source=AUTHORS),
        Published(input_size=SMALL, ap=70.4, source=f"{AUTHORS}, PyTorch release"),
    ),
    _rsn18(4),
    _rsn50(
        1,
        Published(input_size=SMALL, gflops=6.4, ap=74.7, source=AUTHORS),
        Published(input_size=SMALL, ap=72.4, source=MMPOSE),
    ),
    _rsn50(
        2,
        Published(input_size=SMALL, gflops=13.9, ap=77.2, source=AUTHORS),
        Published(input_size=SMALL, ap=74.8, source=MMPOSE),
    ),
    _rsn50(
        3,
        Published(input_size=SMALL, gflops=20.7, ap=78.2, source=AUTHORS),
        Published(input_size=SMALL, ap=75.0, source=MMPOSE),
    ),
    _rsn50(
        4,
        Published(input_size=SMALL, gflops=29.3, ap=79.0, source=AUTHORS),
        Published(input_size=LARGE, gflops=65.9, ap=79.6, source=f"{AUTHORS}; parameters: CCM Table 11"),
    ),
)
