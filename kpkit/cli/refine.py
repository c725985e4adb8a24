"""``refine``: better poses from any results file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpkit.cli.options import Cpus, Data, Loaders, NoRay, RayAddress, Runs, settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("refine")(refine)


def refine(
    results: Annotated[Path, typer.Argument(metavar="RESULTS", help="Poses in COCO's results format.")],
    refiner: Annotated[str, typer.Option("--with", help="Recipe of the refiner, such as posefix_tiny.")],
    images: Annotated[str, typer.Option("--images", help="Their data set, such as coco_val2017.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Where the refined results go; also kept under --runs.")
    ] = None,
    data: Data = None,
    runs: Runs = Path("runs"),
    no_ray: NoRay = False,
    ray: RayAddress = None,
    cpus: Cpus = 0,
    loader_workers: Loaders = 0,
) -> None:
    """Refine the poses of a results file, kpkit's or another tool's; the refiner is trained first if need be.

    Poses that the same refiner has made are refused. Where the pictures are labelled, AP before and after is
    told.
    """
    import shutil

    from kpkit.cli.watch import watcher
    from kpkit.core.files import replacing
    from kpkit.pipeline.context import Context
    from kpkit.pipeline.graph import GraphBuilder
    from kpkit.pipeline.refine_job import RESULTS
    from kpkit.pipeline.refine_nodes import refined_file, refiner_document
    from kpkit.pipeline.run import build_nodes
    from kpkit.reports.figures import artefact_lines

    chosen = settings(data, runs, no_ray, ray, cpus, loader_workers)
    builder = GraphBuilder(Context(data, runs), loader_workers=loader_workers)
    node = refined_file(builder, refiner_document(refiner), results, images)
    with watcher() as shown:
        build_nodes(builder, [node], chosen, shown)
    if out is not None:
        with replacing(out) as temporary:
            shutil.copyfile(node.artefact.folder / RESULTS, temporary)
    print("\n".join(artefact_lines(node.artefact.folder)))
