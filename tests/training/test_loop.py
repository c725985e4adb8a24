"""The loop: it learns, it resumes bit for bit, it says when it diverges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from kpkit.core.errors import KpkitError
from kpkit.core.progress import Progress, silent
from kpkit.data.crops import CropBatch, CropDataset
from kpkit.data.load import LoadedDataset
from kpkit.models.layers import HeatmapNorm
from kpkit.specs.recipe import CodecSpec, RecipeSpec
from kpkit.training import lesson
from kpkit.training.checkpoint import load_newest
from kpkit.training.log import COLUMNS, write_log
from kpkit.training.loop import build_network, train
from kpkit.training.losses import supervision_loss
from kpkit.training.sources import TrainingData
from kpkit.training.state import TrainingState
from kpkit.training.validate import validate

from .dots import draw, recipe, training_data

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def dots(tmp_path_factory: pytest.TempPathFactory) -> LoadedDataset:
    return draw(tmp_path_factory.mktemp("dots"), people=8)


def run(
    spec: RecipeSpec, data: TrainingData, work: Path, progress: Progress = silent, **options: Any
) -> TrainingState:
    return train(spec, data, work, device=CPU, progress=progress, **options)


def differing(one: TrainingState, other: TrainingState) -> list[str]:
    """Names of tensors that are not bit-equal: network, average, optimiser."""
    pairs = {"network": (one.network.state_dict(), other.network.state_dict())}
    pairs["judged"] = (one.judged.state_dict(), other.judged.state_dict())
    moments = [state.optimizer.state_dict()["state"] for state in (one, other)]
    for k in moments[0]:
        pairs[f"optimizer {k}"] = (moments[0][k], moments[1][k])
    return [f"{what} {k}" for what, (a, b) in pairs.items() for k in a if not torch.equal(a[k], b[k])]


class Killed(BaseException):
    """Not an Exception: nothing may catch it."""


class Stopping(CropDataset):
    """Crops that end the process, so to say, when step ``after`` is about to be shown."""

    after = 10**9

    def batch(self, rows: Any, epoch: int = 0) -> CropBatch:
        self.after -= 1
        if self.after < 0:
            raise Killed
        return super().batch(rows, epoch)


def stopping(data: TrainingData, after: int) -> TrainingData:
    crops = Stopping(data.crops.instances, data.crops.pictures, data.crops.geometry)
    crops.after = after
    return replace(data, crops=crops)


def test_it_learns_eight_crops_by_heart(dots: LoadedDataset, tmp_path: Path) -> None:
    spec = recipe(epochs=[50], batch_size=8, validate_every=50)
    data = training_data(spec, dots, val=True)
    untrained = validate(build_network(spec), spec, data.val, CPU)  # type: ignore[arg-type]
    state = run(spec, data, tmp_path)
    losses = [row["loss"] for row in state.log]
    assert len(losses) == 50
    assert losses[-1] < 0.4 * losses[0]
    assert np.mean(losses[-5:]) < np.mean(losses[20:25]) < np.mean(losses[:5])
    assert untrained["AP"] < 0.05
    assert state.log[-1]["val_AP"] > 0.6


@pytest.mark.parametrize(
    ("kills", "ema"), [((1,), 0.9), ((3,), 0.9), ((4,), 0.0), ((5, 1, 1), 0.0), ((5, 1, 1), 0.9)], ids=str
)
def test_a_killed_run_ends_with_the_weights_of_an_unbroken_one(
    dots: LoadedDataset, tmp_path: Path, kills: tuple[int, ...], ema: float
) -> None:
    """Three epochs of two steps, a checkpoint every 3 and after the validation at 4."""
    spec = recipe(epochs=[1, 2], phases=["C", "C"], ema=ema, checkpoint_every=3, validate_every=2)
    data = training_data(spec, dots, val=True)
    unbroken = run(spec, data, tmp_path / "unbroken")
    assert unbroken.step == 6
    remarks: list[str] = []

    def note(done: int, total: int, unit: str = "", remark: str = "") -> None:
        remarks.append(remark)

    for after in kills:
        with pytest.raises(Killed):
            run(spec, stopping(data, after), tmp_path / "killed")
    resumed = run(spec, data, tmp_path / "killed", progress=note)
    assert (
        remarks[0]
        == {1: "", 3: "resumed at step 3", 4: "resumed at step 4", 5: "resumed at step 4"}[kills[0]]
    )
    assert differing(unbroken, resumed) == []
    assert resumed.log == unbroken.log
    assert (resumed.step, resumed.loss_count) == (unbroken.step, unbroken.loss_count)


def test_bf16_resumes_too(dots: LoadedDataset, tmp_path: Path) -> None:
    spec = recipe(precision="bf16", optimizer="adamw", weight_decay=0.1, checkpoint_every=1, max_steps=4)
    data = training_data(spec, dots)
    unbroken = run(spec, data, tmp_path / "a")
    with pytest.raises(Killed):
        run(spec, stopping(data, 3), tmp_path / "b")
    assert differing(unbroken, run(spec, data, tmp_path / "b")) == []


def test_a_damaged_checkpoint_costs_steps_only(dots: LoadedDataset, tmp_path: Path) -> None:
    spec = recipe(checkpoint_every=2)
    data = training_data(spec, dots)
    unbroken = run(spec, data, tmp_path)
    newest = max(tmp_path.glob("*.pt"))
    assert newest.name == "step-00000006.pt"
    newest.write_bytes(newest.read_bytes()[:-100])
    remarks: list[str] = []
    again = run(spec, data, tmp_path, progress=lambda done, total, unit="", note="": remarks.append(note))
    assert remarks[0] == "resumed at step 4; step-00000006.pt is damaged and was passed over"
    assert differing(unbroken, again) == []


def test_a_finished_run_is_not_trained_again(dots: LoadedDataset, tmp_path: Path) -> None:
    spec = recipe(epochs=[1])
    data = training_data(spec, dots)
    first = run(spec, data, tmp_path)
    again = run(spec, stopping(data, 0), tmp_path)
    assert differing(first, again) == []
    assert again.log == first.log
    found = load_newest(tmp_path)
    assert found is not None
    assert found[0] == 2


def test_equal_seeds_give_equal_weights(dots: LoadedDataset, tmp_path: Path) -> None:
    def weights(name: str, seed: int) -> TrainingState:
        spec = recipe(seed=seed, max_steps=2)
        return run(spec, training_data(spec, dots), tmp_path / name)

    one = weights("one", 1)
    torch.rand(5)  # the global generator's state is not part of it
    assert differing(one, weights("same", 1)) == []
    assert differing(one, weights("other", 2)) != []
    initial, other = build_network(recipe(seed=1)), build_network(recipe(seed=2))
    assert not torch.equal(*(next(net.parameters()) for net in (initial, other)))


def test_crops_prepared_in_other_processes_are_the_same(dots: LoadedDataset, tmp_path: Path) -> None:
    spec = recipe(max_steps=3)
    data = training_data(spec, dots)
    here = run(spec, data, tmp_path / "here")
    there = run(spec, data, tmp_path / "there", loader_workers=1)
    assert differing(here, there) == []


def test_the_log_has_a_row_for_each_epoch(dots: LoadedDataset, tmp_path: Path) -> None:
    spec = recipe(
        phases=["CH", "C"], epochs=[2, 1], validate_every=2, learning_rate=0.01,
        schedule={"kind": "step", "milestones": [2], "factor": 0.1},
    )  # fmt: skip
    state = run(spec, training_data(spec, dots, val=True), tmp_path)
    assert [row["epoch"] for row in state.log] == [1, 2, 3]
    assert [row["phase"] for row in state.log] == ["CH", "CH", "C"]
    assert [row["step"] for row in state.log] == [4, 8, 10]
    assert [row["crops"] for row in state.log] == [16, 32, 40]
    assert [row["learning_rate"] for row in state.log] == pytest.approx([0.01, 0.01, 0.001])
    assert ["val_AP" in row for row in state.log] == [False, True, True]
    write_log(tmp_path, state.log)
    table = pd.read_csv(tmp_path / "log.csv")
    assert tuple(table.columns) == COLUMNS
    assert len(table) == 3
    assert table["val_AP"].isna().tolist() == [True, False, False]
    pd.testing.assert_frame_equal(table, pd.read_parquet(tmp_path / "log.parquet"), check_dtype=False)
    before = [(tmp_path / name).read_bytes() for name in ("log.csv", "log.parquet")]
    write_log(tmp_path, state.log)
    assert before == [(tmp_path / name).read_bytes() for name in ("log.csv", "log.parquet")]


def test_negatives_weigh_everywhere_and_nothing_is_drawn_for_them(
    dots: LoadedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keypoints = dots.people.keypoints.copy()
    keypoints[:, 3] = 0
    partly = replace(dots, people=dots.people.with_(keypoints=keypoints))
    spec = recipe(phases=["CH"], epochs=[1], batch_size=16)
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []

    def noting(*given: Any, empty: torch.Tensor | None, factors: torch.Tensor) -> torch.Tensor:
        assert empty is None
        assert (factors == 1).all()
        seen.append((given[2][-1].amax((2, 3)) > 0.5, given[3]))
        return supervision_loss(*given, empty=empty, factors=factors)

    monkeypatch.setattr(lesson, "supervision_loss", noting)
    data = training_data(spec, partly)
    run(spec, data, tmp_path)
    present, weight = seen[0]
    negative = (weight[:, 3] == 1).numpy()
    assert negative.sum() == 8
    assert (weight[negative] == 1).all()
    assert not present[negative].any()
    labelled = np.arange(17) != 3
    assert present[~negative].numpy().tolist() == [labelled.tolist()] * 8
    assert weight[~negative].numpy().tolist() == [labelled.astype(float).tolist()] * 8


def test_soft_labels_weigh_as_they_say_and_negatives_fully(
    dots: LoadedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keypoints = dots.people.keypoints.copy()
    keypoints[:, 3] = 0
    soft = np.tile(np.linspace(0.1, 0.9, 17), (len(dots.people), 1))
    seen: list[torch.Tensor] = []

    def noting(*given: Any, empty: torch.Tensor | None, **more: Any) -> torch.Tensor:
        seen.append(given[3])
        return supervision_loss(*given, empty=empty, **more)

    monkeypatch.setattr(lesson, "supervision_loss", noting)
    spec = recipe(phases=["CH"], epochs=[1], batch_size=16)
    run(spec, training_data(spec, replace(dots, people=dots.people.with_(
        keypoints=keypoints, keypoint_weight=soft))), tmp_path)  # fmt: skip
    negative = seen[0][:, 3] == 1
    assert negative.sum() == 8 and (seen[0][negative] == 1).all()
    wanted = np.where(np.arange(17) == 3, 0, soft[0])
    np.testing.assert_allclose(seen[0][~negative].numpy(), np.tile(wanted, (8, 1)), rtol=1e-6)


@pytest.mark.parametrize("source", ["C", "A"])
def test_unseen_keypoints_of_coco_become_empty_where_the_recipe_says_so(
    dots: LoadedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    """One unlabelled, one occluded. AI Challenger's people lack labels for other reasons."""
    keypoints = dots.people.keypoints.copy()
    keypoints[:, 3], keypoints[:, 4, 2] = 0, 1
    people = dots.people.with_(keypoints=keypoints, source=np.full(len(dots.people), source))
    seen: list[tuple[torch.Tensor, torch.Tensor | None]] = []

    def noting(*given: Any, empty: torch.Tensor | None, **more: Any) -> torch.Tensor:
        seen.append((given[3], empty))
        return supervision_loss(*given, empty=empty, **more)

    monkeypatch.setattr(lesson, "supervision_loss", noting)
    spec = recipe(phases=["CH"], epochs=[1], batch_size=16, zero_unseen=True)
    run(spec, training_data(spec, replace(dots, people=people)), tmp_path)
    weight, empty = seen[0]
    assert empty is not None
    negative = weight[:, 3] == 1
    every = np.arange(17)
    unseen = ((every == 3) | (every == 4)) & (source == "C")
    assert empty[~negative].tolist() == [unseen.tolist()] * 8
    assert not empty[negative].any()
    assert weight[~negative].tolist() == [(every != 3).astype(float).tolist()] * 8


