"""Members of an ensemble: trained recipes, loaded and checked against each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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
    """A trained recipe on disk: its name, document, artefact folder, and weight in the blend."""

    name: str
    spec: RecipeSpec
    folder: Path
    weight: float = 1.0


@dataclass
class Ensemble:
    """Members that match.

    Attributes:
        predictors: the networks, in document order.
        weights: positive, of any sum.
        codec: the grid they are blended on.
    """

    predictors: list[Predictor]
    weights: list[float]
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
        predictors.append(Predictor(member.name, network, member.spec, device))
    keypoints = {p.network.keypoints for p in predictors}
    if len(keypoints) > 1:
        raise KpkitError(f"members with {sorted(keypoints)} keypoints cannot be blended")
    codec = common_codec([p.codec for p in predictors], [p.name for p in predictors], common_stride)
    return Ensemble(predictors, [member.weight for member in members], codec)
