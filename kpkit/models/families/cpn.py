"""Cascaded Pyramid Network. The paper's ablations (Tables 4, 5 and 7) are options of these names."""

from __future__ import annotations

from kpkit.models.entries import LARGE, RESNET50, RESNET101, SMALL, Entry, Published

ENTRIES = (
    Entry(
        name="cpn_resnet50",
        family="CPN",
        backbone="ResNet-50",
        builder="kpkit.models.cpn:cpn_resnet",
        options={"depths": RESNET50},
        pretrained="resnet50.tv_in1k",
        published_params=27.0,
        published=(
            Published(
                input_size=SMALL, gflops=6.2, ap=69.4, source="CPN Tables 3 and 8; parameters: CCM Table 10"
            ),
            Published(input_size=LARGE, gflops=13.9, ap=71.6, source="CPN Table 8"),
            Published(input_size=SMALL, ap=69.7, source="tf-cpn repository"),
            Published(input_size=LARGE, ap=72.3, source="tf-cpn repository"),
            Published(input_size=SMALL, ap=69.2, source="pytorch-cpn repository"),
            Published(input_size=LARGE, ap=72.2, source="pytorch-cpn repository"),
        ),
    ),
    Entry(
        name="cpn_resnet101",
        family="CPN",
        backbone="ResNet-101",
        builder="kpkit.models.cpn:cpn_resnet",
        options={"depths": RESNET101},
        pretrained="resnet101.tv_in1k",
        published=(Published(input_size=LARGE, ap=72.9, source="tf-cpn repository"),),
    ),
    Entry(
        name="cpn_inception_resnet_v2",
        family="CPN",
        backbone="Inception-ResNet-v2",
        builder="kpkit.models.cpn:cpn_inception_resnet",
        options={"depths": (10, 20, 9)},
        pretrained="inception_resnet_v2.tf_in1k",
        published=(
            Published(
                input_size=None, ap=72.7, source="CPN Table 11, person AP 62.9 (test-dev 72.1: Table 10)"
            ),
        ),
    ),
)
