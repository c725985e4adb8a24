"""Several training processes as one job: Ray's TorchTrainer joins them with torch.distributed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kpkit.cluster.jobs import Job
from kpkit.cluster.reporting import FileProgress
from kpkit.core.errors import KpkitError


def fit_workers(job: Job, report: Path, gpu: bool) -> None:
    """Run part 0 of a job on ``job.resources.workers`` processes at once.

    The job's own checkpoints are used, not Ray's: a restarted group resumes from them.
    """
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    trainer = TorchTrainer(
        _worker,
        train_loop_config={"job": job, "report": report},
        scaling_config=ScalingConfig(num_workers=job.resources.workers, use_gpu=gpu),
        run_config=RunConfig(
            name=job.key[:16],
            storage_path=str(report.parent.resolve() / "ray_train"),
            failure_config=FailureConfig(max_failures=2),
        ),
    )
    result = trainer.fit()
    if getattr(result, "error", None) is not None:
        raise KpkitError(f"{job.title}: training on several workers failed ({result.error})")


def _worker(config: dict[str, Any]) -> None:
    import torch

    if not torch.cuda.is_available():
        torch.set_num_threads(1)
    job: Job = config["job"]
    job.run_part(job.open(), 0, FileProgress(config["report"]))