def test_gradients_are_clipped_to_the_recipe_s_norm(dots: LoadedDataset, tmp_path: Path) -> None:
    norms = []
    for clip in (0.0, 1e-4):
        spec = recipe(epochs=[1], clip_norm=clip)
        state = run(spec, training_data(spec, dots), tmp_path / str(clip))
        norms.append(
            torch.stack([p.grad.norm() for p in state.network.parameters() if p.grad is not None]).norm()
        )
    assert norms[0] > 1e-3
    assert norms[1] == pytest.approx(1e-4, rel=1e-2)


def test_heatmap_norms_start_at_the_peak_s_scale() -> None:
    """MSPN's and CPN's last layer: 0.1 for a peak of 1; everything else starts the same."""
    one = recipe()
    high = one.model_copy(update={"codec": one.codec.model_copy(update={"peak": 255.0})})
    scales = [
        [layer.weight for layer in build_network(spec).modules() if isinstance(layer, HeatmapNorm)]
        for spec in (one, high)
    ]
    assert len(scales[0]) == 5
    for low, tall in zip(*scales, strict=True):
        torch.testing.assert_close(tall, torch.full_like(tall, 25.5))
        torch.testing.assert_close(low, torch.full_like(low, 0.1))
        assert tall.requires_grad
    a, b = (build_network(spec) for spec in (one, high))
    differing = [n for (n, p), q in zip(a.named_parameters(), b.parameters(), strict=True) if (p != q).any()]
    assert len(differing) == 5


