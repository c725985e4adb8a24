"""The HRNet repository's networks (deep-high-resolution-net.pytorch): pose HRNet and SimpleBaseline.

Microsoft's own SimpleBaseline repository names and feeds its networks alike. Its Caffe-style variants (the
stride on the first 1x1 convolution) have the same names and shapes and cannot be told apart: avoid them.
"""

from __future__ import annotations

from kpkit.models.weights.rules import Convention, Rules

CLASSIC = Convention(
    codec={"convention": "classic", "padding": 1.25, "target": "patch", "sigmas": [2.0]},
    codec_at={(384, 288): {"sigmas": [3.0]}},
    decode={"flip_shift": 1.0, "refine": "quarter"},
    poses={"score_floor": 0.2, "oks_nms": 0.9},
)
"""RGB, a patch of peak 1 at the nearest pixel; the mirrored map moves one pixel to the right."""

UNBIASED = Convention(
    codec={"convention": "unbiased", "padding": 1.25, "target": "patch", "sigmas": [2.0]},
    codec_at={(384, 288): {"sigmas": [3.0]}},
    decode={"flip_shift": 0.0, "blur": 11, "refine": "parabola"},
    poses={"score_floor": 0.2, "oks_nms": 0.9},
)
"""UDP with Gaussian maps: its authors, and mmpose, train these networks so, too."""

CODECS = {"classic": CLASSIC, "unbiased": UNBIASED}

HRNET = Rules(
    renames=((r"^final_layer\.", "head."), (r"^(?!head\.)", "encoder.")),
    conventions=CODECS,
)

SIMPLEBASELINE = Rules(
    renames=(
        (r"^deconv_layers\.", "deconvolutions."),
        (r"^final_layer\.", "head."),
        (r"^(?!deconvolutions\.|head\.)", "encoder."),
    ),
    conventions=CODECS,
)
