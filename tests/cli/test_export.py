"""``kpkit export-onnx``: recipes and networks by name, and what stands in the way, said in one sentence."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import onnx
import pytest
import torch

from kpkit.models.catalogue import create_model
from kpkit.models.weights import save_weights

if TYPE_CHECKING:
    from tests.cli.conftest import Kpkit, World

OPTIONS = {"width": 8, "depths": (1, 1, 1, 1), "deconvolutions": (8, 8, 8), "init": "kaiming"}
NETWORK = "simplebaseline_resnet50"
OVER = """kind = "recipe"
weights = "w.safetensors"
[network]
name = "simplebaseline_resnet50"
input_size = [96, 64]
channel_order = "bgr"
[network.options]
width = 8
depths = [1, 1, 1, 1]
deconvolutions = [8, 8, 8]
[codec]
convention = "megvii"
peak = 255
"""
PEER = {"encoder.": "", "deconvolutions.": "deconv_layers.", "head.": "final_layer."}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with weights ``w.safetensors``."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    save_weights(create_model(NETWORK, input_size=(96, 64), **OPTIONS), tmp_path / "w.safetensors")
    return tmp_path


def metadata(path: str) -> dict[str, str]:
    return {p.key: p.value for p in onnx.load(path).metadata_props}


def test_a_recipe_that_takes_weights_over(kpkit: Kpkit, folder: Path) -> None:
    (folder / "over.toml").write_text(OVER)
    said = kpkit("export-onnx", "over.toml", "out/net.onnx")
    assert (said.code, said.err) == (0, "")
    assert said.out == "wrote out/net.onnx: images (N, 3, 96, 64) to heatmaps (N, 17, 24, 16)\n"
    found = metadata("out/net.onnx")
    assert (found["codec"], found["peak"]) == ("megvii-96x64-s4-p1.25", "255.0")
    assert (found["network"], found["channel_order"]) == (NETWORK, "bgr")


def test_a_network_as_the_manifest_beside_its_weights_says(kpkit: Kpkit, folder: Path) -> None:
    state = create_model(NETWORK, **OPTIONS).state_dict()
    peer = {}
    for name, tensor in state.items():
        part = next(p for p in PEER if name.startswith(p))
        peer[PEER[part] + name.removeprefix(part)] = tensor
    torch.save(peer, "peer.pth")
    options = [f"--option={key}={json.dumps(value)}" for key, value in OPTIONS.items()]
    source = ("--source", "simplebaseline-official", "--network", NETWORK, "--input-size", 96, 64)
    assert kpkit("import-weights", "peer.pth", *source, *options, "--out", "sb").code == 0
    said = kpkit("export-onnx", NETWORK, "net.onnx", "--weights", "sb.safetensors")
    assert (said.code, said.err) == (0, "")
    assert metadata("net.onnx")["codec"] == "classic-96x64-s4-p1.25"
    other = kpkit("export-onnx", "hrnet_w32", "other.onnx", "--weights", "sb.safetensors")
    assert other.code == 2
    assert other.only_sentence == (
        f"sb.safetensors: its manifest says they are weights of {NETWORK}, not of hrnet_w32"
    )
    resized = kpkit("export-onnx", NETWORK, "n.onnx", "--weights", "sb.safetensors", "--input-size", 64, 96)
    assert resized.only_sentence == "sb.safetensors: its manifest says input size (96, 64)"
    assert not (folder / "other.onnx").exists()


def test_a_network_by_its_name_alone_claims_no_codec(kpkit: Kpkit, folder: Path) -> None:
    save_weights(create_model("vitpose_s", input_size=(64, 64)), "vit.safetensors")
    said = kpkit("export-onnx", "vitpose_s", "v.onnx", "--weights", "vit.safetensors", "--input-size", 64, 64)
    assert (said.code, said.err) == (0, "")
    assert set(metadata("v.onnx")) == {"network", "input_size", "stride", "keypoints"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("over.toml", "net.pt"), "net.pt: the name does not end in .onnx"),
        (("over.toml", "n.onnx", "--input-size", 64, 64), "--input-size goes with --weights"),
        ((NETWORK, "n.onnx", "--weights", "no.safetensors"), "no.safetensors: no such file"),
        ((NETWORK, "n.onnx", "--weights", "w.safetensors", "--input-size", 50, 64), "--input-size: "),
        ((NETWORK, "n.onnx", "--weights", "w.safetensors"), "w.safetensors: its tensors do not fit"),
        (("simplebaseline", "n.onnx", "--weights", "w.safetensors"), "no network is called 'simplebaseline'"),
        ((NETWORK, "n.onnx"), f"no recipe is called {NETWORK!r}"),
    ],
)  # fmt: skip
def test_what_cannot_be_exported(
    arguments: tuple[object, ...], sentence: str, kpkit: Kpkit, folder: Path
) -> None:
    (folder / "over.toml").write_text(OVER)
    said = kpkit("export-onnx", *arguments)
    assert said.code == 2
    assert said.only_sentence.startswith(sentence)
    assert sorted(os.listdir()) == ["over.toml", "w.safetensors"]


def test_a_recipe_must_be_trained(kpkit: Kpkit, world: World, folder: Path) -> None:
    said = kpkit("export-onnx", "tiny_cpn", "n.onnx", "--data", world, "--runs", "runs")
    assert said.code == 2
    assert "tiny_cpn.toml: not trained yet; kpkit train tiny_cpn" in said.only_sentence
    said = kpkit("export-onnx", "tiny_cpn", "n.onnx", "--data", folder / "nowhere", "--runs", "runs")
    assert said.code == 2
    assert said.only_sentence.startswith("which of its trainings is meant depends on its data: ")
