"""The optimiser of a recipe, with rates that fall from layer to layer towards the image where it says so."""

from __future__ import annotations

import torch
from torch import nn

from kpkit.core.errors import KpkitError
from kpkit.models.network import PoseNetwork
from kpkit.specs.recipe import TrainingSpec

_KINDS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


def build_optimizer(network: PoseNetwork, spec: TrainingSpec) -> torch.optim.Optimizer:
    """Adam or AdamW over all parameters.

    With ``layer_decay`` d below 1, the transformers' way (BEiT, ViTPose): of n layers, counted from the image
    by 0, layer i learns at d^(n - i) of the rate and whatever follows the layers at all of it; biases, norms
    and positions have no weight decay.

    Raises:
        KpkitError: ``layer_decay`` for a network without layers to decay over.
    """
    groups: list[dict[str, object]] = [{"params": list(network.parameters()), "share": 1.0}]
    if spec.layer_decay < 1:
        layers = network.layers()
        if not layers:
            raise KpkitError("layer_decay is for networks made of equal layers (ViTPose)")
        shares = {
            id(p): spec.layer_decay ** (len(layers) - i) for i, layer in enumerate(layers) for p in layer
        }
        sorted_out: dict[tuple[float, bool], list[nn.Parameter]] = {}
        for name, parameter in network.named_parameters():
            decays = parameter.ndim > 1 and not name.endswith("pos_embed")
            sorted_out.setdefault((shares.get(id(parameter), 1.0), decays), []).append(parameter)
        groups = [
            {"params": held, "share": share, "weight_decay": spec.weight_decay if decays else 0.0}
            for (share, decays), held in sorted_out.items()
        ]
    return _KINDS[spec.optimizer](groups, lr=spec.learning_rate, weight_decay=spec.weight_decay, fused=True)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every layer its share of a learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["share"]
