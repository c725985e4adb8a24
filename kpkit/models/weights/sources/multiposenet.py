"""LiMeng95's MultiPoseNet.pytorch, whose one file fills the keypoint subnet, the person subnet and the PRN.

Its own files are HDF5: read one with h5py and ``torch.save`` the tensors by name. The PRN is also named so in
salihkaragoz's and mkocabas' repository of it alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from torch import Tensor

from kpkit.models.network import PoseNetwork
from kpkit.models.weights.rules import Convention, Convert, Rules

COCO = (0, 15, 14, 17, 16, 5, 2, 6, 3, 7, 4, 11, 8, 12, 9, 13, 10)
"""COCO's keypoints among the port's 18 maps, which are in OpenPose's order with the neck second."""


def choose_maps(tensor: Tensor, network: PoseNetwork) -> Tensor:
    """The rows of a 1x1 convolution that a network of 17 keypoints wants; of 18, all but a spare last one."""
    if tensor.shape[0] not in (18, 19) or network.keypoints not in (17, 18):
        return tensor
    return tensor[list(COCO)] if network.keypoints == 17 else tensor[:18]


HEADS: Mapping[str, Convert] = MappingProxyType({r"^(level_heads\.\d|head)\.": choose_maps})

PORT = Convention(
    codec={"convention": "megvii", "padding": 1.25, "target": "gaussian", "sigmas": [1.75]},
    decode={"flip_shift": 0.0, "refine": "quarter"},
    poses={"score_floor": 0.2, "oks_nms": 0.9},
)
"""RGB; Gaussians of 7 input pixels around pixel centres, 4x + 1.5: half a pixel from the nearest codec."""

PERSONS = r"^(fpn\.(conv[67]|latlayer\d|toplayer\d)|regressionModel|classificationModel)\."
PRN_ALONE = r"^prn\."
KEYPOINTS = (
    r"^fpn\.(toplayer|flatlayer\d|smooth\d)\.",
    r"^conv(fin|fin_k\d|t\d|s\d|2)\.",
)
ENCODER = r"^fpn\.(conv1|bn1|layer\d)\."

KEYPOINT_SUBNET = Rules(
    renames=(
        (r"^fpn\.toplayer\.", "pyramid.laterals.0."),
        (r"^fpn\.flatlayer(\d)\.", r"pyramid.laterals.\1."),
        *((rf"^fpn\.smooth{n}\.", f"pyramid.smooths.{n - 1}.") for n in (1, 2, 3)),
        (r"^fpn\.", "encoder."),
        *((rf"^convfin_k{n}\.", f"level_heads.{5 - n}.") for n in (2, 3, 4, 5)),
        *((rf"^convt{n}\.", f"branches.{n - 1}.0.") for n in (1, 2, 3, 4)),
        *((rf"^convs{n}\.", f"branches.{n - 1}.1.") for n in (1, 2, 3, 4)),
        (r"^conv2\.", "fuse.0."),
        (r"^convfin\.", "head."),
    ),
    drops=(PERSONS, PRN_ALONE),
    converts=HEADS,
    conventions={"multiposenet-port": PORT},
)

PERSON_SUBNET = Rules(
    renames=(
        (r"^fpn\.conv(\d)\.", r"pyramid.p\1."),
        *((rf"^fpn\.latlayer{n}\.", f"pyramid.laterals.{3 - n}.") for n in (1, 2, 3)),
        *((rf"^fpn\.toplayer{n}\.", f"pyramid.smooths.{2 - n}.") for n in (0, 1, 2)),
        *(
            (rf"^{theirs}\.{layer}\.", f"{ours}.{place}.")
            for theirs, ours in (("regressionModel", "boxes"), ("classificationModel", "scores"))
            for layer, place in (("conv1", 0), ("conv2", 2), ("conv3", 4), ("conv4", 6), ("output", 8))
        ),
    ),
    drops=(ENCODER, *KEYPOINTS, PRN_ALONE),
)

PRN = Rules(
    renames=(
        (r"^(prn\.)?dens1\.", "hidden.0."),
        (r"^(prn\.)?bneck\.", "bottleneck.0."),
        (r"^(prn\.)?dens2\.", "correction.0."),
    ),
    drops=(ENCODER, *KEYPOINTS, PERSONS),
)
"""Both have the second hidden layer: ``PRN(bottleneck=True)``."""
