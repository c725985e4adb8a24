"""The pose residual network: the public code's numbers, the paper's sizes, and what it is for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from kpkit.models.prn import PRN
from kpkit.models.weights import load_weights
from tests.models.peers import peer_state


@pytest.mark.shared
@pytest.mark.parametrize("prefix", ["", "prn."])
def test_output_equals_the_peer(prefix: str, shared: Path, tmp_path: Path) -> None:
    golden = np.load(shared / "golden" / "prn_1024.npz")
    state = peer_state(shared / "golden" / "prn_1024.keys.json")
    torch.save({f"{prefix}{name}": tensor for name, tensor in state.items()}, tmp_path / "prn.pth")
    net = PRN(bottleneck=True).eval()
    loaded = load_weights(net, tmp_path / "prn.pth", source="multiposenet-port")
    assert len(loaded.loaded) == len(net.state_dict()) == 6 and not loaded.dropped
    with torch.no_grad():
        ours = net(torch.from_numpy(golden["input"])).numpy()
    assert ours.shape == golden["output"].shape
    assert np.abs(ours - golden["output"]).max() <= 2e-5 * golden["output"].max()


@pytest.mark.parametrize("bottleneck", [False, True])
def test_probabilities_of_one_person_add_up_over_all_keypoints(bottleneck: bool) -> None:
    torch.manual_seed(0)
    net = PRN(keypoints=5, grid=(14, 9), hidden=16, bottleneck=bottleneck).eval()
    out = net(torch.rand(3, 14, 9, 5))
    assert out.shape == (3, 14, 9, 5)
    assert torch.allclose(out.sum(dim=(1, 2, 3)), torch.ones(3)) and out.min() > 0


def test_it_starts_from_the_maps_themselves() -> None:
    net = PRN(keypoints=2, grid=(4, 3), hidden=8).eval()
    torch.nn.init.constant_(net.correction[0].bias, -10.0)  # the correction's ReLU gives nothing
    maps = torch.rand(1, 4, 3, 2)
    assert torch.allclose(net(maps).flatten(), maps.flatten().softmax(0))


def test_it_learns_to_leave_the_other_person_out() -> None:
    """Two people per box: who stands in its left half is meant."""
    torch.manual_seed(0)
    net = PRN(keypoints=3, grid=(8, 6), hidden=64, dropout=0.1)
    optimiser = torch.optim.Adam(net.parameters(), 1e-2)

    def person(left: int) -> torch.Tensor:
        maps = torch.zeros(64, 8, 6, 3)
        rows, columns = torch.randint(8, (64, 3)), torch.randint(3, (64, 3)) + left
        maps[torch.arange(64)[:, None], rows, columns, torch.arange(3)] = 1
        return maps

    for _ in range(80):
        own, other = person(0), person(3)
        loss = -(net(own + other) * own).sum(dim=(1, 2, 3)).log().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert all(p.grad is not None and p.grad.any() for p in net.parameters())
    own, other = person(0), person(3)
    with torch.no_grad():
        out = net.eval()(own + other)
    found, wrong = ((out * maps).sum(dim=(1, 2, 3)) for maps in (own, other))
    assert found.mean() > 0.6 and wrong.mean() < 0.05


@pytest.mark.parametrize("options", [{"keypoints": 0}, {"grid": (56,)}, {"hidden": 0}, {"dropout": 1.0}])
def test_impossible_sizes_are_refused(options: dict) -> None:
    with pytest.raises(ValueError, match=r"empty|not a share"):
        PRN(**options)
