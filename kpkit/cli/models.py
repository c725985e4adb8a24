"""``models``: every network, what it costs, what its paper says."""

from __future__ import annotations

from typing import Annotated

import typer

from kpkit.cli.options import Json


def register(app: typer.Typer) -> None:
    """Add the group's command."""
    app.command("models")(models)


def models(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="One network; all by default.")] = None,
    json: Json = False,
) -> None:
    """Networks by name: parameters and GMACs measured, and what the papers publish (AP on COCO val2017)."""
    import json as json_module

    import torch

    from kpkit.models.catalogue import CATALOGUE, create_model, find_model
    from kpkit.models.count import count_cost
    from kpkit.models.entries import SMALL

    rows = []
    for entry in [find_model(name)] if name else CATALOGUE.values():
        sizes = dict.fromkeys(row.input_size or SMALL for row in entry.published) or {SMALL: None}
        for size in sizes:
            with torch.device("meta"):
                cost = count_cost(create_model(entry.name, input_size=size))
            said = next((row for row in entry.published if row.input_size in (size, None)), None)
            rows.append(
                {
                    "name": entry.name,
                    "family": entry.family,
                    "backbone": entry.backbone,
                    "input_size": list(size),
                    "parameters": cost.inference_params,
                    "parameters_training": cost.params,
                    "gmacs": round(cost.inference_gmacs, 3),
                    "gmacs_training": round(cost.gmacs, 3),
                    "published_parameters_millions": entry.published_params,
                    "published_gflops": said.gflops if said else None,
                    "published_ap": said.ap if said else None,
                    "published_source": said.source if said else None,
                }
            )
    if json:
        print(json_module.dumps(rows))
        return
    _print(rows)


def _print(rows: list[dict[str, object]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    heads = (
        "network",
        "backbone",
        "input",
        "params M",
        "GMACs",
        "published: params M",
        "GFLOPs",
        "AP",
        "source",
    )
    for head in heads:
        table.add_column(head, no_wrap=head in ("network", "input"))
    for row in rows:
        size = row["input_size"]
        parameters, gmacs = row["parameters"], row["gmacs"]
        assert isinstance(size, list) and isinstance(parameters, int) and isinstance(gmacs, float)
        said = [row[f"published_{key}"] for key in ("parameters_millions", "gflops", "ap", "source")]
        table.add_row(
            str(row["name"]),
            str(row["backbone"]),
            f"{size[0]}x{size[1]}",
            f"{parameters / 1e6:.2f}",
            f"{gmacs:.2f}",
            *("" if value is None else str(value) for value in said),
        )
    Console(highlight=False).print(table)
