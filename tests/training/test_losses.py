"""Losses: the peers' numbers, a naive loop, hard negatives, keypoints that are not visible."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import kpkit
from kpkit.heatmaps.codecs import Codec
from kpkit.heatmaps.encode import gaussian_targets
from kpkit.models.network import Output
from kpkit.specs.recipe import CodecSpec
from kpkit.training.losses import heatmap_mse, heatmap_ohkm, supervision_loss
from kpkit.training.targets import draw_targets
from tests.models.peers import empty_model, peer_state


def golden(shared: Path) -> dict[str, torch.Tensor]:
    loaded = np.load(shared / "golden/losses.npz")
    return {name: torch.from_numpy(np.asarray(loaded[name])) for name in loaded.files}


@pytest.mark.shared
def test_hrnet_s_losses(shared: Path) -> None:
    """Its factor 1/2 in front is its output's weight."""
    values = golden(shared)
    weight = values["target_weight"][..., 0]

    def loss(weight: torch.Tensor, *, ohkm: bool) -> torch.Tensor:
        output = Output(stride=4, weight=0.5, ohkm=ohkm)
        return supervision_loss([values["output"]], [output], [values["target"]], weight, 8).double()

    torch.testing.assert_close(loss(weight, ohkm=False), values["hrnet_mse"], rtol=1e-5, atol=0)
    every = loss(torch.ones_like(weight), ohkm=False)
    torch.testing.assert_close(every, values["hrnet_mse_noweight"], rtol=1e-5, atol=0)
    torch.testing.assert_close(loss(weight, ohkm=True), values["hrnet_ohkm8"], rtol=1e-5, atol=0)


@pytest.mark.shared
def test_mspn_s_losses(shared: Path) -> None:
    """OHKM masks v = 0; the plain loss wants an empty map for every keypoint with v < 2."""
    values = golden(shared)
    valid = values["valid"][..., 0]
    for name, output in (
        ("mspn_l2", Output(stride=4)),
        ("mspn_l2_ohkm8", Output(stride=4, ohkm=True)),
    ):
        loss = supervision_loss(
            [values["output"]], [output], [values["target"]], (valid > 0).float(), 8, empty=valid <= 1
        )
        torch.testing.assert_close(loss.double(), values[name], rtol=1e-5, atol=0)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("fixture", "name", "source"),
    [
        ("mspn_2stage_256x192", "mspn_resnet50_x2", "mspn-official"),
        ("rsn18_256x192", "rsn18_x1", "rsn-official"),
    ],
)
def test_the_whole_loss_of_mspn_and_rsn(
    shared: Path, tmp_path: Path, fixture: str, name: str, source: str
) -> None:
    """Every stage's outputs with their levels, weights and OHKM, on the peers' weights, crop and labels."""
    values = np.load(shared / "golden" / f"{fixture}.npz")
    torch.save({"model": peer_state(shared / "golden" / f"{fixture}.keys.json")}, tmp_path / "peer.pth")
    network = empty_model(name)
    kpkit.load_weights(network, tmp_path / "peer.pth", source=source)
    with torch.no_grad():
        predictions = network(torch.from_numpy(values["input"]))
    draw = np.random.Generator(np.random.Philox(key=zlib.crc32(b"labels"))).standard_normal
    labels = torch.from_numpy(np.abs(draw((1, 5, 17, 64, 48)).astype(np.float32)) * 50)
    valid = torch.from_numpy(values["valids"])[..., 0]
    loss = supervision_loss(
        predictions,
        network.outputs,
        [labels[:, output.level] for output in network.outputs],
        (valid > 0).float(),
        8,
        empty=valid <= 1,
    )
    assert loss.item() == pytest.approx(values["loss"].item(), rel=2e-5)


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
    present = torch.ones(2, 3).bool() if present is None else present
    targets = draw_targets(CodecSpec(sigmas=sigmas), codec, outputs, POINTS, present)
    return supervision_loss(
        predictions, outputs, targets, torch.ones(2, 3) if weight is None else weight, ohkm
    )


def zeros(stride: int) -> torch.Tensor:
    return torch.zeros(2, 3, 64 // stride, 48 // stride, requires_grad=True)


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


def test_what_is_not_visible_becomes_empty_where_asked_for() -> None:
    """v = 2, 1, 0 and a hard negative: plain outputs push the last three down, OHKM the labelled two up."""
    present = torch.tensor([[True, True, False], [False, False, False]])
    unseen = torch.tensor([[False, True, True], [False, False, False]])
    weight = torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]])

    def at_the_keypoints(ohkm: bool, empty: bool) -> list[list[float]]:
        prediction = torch.full((2, 3, 16, 12), 0.3, requires_grad=True)
        outputs = [Output(stride=4, ohkm=ohkm)]
        targets = draw_targets(CodecSpec(), CODEC, outputs, POINTS, present)
        supervision_loss(
            [prediction], outputs, targets, weight, 3, empty=unseen if empty else None
        ).backward()
        assert prediction.grad is not None
        places = (POINTS / 4).round().long()
        return [
            [float(prediction.grad[n, k, places[n, k, 1], places[n, k, 0]].sign()) for k in range(3)]
            for n in range(2)
        ]

    assert at_the_keypoints(ohkm=False, empty=True) == [[-1, 1, 1], [1, 1, 1]]
    assert at_the_keypoints(ohkm=False, empty=False) == [[-1, -1, 0], [1, 1, 1]]
    for empty in (True, False):
        assert at_the_keypoints(ohkm=True, empty=empty) == [[-1, -1, 0], [1, 1, 1]]
