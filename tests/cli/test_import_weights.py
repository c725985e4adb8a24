"""``kpkit import-weights``: what it prints, and bad files refused in one sentence with nothing written."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from kpkit.data.coco import read_annotations
from kpkit.data.results import read_results, write_results
from kpkit.ensembles.members import MemberFiles, load_ensemble
from kpkit.models.catalogue import create_model
from kpkit.models.posefix import pose_sigma
from kpkit.specs.loader import load
from tests.models.peers import megvii_name

if TYPE_CHECKING:
    from tests.cli.conftest import Kpkit, World

OPTIONS = ("--option", "width=8", "--option", "modules = [1, 1, 1]", "--option", "init=kaiming")
ARGUMENTS = ("--source", "hrnet-official", "--network", "hrnet_w32", *OPTIONS)


@pytest.fixture(scope="module")
def tensors() -> dict[str, Any]:
    torch.manual_seed(0)
    net = create_model("hrnet_w32", width=8, modules=(1, 1, 1))
    return {
        name.removeprefix("encoder.").replace("head.", "final_layer."): tensor
        for name, tensor in net.state_dict().items()
    }


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_summary_and_the_next_command(kpkit: Kpkit, folder: Path, tensors: dict[str, Any]) -> None:
    torch.save({"state_dict": tensors}, folder / "peer.pth")
    said = kpkit("import-weights", "peer.pth", *ARGUMENTS, "--out", "made/hr", "--input-size", 128, 96)
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines() == [
        "hrnet_w32 128x96 from peer.pth (hrnet-official)",
        f"  {len(tensors)} tensors loaded",
        "  codec classic, rgb, peak 1; the file does not say: --codec may be unbiased",
        "wrote made/hr.safetensors",
        "wrote made/hr.json",
        "wrote made/hr.toml",
        "next: kpkit run made/hr.toml --data DIR  (as a member, judged on COCO val2017)",
    ]
    assert sorted(os.listdir("made")) == ["hr.json", "hr.safetensors", "hr.toml"]


def test_an_encoder_says_what_is_left(kpkit: Kpkit, folder: Path, tensors: dict[str, Any]) -> None:
    body = {k: v for k, v in tensors.items() if not k.startswith("final_layer.")}
    torch.save({**body, "classifier.weight": torch.ones(3, 3)}, folder / "in1k.pth")
    arguments = ("--source", "timm", "--network", "hrnet_w32", *OPTIONS, "--out", "hr")
    said = kpkit("import-weights", "in1k.pth", *arguments)
    assert said.code == 0
    assert f"{len(body)} tensors loaded (the encoder alone)" in said.out
    assert "1 dropped, which the network has no place for (classifier)" in said.out
    assert "2 left to training (head)" in said.out and "codec" not in said.out


def test_bad_files_are_one_sentence_and_nothing_is_written(
    kpkit: Kpkit, folder: Path, tensors: dict[str, Any]
) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return os.mkdir, (str(folder / "ran"),)

    torch.save({"state_dict": tensors, "epoch": Evil()}, folder / "evil.pth")
    (folder / "evil.pkl").write_bytes(pickle.dumps(Evil()))
    torch.save(tensors, folder / "whole.pth")
    save_file(tensors, folder / "whole.safetensors")
    for name in ("whole.pth", "whole.safetensors"):
        data = (folder / name).read_bytes()
        (folder / f"cut.{name}").write_bytes(data[: len(data) // 2])
    torch.save(torch.nn.Linear(3, 3).state_dict(), folder / "foreign.pth")
    torch.save([1, 2], folder / "list.pth")
    torch.save({**tensors, "epoch": 3}, folder / "epoch.pth")
    (folder / "empty.pth").touch()
    (folder / "page.pth").write_text("<html>Sign in</html>")
    before = sorted(os.listdir(folder))
    for name, cause in {
        "evil.pth": "names posix.mkdir, which opening it would run; nothing was run",
        "evil.pkl": "a pickle, but none that torch.save wrote",
        "cut.whole.pth": "not a whole torch checkpoint",
        "cut.whole.safetensors": "not a whole safetensors file",
        "foreign.pth": "its tensors do not fit the network",
        "list.pth": "it holds a list, not tensors by name",
        "epoch.pth": "entry 'epoch' is no tensor (int)",
        "empty.pth": "the file is empty",
        "page.pth": "neither a whole safetensors file nor a torch checkpoint",
        "absent.pth": "no such file",
        ".": "a folder, not a file of weights",
    }.items():
        said = kpkit("import-weights", name, *ARGUMENTS, "--out", "made/hr")
        assert said.code == 2
        assert cause in said.only_sentence and said.only_sentence.startswith(name)
        assert sorted(os.listdir(folder)) == before


@pytest.mark.parametrize("text", ["width", "=8", "width="])
def test_options_are_pairs(kpkit: Kpkit, folder: Path, text: str) -> None:
    said = kpkit("import-weights", "peer.pth", *ARGUMENTS[:4], "--out", "hr", "--option", text)
    assert said.code == 2 and "is not KEY=VALUE" in said.only_sentence


def test_networks_of_two_houses_become_members_of_one_ensemble(
    kpkit: Kpkit, folder: Path, tensors: dict[str, Any], world: World
) -> None:
    """Each is fed and read as its authors do, and judged beside the other without training."""
    torch.save(tensors, folder / "hrnet.pth")
    options: dict[str, Any] = {"depths": [1, 1, 1, 1], "channels": 8, "width": 8}
    torch.manual_seed(0)
    theirs = create_model("mspn_resnet50_x1", input_size=(64, 64), **options).eval()
    named = {megvii_name(name): tensor for name, tensor in theirs.state_dict().items()}
    torch.save({"model": named}, folder / "mspn.pth")
    size = ("--input-size", 64, 64)
    assert kpkit("import-weights", "hrnet.pth", *ARGUMENTS, *size, "--out", "hr").code == 0
    pairs = [text for key, value in options.items() for text in ("--option", f"{key}={value}")]
    said = kpkit("import-weights", "mspn.pth", "--source", "mspn-official", "--network", "mspn_resnet50_x1",
                 *pairs, *size, "--out", "ms")  # fmt: skip
    assert said.code == 0 and "codec megvii, bgr, peak 255" in said.out

    (folder / "both.toml").write_text(
        'kind = "ensemble"\nval = "coco_val2017"\ncommon_stride = 4\n'
        'members = [{ recipe = "ms.toml" }, { recipe = "hr.toml" }]\n'
    )
    run = kpkit("run", "both.toml", "--data", world, "--no-ray")
    assert run.code == 0, run.err
    assert all(f"{name} " in run.out for name in ("ms", "hr", "both-on-val2017"))

    files = [
        MemberFiles(name, load(f"{name}.toml", "recipe").spec, next(Path("runs/recipes").glob(f"{name}-*")))
        for name in ("ms", "hr")
    ]
    predictor = load_ensemble(files, 4, torch.device("cpu")).predictors[0]
    crops = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    bgr = torch.from_numpy(crops[..., ::-1] / 255).float()
    images = (bgr - torch.tensor([0.406, 0.456, 0.485])) / torch.tensor([0.225, 0.224, 0.229])
    with torch.no_grad():
        wanted = theirs(images.permute(0, 3, 1, 2))[-1] / 255
    found = predictor.heatmaps(crops)
    assert np.abs(found - wanted.numpy()).max() <= 2e-5 * wanted.abs().max().item()


def test_a_refiner_refines_at_once(kpkit: Kpkit, folder: Path, world: World) -> None:
    """The emitted recipe shows it poses as its source does, and needs no training to be used."""
    options: dict[str, Any] = {
        "depths": [1, 1, 1, 1],
        "width": 8,
        "block": "basic",
        "deconvolutions": [8, 8, 8],
    }
    options |= {"deconvolution_norm": False}
    torch.manual_seed(0)
    net = create_model("posefix_resnet50", input_size=(64, 64), **options)
    named = {
        name.removeprefix("encoder.")
        .replace("head.", "final_layer.")
        .replace("deconvolutions.", "deconv_layers."): tensor
        for name, tensor in net.state_dict().items()
    }
    torch.save(named, folder / "port.pth")
    pairs = [text for key, value in options.items() for text in ("--option", f"{key}={json.dumps(value)}")]
    arguments = ("--source", "posefix-port", "--network", "posefix_resnet50", *pairs, "--out", "pf")
    said = kpkit("import-weights", "port.pth", *arguments, "--input-size", 64, 64)
    assert said.code == 0, said.err
    assert said.out.splitlines()[-1] == (
        "next: kpkit refine RESULTS --with pf.toml --images coco_val2017 --data DIR"
    )
    spec = load("pf.toml", "recipe").spec
    assert spec.refinement and spec.refinement.sigma == 1.75  # a quarter of what 256 pixels take
    assert (spec.codec.margins, spec.codec.padding) == ((1.2, 1.2), 1.25)

    _, people = read_annotations(Path(world) / "coco/annotations/person_keypoints_val2017.json")
    people = people[(people.num_labelled > 0) & ~people.crowd]
    write_results("theirs.json", people)
    told = ("--with", "pf.toml", "--images", "coco_val2017", "--data", world, "--no-ray")
    said = kpkit("refine", "theirs.json", *told, "--out", "better.json")
    assert said.code == 0, said.err
    assert f"{len(people)} poses, 17 keypoints of each refined" in said.out
    better = read_results("better.json")
    assert not np.allclose(better.keypoints[..., :2], people.keypoints[..., :2], atol=1)


@pytest.mark.parametrize(("height", "sigma"), [(256, 7.0), (384, 9.0), (128, 3.5), (512, 12.0)])
def test_published_widths_of_the_shown_pose(height: int, sigma: float) -> None:
    assert pose_sigma(height) == sigma
