"""``refine``: better poses from any results file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpkit.cli.options import Cpus, Data, Json, Loaders, NoRay, RayAddress, Runs, settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("refine")(refine)


def refine(
    results: Annotated[
        Path, typer.Argument(metavar="RESULTS", help="Poses of people in COCO's results format (JSON).")
    ],
    refiner: Annotated[
        str,
        typer.Option(
            "--with", metavar="RECIPE", help="Recipe of the refiner: a path, or a shipped one's name."
        ),
    ],
    images: Annotated[
        str,
        typer.Option(
            "--images", metavar="NAME", help="Their data set, such as coco_val2017, or the recipe's own."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="Where the refined results go; also kept under --runs.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write what it did, by poses and keypoints, full precision.")
    ] = None,
    json: Json = False,
    data: Data = None,
    runs: Runs = Path("runs"),
    no_ray: NoRay = False,
    ray: RayAddress = None,
    cpus: Cpus = 0,
    loader_workers: Loaders = 0,
) -> None:
    """Refine the poses of a results file, kpkit's or another tool's; the refiner is trained first if need be.

    Where the pictures are labelled it tells AP before and after with intervals, errors by kind, and what each
    keypoint gains. Scores stay as they are, and so do rows.

    Poses that the same refiner has made are refused: they are known by their places, under any file name,
    but only while their artefacts lie under the same --runs and as long as nobody rounds or moves them.
    """
    import json as json_module
    import shutil

    from kpkit.cli.watch import watcher
    from kpkit.core.errors import InputError
    from kpkit.core.files import replacing
    from kpkit.pipeline.context import Context
    from kpkit.pipeline.graph import GraphBuilder
    from kpkit.pipeline.refine_job import RESULTS
    from kpkit.pipeline.refine_nodes import refined_file, refiner_document
    from kpkit.pipeline.run import build_nodes
    from kpkit.reports.figures import artefact_lines
    from kpkit.reports.manifests import read_entry
    from kpkit.reports.refined import refined_table
    from kpkit.reports.writers import write_csv

    chosen = settings(data, runs, no_ray, ray, cpus, loader_workers)
    builder = GraphBuilder(Context(data, runs), loader_workers=loader_workers)
    node = refined_file(builder, refiner_document(refiner), results, images)
    with watcher() as shown:
        build_nodes(builder, [node], chosen, shown)
    if out is not None:
        with replacing(out) as temporary:
            shutil.copyfile(node.artefact.folder / RESULTS, temporary)
    entry = read_entry(node.artefact.folder)
    if csv is not None:
        if not entry.metrics.figures:
            remedy = "leave --csv out; --out writes the refined poses"
            raise InputError(
                f"nobody is labelled on {images}: there is no table to write", file=csv, remedy=remedy
            )
        write_csv(refined_table(entry), csv)
    if json:
        told = entry.manifest
        print(json_module.dumps({"artefact": told.key, "content": told.content} | told.metrics))
    else:
        print("\n".join(artefact_lines(entry.folder)))
