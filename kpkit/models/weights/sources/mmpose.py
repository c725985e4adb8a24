"""mmpose, releases 0.x and 1.x, and the original ViTPose repository, which is built on 0.x.

The files say nothing of the codec a network was trained with, and HRNet and ResNet came with several: name
it. 1.x keeps the network under ``backbone`` and ``head``, 0.x the latter under ``keypoint_head``.
"""

from __future__ import annotations

from kpkit.models.weights.rules import Convention, Rules
from kpkit.models.weights.sources import hrnet, megvii, vit

MEGVII = Convention(
    codec={
        "convention": "megvii",
        "padding": 1.25,
        "target": "kernel",
        "kernels": [15, 11, 9, 7, 5],
        "peak": 255.0,
    },
    decode={"flip_shift": 0.0, "blur": 5, "refine": "quarter"},
    poses={"score_floor": 0.2, "oks_nms": 0.9},
)
"""mmpose's own training of MSPN and RSN: RGB, the padding of HRNet, no margins."""

CODECS = {"classic": hrnet.CLASSIC, "unbiased": hrnet.UNBIASED, "megvii": MEGVII}

DROPS = (r"^ema_", r"^data_preprocessor\.")
"""The average's raw copy beside the average, and picture statistics."""

HEAD = (r"^(keypoint_)?head\.", "head.")

HRNET = Rules(
    renames=((r"^backbone\.", "encoder."), HEAD, (r"^head\.final_layer\.", "head.")),
    drops=DROPS,
    conventions=CODECS,
)

SIMPLEBASELINE = Rules(
    renames=(
        (r"^backbone\.", "encoder."),
        HEAD,
        (r"^head\.deconv_layers\.", "deconvolutions."),
        (r"^head\.final_layer\.", "head."),
    ),
    drops=DROPS,
    conventions=CODECS,
)

STAGES = Rules(
    renames=(
        (r"^backbone\.top\.top\.0\.", "stem."),
        (r"^backbone\.multi_stage_(mspn|rsn)\.(\d)\.downsample\.", r"stages.\2.down."),
        (
            r"^backbone\.multi_stage_(mspn|rsn)\.(\d)\.upsample\.up4\.cross_conv\.",
            r"stages.\2.cross.",
        ),
        *(
            (rf"^backbone\.multi_stage_(mspn|rsn)\.(\d)\.upsample\.up{n}\.", rf"stages.\2.up.{n - 1}.")
            for n in range(1, 5)
        ),
        (r"\.in_skip\.", ".lateral."),
        (r"\.up_conv\.", ".upsample."),
        (r"\.out_skip1\.", ".encoder_skip."),
        (r"\.out_skip2\.", ".decoder_skip."),
        HEAD,
        *(
            (rf"^head\.predict_layers\.{n}\.conv_layers\.", f"stages.{n // 4}.up.{n % 4}.head.")
            for n in range(16)
        ),
        *megvii.STEPS,
        (r"conv_bn_relu1\.(conv|bn)\.", r"\g<1>1."),
        (r"conv_bn3\.(conv|bn)\.", r"\g<1>3."),
        *megvii.WRAPPED,
    ),
    drops=DROPS,
    zeros=megvii.CONV_BIASES,
    conventions={"megvii": MEGVII, **CODECS},
)

VITPOSE = Rules(
    renames=(
        (r"^backbone\.last_norm\.", "encoder.norm."),
        (r"^backbone\.ln1\.", "encoder.norm."),
        (r"^backbone\.patch_embed\.projection\.", "encoder.patch_embed.proj."),
        (r"^backbone\.layers\.(\d+)\.ln([12])\.", r"encoder.blocks.\1.norm\2."),
        (r"^backbone\.layers\.(\d+)\.ffn\.layers\.0\.0\.", r"encoder.blocks.\1.mlp.fc1."),
        (r"^backbone\.layers\.(\d+)\.ffn\.layers\.1\.", r"encoder.blocks.\1.mlp.fc2."),
        (r"^backbone\.layers\.(\d+)\.", r"encoder.blocks.\1."),
        (r"^backbone\.", "encoder."),
        HEAD,
        (r"^head\.deconv_layers\.", "decoder."),
        (r"^head\.final_layer\.", "head."),
    ),
    drops=DROPS,
    converts=vit.VITPOSE,
    conventions={"unbiased": hrnet.UNBIASED, **CODECS},
)
