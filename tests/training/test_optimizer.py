"""Groups of parameters: who learns how fast, and whose weights decay."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from kpkit.core.errors import KpkitError
from kpkit.models.network import PoseNetwork
from kpkit.specs.recipe import TrainingSpec
from kpkit.training.optimizer import build_optimizer, set_rate
from tests.models.reduced import reduced


def spec(**options: Any) -> TrainingSpec:
    return TrainingSpec(optimizer="adamw", learning_rate=1.0, weight_decay=0.1, **options)


def by_name(network: PoseNetwork, optimizer: torch.optim.Optimizer) -> dict[str, dict[str, Any]]:
    """Parameter name -> its group, each name in exactly one."""
    names = {id(p): name for name, p in network.named_parameters()}
    found = {names[id(p)]: group for group in optimizer.param_groups for p in group["params"]}
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(found) == len(names)
    return found


def test_layers_learn_the_slower_the_nearer_the_image() -> None:
    """ViTPose's own numbering: patches and positions 0, block i i + 1, the rest with the whole rate."""
    network = reduced("vitpose_b")
    optimizer = build_optimizer(network, spec(layer_decay=0.75))
    set_rate(optimizer, 2.0)
    groups = by_name(network, optimizer)
    depth = len(network.layers()) - 1
    for name, share in {
        "encoder.pos_embed": 0.75 ** (depth + 1),
        "encoder.patch_embed.proj.weight": 0.75 ** (depth + 1),
        "encoder.blocks.0.mlp.fc1.weight": 0.75**depth,
        f"encoder.blocks.{depth - 1}.norm1.bias": 0.75,
        "encoder.norm.weight": 1.0,
        "head.weight": 1.0,
    }.items():
        assert groups[name]["lr"] == pytest.approx(2.0 * share), name
    for name, decay in {
        "encoder.pos_embed": 0.0,
        "encoder.patch_embed.proj.weight": 0.1,
        "encoder.patch_embed.proj.bias": 0.0,
        "encoder.blocks.0.norm1.weight": 0.0,
        "head.weight": 0.1,
    }.items():
        assert groups[name]["weight_decay"] == decay, name


def test_otherwise_all_learn_alike() -> None:
    network = reduced("cpn_resnet50")
    optimizer = build_optimizer(network, spec())
    set_rate(optimizer, 0.5)
    assert {(g["lr"], g["weight_decay"]) for g in by_name(network, optimizer).values()} == {(0.5, 0.1)}
    with pytest.raises(KpkitError, match="layer_decay"):
        build_optimizer(network, spec(layer_decay=0.9))