def test_it_learns_megvii_s_way_too(dots: LoadedDataset, tmp_path: Path) -> None:
    """BGR, blurred pixels of peak 255 read at 4x + 2, unseen keypoints empty."""
    plain = recipe(epochs=[50], batch_size=8, validate_every=50, zero_unseen=True)
    codec = {"convention": "megvii", "margins": [1.0, 1.0], "padding": 1.0, "target": "kernel",
             "kernels": [11, 9, 7], "peak": 255.0}  # fmt: skip
    spec = plain.model_copy(
        update={
            "codec": CodecSpec.model_validate(codec),
            "network": plain.network.model_copy(update={"channel_order": "bgr"}),
        }
    )
    state = run(spec, training_data(spec, dots, val=True), tmp_path)
    assert state.log[-1]["loss"] < 0.4 * state.log[0]["loss"]
    assert state.log[-1]["val_AP"] > 0.6


@pytest.mark.parametrize("val", [False, True])
def test_a_loss_that_diverges_is_said(dots: LoadedDataset, tmp_path: Path, val: bool) -> None:
    """Before the broken network is validated or kept."""
    spec = recipe(learning_rate=1e30, validate_every=1)
    with pytest.raises(KpkitError) as caught:
        run(spec, training_data(spec, dots, val=val), tmp_path)
    message = str(caught.value)
    assert message.startswith(("the loss became nan at step 2;", "the loss became inf at step 2;"))
    assert "lower learning_rate" in message
    assert load_newest(tmp_path) is None


