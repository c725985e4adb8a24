"""ImageNet and MAE weights into the encoder alone, by timm's names; the rest stays as it is and is trained.

torchvision's ResNet and ResNeXt, HRNet's own ImageNet files and MAE's own files have the same names;
ShuffleNetV2 is torchvision's, timm has none.
"""

from __future__ import annotations

from kpkit.models.weights.rules import Convention, Rules
from kpkit.models.weights.sources import megvii, vit
from kpkit.models.weights.sources.own import BESIDE_POSES

IMAGENET = {"imagenet": Convention()}
HALVES = {"halves": Convention(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))}
"""TensorFlow's habit: pictures from -1 to 1."""

ENCODER = ((r"^", "encoder."),)
FILLS = (r"^encoder\.(?!.*\.attention\.)",)
"""All of the encoder but an attention that ImageNet networks do not have."""

RESNET = Rules(
    renames=ENCODER,
    drops=(r"^fc\.",),
    fills=FILLS,
    converts=BESIDE_POSES,
    conventions=IMAGENET,
)

HRNET = Rules(
    renames=ENCODER,
    drops=(
        r"^incre_modules\.",
        r"^downsamp_modules\.",
        r"^final_layer\.",
        r"^classifier\.",
        r"^stage4\.2\.fuse_layers\.[123]\.",
    ),
    fills=FILLS,
    conventions=IMAGENET,
)

INCEPTION_RESNET = Rules(renames=ENCODER, drops=(r"^classif\.",), fills=FILLS, conventions=HALVES)

MOBILENET = Rules(
    renames=ENCODER,
    drops=(r"^conv_head\.", r"^bn2\.", r"^classifier\."),
    fills=FILLS,
    conventions=IMAGENET,
)

SHUFFLENET = Rules(renames=ENCODER, drops=(r"^conv5\.", r"^fc\."), fills=FILLS, conventions=IMAGENET)

VIT = Rules(
    renames=ENCODER,
    drops=(r"^cls_token$", r"^head\."),
    fills=(r"^encoder\.",),
    converts=vit.IMAGENET,
    conventions=IMAGENET,
)

STAGES = Rules(
    renames=((r"^conv1\.", "stem.0."), (r"^bn1\.", "stem.1."), (r"^layer", "stages.*.down.layer")),
    drops=(r"^fc\.",),
    zeros=megvii.CONV_BIASES,
    fills=(r"^stem\.", r"^stages\.\d+\.down\.(?!.*\.attention\.)"),
    conventions=IMAGENET,
)
"""One ResNet (or Res2Net) into the body of every stage, as the public MSPN begins."""
