"""GengDavid's pytorch-cpn: CPN on ResNet-50 and ResNet-101."""

from __future__ import annotations

from kpkit.models.weights.rules import Convention, Rules

MEANS = (122.7717, 115.9465, 102.9801)
"""Of red, green and blue, 0..255; nothing is divided by a deviation."""

PYTORCH_CPN = Convention(
    mean=(MEANS[0] / 255, MEANS[1] / 255, MEANS[2] / 255),
    std=(1.0, 1.0, 1.0),
    codec={
        "convention": "megvii",
        "margins": [1.2, 1.3],
        "target": "kernel",
        "kernels": [15, 11, 9, 7],
        "peak": 255.0,
    },
    codec_at={(384, 288): {"kernels": [23, 17, 13, 9]}},
    decode={"flip_shift": 0.0, "blur": 21, "refine": "quarter"},
    poses={"score_floor": 0.0, "oks_nms": 1.0},
)

CPN = Rules(
    renames=(
        (r"^resnet\.", "encoder."),
        (r"^global_net\.upsamples\.(\d)\.1\.", r"global_net.upsamples.\1.0."),
        (r"^global_net\.upsamples\.(\d)\.2\.", r"global_net.upsamples.\1.1."),
        (r"^global_net\.predict\.(\d)\.([01])\.", r"global_net.heads.\1.0.\2."),
        (r"^global_net\.predict\.(\d)\.3\.", r"global_net.heads.\1.1."),
        (r"^global_net\.predict\.(\d)\.5\.", r"global_net.head_norms.\1."),
        (r"^refine_net\.final_predict\.0\.", "refine_net.fuse."),
        (r"^refine_net\.final_predict\.1\.", "refine_net.head.0."),
        (r"^refine_net\.final_predict\.2\.", "refine_net.head.1."),
    ),
    conventions={"pytorch-cpn": PYTORCH_CPN},
)
