"""Who is shown to the later stages of a multi-stage network: the Megvii 2018 report's curriculum.

Stage 1 learns from everyone, stage 2 from those whose OKS under stage 1's heatmaps is below 0.8, stage 3 from
those below 0.6 under stage 2's. The report trained one stage after the other; the public MSPN knows nothing
of it and trains all stages together. Here they train together as well, and the choice is made anew as
training goes (specs/recipe.py, ResamplingSpec).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.distributed as dist
from torch.utils.data import DataLoader, Dataset

from kpkit.core.errors import KpkitError
from kpkit.core.instances import Instances
from kpkit.data.crops import CropBatch, CropDataset
from kpkit.evaluation.oks import oks
from kpkit.heatmaps.decode import decode
from kpkit.inference.network import Predictor
from kpkit.models.network import PoseNetwork
from kpkit.specs.recipe import RecipeSpec, TrainingSpec
from kpkit.training.phases import Step

BATCH = 64
"""People per forward pass. Part of the result's last bits, so it is no setting."""


def is_due(spec: TrainingSpec, step: Step) -> bool:
    """Whether the people of C are looked at in the epoch of a step."""
    resampling = spec.resampling
    if resampling is None or "C" not in spec.phases[step.phase]:
        return False
    return step.epoch >= resampling.after and (step.epoch - resampling.after) % resampling.every == 0


def shown_to_stages(
    network: PoseNetwork,
    spec: RecipeSpec,
    people: CropDataset,
    device: torch.device,
    *,
    loader_workers: int = 0,
) -> torch.Tensor:
    """Judge every person by every stage but the last. Processes that train together share the work.

    Args:
        network: as it stands in training; looked at in evaluation mode.
        spec: its recipe, with ``training.resampling``.
        people: n labelled people in plain boxes.
        device: where the network is.
        loader_workers: processes that prepare crops.

    Returns:
        (stages - 1, n) bool: whether each person's OKS under a stage is below the threshold of the stage
        after it. The same in every process.

    Raises:
        KpkitError: a picture that cannot be read.
    """
    assert spec.training.resampling
    thresholds = torch.tensor(spec.training.resampling.thresholds, dtype=torch.float64)
    together = dist.is_initialized()
    rank, workers = (dist.get_rank(), dist.get_world_size()) if together else (0, 1)
    if together:  # batch norms' statistics are those of the first process, as in training's forward passes
        for buffer in network.buffers():
            dist.broadcast(buffer, 0)
    found = torch.zeros((len(thresholds), len(people)), dtype=torch.float64)
    predictor = Predictor("network", network, spec, device)
    mine = np.arange(len(people))[rank::workers]
    looks = _Looks(people, [mine[i : i + BATCH] for i in range(0, len(mine), BATCH)])
    for batch in DataLoader(looks, batch_size=None, num_workers=loader_workers):
        if isinstance(batch, KpkitError):
            raise batch
        found[:, batch.rows] = torch.from_numpy(_stage_oks(predictor, spec, people.instances, batch))
    if together:
        found = found.to(device)
        dist.all_reduce(found)
        found = found.cpu()
    return found < thresholds[:, None]


class _Looks(Dataset[CropBatch | KpkitError]):
    """Batch number -> its crops, for torch's loader; or why there are none."""

    def __init__(self, people: CropDataset, batches: Sequence[np.ndarray]) -> None:
        self.people, self.batches = people, batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, number: int) -> CropBatch | KpkitError:
        try:
            return self.people.batch(self.batches[number])
        except KpkitError as error:
            return error


def _stage_oks(predictor: Predictor, spec: RecipeSpec, people: Instances, batch: CropBatch) -> np.ndarray:
    """(stages - 1, N) OKS of a batch's labels with what the stages find."""
    truth = people[batch.rows]
    values = []
    for stride, maps in predictor.stage_heatmaps(batch.images):
        points, _ = decode(maps, **spec.decode.options)
        poses = predictor.codec.at_stride(stride).to_image(points, truth.box)
        values.append(oks(truth.keypoints, truth.area, poses, truth.skeleton.oks_sigmas).diagonal())
    return np.stack(values)
