"""Loss factors: per source, per keypoint name; on labels, on maps wanted empty, under OHKM."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from kpkit.core.skeletons import COCO17
from kpkit.data.crops import CropBatch
from kpkit.models.network import Output
from kpkit.specs.recipe import RecipeSpec
from kpkit.training.factors import LossFactors
from kpkit.training.losses import supervision_loss
from kpkit.training.phases import PhasePlan

CPU = torch.device("cpu")
COUNTS = {"A": 3, "C": 4, "H": 2, "U": 3}  # rows 0-2, 3-6, 7-8, 9-11


def spec(**tables: Any) -> RecipeSpec:
    training = {"phases": ["ACHU"], "epochs": [1], "batch_size": 2} | tables.pop("training", {})
    return RecipeSpec.model_validate(
        {
            "kind": "recipe",
            "network": {"name": "cpn_resnet50"},
            "data": {"A": "a", "C": "c", "H": {"boxes": "c"}, "U": "u"} | tables.pop("data", {}),
            "training": training,
        }
    )


def batch(rows: list[int]) -> CropBatch:
    letters = np.array(list("AAACCCCHHUUU"))
    n, k = len(rows), len(COCO17)
    return CropBatch(
        rows=np.array(rows),
        images=np.zeros((n, 1, 1, 3), np.uint8),
        keypoints=np.zeros((n, k, 2)),
        visibility=np.full((n, k), 2, np.uint8),
        keypoint_weight=np.ones((n, k)),
        inside=np.ones((n, k), bool),
        source=letters[rows],
        matrix=np.zeros((n, 2, 3)),
        flipped=np.zeros(n, bool),
    )


def factors(recipe: RecipeSpec, rows: list[int], shown: torch.Tensor | None = None, stages: int = 2) -> Any:
    plan = PhasePlan(recipe.training, COUNTS, {})
    return LossFactors(recipe, plan, stages, CPU)(batch(rows), shown)


def test_nothing_given_counts_everything_once() -> None:
    assert torch.equal(factors(spec(), [0, 5, 7, 11]), torch.ones(2, 4, 17))


def test_sources_and_keypoint_names_multiply() -> None:
    recipe = spec(
        data={"loss_weights": {"A": 0.5, "U": 0.25}},
        training={"keypoint_weights": {"left_wrist": 1.5, "nose": 0.1}},
    )
    found = factors(recipe, [0, 5, 7, 11], stages=1)[0]
    by_source = torch.tensor([0.5, 1.0, 1.0, 0.25])
    torch.testing.assert_close(found[:, COCO17.index("left_wrist")], 1.5 * by_source)
    torch.testing.assert_close(found[:, COCO17.index("nose")], 0.1 * by_source)
    torch.testing.assert_close(found[:, COCO17.index("right_wrist")], by_source)


def test_only_people_of_c_are_kept_from_a_stage() -> None:
    shown = torch.tensor([[False, True, False, True]])
    found = factors(spec(data={"loss_weights": {"C": 0.5}}), [2, 3, 4, 5, 6, 7, 9], shown)[..., 0]
    assert found[0].tolist() == [1, 0.5, 0.5, 0.5, 0.5, 1, 1]
    assert found[1].tolist() == [1, 0, 0.5, 0, 0.5, 1, 1]


@pytest.mark.parametrize("ohkm", [False, True])
def test_a_factor_weighs_labels_and_empty_maps_alike(ohkm: bool) -> None:
    """Person by person: the loss is linear in a person's factor, whatever is wanted of the maps."""
    outputs = [Output(stride=4, ohkm=ohkm, weight=0.5)]
    source = torch.Generator().manual_seed(3)
    prediction, target = torch.rand((2, 3, 17, 8, 6), generator=source)
    weight = (torch.rand((3, 17), generator=source) > 0.4).float()
    empty = weight == 0

    def loss(people: list[int], factor: float) -> float:
        given = (prediction[people], target[people], weight[people])
        told = supervision_loss(
            [given[0]], outputs, [given[1]], given[2], 8,
            empty=empty[people], factors=torch.full((1, len(people), 17), factor),
        )  # fmt: skip
        return float(told)

    assert loss([0], 0.3) == pytest.approx(0.3 * loss([0], 1.0), rel=1e-5)
    weighed = torch.tensor([1.0, 0.3, 2.0])[None, :, None].expand(1, 3, 17)
    together = supervision_loss([prediction], outputs, [target], weight, 8, empty=empty, factors=weighed)
    apart = [loss([person], factor) for person, factor in enumerate((1.0, 0.3, 2.0))]
    assert float(together) == pytest.approx(np.mean(apart), rel=1e-5)
    plain = supervision_loss([prediction], outputs, [target], weight, 8, empty=empty)
    ones = torch.ones((1, 3, 17))
    assert plain == supervision_loss([prediction], outputs, [target], weight, 8, empty=empty, factors=ones)
