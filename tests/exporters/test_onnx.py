"""ONNX files: whole or absent, checked before they have their name, described. The sweep of all networks
stands in tests/models/test_networks.py."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path

import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from kpkit.core.errors import KpkitError
from kpkit.exporters import onnx as exporter
from kpkit.exporters.onnx import describe, export_onnx
from kpkit.models.catalogue import create_model
from kpkit.models.fuse import fuse_batch_norm
from kpkit.models.network import PoseNetwork
from kpkit.specs.recipe import CodecSpec, NetworkSpec


@pytest.fixture
def net() -> PoseNetwork:
    torch.manual_seed(0)
    options = {"width": 8, "depths": (1, 1, 1, 1), "deconvolutions": (8, 8, 8), "init": "kaiming"}
    return create_model("simplebaseline_resnet50", input_size=(96, 64), **options)


def heatmaps(path: Path, images: torch.Tensor) -> torch.Tensor:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(None, {"images": images.numpy()})[0])


def test_one_file_of_named_ends_and_any_batch(net: PoseNetwork, tmp_path: Path) -> None:
    export_onnx(net, tmp_path / "made" / "net.onnx", {"codec": "classic"})
    assert os.listdir(tmp_path / "made") == ["net.onnx"]
    assert net.training
    model = onnx.load(tmp_path / "made" / "net.onnx")
    onnx.checker.check_model(model, full_check=True)
    (images,), (maps,) = model.graph.input, model.graph.output
    assert (images.name, maps.name) == ("images", "heatmaps")
    shapes = [[d.dim_value or d.dim_param for d in v.type.tensor_type.shape.dim] for v in (images, maps)]
    assert shapes == [["batch", 3, 96, 64], ["batch", 17, 24, 16]]
    assert {p.key: p.value for p in model.metadata_props}["codec"] == "classic"
    assert not any(node.op_type == "BatchNormalization" for node in model.graph.node)
    pictures = torch.randn(7, 3, 96, 64)
    with torch.no_grad():
        wanted = net.eval()(pictures)[-1]
    torch.testing.assert_close(
        heatmaps(tmp_path / "made" / "net.onnx", pictures), wanted, rtol=0, atol=1e-5 * wanted.abs().max()
    )


def test_a_file_that_differs_is_not_written(
    net: PoseNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrongly(net: PoseNetwork) -> PoseNetwork:
        folded = fuse_batch_norm(net)
        nn.init.constant_(folded.get_parameter("head.bias"), 1e-4)  # the maps are some hundredths high
        return folded

    (tmp_path / "net.onnx").write_text("the old one")
    monkeypatch.setattr(exporter, "fuse_batch_norm", wrongly)
    with pytest.raises(KpkitError, match=r"differ from torch's by .* net\.onnx was not written"):
        export_onnx(net, tmp_path / "net.onnx")
    assert os.listdir(tmp_path) == ["net.onnx"]
    assert (tmp_path / "net.onnx").read_text() == "the old one"


def test_without_the_packages_it_says_what_to_install(
    net: PoseNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else find(name)
    )
    with pytest.raises(KpkitError) as said:
        export_onnx(net, tmp_path / "made" / "net.onnx")
    assert str(said.value) == "writing and checking ONNX files needs onnxruntime: pip install 'kpkit[onnx]'"
    assert os.listdir(tmp_path) == []


def test_weights_beyond_protobuf_lie_beside_the_graph(
    net: PoseNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporter, "ONE_FILE", 1000)
    export_onnx(net, tmp_path / "net.onnx")
    assert sorted(os.listdir(tmp_path)) == ["net.onnx", "net.onnx.data"]
    pictures = torch.randn(2, 3, 96, 64)
    with torch.no_grad():
        wanted = net.eval()(pictures)[-1]
    assert (heatmaps(tmp_path / "net.onnx", pictures) - wanted).abs().max() < 1e-5 * wanted.abs().max()


def test_what_a_reader_must_know(net: PoseNetwork) -> None:
    network = NetworkSpec(name="simplebaseline_resnet50", input_size=(96, 64), channel_order="bgr")
    codec = CodecSpec(convention="megvii", margins=(1.09, 1.135), peak=255)
    said = describe(net, network, codec)
    keypoints = json.loads(said.pop("keypoints"))
    assert (len(keypoints), keypoints[0], keypoints[-1]) == (17, "nose", "right_ankle")
    assert said == {
        "network": "simplebaseline_resnet50",
        "input_size": "[96, 64]",
        "stride": "4",
        "codec": "megvii-96x64-s4-m1.09x1.135-p1",
        "peak": "255.0",
        "mean": "[0.485, 0.456, 0.406]",
        "std": "[0.229, 0.224, 0.225]",
        "channel_order": "bgr",
    }
    assert set(describe(net, network, None)) == {"network", "input_size", "stride", "keypoints"}
