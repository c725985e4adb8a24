"""Every supervised output of the peers, from files as they save them, by way of ``kpkit.load_weights``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import kpkit
from tests.models.peers import empty_model, peer_state


def parallel(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Names as a network wrapped for several GPUs has them."""
    return {f"module.{name}": tensor for name, tensor in state.items()}


def uncounted(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A file older than torch 0.4.1: batch norms did not count their steps."""
    return {name: tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")}


def levels(stages: int) -> list[str]:
    return [f"stage{i}_level{j}_stride4" for i in range(stages) for j in range(4)]


@pytest.mark.shared
@pytest.mark.parametrize(
    ("fixture", "name", "source", "outputs"),
    [
        ("hrnet_w32_256x192", "hrnet_w32", "hrnet-official", []),
        ("simplebaseline_resnet50_256x192", "simplebaseline_resnet50", "simplebaseline-official", []),
        ("cpn_resnet50_256x192", "cpn_resnet50", "pytorch-cpn", [f"global{j}_stride4" for j in range(4)]),
        ("mspn_2stage_256x192", "mspn_resnet50_x2", "mspn-official", levels(2)),
        ("rsn18_256x192", "rsn18_x1", "rsn-official", levels(1)),
    ],
)
def test_outputs_equal_the_peer(
    shared: Path, tmp_path: Path, fixture: str, name: str, source: str, outputs: list[str]
) -> None:
    golden = np.load(shared / "golden" / f"{fixture}.npz")
    state = peer_state(shared / "golden" / f"{fixture}.keys.json")
    content: Any = {
        "hrnet-official": uncounted(state),
        "simplebaseline-official": parallel(uncounted(state)),
        "pytorch-cpn": {"epoch": 30, "state_dict": parallel(state), "optimizer": {"state": {}}},
    }.get(source, {"model": state, "iteration": 96000})
    torch.save(content, tmp_path / "peer.pth", _use_new_zipfile_serialization="official" not in source)
    net = empty_model(name)
    loaded = kpkit.load_weights(net, tmp_path / "peer.pth", source=source)
    assert loaded.part == "network" and not loaded.fresh and not loaded.dropped
    assert len(loaded.loaded) + len(loaded.zeroed) == len(net.state_dict())
    with torch.no_grad():
        maps = net(torch.from_numpy(golden["input"]))
    assert len(maps) == len(net.outputs)
    for key, ours in [*zip(outputs, maps, strict=False), ("output", maps[-1])]:
        theirs = golden[key]
        ours = ours[:, :, ::4, ::4] if key.endswith("stride4") else ours
        assert ours.shape == theirs.shape
        assert np.abs(ours.numpy() - theirs).max() <= 2e-5 * np.abs(theirs).max(), key
