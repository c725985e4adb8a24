"""HRNet for pose."""

from __future__ import annotations

from kpkit.models.entries import LARGE, SMALL, Entry, Published

TABLE = "HRNet repository"

ENTRIES = (
    Entry(
        name="hrnet_w32",
        family="HRNet",
        backbone="HRNet-w32",
        builder="kpkit.models.hrnet:PoseHRNet",
        options={"width": 32},
        pretrained="hrnet_w32.ms_in1k",
        published_params=28.5,
        published=(
            Published(input_size=SMALL, gflops=7.1, ap=74.4, source=TABLE),
            Published(input_size=LARGE, gflops=16.0, ap=75.8, source=TABLE),
        ),
    ),
    Entry(
        name="hrnet_w48",
        family="HRNet",
        backbone="HRNet-w48",
        builder="kpkit.models.hrnet:PoseHRNet",
        options={"width": 48},
        pretrained="hrnet_w48.ms_in1k",
        published_params=63.6,
        published=(
            Published(input_size=SMALL, gflops=14.6, ap=75.1, source=TABLE),
            Published(input_size=LARGE, gflops=32.9, ap=76.3, source=TABLE),
        ),
    ),
)
