"""Own weights: a whole round trip, and nothing else accepted."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from kpkit.core.errors import InputError
from kpkit.models.catalogue import create_model
from kpkit.models.network import PoseNetwork
from kpkit.models.weights import load_weights, save_weights


def tiny(**options: int) -> PoseNetwork:
    return create_model(
        "cpn_resnet50", input_size=(64, 64), **{"width": 4, "channels": 8, "depths": (1, 1, 1, 1), **options}
    )


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    torch.manual_seed(1)
    save_weights(tiny().to(memory_format=torch.channels_last), tmp_path / "net.safetensors")
    return tmp_path / "net.safetensors"


def test_round_trip_gives_the_same_outputs(tmp_path: Path) -> None:
    torch.manual_seed(2)
    net, other = tiny(), tiny().to(memory_format=torch.channels_last)
    net(torch.randn(4, 3, 64, 64))  # batch norm statistics move
    save_weights(net, tmp_path / "a" / "net.safetensors")
    load_weights(other, tmp_path / "a" / "net.safetensors")
    assert all(
        torch.equal(a, b) for a, b in zip(net.state_dict().values(), other.state_dict().values(), strict=True)
    )
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(net.eval()(images)[-1], other.eval()(images)[-1], atol=1e-5)
    assert os.listdir(tmp_path / "a") == ["net.safetensors"]


def test_equal_weights_give_equal_bytes(saved: Path, tmp_path: Path) -> None:
    net = tiny()
    load_weights(net, saved)
    save_weights(net, tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == saved.read_bytes()


@pytest.mark.parametrize("keep", [0, 4, 100, -1])
def test_truncated_file_is_refused(saved: Path, keep: int) -> None:
    saved.write_bytes(saved.read_bytes()[:keep])
    with pytest.raises(InputError, match="not a whole safetensors file"):
        load_weights(tiny(), saved)


def test_pickled_code_is_refused_and_never_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return os.mkdir, (str(tmp_path / "ran"),)

    path = tmp_path / "evil.pth"
    path.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(InputError, match="not a whole safetensors file"):
        load_weights(tiny(), path)
    assert not (tmp_path / "ran").exists()


def test_missing_file_and_unknown_source_are_refused(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        load_weights(tiny(), tmp_path / "absent.safetensors")
    with pytest.raises(InputError, match="source 'tf' is unknown; known: kpkit"):
        load_weights(tiny(), saved, source="tf")


def test_other_tensors_are_listed_and_nothing_is_loaded(saved: Path) -> None:
    state = load_file(saved)
    state["stray"] = state.pop("refine_net.head.1.bias")
    save_file(state, saved)
    net = tiny()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    with pytest.raises(InputError, match=r"1 missing \(refine_net.head.1.bias\); 1 unexpected \(stray\)"):
        load_weights(net, saved)
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())


def test_other_shapes_are_listed(saved: Path) -> None:
    with pytest.raises(InputError, match=r"1.0.conv1.weight is \(4, 4, 1, 1\), not \(8, 8, 1, 1\)"):
        load_weights(tiny(width=8), saved)
