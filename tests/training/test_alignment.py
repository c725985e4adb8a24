"""People of another skeleton in training: what their data set lacks is not taught."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kpkit.core.skeletons import AIC14, COCO17
from kpkit.data.load import LoadedDataset
from kpkit.specs.recipe import RecipeSpec
from kpkit.training.loop import build_network, train
from kpkit.training.sources import join_sources, validation_of
from tests.training.dots import draw, recipe

HEADS = "refine_net.head.0.weight"


@pytest.fixture(scope="module")
def coco(tmp_path_factory: pytest.TempPathFactory) -> LoadedDataset:
    return draw(tmp_path_factory.mktemp("dots"), people=8)


def speaking_aic(loaded: LoadedDataset) -> LoadedDataset:
    """The same people as AI Challenger would label them, but for head top and neck."""
    people = loaded.people.with_(source=np.full(len(loaded.people), "A"))
    return LoadedDataset(loaded.images, people.speaking(AIC14), loaded.folder)


def of(skeleton: str, **training: Any) -> RecipeSpec:
    tables = recipe(**training).model_dump()
    tables["network"]["skeleton"], tables["data"]["A"] = skeleton, "dots"
    tables["training"]["phases"] = ("A",)
    return RecipeSpec.model_validate(tables)


@pytest.mark.parametrize("zero_unseen", [False, True])
def test_the_face_learns_nothing_from_ai_challenger(
    coco: LoadedDataset, tmp_path: Path, zero_unseen: bool
) -> None:
    aligned = LoadedDataset(coco.images, speaking_aic(coco).people.speaking(COCO17), coco.folder)
    spec = of("coco17", epochs=[2], zero_unseen=zero_unseen)
    data = join_sources(spec, {"A": (aligned.people, aligned)}, None)
    trained = train(spec, data, tmp_path, device=torch.device("cpu")).network.state_dict()
    fresh = build_network(spec).state_dict()
    changed = (trained[HEADS] != fresh[HEADS]).flatten(1).any(dim=1).tolist()
    assert changed == [name in AIC14.keypoints for name in COCO17.keypoints]


def test_a_network_of_fourteen_learns_them_on_its_own_skeleton(coco: LoadedDataset, tmp_path: Path) -> None:
    own = speaking_aic(coco)
    spec = of("aic14", epochs=[60])
    data = join_sources(spec, {"A": (own.people, own)}, validation_of(spec, own.people, own))
    state = train(spec, data, tmp_path, device=torch.device("cpu"))
    assert state.network.keypoints == 14
    changed = state.network.state_dict()[HEADS] != build_network(spec).state_dict()[HEADS]
    assert changed.flatten(1).any(dim=1).tolist() == [True] * 12 + [False] * 2
    assert state.log[-1]["val_AP"] > 0.5
