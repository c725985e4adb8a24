"""``demo``: the main job in one command, on a generated world."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpkit.cli.options import Cpus, NoRay


def register(app: typer.Typer) -> None:
    """Add the group's command."""
    app.command("demo")(demo)


def demo(
    directory: Annotated[Path, typer.Option("--dir", help="Where world, runs and report go.")] = Path("demo"),
    seed: Annotated[int, typer.Option("--seed", help="Seed of the world.")] = 0,
    size: Annotated[
        str,
        typer.Option(
            "--size",
            help="Size of the world: tiny, small, scarce (few labels, many other pictures) or medium.",
        ),
    ] = "small",
    no_ray: NoRay = False,
    cpus: Cpus = 0,
) -> None:
    """Draw a world, train three families under Ray, mine, pseudo-label, ensemble, submit, judge, report.

    Run again after an interruption and it goes on where it was.
    """
    import time

    from kpkit.cli.data import world
    from kpkit.cli.watch import watcher
    from kpkit.pipeline.run import Settings, build
    from kpkit.reports.figures import judged_table
    from kpkit.reports.html import write_report
    from kpkit.specs.loader import load

    start = time.monotonic()
    data, runs, report = directory / "world", directory / "runs", directory / "report.html"
    world(data, size=size, seed=seed)
    with watcher() as shown:
        nodes = build([load("tiny", "submission")], Settings(data, runs, not no_ray, cpus=cpus), shown)
    folders = [node.artefact.folder for node in nodes]
    notes = write_report(runs, report, data=data)
    print(f"\nJudged on the generated world in {data} (not COCO):\n")
    print(judged_table(runs, folders))
    print()
    for node in nodes:
        print(f"{node.title:<44} {node.artefact.folder}")
    print(f"{'report':<44} {report}")
    for note in notes:
        print(f"not in the report: {note}")
    print(f"whole demo: {(time.monotonic() - start) / 60:.1f} minutes")
