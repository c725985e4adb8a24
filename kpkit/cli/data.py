"""``world`` and ``data check``: something to practise on, and what is there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kpkit.cli.options import Data, Json

if TYPE_CHECKING:
    from kpkit.specs.datasets import DatasetSpec


def register(app: typer.Typer) -> None:
    """Add the group's commands."""
    app.command("world")(world)
    group = typer.Typer(help="Data sets on disk.", no_args_is_help=True, rich_markup_mode=None)
    group.command("check")(check)
    app.add_typer(group, name="data")


def world(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where to draw it; used as --data DIR.")],
    size: Annotated[
        str, typer.Option("--size", help="tiny, small, scarce (few labels, many other pictures) or medium.")
    ] = "small",
    seed: Annotated[int, typer.Option("--seed", help="Everything in it follows from this number.")] = 0,
    poses: Annotated[
        Path | None,
        typer.Option("--poses", help="A COCO annotation file whose poses, sizes and layouts are drawn."),
    ] = None,
    pictures: Annotated[
        list[str] | None,
        typer.Option(
            "--pictures", metavar="SPLIT=N", help="Another number of a split's pictures; repeatable."
        ),
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
            counts=dict(map(_pictures_of_split, pictures or ())),
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


def _pictures_of_split(text: str) -> tuple[str, int]:
    """``train2017=500`` as a pair."""
    from kpkit.core.errors import InputError

    split, _, number = text.partition("=")
    if not number.isdecimal():
        raise InputError(f"--pictures {text!r} is no SPLIT=N", remedy="write it as --pictures train2017=500")
    return split, int(number)


def check(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...", help="Data sets ('aic' for all of AI Challenger's); all known by default."
        ),
    ] = None,
    data: Data = None,
    document: Annotated[
        str | None, typer.Option("--document", help="Document whose [datasets] tables are known as well.")
    ] = None,
    json: Json = False,
) -> None:
    """Read data sets whole and say what is in them, or which file is missing and who publishes it.

    Of a named data set whose skeleton is not COCO's, each keypoint is listed: its labels, and the COCO
    keypoint it becomes.

    Exit code 1 when a named data set is missing or faulty; of several that one name stands for, when one is
    faulty or all are missing; without names, when none is there.
    """
    from kpkit.cli.data_report import print_facts
    from kpkit.specs.datasets import KNOWN, data_root, members_of
    from kpkit.specs.loader import load

    root = data_root(data)
    own = load(document).spec.datasets if document else {}
    asked = {name: [name] if name in own else members_of(name) for name in names or []}
    found = {
        name: _checked(name, root, own, labels=bool(asked))
        for name in dict.fromkeys([n for members in asked.values() for n in members] or [*KNOWN, *own])
    }
    if json:
        import json as encoder

        print(encoder.dumps(list(found.values())))
    else:
        for facts in found.values():
            print_facts(facts)
    for members in asked.values() or [list(found)]:
        broken = [name for name in members if "error" in found[name]]
        faulty = asked and any(not found[name]["missing"] for name in broken)
        if len(broken) == len(members) or faulty:
            raise typer.Exit(1)


def _checked(name: str, root: Path, own: dict[str, DatasetSpec], *, labels: bool) -> dict[str, Any]:
    """What a data set holds, or the sentence that says why it cannot be told.

    ``labels``: also keypoint by keypoint, where they are not COCO's.
    """
    from kpkit.cli.data_report import facts, label_facts
    from kpkit.core.errors import KpkitError
    from kpkit.core.skeletons import COCO17, SKELETONS
    from kpkit.data.audit import audit_labels
    from kpkit.data.load import load_boxes, load_dataset
    from kpkit.specs.datasets import resolve

    try:
        dataset = resolve(name, root, own)
    except KpkitError as error:
        return {"name": name, "error": str(error), "missing": True}
    try:
        loaded = load_dataset(dataset, SKELETONS[dataset.skeleton])
        boxes = load_boxes(dataset, loaded, "detections") if dataset.detections else None
    except KpkitError as error:
        return {"name": name, "error": str(error), "missing": False}
    found = facts(dataset, loaded, None if boxes is None else len(boxes))
    if labels and dataset.skeleton != COCO17.name:
        found["labels"] = label_facts(dataset, audit_labels(loaded.people, COCO17))
    return found
