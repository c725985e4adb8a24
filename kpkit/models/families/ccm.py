"""Context mixer decoders."""

from __future__ import annotations

from kpkit.models.entries import LARGE, RESNET50, RESNET152, SMALL, Entry, Published

ENTRIES = (
    Entry(
        name="ccm_resnet50",
        family="CCM",
        backbone="ResNet-50",
        builder="kpkit.models.ccm:ccm_resnet",
        options={"depths": RESNET50, "channels": (256, 256, 256)},
        published_params=40.7,
        published=(Published(input_size=SMALL, gflops=45.4, ap=74.3, source="CCM Table 10"),),
    ),
    Entry(
        name="ccm_resnet152",
        family="CCM",
        backbone="ResNet-152",
        builder="kpkit.models.ccm:ccm_resnet",
        options={"depths": RESNET152, "channels": (128, 96, 64)},
        published_params=63.5,
        published=(Published(input_size=LARGE, gflops=40.1, ap=76.7, source="CCM Table 10"),),
    ),
    Entry(
        name="ccm_hrnet_w32",
        family="CCM",
        backbone="HRNet-w32",
        builder="kpkit.models.ccm:ccm_hrnet",
        options={"width": 32, "channels": (32,)},
        published_params=28.6,
        published=(Published(input_size=SMALL, gflops=7.92, ap=76.7, source="CCM Table 10"),),
    ),
    Entry(
        name="ccm_hrnet_w48",
        family="CCM",
        backbone="HRNet-w48",
        builder="kpkit.models.ccm:ccm_hrnet",
        options={"width": 48, "channels": (48,)},
        published_params=63.7,
        published=(Published(input_size=LARGE, gflops=36.6, ap=77.5, source="CCM Table 10"),),
    ),
)
