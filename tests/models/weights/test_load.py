"""Own weights: a whole round trip, and nothing else accepted."""

from __future__ import annotations

import os
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


def test_unknown_sources_are_refused(saved: Path) -> None:
    with pytest.raises(InputError, match="source 'tf' is unknown; known: kpkit, kpkit-encoder, hrnet"):
        load_weights(tiny(), saved, source="tf")
    with pytest.raises(InputError, match="source 'mspn-official' has no weights for a CPN; it fills MSPN"):
        load_weights(tiny(), saved, source="mspn-official")


def test_other_tensors_are_listed_and_nothing_is_loaded(saved: Path) -> None:
    state = load_file(saved)
    state["stray"] = state.pop("refine_net.head.1.bias")
    save_file(state, saved)
    net = tiny()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    with pytest.raises(InputError, match=r"1 missing \(refine_net.head.1.bias\); 1 unexpected \(stray\)"):
        load_weights(net, saved)
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())


def test_other_shapes_and_kinds_are_listed(saved: Path) -> None:
    with pytest.raises(
        InputError, match=r"89 of another shape \(.*1.0.conv1.weight is \(4, 4, 1, 1\), not \(8, 8, 1, 1\)"
    ):
        load_weights(tiny(width=8), saved)
    state = load_file(saved)
    state["encoder.bn1.bias"] = state["encoder.bn1.bias"].long()
    save_file(state, saved)
    with pytest.raises(InputError, match=r"1 of another kind \(encoder.bn1.bias is of torch.int64\)"):
        load_weights(tiny(), saved)


def test_half_precision_is_widened_and_counters_may_be_missing(saved: Path) -> None:
    state = {k: v.half() for k, v in load_file(saved).items() if not k.endswith("num_batches_tracked")}
    save_file(state, saved)
    net = tiny()
    net(torch.randn(4, 3, 64, 64))  # counters move
    loaded = load_weights(net, saved)
    assert net.encoder.conv1.weight.dtype == torch.float32 and net.encoder.bn1.num_batches_tracked == 0
    assert torch.equal(net.encoder.conv1.weight, state["encoder.conv1.weight"].float())
    assert set(loaded.loaded) == set(state) and not loaded.fresh
    assert all(name.endswith("num_batches_tracked") for name in loaded.zeroed)