def test_progress_counts_all_steps(dots: LoadedDataset, tmp_path: Path) -> None:
    spec = recipe(epochs=[2], validate_every=1)
    told: list[tuple[int, int, str]] = []
    run(
        spec,
        training_data(spec, dots, val=True),
        tmp_path,
        progress=lambda done, total, unit="", note="": told.append((done, total, note)),
    )
    assert [(done, total) for done, total, _ in told] == [(0, 4), (2, 4), (4, 4)]
    assert told[-1][2].startswith("epoch 2/2, loss ")
    assert "val AP " in told[-1][2]


def test_the_average_is_what_is_judged(dots: LoadedDataset, tmp_path: Path) -> None:
    spec = recipe(ema=0.5, max_steps=2)
    data = training_data(spec, dots)
    first = run(spec, data, tmp_path / "one", progress=silent)
    assert first.judged is not first.network
    steps = []
    for limit in (1, 2):
        plain = recipe(max_steps=limit)
        state = run(plain, data, tmp_path / f"plain {limit}")
        assert state.judged is state.network
        steps.append(state.network.state_dict())
    for name, tensor in first.judged.state_dict().items():
        if tensor.is_floating_point():
            expected = 0.5 * steps[0][name] + 0.5 * steps[1][name]
            torch.testing.assert_close(tensor, expected, msg=name)
