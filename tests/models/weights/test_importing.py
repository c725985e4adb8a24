"""Imports: the weights, a manifest that tells what they are, and a recipe that says the same."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import timm
import torch

import kpkit.models.weights.importing as importing
from kpkit.core.errors import InputError
from kpkit.core.files import file_hash
from kpkit.core.skeletons import AIC14, COCO17
from kpkit.models.catalogue import create_model
from kpkit.models.weights import load_weights, read_manifest
from kpkit.models.weights.importing import Imported, import_weights
from kpkit.specs.loader import load
from kpkit.specs.recipe import RecipeSpec

HRNET: dict[str, Any] = {"width": 8, "modules": (1, 1, 1)}
CPN: dict[str, Any] = {"depths": [1, 1, 1, 1], "width": 8, "channels": 8}
MSPN: dict[str, Any] = {"depths": [1, 1, 1, 1], "width": 8, "channels": 8, "stages": 2}
SIMPLE: dict[str, Any] = {"depths": [1, 1, 1, 1], "width": 8, "deconvolutions": [8, 8, 8]}


def official(path: Path, seed: int = 0) -> Path:
    """A file as the HRNet repository writes it."""
    torch.manual_seed(seed)
    net = create_model("hrnet_w32", **HRNET)
    state = {
        name.removeprefix("encoder.").replace("head.", "final_layer."): tensor
        for name, tensor in net.state_dict().items()
    }
    torch.save(state, path)
    return path


def recipe_of(done: Imported) -> RecipeSpec:
    spec: RecipeSpec = load(str(done.recipe), "recipe").spec
    return spec


def test_three_files_say_the_same(tmp_path: Path) -> None:
    file = official(tmp_path / "pose_hrnet.pth")
    done = import_weights(
        file,
        source="hrnet-official",
        network="hrnet_w32",
        options=HRNET,
        input_size=(384, 288),
        out=tmp_path / "made" / "hr.w8.safetensors",
    )
    assert sorted(os.listdir(tmp_path / "made")) == ["hr.w8.json", "hr.w8.safetensors", "hr.w8.toml"]
    manifest = read_manifest(done.weights, verify=True)
    assert manifest == done.said == read_manifest(done.manifest)
    assert manifest.source_sha256 == file_hash(file) and manifest.source_file == "pose_hrnet.pth"
    assert (manifest.part, manifest.skeleton, manifest.peak) == ("network", "coco17", 1.0)
    assert str(tmp_path) not in done.manifest.read_text() + done.recipe.read_text()
    spec = recipe_of(done)
    assert spec.weights == manifest.weights and not spec.training.phases
    assert spec.network.name == manifest.network and spec.network.input_size == manifest.input_size
    assert spec.network.options == manifest.options == {"width": 8, "modules": [1, 1, 1]}
    assert (spec.network.mean, spec.network.std) == (manifest.mean, manifest.std)
    assert spec.codec.sigmas == (3.0,) and (spec.codec.target, spec.codec.padding) == ("patch", 1.25)
    assert (spec.decode.flip_shift, spec.decode.refine) == (1.0, "quarter")
    net = create_model(spec.network.name, input_size=spec.network.input_size, **spec.network.options)
    theirs = torch.load(file, weights_only=True)
    loaded = load_weights(net, done.weights)
    assert loaded.part == "network" and not loaded.fresh
    assert torch.equal(net.head.weight, theirs["final_layer.weight"])
    assert torch.equal(net.encoder.conv1.weight, theirs["conv1.weight"])


@pytest.mark.parametrize(
    ("source", "network", "options", "wanted"),
    [
        ("mspn-official", "mspn_resnet50_x2", MSPN,
         ("bgr", 255, "megvii", (1.09, 1.135), 1.0, (0.406, 0.225))),
        ("rsn-official", "rsn18_x1", MSPN, ("bgr", 255, "megvii", (1.09, 1.135), 1.0, (0.406, 0.225))),
        ("pytorch-cpn", "cpn_resnet50", CPN, ("rgb", 255, "megvii", (1.2, 1.3), 1.0, (122.7717 / 255, 1.0))),
        ("simplebaseline-official", "simplebaseline_resnet50", SIMPLE,
         ("rgb", 1, "classic", (1, 1), 1.25, (0.485, 0.229))),
        ("mmpose", "mspn_resnet50_x2", MSPN, ("rgb", 255, "megvii", (1, 1), 1.25, (0.485, 0.229))),
        ("mmpose", "hrnet_w32", HRNET, ("rgb", 1, "classic", (1, 1), 1.25, (0.485, 0.229))),
        ("mmpose", "vitpose_s", {"width": 16, "depth": 1, "heads": 2},
         ("rgb", 1, "unbiased", (1, 1), 1.25, (0.485, 0.229))),
    ],
)  # fmt: skip
def test_each_source_is_fed_and_read_in_its_way(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    network: str,
    options: dict[str, Any],
    wanted: tuple[Any, ...],
) -> None:
    # names are proven elsewhere: here the file is the network's own
    load = importing.load_weights
    monkeypatch.setattr(importing, "load_weights", lambda net, file, _: load(net, file))
    torch.save(create_model(network, **options).state_dict(), tmp_path / "peer.pth")
    done = import_weights(
        tmp_path / "peer.pth", source=source, network=network, options=options, out=tmp_path / "out"
    )
    spec = recipe_of(done)
    found = (
        spec.network.channel_order,
        spec.codec.peak,
        spec.codec.convention,
        spec.codec.margins,
        spec.codec.padding,
        (spec.network.mean[0], spec.network.std[0]),
    )
    assert found == wanted
    assert (done.said.channel_order, done.said.peak) == wanted[:2]
    assert done.codec == ("pytorch-cpn" if source == "pytorch-cpn" else wanted[2])
    assert bool(done.others) == (source != "pytorch-cpn" and "mspn-" not in source and "rsn-" not in source)


def test_the_codec_and_the_pictures_can_be_said(tmp_path: Path) -> None:
    done = import_weights(
        official(tmp_path / "udp.pth"),
        source="hrnet-official",
        network="hrnet_w32",
        options=HRNET,
        out=tmp_path / "udp",
        codec="unbiased",
        mean=(0.5, 0.5, 0.5),
        std=(0.25, 0.25, 0.25),
    )
    spec = recipe_of(done)
    assert spec.codec.convention == "unbiased" and spec.decode.flip_shift == 0
    assert spec.network.mean == done.said.mean == (0.5, 0.5, 0.5)
    assert spec.network.std == done.said.std == (0.25, 0.25, 0.25)
    assert done.others == ()


def test_another_skeleton_has_its_own_number_of_heatmaps(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = create_model("hrnet_w32", keypoints=14, **HRNET)
    state = {f"backbone.{k.removeprefix('encoder.')}": v for k, v in net.encoder.state_dict().items()}
    state |= {f"head.final_layer.{k}": v for k, v in net.head.state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "aic.pth")
    arguments: dict[str, Any] = {"source": "mmpose", "network": "hrnet_w32", "options": HRNET}
    with pytest.raises(InputError, match=r"head.weight is \(14, 8, 1, 1\), not \(17, 8, 1, 1\)"):
        import_weights(tmp_path / "aic.pth", out=tmp_path / "aic", **arguments)
    done = import_weights(tmp_path / "aic.pth", out=tmp_path / "aic", skeleton="aic14", **arguments)
    spec = recipe_of(done)
    assert spec.network.skeleton == done.said.skeleton == "aic14" and not spec.data.val
    coco = create_model("hrnet_w32", **HRNET)
    load_weights(coco, done.weights, skeleton=COCO17)  # a recipe of COCO's may start from it
    rows = AIC14.positions_in(COCO17)[:12]
    assert torch.equal(coco.state_dict()["head.weight"][rows], state["head.final_layer.weight"][:12])


def test_an_encoder_alone_is_kept_alone(tmp_path: Path) -> None:
    theirs = timm.create_model("resnet18")
    torch.save(theirs.state_dict(), tmp_path / "resnet18.pth")
    options = {"depths": [2, 2, 2, 2], "block": "basic", "channels": 8}
    done = import_weights(
        tmp_path / "resnet18.pth",
        source="timm",
        network="cpn_resnet50",
        options=options,
        out=tmp_path / "cpn",
    )
    assert done.said.part == "backbone" and done.said.peak is None and done.said.codec == {}
    assert done.said.dropped == ("fc.weight", "fc.bias") and done.codec == ""
    spec = recipe_of(done)
    assert spec.training.phases == ("C",) and spec.data.C == "coco_train2017"
    net = create_model("cpn_resnet50", **options)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    loaded = load_weights(net, done.weights)
    assert loaded.part == "backbone" and loaded.fresh == done.said.fresh
    assert all(torch.equal(before[name], net.state_dict()[name]) for name in loaded.fresh)
    assert torch.equal(net.encoder.conv1.weight, theirs.conv1.weight)
    with pytest.raises(InputError, match="fill an encoder, which has no codec"):
        import_weights(
            tmp_path / "resnet18.pth",
            source="timm",
            network="cpn_resnet50",
            options=options,
            out=tmp_path / "other",
            codec="classic",
        )


def test_an_encoders_file_without_its_manifest_is_strict(tmp_path: Path) -> None:
    torch.save(timm.create_model("resnet18").state_dict(), tmp_path / "resnet18.pth")
    options = {"depths": [2, 2, 2, 2], "block": "basic", "channels": 8}
    done = import_weights(
        tmp_path / "resnet18.pth",
        source="timm",
        network="cpn_resnet50",
        options=options,
        out=tmp_path / "cpn",
    )
    done.manifest.unlink()
    with pytest.raises(InputError, match="missing"):
        load_weights(create_model("cpn_resnet50", **options), done.weights)


def test_what_is_there_is_never_replaced(tmp_path: Path) -> None:
    file = official(tmp_path / "peer.pth")
    (tmp_path / "hr.toml").write_text("# edited\n")
    with pytest.raises(InputError, match="it is there already"):
        import_weights(file, source="hrnet-official", network="hrnet_w32", options=HRNET, out=tmp_path / "hr")
    assert (tmp_path / "hr.toml").read_text() == "# edited\n"
    assert sorted(os.listdir(tmp_path)) == ["hr.toml", "peer.pth"]


@pytest.mark.parametrize("fails", ["save_tensors", "file_hash"])
def test_a_failure_on_the_way_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    file = official(tmp_path / "peer.pth")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(importing, fails, full)
    with pytest.raises(OSError, match="No space"):
        import_weights(file, source="hrnet-official", network="hrnet_w32", options=HRNET, out=tmp_path / "hr")
    assert os.listdir(tmp_path) == ["peer.pth"]


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"source": "kpkit"}, "kpkit's own weights need no import"),
        ({"source": "kpkit-encoder"}, "kpkit's own weights need no import"),
        ({"source": "hrnet"}, "source 'hrnet' is unknown"),
        ({"source": "mspn-official"}, "has no weights for a PoseHRNet; it fills MSPN"),
        ({"network": "hrnet_w33"}, "did you mean 'hrnet_w32'"),
        ({"options": {"height": 3}}, "has no option 'height'"),
        ({"options": {}}, "its tensors do not fit the network"),
        ({"input_size": (100, 100)}, "multiples of 32"),
        ({"codec": "megvi"}, "has a codec 'megvi'"),
        ({"std": (0.0, 1.0, 1.0)}, r"std is \(0.0, 1.0, 1.0\), not three above 0"),
        ({"mean": (float("nan"), 1.0, 1.0)}, "mean is .*, not three numbers"),
        ({"skeleton": "coco18"}, "did you mean 'coco17'"),
        ({"out": "."}, "names no file"),
    ],
)
def test_wrong_arguments_are_refused_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], cause: str
) -> None:
    monkeypatch.chdir(tmp_path)
    right: dict[str, Any] = {
        "source": "hrnet-official",
        "network": "hrnet_w32",
        "options": HRNET,
        "out": "hr",
        "input_size": (64, 64),
    }
    with pytest.raises(InputError, match=cause):
        import_weights(official(tmp_path / "peer.pth"), **{**right, **change})
    assert os.listdir(tmp_path) == ["peer.pth"]


def test_manifests_are_checked(tmp_path: Path) -> None:
    done = import_weights(
        official(tmp_path / "peer.pth"),
        source="hrnet-official",
        network="hrnet_w32",
        options=HRNET,
        out=tmp_path / "hr",
    )
    whole = done.manifest.read_text()
    for old, new, cause in [
        ('"kpkit weights 1"', '"other"', "not a manifest of weights"),
        ('"hr.safetensors"', '"../hr.safetensors"', "weights: value"),
        ('"part": "network"', '"part": "half"', "part: value 'half' is not allowed"),
        ('"peak": 1.0', '"peak": 1.0, "peek": 1.0', "peek: unknown key"),
        ('"skeleton": "coco17",', "", "skeleton: required key is missing"),
        ("{", "[", "not valid JSON"),
    ]:
        assert old in whole
        done.manifest.write_text(whole.replace(old, new, 1))
        with pytest.raises(InputError, match=cause):
            read_manifest(done.weights)
    done.manifest.write_text(whole)
    data = bytearray(done.weights.read_bytes())
    data[-1] ^= 1
    done.weights.write_bytes(data)
    assert read_manifest(done.weights).sha256 == done.said.sha256
    with pytest.raises(InputError, match="not the weights of its manifest"):
        read_manifest(done.weights, verify=True)
    done.weights.unlink()
    with pytest.raises(InputError, match="no such file, though its manifest"):
        read_manifest(done.manifest, verify=True)
    done.manifest.unlink()
    with pytest.raises(InputError, match="no such file"):
        read_manifest(done.weights)
