"""Later stages see whom the stage before does badly: the choice, its weights in the loss, resumption."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.multiprocessing as mp

from kpkit.data.load import LoadedDataset
from kpkit.evaluation.oks import oks
from kpkit.heatmaps.decode import decode
from kpkit.inference.network import Predictor
from kpkit.specs.recipe import RecipeSpec, TrainingSpec
from kpkit.training.factors import LossFactors
from kpkit.training.loop import build_network, train
from kpkit.training.losses import supervision_loss
from kpkit.training.phases import PhasePlan
from kpkit.training.resampling import is_due, shown_to_stages
from kpkit.training.sources import TrainingData
from kpkit.training.state import TrainingState

from .dots import draw, recipe, training_data
from .test_loop import Killed, differing, stopping

CPU = torch.device("cpu")
PEOPLE = 10


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def dots(tmp_path_factory: pytest.TempPathFactory) -> LoadedDataset:
    return draw(tmp_path_factory.mktemp("dots"), people=PEOPLE)


def staged(thresholds: tuple[float, ...] = (0.3, 0.2), **training: Any) -> RecipeSpec:
    """A three-stage MSPN of a few thousand parameters; a run of it does some of the people well."""
    plain = recipe(resampling={"thresholds": list(thresholds)}, batch_size=5, **training)
    options = {"depths": [1, 1, 1, 1], "width": 8, "channels": 8, "block": "basic"}
    update = {"name": "mspn_resnet50_x3", "options": options}
    return plain.model_copy(update={"network": plain.network.model_copy(update=update)})


def test_what_every_stage_but_the_last_ends_with(dots: LoadedDataset) -> None:
    spec = staged()
    network = build_network(spec)
    images = training_data(spec, dots).crops.batch(np.arange(4)).images
    predictor = Predictor("network", network, spec, CPU)
    called: list[int] = []
    for number, stage in enumerate(network.stages):  # type: ignore[arg-type]
        stage.register_forward_hook(lambda *_, number=number: called.append(number))
    network.train()
    found = predictor.stage_heatmaps(images)
    assert called == [0, 1]
    assert network.training
    with torch.no_grad():
        every = network.eval()(predictor._normalise(images))
    assert [stride for stride, _ in found] == [4, 4]
    for (_, maps), place in zip(found, (3, 7), strict=True):
        np.testing.assert_allclose(maps, every[place].numpy(), atol=1e-5)
    single = recipe()
    assert Predictor("x", build_network(single), single, CPU).stage_heatmaps(images) == []


def naive(network: Any, spec: RecipeSpec, data: TrainingData) -> list[list[float]]:
    """OKS of every person under stages 1 and 2, one person and one whole forward pass at a time."""
    predictor = Predictor("network", network, spec, CPU)
    plain = data.crops.upright(slice(0, len(data.crops)))
    values: list[list[float]] = [[], []]
    for row in range(len(plain)):
        batch = plain.batch([row])
        with torch.no_grad():
            every = network.eval()(predictor._normalise(batch.images))
        truth = plain.instances[[row]]
        for stage, place in enumerate((3, 7)):
            points, _ = decode(every[place].numpy(), blur=spec.decode.blur, refine=spec.decode.refine)
            pose = predictor.codec.to_image(points, truth.box)
            value = oks(truth.keypoints, truth.area, pose, truth.skeleton.oks_sigmas)
            values[stage].append(float(value[0, 0]))
    return values


@pytest.mark.parametrize("loader_workers", [0, 1])
def test_a_stage_sees_those_below_its_threshold(
    dots: LoadedDataset, tmp_path: Path, loader_workers: int
) -> None:
    """Drawn views are for training; people are judged in their plain boxes."""
    spec = staged(epochs=[12])
    data = training_data(spec, dots)
    state = train(spec, data, tmp_path, device=CPU)
    turned = spec.model_copy(
        update={"augmentation": spec.augmentation.model_copy(update={"flip": 1.0, "rotation": 90.0})}
    )
    people = training_data(turned, dots).crops.upright(slice(0, PEOPLE))
    shown = shown_to_stages(state.network, spec, people, CPU, loader_workers=loader_workers)
    values = np.array(naive(state.network, spec, data))
    assert shown.dtype == torch.bool
    assert shown.tolist() == (values < [[0.3], [0.2]]).tolist()
    assert 0 < shown.sum() < shown.numel()


def test_when_people_are_judged() -> None:
    training = TrainingSpec.model_validate(
        {
            "phases": ["C", "A", "CH"],
            "epochs": [3, 2, 4],
            "resampling": {"thresholds": [0.8], "after": 2, "every": 2},
        }
    )
    plan = PhasePlan(training, {"A": 8, "C": 8, "H": 8}, {})
    steps = [plan.step(n) for n in range(plan.total_steps)]
    assert sorted({step.epoch for step in steps if is_due(training, step)}) == [2, 6, 8]
    assert [step.epoch for step in steps if step.first_of_epoch] == list(range(9))
    without = training.model_copy(update={"resampling": None})
    assert not any(is_due(without, step) for step in steps)


def test_who_is_not_shown_to_a_stage_gives_its_outputs_no_gradient(dots: LoadedDataset) -> None:
    spec = staged(phases=["CH"], epochs=[1])
    data = training_data(spec, dots)
    plan = PhasePlan(spec.training, data.counts, {})
    network = build_network(spec)
    shown = torch.ones((2, PEOPLE), dtype=torch.bool)
    shown[0, 3] = shown[1, 4] = shown[1, 3] = False
    batch = data.crops.batch([2, 3, 4, PEOPLE + 3])
    factors = LossFactors(spec, plan, network.stage_count, CPU)(batch, shown)
    assert factors[..., 0].tolist() == [[1, 1, 1, 1], [1, 0, 1, 1], [1, 0, 0, 1]]
    predictions = [torch.rand((4, 17, 16, 16), requires_grad=True) for _ in network.outputs]
    targets = [torch.zeros((4, 17, 16, 16)) for _ in network.outputs]
    for empty in (None, torch.ones((4, 17), dtype=torch.bool)):
        loss = supervision_loss(
            predictions, network.outputs, targets, torch.ones((4, 17)), 8, empty=empty, factors=factors
        )
        gradients = torch.autograd.grad(loss, predictions)
        for output, gradient in zip(network.outputs, gradients, strict=True):
            assert (gradient.abs().amax((1, 2, 3)) > 0).tolist() == factors[
                output.stage, :, 0
            ].bool().tolist()


RUN: dict[str, Any] = {"phases": ["C", "CH"], "epochs": [4, 3], "checkpoint_every": 3, "ema": 0.5}


@pytest.fixture(scope="module")
def unbroken(dots: LoadedDataset, tmp_path_factory: pytest.TempPathFactory) -> TrainingState:
    spec = staged(thresholds=(0.12, 0.1), **RUN)
    torch.set_num_threads(1)
    return train(spec, training_data(spec, dots), tmp_path_factory.mktemp("unbroken"), device=CPU)


def test_the_log_tells_whom_the_stages_see(unbroken: TrainingState) -> None:
    shares = [row.get("shown") for row in unbroken.log]
    assert shares[0] is None
    told = np.array([[float(share) for share in row.split()] for row in shares[1:]])
    assert told.shape == (6, 2)
    assert ((told > 0) & (told < 1)).any()
    assert len({tuple(row) for row in told.tolist()}) > 1, "judged anew as training goes"
    assert unbroken.shown is not None
    assert told[-1].tolist() == unbroken.shown.double().mean(1).tolist()


@pytest.mark.parametrize("kills", [(2,), (3,), (5,), (10, 4, 1)], ids=str)
def test_a_killed_run_ends_like_an_unbroken_one(
    dots: LoadedDataset, tmp_path: Path, unbroken: TrainingState, kills: tuple[int, ...]
) -> None:
    """Killed within epochs, before them and after: who is shown is either saved, or judged the same again."""
    spec = staged(thresholds=(0.12, 0.1), **RUN)
    data = training_data(spec, dots)
    for after in kills:
        with pytest.raises(Killed):
            train(spec, stopping(data, after), tmp_path, device=CPU)
    resumed = train(spec, data, tmp_path, device=CPU)
    assert resumed.step == unbroken.step == 20
    assert differing(unbroken, resumed) == []
    assert resumed.log == unbroken.log
    assert unbroken.shown is not None and resumed.shown is not None
    assert torch.equal(unbroken.shown, resumed.shown)


def test_it_changes_the_training(dots: LoadedDataset, tmp_path: Path, unbroken: TrainingState) -> None:
    spec = staged(**RUN)
    plain = spec.model_copy(update={"training": spec.training.model_copy(update={"resampling": None})})
    state = train(plain, training_data(plain, dots), tmp_path, device=CPU)
    assert state.shown is None
    assert all("shown" not in row for row in state.log)
    assert differing(unbroken, state) != []


def _judge(rank: int, work: Path, loaded: LoadedDataset) -> None:
    """One of two processes that train together; their batch norms' statistics differ."""
    import torch.distributed as dist

    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{work}/join", rank=rank, world_size=2)
    spec = staged()
    network = build_network(spec)
    if rank:
        for buffer in network.buffers():
            buffer.add_(1)
    people = training_data(spec, loaded).crops.upright(slice(0, PEOPLE))
    torch.save(shown_to_stages(network, spec, people, CPU), work / f"{rank}.pt")
    dist.destroy_process_group()


def test_processes_that_train_together_share_the_work(dots: LoadedDataset, tmp_path: Path) -> None:
    mp.spawn(_judge, (tmp_path, dots), nprocs=2)  # type: ignore[attr-defined]
    spec = staged()
    people = training_data(spec, dots).crops.upright(slice(0, PEOPLE))
    alone = shown_to_stages(build_network(spec), spec, people, CPU)
    for rank in range(2):
        assert torch.equal(torch.load(tmp_path / f"{rank}.pt"), alone)
