"""``import-weights``: published checkpoints become members."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from kpkit.models.weights.importing import Imported


def register(app: typer.Typer) -> None:
    """Add the group's command."""
    app.command("import-weights")(import_weights)


def import_weights(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The checkpoint, as its authors saved it.")],
    source: Annotated[
        str,
        typer.Option(
            "--source",
            help="Who named its tensors: hrnet-official, simplebaseline-official, mspn-official, "
            "rsn-official, pytorch-cpn, multiposenet-port, posefix-port, mmpose (and ViTPose), or, for an "
            "encoder alone, timm (and torchvision, MAE).",
        ),
    ],
    network: Annotated[str, typer.Option("--network", help="The network's name ('kpkit models' lists all).")],
    out: Annotated[
        Path, typer.Option("--out", metavar="NAME", help="Writes NAME.safetensors, NAME.json and NAME.toml.")
    ],
    input_size: Annotated[
        tuple[int, int],
        typer.Option("--input-size", metavar="H W", help="Height and width of its crops in pixels."),
    ] = (256, 192),
    skeleton: Annotated[
        str, typer.Option("--skeleton", help="Keypoints of its heatmaps, in order: coco17 or aic14.")
    ] = "coco17",
    option: Annotated[
        list[str] | None,
        typer.Option("--option", metavar="KEY=VALUE", help="An option of the network; may be repeated."),
    ] = None,
    codec: Annotated[
        str | None,
        typer.Option(
            "--codec",
            help="classic, megvii or unbiased, where the source trains with several; else its usual one.",
        ),
    ] = None,
    mean: Annotated[
        tuple[float, float, float] | None,
        typer.Option(
            "--mean", metavar="C C C", help="Channel means of 0..1 pictures; the source's if not given."
        ),
    ] = None,
    std: Annotated[
        tuple[float, float, float] | None,
        typer.Option("--std", metavar="C C C", help="Channel deviations, likewise."),
    ] = None,
) -> None:
    """Turn a published checkpoint into kpkit's form, with a recipe that makes it a member, or a refiner.

    Nothing in the file is ever run, and every tensor must have its place, or nothing is written.
    """
    from kpkit.models.weights.importing import import_weights

    options = dict(_option(text) for text in option or [])
    done = import_weights(
        file,
        source=source,
        network=network,
        out=out,
        input_size=input_size,
        skeleton=skeleton,
        options=options,
        codec=codec,
        mean=mean,
        std=std,
    )
    _report(done)


def _option(text: str) -> tuple[str, Any]:
    """``depths=[1, 1, 1, 1]`` as TOML reads it; a bare word is a text."""
    import tomllib

    from kpkit.core.errors import InputError

    key, found, value = text.partition("=")
    if not found or not key.strip() or not value.strip():
        raise InputError(f"--option {text!r} is not KEY=VALUE", remedy="such as --option depths=[1,1,1,1]")
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value.strip()


def _report(done: Imported) -> None:
    from kpkit.models.catalogue import find_model

    loaded, said = done.loaded, done.said
    print(f"{said.network} {said.input_size[0]}x{said.input_size[1]} from {said.source_file} ({said.source})")
    print(f"  {len(loaded.loaded)} tensors loaded" + _tops("the encoder alone" if not done.codec else ""))
    if loaded.zeroed:
        print(f"  {len(loaded.zeroed)} zero, since the source computes without them{_tops(*loaded.zeroed)}")
    if loaded.dropped:
        print(f"  {len(loaded.dropped)} dropped, which the network has no place for{_tops(*loaded.dropped)}")
    if loaded.fresh:
        print(f"  {len(loaded.fresh)} left to training{_tops(*loaded.fresh)}")
    if done.codec:
        doubt = f"; the file does not say: --codec may be {' or '.join(done.others)}" if done.others else ""
        print(f"  codec {done.codec}, {said.channel_order}, peak {said.peak:g}{doubt}")
    for path in (done.weights, done.manifest, done.recipe):
        print(f"wrote {path}")
    if done.codec and find_model(said.network).refines:
        print(f"next: kpkit refine RESULTS --with {done.recipe} --images coco_val2017 --data DIR")
        return
    judged = ", judged on COCO val2017" if said.skeleton == "coco17" else ""
    what = f"as a member{judged}" if done.codec else "after a look at its data and schedule"
    print(f"next: kpkit run {done.recipe} --data DIR  ({what})")


def _tops(*names: str) -> str:
    """The first parts of tensor names, each once: ``": fc, layer4"``."""
    tops = list(dict.fromkeys(name.split(".")[0] for name in names if name))
    return f" ({', '.join(tops)})" if tops else ""
