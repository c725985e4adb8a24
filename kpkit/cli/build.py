"""``run``, ``plan`` and the same steps one by one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kpkit.cli.options import Cpus, Data, Json, Loaders, NoRay, RayAddress, Runs, settings

if TYPE_CHECKING:
    from kpkit.cli.watch import LiveWatcher, PlainWatcher
    from kpkit.pipeline.graph import Node
    from kpkit.pipeline.run import Settings

Doc = Annotated[
    str, typer.Argument(metavar="DOC", help="A document: its path, or the name of a shipped one.")
]
RUNS = Path("runs")


def register(app: typer.Typer) -> None:
    """Add the group's commands."""
    app.command("run")(run)
    app.command("plan")(plan)
    app.command("train")(train)
    app.command("mine")(mine)
    app.command("pseudo-label")(pseudo_label)
    app.command("ensemble")(ensemble)
    app.command("predict")(predict)
    app.command("submit")(submit)


def run(
    doc: Doc,
    data: Data = None,
    runs: Runs = RUNS,
    no_ray: NoRay = False,
    ray: RayAddress = None,
    cpus: Cpus = 0,
    loader_workers: Loaders = 0,
) -> None:
    """Build a document and everything it needs; what is already there is kept."""
    _build(doc, None, settings(data, runs, no_ray, ray, cpus, loader_workers))


def train(
    recipe: Doc,
    data: Data = None,
    runs: Runs = RUNS,
    no_ray: NoRay = False,
    ray: RayAddress = None,
    cpus: Cpus = 0,
    loader_workers: Loaders = 0,
) -> None:
    """Train one recipe (and mine or label what its phases show)."""
    _build(recipe, "recipe", settings(data, runs, no_ray, ray, cpus, loader_workers))


def pseudo_label(
    doc: Doc,
    data: Data = None,
    runs: Runs = RUNS,
    no_ray: NoRay = False,
    ray: RayAddress = None,
    cpus: Cpus = 0,
    loader_workers: Loaders = 0,
) -> None:
    """Label pictures with a teacher ensemble; the result is a COCO data set."""
    _build(doc, "pseudo_labels", settings(data, runs, no_ray, ray, cpus, loader_workers))


def ensemble(
    doc: Doc,
    data: Data = None,
    runs: Runs = RUNS,
    no_ray: NoRay = False,
    ray: RayAddress = None,
    cpus: Cpus = 0,
    loader_workers: Loaders = 0,
) -> None:
    """Blend an ensemble's members on its val set and judge blend and members."""
    _build(doc, "ensemble", settings(data, runs, no_ray, ray, cpus, loader_workers))


def submit(
    doc: Doc,
    data: Data = None,
    runs: Runs = RUNS,
    no_ray: NoRay = False,
    ray: RayAddress = None,
    cpus: Cpus = 0,
    loader_workers: Loaders = 0,
) -> None:
    """Write and check the files of a submission document."""
    _build(doc, "submission", settings(data, runs, no_ray, ray, cpus, loader_workers))


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
