"""Members loaded from disk: what fits is loaded whole, what does not match is refused (P4)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from kpkit.core.errors import InputError, KpkitError
from kpkit.ensembles.members import WEIGHTS, MemberFiles, load_ensemble
from kpkit.inference.network import Predictor
from kpkit.models.weights import save_weights
from kpkit.specs.recipe import RecipeSpec
from kpkit.training.loop import build_network

CPU = torch.device("cpu")
CPN = {
    "name": "cpn_resnet50",
    "input_size": [64, 64],
    "options": {"depths": [1, 1, 1, 1], "width": 8, "channels": 16},
}
# its decoder ends at half the input, CPN's at a quarter
CCM = {
    "name": "ccm_resnet50",
    "input_size": [64, 64],
    "options": {"depths": [1, 1, 1, 1], "width": 8, "channels": [16, 16, 16]},
}


def member(
    folder: Path,
    name: str,
    network: dict[str, Any] | None = None,
    codec: dict[str, Any] | None = None,
    *,
    seed: int = 0,
    weight: float = 1.0,
) -> MemberFiles:
    spec = RecipeSpec.model_validate(
        {
            "kind": "recipe",
            "network": (network or CPN) | {"precision": "fp32"},
            "codec": codec or {},
            "data": {"C": "x"},
            "training": {"phases": ["C"], "epochs": [1], "seed": seed},
        }
    )
    save_weights(build_network(spec), folder / name / WEIGHTS)
    return MemberFiles(name, spec, folder / name, weight)


def norms(network: nn.Module) -> list[nn.Module]:
    return [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]


def test_members_come_back_as_they_were_saved(tmp_path: Path) -> None:
    files = [member(tmp_path, "a", seed=1, weight=2.0), member(tmp_path, "b", seed=2)]
    ensemble = load_ensemble(files, None, CPU)
    assert [p.name for p in ensemble.predictors] == ["a", "b"]
    np.testing.assert_array_equal(ensemble.weights, np.repeat([[2.0], [1.0]], 17, axis=1))
    assert ensemble.codec.id == "classic-64x64-s4-p1.25"
    crops = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    for predictor, made in zip(ensemble.predictors, files, strict=True):
        assert not predictor.network.training
        saved = build_network(made.spec)
        wanted = Predictor(made.name, saved, made.spec, CPU).heatmaps(crops)
        assert abs(predictor.heatmaps(crops) - wanted).max() < 1e-5 * abs(wanted).max()
        assert len(norms(predictor.network)) < len(norms(saved)) / 10  # the others are folded
    one, other = (predictor.heatmaps(crops) for predictor in ensemble.predictors)
    assert (one != other).any()


def test_weights_of_another_architecture_are_refused(tmp_path: Path) -> None:
    wider = {**CPN, "options": {**CPN["options"], "width": 16}}
    deeper = {**CPN, "options": {**CPN["options"], "depths": [2, 1, 1, 1]}}
    plain = member(tmp_path, "plain")
    for name, network in (("wider", wider), ("deeper", deeper), ("ccm", CCM)):
        made = member(tmp_path, name, network)
        wrong = MemberFiles(name, made.spec, plain.folder)
        with pytest.raises(InputError, match="its tensors do not fit the network") as caught:
            load_ensemble([plain, wrong], None, CPU)
        assert caught.value.file == plain.folder / WEIGHTS


def test_missing_and_broken_weights(tmp_path: Path) -> None:
    made = member(tmp_path, "a")
    path = made.folder / WEIGHTS
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(InputError, match="not a whole safetensors file"):
        load_ensemble([made], None, CPU)
    path.unlink()
    with pytest.raises(InputError, match="no such file"):
        load_ensemble([made], None, CPU)


def test_members_of_other_strides_need_a_common_one(tmp_path: Path) -> None:
    cpn, ccm = member(tmp_path, "cpn"), member(tmp_path, "ccm", CCM)
    with pytest.raises(KpkitError) as caught:
        load_ensemble([cpn, ccm], None, CPU)
    assert str(caught.value) == (
        "members cpn (classic-64x64-s4-p1.25) and ccm (classic-64x64-s2-p1.25) do not match; "
        "name common_stride in the document to bring all to the crop of cpn"
    )
    for stride in (2, 4):
        assert load_ensemble([cpn, ccm], stride, CPU).codec.stride == stride


@pytest.mark.parametrize(
    ("network", "codec"),
    [
        (None, {"convention": "unbiased"}),
        (None, {"padding": 1.5}),
        ({**CPN, "input_size": [96, 64]}, None),
    ],
    ids=["convention", "padding", "input"],
)
def test_members_of_other_crops_need_a_common_stride_too(
    tmp_path: Path, network: dict[str, Any] | None, codec: dict[str, Any] | None
) -> None:
    files = [member(tmp_path, "a"), member(tmp_path, "b", network, codec)]
    with pytest.raises(KpkitError, match=r"members a .* and b .* do not match"):
        load_ensemble(files, None, CPU)
    assert load_ensemble(files, 4, CPU).codec.id == "classic-64x64-s4-p1.25"
