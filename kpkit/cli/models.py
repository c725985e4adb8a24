"""``models``: every network, what it costs, what its paper says, what it is made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kpkit.cli.options import Json

if TYPE_CHECKING:
    from torch import nn

    from kpkit.models.entries import Entry


def register(app: typer.Typer) -> None:
    """Add the group's command."""
    app.command("models")(models)


def models(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="One network; all by default.")] = None,
    family: Annotated[str | None, typer.Option("--family", help="Only this family, such as HRNet.")] = None,
    published: Annotated[
        bool,
        typer.Option("--published", help="Count as papers do: in 2^30, deconvolutions at their outputs."),
    ] = False,
    tree: Annotated[
        bool, typer.Option("--tree", help="The modules of NAME with their output shapes.")
    ] = False,
    depth: Annotated[int, typer.Option("--depth", help="How deep the tree goes.", min=1)] = 3,
    json: Json = False,
) -> None:
    """Networks by name: parameters and GMACs measured, and what the papers publish (AP on COCO val2017)."""
    import dataclasses
    import json as json_module
    import sys

    from rich.console import Console
    from rich.progress import track

    from kpkit.cli.model_tables import print_models, print_tree
    from kpkit.core.errors import InputError
    from kpkit.models.anatomy import dissect
    from kpkit.models.entries import SMALL

    if tree and not name:
        raise InputError("--tree shows one network", remedy="name it: kpkit models NAME --tree")
    entries = _chosen(name, family)
    if tree:
        part = dissect(*_built(entries[0], SMALL))
        print(json_module.dumps(dataclasses.asdict(part))) if json else print_tree(part, depth)
        return
    shown = track(
        entries,
        "counting",
        console=Console(stderr=True),
        transient=True,
        disable=len(entries) == 1 or not sys.stderr.isatty(),
    )
    rows = [row for entry in shown for row in _rows(entry)]
    print(json_module.dumps(rows)) if json else print_models(rows, published)


def _chosen(name: str | None, family: str | None) -> list[Entry]:
    from kpkit.core.errors import InputError
    from kpkit.models.catalogue import CATALOGUE, COMPANIONS, find_model

    if name and family:
        raise InputError("a name and a family are given", remedy="leave out one of them")
    if name:
        return [COMPANIONS[name] if name in COMPANIONS else find_model(name)]
    entries = [*CATALOGUE.values(), *COMPANIONS.values()]
    if family is None:
        return entries
    chosen = [entry for entry in entries if entry.family.lower() == family.lower()]
    if not chosen:
        known = ", ".join(dict.fromkeys(entry.family for entry in entries))
        raise InputError(f"no family is called {family!r}", remedy=f"choose one of {known}")
    return chosen


def _built(entry: Entry, size: tuple[int, ...]) -> tuple[nn.Module, tuple[int, ...]]:
    """A network in shapes alone, and the shape of its input."""
    from kpkit.models.catalogue import create_model
    from kpkit.models.shapes import blueprint

    with blueprint():
        if entry.input_shape:
            return entry.constructor()(**entry.options), entry.input_shape
        net = create_model(entry.name, input_size=(size[0], size[1]))
        return net, (net.input_channels, *size)


def _rows(entry: Entry) -> Iterator[dict[str, Any]]:
    """A row at each of the papers' input sizes and at any other published; one where the size is fixed."""
    from kpkit.models.count import count_cost
    from kpkit.models.entries import LARGE, SMALL

    sizes = dict.fromkeys([SMALL, LARGE, *(row.input_size for row in entry.published if row.input_size)])
    for size in [entry.input_shape[:2]] if entry.input_shape else sizes:
        net, shape = _built(entry, size)
        cost = count_cost(net, shape)
        said = [row for row in entry.published if row.input_size in (size, None)]
        first = next((row for row in said if row.input_size), None)
        yield {
            "name": entry.name,
            "family": entry.family,
            "backbone": entry.backbone,
            "pretrained": entry.pretrained or None,
            "input_size": list(size),
            "input_shape": list(shape),
            "parameters": cost.params,
            "parameters_without_auxiliary": cost.inference_params,
            "gmacs": round(cost.gmacs, 3),
            "gmacs_without_auxiliary": round(cost.inference_gmacs, 3),
            "gflops_published_convention": round(cost.gflops, 3),
            "gflops_published_convention_without_auxiliary": round(cost.inference_gflops, 3),
            "published_parameters_millions": entry.published_params,
            "published_gflops": first.gflops if first else None,
            "published_ap": first.ap if first else None,
            "published_source": first.source if first else None,
            "published": [
                {"input_size": row.input_size, "gflops": row.gflops, "ap": row.ap, "source": row.source}
                for row in said
            ],
        }
