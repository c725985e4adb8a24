"""Context mixer decoders. The paper's ablation (Table 2) is options of ``ccm_resnet50``.

The paper names C for ResNet-50 and -152 and for HRNet; the other encoders here have ResNet-50's, so that
they differ from it in nothing else.
"""

from __future__ import annotations

from kpkit.models.entries import LARGE, RESNET50, RESNET101, RESNET152, SMALL, Entry, Published

WIDE = (256, 256, 256)
"""C of the three modules on ResNet-50."""

ENTRIES = (
    Entry(
        name="ccm_resnet50",
        family="CCM",
        backbone="ResNet-50",
        builder="kpkit.models.ccm:ccm_resnet",
        options={"depths": RESNET50, "channels": WIDE},
        pretrained="resnet50.tv_in1k",
        published_params=40.7,
        published=(
            Published(input_size=SMALL, gflops=45.4, ap=74.3, source="CCM Table 10"),
            Published(input_size=SMALL, ap=73.5, source="CCM Table 2 (plain post-processing)"),
            Published(input_size=SMALL, ap=73.8, source="CCM Table 12"),
        ),
    ),
    Entry(
        name="ccm_resnet101",
        family="CCM",
        backbone="ResNet-101",
        builder="kpkit.models.ccm:ccm_resnet",
        options={"depths": RESNET101, "channels": WIDE},
        pretrained="resnet101.tv_in1k",
    ),
    Entry(
        name="ccm_resnet152",
        family="CCM",
        backbone="ResNet-152",
        builder="kpkit.models.ccm:ccm_resnet",
        options={"depths": RESNET152, "channels": (128, 96, 64)},
        pretrained="resnet152.tv_in1k",
        published_params=63.5,
        published=(
            Published(
                input_size=LARGE, gflops=40.1, ap=76.7, source="CCM Table 10 (test-dev 75.8: Table 11)"
            ),
        ),
    ),
    Entry(
        name="ccm_resnext50",
        family="CCM",
        backbone="ResNeXt-50 32x4d",
        builder="kpkit.models.ccm:ccm_resnet",
        options={"depths": RESNET50, "groups": 32, "group_width": 4, "channels": WIDE},
        pretrained="resnext50_32x4d.tv_in1k",
    ),
    Entry(
        name="ccm_mobilenet_v2",
        family="CCM",
        backbone="MobileNetV2",
        builder="kpkit.models.ccm:ccm_mobile",
        options={"design": "mobilenet_v2", "width": 32, "channels": WIDE},
        pretrained="mobilenetv2_100.ra_in1k",
    ),
    Entry(
        name="ccm_shufflenet_v2",
        family="CCM",
        backbone="ShuffleNetV2 1x",
        builder="kpkit.models.ccm:ccm_mobile",
        options={"design": "shufflenet_v2", "width": 116, "channels": WIDE},
    ),
    Entry(
        name="ccm_hrnet_w32",
        family="CCM",
        backbone="HRNet-w32",
        builder="kpkit.models.ccm:ccm_hrnet",
        options={"width": 32, "channels": (32,)},
        pretrained="hrnet_w32.ms_in1k",
        published_params=28.6,
        published=(Published(input_size=SMALL, gflops=7.92, ap=76.7, source="CCM Table 10"),),
    ),
    Entry(
        name="ccm_hrnet_w48",
        family="CCM",
        backbone="HRNet-w48",
        builder="kpkit.models.ccm:ccm_hrnet",
        options={"width": 48, "channels": (48,)},
        pretrained="hrnet_w48.ms_in1k",
        published_params=63.7,
        published=(
            Published(
                input_size=LARGE, gflops=36.6, ap=77.5, source="CCM Table 10 (test-dev 76.6: Table 11)"
            ),
        ),
    ),
)
