"""Megvii's networks: the public MSPN and RSN repositories, which name their tensors alike."""

from __future__ import annotations

from kpkit.models.weights.rules import Convention, Rules

MEGVII = Convention(
    mean=(0.406, 0.456, 0.485),
    std=(0.225, 0.224, 0.229),
    channel_order="bgr",
    codec={
        "convention": "megvii",
        "margins": [1.09, 1.135],
        "target": "kernel",
        "kernels": [15, 11, 9, 7, 5],
        "peak": 255.0,
    },
    decode={"flip_shift": 0.0, "blur": 5, "refine": "quarter"},
    poses={"score_floor": 0.0, "oks_nms": 1.0},
)
"""BGR, blurred points of peak 255, box margins at test time; the mirrored map stays where it is."""

STEPS = tuple(
    (rf"conv_bn_relu2_{branch}_{step}\.", f"steps.{branch - 1}.{step - 1}.")
    for branch in range(1, 5)
    for step in range(1, branch + 1)
)
"""The 3x3 convolutions of RSN's blocks, and of mmpose's."""

WRAPPED = ((r"\.conv\.", ".0."), (r"\.bn\.", ".1."))
"""A convolution and its batch norm, where they are members of one module."""

CONV_BIASES = (r"(?<!bns)\.0\.bias$", r"conv\d\.bias$", r"convs\.\d\.bias$")
"""Biases of convolutions in front of a batch norm: Megvii's code has them, others go without."""

STAGES = Rules(
    renames=(
        (r"^top\.conv\.", "stem."),
        (r"^stage(\d)\.downsample\.", r"stages.\1.down."),
        (r"^stage(\d)\.upsample\.up4\.cross_conv\.", r"stages.\1.cross."),
        *((rf"^stage(\d)\.upsample\.up{n}\.", rf"stages.\1.up.{n - 1}.") for n in range(1, 5)),
        (r"\.u_skip\.", ".lateral."),
        (r"\.up_conv\.", ".upsample."),
        (r"\.skip1\.", ".encoder_skip."),
        (r"\.skip2\.", ".decoder_skip."),
        (r"\.res_conv1\.", ".head.0."),
        (r"\.res_conv2\.", ".head.1."),
        *STEPS,
        (r"conv_bn_relu(\d)\.(conv|bn)\.", r"\2\1."),
        *WRAPPED,
    ),
    conventions={"megvii": MEGVII},
)
