"""Members of an ensemble: trained recipes, loaded and checked against each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from kpkit.core.errors import KpkitError
from kpkit.heatmaps.blend import common_codec
from kpkit.heatmaps.codecs import Codec
from kpkit.inference.network import Predictor, create_network
from kpkit.models.fuse import fuse_batch_norm
from kpkit.models.weights import load_weights
from kpkit.specs.recipe import RecipeSpec

WEIGHTS = "weights.safetensors"


@dataclass(frozen=True)
class MemberFiles:
    """A trained recipe on disk.

    Attributes:
        name, spec, folder: its name, document and artefact.
        weight: in the blend, one number or one for each keypoint.
        looks: scale and rotation of its test-time views.
    """

    name: str
    spec: RecipeSpec
    folder: Path
    weight: float | tuple[float, ...] = 1.0
    looks: tuple[tuple[float, float], ...] = ((1.0, 0.0),)


@dataclass
class Ensemble:
    """Members that match.

    Attributes:
        predictors: the networks, in document order.
        weights: (M, K), 0 or more, of any sum.
        codec: the grid they are blended on.
    """

    predictors: list[Predictor]
    weights: np.ndarray
    codec: Codec


def load_ensemble(
    members: Sequence[MemberFiles], common_stride: int | None, device: torch.device
) -> Ensemble:
    """Load trained networks and check that they can be blended.

    Raises:
        InputError: weights that are missing or do not fit.
        KpkitError: members of other codecs without ``common_stride`` (promise P4).
    """
    predictors = []
    for member in members:
        network = create_network(member.spec.network)
        load_weights(network, member.folder / WEIGHTS)
        network = fuse_batch_norm(network)
        network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        predictors.append(Predictor(member.name, network, member.spec, device, member.looks))
    keypoints = {p.network.keypoints for p in predictors}
    if len(keypoints) > 1:
        raise KpkitError(f"members with {sorted(keypoints)} keypoints cannot be blended")
    codec = common_codec([p.codec for p in predictors], [p.name for p in predictors], common_stride)
    weights = np.array(
        [np.broadcast_to(m.weight, p.network.keypoints) for m, p in zip(members, predictors, strict=True)]
    )
    return Ensemble(predictors, weights, codec)
