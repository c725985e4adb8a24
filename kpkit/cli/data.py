"""``world`` and ``data check``: something to practise on, and what is there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpkit.cli.options import Data


def register(app: typer.Typer) -> None:
    """Add the group's commands."""
    app.command("world")(world)
    group = typer.Typer(help="Data sets on disk.", no_args_is_help=True, rich_markup_mode=None)
    group.command("check")(check)
    app.add_typer(group, name="data")


def world(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where to draw it; used as --data DIR.")],
    size: Annotated[str, typer.Option("--size", help="tiny, small or medium.")] = "small",
    seed: Annotated[int, typer.Option("--seed", help="Everything in it follows from this number.")] = 0,
    poses: Annotated[
        Path | None,
        typer.Option("--poses", help="A COCO annotation file whose poses, sizes and layouts are drawn."),
    ] = None,
    workers: Annotated[int, typer.Option("--workers", help="Drawing processes; 0 takes all cores.")] = 0,
    sheet: Annotated[Path | None, typer.Option("--sheet", help="Also save a contact sheet (PNG).")] = None,
) -> None:
    """Draw a practice world: COCO and AIC on disk, with detections and a sealed truth of the test splits."""
    import os

    from kpkit.cli.watch import watcher
    from kpkit.data.world import draw_world

    with watcher() as shown:
        shown.started("world", "world")
        summary = draw_world(
            directory,
            size=size,
            seed=seed,
            poses=poses,
            workers=workers or os.cpu_count() or 1,
            progress=lambda done, total, unit="", note="": shown.progressed("world", done, total, unit, note),
        )
    print(f"{directory}: a generated world, size {size}, seed {seed}")
    for split, pictures in summary["pictures"].items():
        print(f"  {split:<20} {pictures:>6} pictures {summary['people'][split]:>6} people")
    if sheet is not None:
        from kpkit.data.images import write_image
        from kpkit.data.world import contact_sheet

        write_image(sheet, contact_sheet(directory, "train2017", 12))
        print(f"contact sheet: {sheet}")


def check(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Data sets; all known ones by default.")
    ] = None,
    data: Data = None,
) -> None:
    """Read data sets whole and say what is in them, or which file is missing and who publishes it.

    Exit code 1 when a named data set, or without names every data set, is missing or faulty.
    """
    from kpkit.core.errors import KpkitError
    from kpkit.data.load import load_boxes, load_dataset
    from kpkit.specs.datasets import KNOWN, data_root, resolve

    root = data_root(data)
    good = 0
    for name in names or list(KNOWN):
        try:
            dataset = resolve(name, root)
            loaded = load_dataset(dataset)
            boxes = load_boxes(dataset, loaded, "detections") if dataset.detections else None
        except KpkitError as error:
            print(f"{name}: {error}")
            continue
        good += 1
        people = loaded.people
        labelled = int(((people.num_labelled > 0) & ~people.crowd).sum())
        parts = [f"{len(loaded.images)} pictures"]
        if dataset.format != "images":
            parts.append(f"{len(people)} people, {labelled} with keypoints, {int(people.crowd.sum())} crowds")
        if boxes is not None:
            parts.append(f"{len(boxes)} detections")
        if dataset.truth:
            parts.append("sealed truth")
        print(f"{name}: {', '.join(parts)}")
    if good < (len(names) if names else 1):
        raise typer.Exit(1)
