"""Everything a training run carries from step to step, and its way into a checkpoint and back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from kpkit.models.network import PoseNetwork
from kpkit.specs.recipe import TrainingSpec
from kpkit.training.optimizer import build_optimizer


@dataclass
class TrainingState:
    """Network, optimiser, weight average, log and position.

    Attributes:
        step: steps done.
        log: finished epochs' rows (training/log.py).
        loss_sum, loss_count: running mean of the unfinished epoch.
        shown: (stages - 1, people of C) bool, who is shown to the second stage and those after it; None
            while everyone is (training/resampling.py).
        seconds: spent so far, over all resumptions.
    """

    network: PoseNetwork
    optimizer: torch.optim.Optimizer
    average: AveragedModel | None
    step: int = 0
    log: list[dict[str, Any]] = field(default_factory=list)
    loss_sum: torch.Tensor = field(default_factory=lambda: torch.zeros((), dtype=torch.float64))
    loss_count: int = 0
    shown: torch.Tensor | None = None
    seconds: float = 0.0

    @classmethod
    def fresh(cls, network: PoseNetwork, spec: TrainingSpec) -> TrainingState:
        """State before the first step."""
        optimizer = build_optimizer(network, spec)
        average = None
        if spec.ema:
            average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(spec.ema), use_buffers=True)
        return cls(network, optimizer, average)

    @property
    def judged(self) -> PoseNetwork:
        """The weights that are validated and kept: the average where there is one."""
        if self.average is None:
            return self.network
        averaged: nn.Module = self.average.module
        assert isinstance(averaged, PoseNetwork)
        return averaged

    def to_checkpoint(self) -> dict[str, Any]:
        """Tensors and plain values only."""
        return {
            "step": self.step,
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "log": self.log,
            "loss_sum": float(self.loss_sum),
            "loss_count": self.loss_count,
            "shown": self.shown,
            "seconds": self.seconds,
        }

    def from_checkpoint(self, saved: dict[str, Any]) -> None:
        """Take up where ``saved`` was written."""
        self.network.load_state_dict(saved["network"])
        self.optimizer.load_state_dict(saved["optimizer"])
        if self.average is not None:
            self.average.load_state_dict(saved["average"])
        self.step, self.log = saved["step"], list(saved["log"])
        self.loss_sum = torch.tensor(saved["loss_sum"], dtype=torch.float64)
        self.loss_count, self.seconds = saved["loss_count"], saved["seconds"]
        self.shown = saved["shown"]
