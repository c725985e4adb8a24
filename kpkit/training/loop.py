"""The training loop. One process, or one of several that torch.distributed has joined."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.utils.data import DataLoader, Dataset

from kpkit.core.errors import KpkitError
from kpkit.core.progress import Progress, silent
from kpkit.core.seeds import generator
from kpkit.core.skeletons import SKELETONS
from kpkit.data.crops import CropBatch
from kpkit.inference.network import create_network
from kpkit.models.layers import HeatmapNorm
from kpkit.models.network import PoseNetwork
from kpkit.models.weights import load_weights
from kpkit.specs.recipe import RecipeSpec
from kpkit.training.checkpoint import load_newest, save_checkpoint
from kpkit.training.lesson import HeatmapLesson, Lesson, Teach
from kpkit.training.optimizer import set_rate
from kpkit.training.phases import PhasePlan
from kpkit.training.resampling import is_due, shown_to_stages
from kpkit.training.schedule import learning_rate
from kpkit.training.sources import TrainingData
from kpkit.training.state import TrainingState


class _Steps(Dataset[tuple[int, CropBatch | KpkitError]]):
    """Step number -> its crops (this process's share), for torch's loader; or why there are none.

    An error raised in a loader's process would come out of torch as the text of a traceback.
    """

    def __init__(self, plan: PhasePlan, data: TrainingData, rank: int, workers: int) -> None:
        self.plan, self.data, self.rank, self.workers = plan, data, rank, workers

    def __getitem__(self, step: int) -> tuple[int, CropBatch | KpkitError]:
        shown = self.plan.step(step)
        try:
            return step, self.data.crops.batch(shown.rows[self.rank :: self.workers], shown.epoch)
        except KpkitError as error:
            return step, error


def build_network(spec: RecipeSpec, weights: Path | None = None, source: str = "kpkit") -> PoseNetwork:
    """The recipe's network with its seeded initial weights, the same in every process.

    ``weights`` is the file that fills it, or its encoder, in their place, by ``source`` of ``load_weights``;
    heads of another skeleton are carried by keypoint name.
    """
    torch.manual_seed(int(generator(spec.training.seed, "initial weights").integers(2**31)))
    network = create_network(spec.network)
    for layer in network.modules():
        if isinstance(layer, HeatmapNorm):  # starts at the spread of a target of peak 1
            layer.weight.detach().mul_(spec.codec.peak)
    if weights is not None:
        load_weights(network, weights, source, skeleton=SKELETONS[spec.network.skeleton])
    return network


def process_rank() -> int:
    """This process's number among those training together; 0 alone."""
    return dist.get_rank() if dist.is_initialized() else 0


def train(
    spec: RecipeSpec,
    data: TrainingData,
    work: Path,
    *,
    device: torch.device,
    weights: Path | None = None,
    source: str = "kpkit",
    progress: Progress = silent,
    loader_workers: int = 0,
    teach: Teach = HeatmapLesson,
) -> TrainingState:
    """Train a recipe to its end, resuming from the newest whole checkpoint in ``work``.

    Every step is a function of the seed and its number, so an interrupted run ends with the weights of an
    unbroken one (bit-equal on the CPU with one thread).

    Args:
        spec: the recipe.
        data: its sources and validation set.
        work: folder for checkpoints.
        device: where the network runs.
        weights, source: file that training starts from, and how it is read (``load_weights``).
        progress: told steps done, with loss and the last validation AP.
        loader_workers: processes that prepare crops; 0 prepares them between the steps.
        teach: makes what is learnt; heatmaps where nothing else is said.

    Returns:
        the final state; ``state.judged`` holds the weights to keep.

    Raises:
        KpkitError: the loss became NaN or infinite.
    """
    rank, workers = process_rank(), dist.get_world_size() if dist.is_initialized() else 1
    plan = PhasePlan(spec.training, data.counts, spec.data.ratios)
    network = build_network(spec, weights, source).to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    state = TrainingState.fresh(network, spec.training)
    remark = ""
    if found := load_newest(work):
        state.from_checkpoint(found[1])
        remark = "; ".join([f"resumed at step {found[0]}", *found[2]])
    progress(state.step, plan.total_steps, "steps", remark)
    loader = DataLoader(
        _Steps(plan, data, rank, workers),
        sampler=range(state.step, plan.total_steps),
        batch_size=None,
        num_workers=loader_workers,
        persistent_workers=False,
    )
    stepper = Stepper(spec, state, device, plan, workers, teach)
    before, start = state.seconds, time.monotonic()
    for step, batch in loader:
        if isinstance(batch, KpkitError):
            raise batch
        place = plan.step(step)
        if place.first_of_epoch and is_due(spec.training, place):
            progress(state.step, plan.total_steps, "steps", "choosing whom the later stages see")
            people = data.crops.upright(plan.rows_of("C"))
            state.shown = shown_to_stages(state.network, spec, people, device, loader_workers=loader_workers)
        stepper(step, batch)
        last_of_epoch = place.last_of_epoch
        saves = _saves(spec, plan, step, last_of_epoch)
        if saves or last_of_epoch or state.step % 10 == 0:
            stepper.require_finite()  # before a diverged network is validated or kept
        if last_of_epoch:
            _end_epoch(spec, data, plan, state, step, stepper.lesson)
        if rank == 0 and saves:
            state.seconds = before + time.monotonic() - start
            save_checkpoint(work, state.step, state.to_checkpoint())
        if state.step % 10 == 0 or last_of_epoch:
            progress(state.step, plan.total_steps, "steps", _note(state, plan, step))
    return state


class Stepper:
    """One optimiser step."""

    def __init__(
        self,
        spec: RecipeSpec,
        state: TrainingState,
        device: torch.device,
        plan: PhasePlan,
        workers: int,
        teach: Teach = HeatmapLesson,
    ) -> None:
        self.spec, self.state, self.device, self.plan = spec, state, device, plan
        self.lesson = teach(spec, plan, state.network, device)
        # find_unused_parameters stays off: every parameter of a network gets a gradient (tested)
        self.model: nn.Module = (
            state.network if workers == 1 else nn.parallel.DistributedDataParallel(state.network)
        )
        self.loss = torch.zeros((), device=device)

    def __call__(self, step: int, batch: CropBatch) -> None:
        state, training = self.state, self.spec.training
        state.network.train()
        place = self.plan.place(step, in_phase=training.schedule.restart)
        set_rate(state.optimizer, learning_rate(training.schedule, training.learning_rate, *place))
        self.loss = self.lesson.loss(step, batch, self.model, state.shown)
        state.optimizer.zero_grad(set_to_none=True)
        self.loss.backward()
        if training.clip_norm:
            nn.utils.clip_grad_norm_(state.network.parameters(), training.clip_norm)
        state.optimizer.step()
        if state.average is not None:
            state.average.update_parameters(state.network)
        state.step = step + 1
        # added up on the device: reading it every step would wait for a GPU
        state.loss_sum = state.loss_sum.to(self.device) + self.loss.detach().double()
        state.loss_count += 1

    def require_finite(self) -> None:
        if not torch.isfinite(self.loss):
            raise KpkitError(
                f"the loss became {self.loss.item()} at step {self.state.step}; lower learning_rate, "
                'lengthen the warm-up or use precision = "fp32"'
            )


def _end_epoch(
    spec: RecipeSpec,
    data: TrainingData,
    plan: PhasePlan,
    state: TrainingState,
    step: int,
    lesson: Lesson,
) -> None:
    """Log the epoch, with a validation where one is due."""
    training, epoch = spec.training, plan.epoch_of(step)
    phase = plan.epochs[epoch][0]
    row: dict[str, Any] = {
        "epoch": epoch + 1,
        "phase": training.phases[phase],
        "step": state.step,
        "crops": state.step * training.batch_size,
        "learning_rate": float(max(group["lr"] for group in state.optimizer.param_groups)),
        "loss": float(state.loss_sum) / max(state.loss_count, 1),
    }
    if state.shown is not None:
        row["shown"] = " ".join(f"{share:.3f}" for share in state.shown.double().mean(1).tolist())
    state.loss_sum, state.loss_count = torch.zeros((), dtype=torch.float64), 0
    last = state.step == plan.total_steps
    due = training.validate_every and (epoch + 1) % training.validate_every == 0
    if data.val is not None and (due or last):
        figures = lesson.judge(state.judged, data)
        row |= {f"val_{name}": figures[name] for name in ("AP", "AP50", "AR")}
    state.log.append(row)


def _saves(spec: RecipeSpec, plan: PhasePlan, step: int, last_of_epoch: bool) -> bool:
    """Whether a checkpoint is due: every so many steps, after a validation's epoch, and at the end."""
    every = spec.training.validate_every
    validated = last_of_epoch and every and (plan.epoch_of(step) + 1) % every == 0
    ends = step + 1 == plan.total_steps
    return bool((step + 1) % spec.training.checkpoint_every == 0 or validated or ends)


def _note(state: TrainingState, plan: PhasePlan, step: int) -> str:
    """``epoch 3/12, loss 0.00123, val AP 41.2``."""
    parts = [f"epoch {plan.epoch_of(step) + 1}/{len(plan.epochs)}"]
    if state.loss_count:
        parts.append(f"loss {float(state.loss_sum) / state.loss_count:.3g}")
    elif state.log:
        parts.append(f"loss {state.log[-1]['loss']:.3g}")
    judged = [row["val_AP"] for row in state.log if "val_AP" in row]
    if judged:
        parts.append(f"val AP {100 * judged[-1]:.1f}")
    return ", ".join(parts)
