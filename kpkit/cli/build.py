"""``run``, ``plan`` and the same steps one by one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kpkit.cli.options import Cpus, Data, Json, Loaders, NoRay, RayAddress, Runs, settings

if TYPE_CHECKING:
    from kpkit.cli.watch import LiveWatcher, PlainWatcher
    from kpkit.pipeline.node import Node
    from kpkit.pipeline.run import Settings

Doc = Annotated[
    str, typer.Argument(metavar="DOC", help="A document: its path, or the name of a shipped one.")
]
RUNS = Path("runs")


def register(app: typer.Typer) -> None:
    """Add the group's commands."""
    app.command("run")(
        _builds(None, "Build a document and everything it needs; what is already there is kept.")
    )
    app.command("plan")(plan)
    app.command("train")(_builds("recipe", "Train one recipe (and mine or label what its phases show)."))
    app.command("mine")(mine)
    app.command("pseudo-label")(
        _builds("pseudo_labels", "Label pictures with a teacher ensemble; the result is a COCO data set.")
    )
    app.command("ensemble")(
        _builds("ensemble", "Blend an ensemble's members on its val set; judge blend and members.")
    )
    app.command("predict")(predict)
    app.command("submit")(_builds("submission", "Write and check the files of a submission document."))


def _builds(kind: str | None, what: str) -> Callable[..., None]:
    """A command that builds documents of one kind (of any for None)."""

    def command(
        doc: Doc,
        data: Data = None,
        runs: Runs = RUNS,
        no_ray: NoRay = False,
        ray: RayAddress = None,
        cpus: Cpus = 0,
        loader_workers: Loaders = 0,
    ) -> None:
        _build(doc, kind, settings(data, runs, no_ray, ray, cpus, loader_workers))

    command.__doc__ = what
    return command


def mine(recipe: Doc, data: Data = None, runs: Runs = RUNS) -> None:
    """Mine a recipe's hard negatives; the counts per score are printed."""
    from kpkit.cli.watch import watcher
    from kpkit.pipeline.context import Context
    from kpkit.pipeline.graph import GraphBuilder
    from kpkit.pipeline.run import Settings, build_nodes
    from kpkit.specs.loader import load

    builder = GraphBuilder(Context(data, runs))
    node = builder.hard_negatives(load(recipe, "recipe"))
    with watcher() as shown:
        build_nodes(builder, [node], Settings(data, runs, ray=False), shown)
    _report([node], shown)


def predict(
    doc: Doc,
    images: Annotated[str, typer.Option("--images", help="Data set to look at, such as coco_test-dev2017.")],
    data: Data = None,
    runs: Runs = RUNS,
    no_ray: NoRay = False,
    ray: RayAddress = None,
    cpus: Cpus = 0,
    loader_workers: Loaders = 0,
) -> None:
    """Poses of an ensemble document on any data set, kept before rescoring and NMS."""
    from kpkit.cli.watch import watcher
    from kpkit.pipeline.context import Context
    from kpkit.pipeline.graph import GraphBuilder
    from kpkit.pipeline.run import build_nodes
    from kpkit.specs.loader import load

    chosen = settings(data, runs, no_ray, ray, cpus, loader_workers)
    builder = GraphBuilder(Context(data, runs), loader_workers=loader_workers)
    node = builder.ensemble(load(doc, "ensemble"), images, {}, False)
    with watcher() as shown:
        build_nodes(builder, [node], chosen, shown)
    _report([node], shown)


def plan(doc: Doc, data: Data = None, runs: Runs = RUNS, json: Json = False) -> None:
    """Show what run would do: what is done, what will run, which input is missing, crops and disk."""
    from kpkit.cli.plan_table import print_plan
    from kpkit.core.files import free_bytes
    from kpkit.pipeline.context import Context
    from kpkit.pipeline.graph import GraphBuilder
    from kpkit.pipeline.plan import plan_rows
    from kpkit.specs.loader import load

    context = Context(data, runs)
    builder = GraphBuilder(context)
    builder.add(load(doc))
    print_plan(plan_rows(list(builder.nodes.values())), free_bytes(context.runs), as_json=json)


def _build(doc: str, kind: str | None, chosen: Settings) -> None:
    from kpkit.cli.watch import watcher
    from kpkit.pipeline.run import build
    from kpkit.specs.loader import load

    document = load(doc, kind)
    with watcher() as shown:
        nodes = build([document], chosen, shown)
    _report(nodes, shown)


def _report(nodes: list[Node], shown: PlainWatcher | LiveWatcher) -> None:
    """What was made, where it lies, and its figures."""
    from kpkit.reports.figures import artefact_lines

    if shown.idle:
        print("nothing to do: everything is there already", file=sys.stderr)

    for node in nodes:
        print("\n".join(artefact_lines(node.artefact.folder)))
