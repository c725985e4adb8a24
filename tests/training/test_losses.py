"""Losses: the peers' numbers, a naive loop, hard negatives, coarse-to-fine targets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kpkit.heatmaps.codecs import Codec
from kpkit.heatmaps.encode import gaussian_targets
from kpkit.models.network import Output
from kpkit.training.losses import heatmap_mse, heatmap_ohkm, supervision_loss


def golden(shared: Path) -> dict[str, torch.Tensor]:
    loaded = np.load(shared / "golden/losses.npz")
    return {name: torch.from_numpy(np.asarray(loaded[name])) for name in loaded.files}


@pytest.mark.shared
def test_hrnet_s_losses_are_half_of_ours(shared: Path) -> None:
    """HRNet has a factor 0.5 in front (a learning rate's matter); otherwise the same numbers."""
    values = golden(shared)
    weight = values["target_weight"][..., 0]
    mse = heatmap_mse(values["output"], values["target"], weight)
    torch.testing.assert_close(mse.double() / 2, values["hrnet_mse"], rtol=1e-5, atol=0)
    every = heatmap_mse(values["output"], values["target"], torch.ones_like(weight))
    torch.testing.assert_close(every.double() / 2, values["hrnet_mse_noweight"], rtol=1e-5, atol=0)
    ohkm = heatmap_ohkm(values["output"], values["target"], weight, keep=8)
    torch.testing.assert_close(ohkm.double() / 2, values["hrnet_ohkm8"], rtol=1e-5, atol=0)


@pytest.mark.shared
def test_mspn_s_losses(shared: Path) -> None:
    """Its OHKM is ours for keypoints with v > 0. Its plain loss, unlike ours, also pulls the maps of
    keypoints with v < 2 to zero: the target is masked, the loss is not."""
    values = golden(shared)
    valid = values["valid"][..., 0]
    ohkm = heatmap_ohkm(values["output"], values["target"], (valid > 0).float(), keep=8)
    torch.testing.assert_close(ohkm.double(), values["mspn_l2_ohkm8"], rtol=1e-5, atol=0)
    masked = values["target"] * (valid > 1).float()[..., None, None]
    plain = heatmap_mse(values["output"], masked, torch.ones_like(valid))
    torch.testing.assert_close(plain.double(), values["mspn_l2"], rtol=1e-5, atol=0)


def naive(prediction: torch.Tensor, target: torch.Tensor, weight: torch.Tensor, keep: int | None) -> float:
    """Person by person, keypoint by keypoint."""
    total, counted = 0.0, 0
    for n in range(prediction.shape[0]):
        losses = [
            float(weight[n, k]) * float(((prediction[n, k].double() - target[n, k].double()) ** 2).mean())
            for k in range(prediction.shape[1])
        ]
        if keep is not None:
            losses = sorted(losses, reverse=True)[:keep]
        total, counted = total + sum(losses), counted + len(losses)
    return total / counted


@given(st.integers(0, 2**31), st.sampled_from([None, 1, 3, 5, 9]))
@settings(max_examples=30, deadline=None)
def test_against_a_loop(seed: int, keep: int | None) -> None:
    source = torch.Generator().manual_seed(seed)
    prediction, target = torch.rand(2, 3, 5, 6, 4, generator=source)
    weight = torch.rand(3, 5, generator=source) * (torch.rand(3, 5, generator=source) > 0.3)
    if keep is None:
        found = heatmap_mse(prediction, target, weight)
    else:
        found = heatmap_ohkm(prediction, target, weight, keep)
    assert float(found) == pytest.approx(naive(prediction, target, weight, keep), rel=1e-5)


@pytest.mark.parametrize("keep", [None, 3])
def test_unlabelled_keypoints_give_no_gradient(keep: int | None) -> None:
    prediction = torch.rand(2, 5, 6, 4, requires_grad=True)
    weight = torch.tensor([[1.0, 0, 1, 1, 0], [0, 0, 0, 0, 0]])
    target = torch.zeros(2, 5, 6, 4)
    if keep is None:
        loss = heatmap_mse(prediction, target, weight)
    else:
        loss = heatmap_ohkm(prediction, target, weight, keep)
    loss.backward()
    assert prediction.grad is not None
    touched = prediction.grad.abs().sum((2, 3)) > 0
    assert touched.tolist() == (weight > 0).tolist()


def test_bf16_predictions_are_compared_in_float32() -> None:
    prediction, target = torch.rand(2, 3, 4, 4).bfloat16(), torch.rand(2, 3, 4, 4)
    loss = heatmap_mse(prediction, target, torch.ones(2, 3))
    assert loss.dtype == torch.float32
    assert float(loss) == pytest.approx(naive(prediction, target, torch.ones(2, 3), None), rel=1e-6)


# --- supervision of all outputs

CODEC = Codec("classic", (64, 48), 4, 1.25)
POINTS = torch.tensor([[[10.0, 20.0], [30.0, 40.0], [5.0, 60.0]], [[21.0, 33.0], [8.0, 9.0], [40.0, 3.0]]])


def supervised(
    predictions: list[torch.Tensor],
    outputs: list[Output],
    sigmas: tuple[float, ...] = (2.0,),
    present: torch.Tensor | None = None,
    weight: torch.Tensor | None = None,
    codec: Codec = CODEC,
    ohkm: int = 2,
) -> torch.Tensor:
    everyone = torch.ones(2, 3)
    return supervision_loss(
        predictions,
        outputs,
        codec,
        sigmas,
        POINTS,
        everyone.bool() if present is None else present,
        everyone if weight is None else weight,
        ohkm,
    )


def zeros(stride: int) -> torch.Tensor:
    return torch.zeros(2, 3, 64 // stride, 48 // stride, requires_grad=True)


@pytest.mark.parametrize("convention", ["classic", "unbiased"])
@pytest.mark.parametrize("stride", [2, 4, 8])
def test_the_target_is_the_loss_s_minimum(convention: str, stride: int) -> None:
    """Each level has its own Gaussian, given in the final heatmap's pixels and scaled to its own stride."""
    codec = Codec(convention, (64, 48), 4, 1.25)
    grid = Codec(convention, (64, 48), stride, 1.25)
    sigmas = (3.0, 2.0, 1.5)
    for level, sigma in enumerate((3.0, 2.0, 1.5, 1.5)):  # more levels than widths: the last one stays
        points = torch.from_numpy(grid.to_heatmap(POINTS.numpy()))
        target = gaussian_targets(points, torch.ones(2, 3).bool(), grid.shape, sigma * 4 / stride)
        output = Output(stride=stride, level=level)
        assert float(supervised([target], [output], sigmas, codec=codec)) < 1e-10
        other = Output(stride=stride, level=(level + 1) % 2)
        assert float(supervised([target], [other], sigmas, codec=codec)) > 1e-5


def test_outputs_are_summed_with_their_weights_and_rules() -> None:
    outputs = [
        Output(stride=8, level=0, weight=0.5),
        Output(stride=4, level=1, ohkm=True, weight=2.0),
        Output(stride=4, level=1),
    ]
    predictions = [torch.rand_like(zeros(output.stride)) for output in outputs]
    one_by_one = [
        supervised([prediction], [output], (2.5, 1.5))
        for prediction, output in zip(predictions, outputs, strict=True)
    ]
    together = supervised(predictions, outputs, (2.5, 1.5))
    torch.testing.assert_close(together, sum(one_by_one))
    target = gaussian_targets(POINTS / 4, torch.ones(2, 3).bool(), (16, 12), 1.5)
    expected = 2.0 * heatmap_ohkm(predictions[1], target, torch.ones(2, 3), 2)
    torch.testing.assert_close(one_by_one[1], expected)


def test_hard_negatives_are_trained_to_empty_maps() -> None:
    """Weight 1 everywhere, nothing drawn: the loss is the mean square, least at zero."""
    weight, present = torch.ones(2, 3), torch.zeros(2, 3).bool()
    for ohkm in (False, True):
        output = Output(stride=4, ohkm=ohkm)
        assert supervised([zeros(4)], [output], present=present, weight=weight).item() == 0
        prediction = torch.full((2, 3, 16, 12), 0.5, requires_grad=True)
        loss = supervised([prediction], [output], present=present, weight=weight)
        assert loss.item() == 0.25
        loss.backward()
        assert prediction.grad is not None
        assert (prediction.grad >= 0).all()
        assert prediction.grad.sum() > 0


def test_people_and_negatives_in_one_batch() -> None:
    present = torch.tensor([[True, True, False], [False, False, False]])
    weight = torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]])
    prediction = torch.full((2, 3, 16, 12), 0.3, requires_grad=True)
    supervised([prediction], [Output(stride=4)], present=present, weight=weight).backward()
    grad = prediction.grad
    assert grad is not None
    assert grad[0, 2].abs().sum() == 0  # unlabelled: says nothing
    assert (grad[1] > 0).all()  # negative: down everywhere
    for k in (0, 1):  # labelled: up at the keypoint, down elsewhere
        x, y = (POINTS[0, k] / 4).round().long().tolist()
        assert grad[0, k, y, x] < 0
        assert grad[0, k, 0, -1] > 0


def test_outputs_and_predictions_must_pair() -> None:
    with pytest.raises(ValueError):
        supervised([zeros(4), zeros(4)], [Output(stride=4)])
