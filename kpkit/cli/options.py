"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from kpkit.pipeline.run import Settings

Data = Annotated[
    Path | None,
    typer.Option("--data", help="Folder of data sets (coco/, aic/); KPKIT_DATA when not given."),
]
Runs = Annotated[Path, typer.Option("--runs", help="Folder of artefacts.")]
NoRay = Annotated[bool, typer.Option("--no-ray", help="Run one job after another in this process.")]
RayAddress = Annotated[
    str | None, typer.Option("--ray", help="Address of a Ray cluster; default: this machine alone.")
]
Cpus = Annotated[int, typer.Option("--cpus", help="Worker slots on this machine; 0 takes its cores.", min=0)]
Loaders = Annotated[
    int, typer.Option("--loader-workers", help="Crop-preparing processes beside each training.", min=0)
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def settings(
    data: Path | None, runs: Path, no_ray: bool, ray: str | None, cpus: int, loader_workers: int
) -> Settings:
    """Settings of a run from its options."""
    from kpkit.core.errors import KpkitError
    from kpkit.pipeline.run import Settings

    if no_ray and ray:
        raise KpkitError("--ray and --no-ray exclude each other")
    return Settings(data, runs, not no_ray, ray, cpus, loader_workers)
