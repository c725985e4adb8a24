"""``search`` and ``ablate``: what members, weights and post-processing are worth, on stored heatmaps."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kpkit.cli.options import Cpus, Data, Json, NoRay, RayAddress, Runs, settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from kpkit.pipeline.graph import GraphBuilder
    from kpkit.pipeline.node import Node
    from kpkit.pipeline.run import Settings
    from kpkit.specs.loader import Document

Ensemble = Annotated[
    str, typer.Argument(metavar="ENSEMBLE", help="An ensemble document: its path, or a shipped one's name.")
]
Csv = Annotated[Path | None, typer.Option("--csv", help="Write the table, full precision.")]
Markdown = Annotated[Path | None, typer.Option("--markdown", help="Write the table for a README.")]
RUNS = Path("runs")


def register(app: typer.Typer) -> None:
    """Add the group's commands."""
    app.command("search")(search)
    app.command("ablate")(ablate)


def search(
    ensemble: Ensemble,
    data: Data = None,
    runs: Runs = RUNS,
    write: Annotated[
        Path | None,
        typer.Option("--write", help="Write an ensemble document with the weights found.", dir_okay=False),
    ] = None,
    method: Annotated[
        str,
        typer.Option("--method", help="Whose weights --write takes; by default those the rule believes."),
    ] = "searched",
    csv: Csv = None,
    markdown: Markdown = None,
    no_ray: NoRay = False,
    ray: RayAddress = None,
    cpus: Cpus = 0,
    json: Json = False,
) -> None:
    """Choose members and weights on folds of val; every choice is judged on pictures it has not seen.

    Rows: equal weights, each member, all but one; then weights chosen by several methods, and "searched", the
    whole procedure: the freest method that held-out pictures believe, or equal weights.
    """
    from kpkit.reports.manifests import read_entry
    from kpkit.reports.search import SHOWN, search_sentences, search_table
    from kpkit.reports.writers import write_csv, write_markdown

    chosen = settings(data, runs, no_ray, ray, cpus, 0)
    document, node = _built(ensemble, chosen, lambda graph, found: graph.search(found))
    entry = read_entry(node.artefact.folder)
    table, sentences = search_table(entry), search_sentences(entry)
    if csv:
        write_csv(table, csv)
    if markdown:
        write_markdown(table, markdown, SHOWN, sentences)
    if write:
        from kpkit.pipeline.search_document import write_ensemble

        write_ensemble(write, document, entry, method)
    _show(node, json)
    _tell(csv, markdown, write)


def ablate(
    ensemble: Ensemble,
    data: Data = None,
    runs: Runs = RUNS,
    csv: Csv = None,
    markdown: Markdown = None,
    no_ray: NoRay = False,
    ray: RayAddress = None,
    cpus: Cpus = 0,
    json: Json = False,
) -> None:
    """What each step between heatmaps and poses is worth on val: decode, flip shift, blur, NMS, scoring.

    Each of the CCM paper's techniques alone, left out and together, then one key after the other at several
    values; the document's [grid] names others. The layout is that of CCM Tables 7 and 8 and CPN Table 1.
    """
    from kpkit.reports.ablation import ablation_table, write_ablation_markdown
    from kpkit.reports.manifests import read_entry
    from kpkit.reports.writers import write_csv

    chosen = settings(data, runs, no_ray, ray, cpus, 0)
    _, node = _built(ensemble, chosen, lambda graph, found: graph.ablation(found))
    entry = read_entry(node.artefact.folder)
    if csv:
        write_csv(ablation_table(entry), csv)
    if markdown:
        write_ablation_markdown(entry, markdown)
    _show(node, json)
    _tell(csv, markdown)


def _built(
    name: str, chosen: Settings, make: Callable[[GraphBuilder, Document], Node]
) -> tuple[Document, Node]:
    """An ensemble document, and the node that is asked of it, finished."""
    from kpkit.cli.watch import watcher
    from kpkit.pipeline.context import Context
    from kpkit.pipeline.graph import GraphBuilder
    from kpkit.pipeline.run import build_nodes
    from kpkit.specs.loader import load

    builder = GraphBuilder(Context(chosen.data, chosen.runs))
    document = load(name, "ensemble")
    node = make(builder, document)
    with watcher() as shown:
        build_nodes(builder, [node], chosen, shown)
    return document, node


def _show(node: Node, as_json: bool) -> None:
    """The artefact's lines after those of the heatmaps it stands on; or its manifest's figures as JSON."""
    from kpkit.reports.figures import artefact_lines
    from kpkit.reports.manifests import read_entry

    if as_json:
        import json

        told = read_entry(node.artefact.folder).manifest
        print(json.dumps({"artefact": told.key, "content": told.content} | told.metrics))
        return
    for made in (*node.needs, node):
        print("\n".join(artefact_lines(made.artefact.folder)))


def _tell(*written: Path | None) -> None:
    for path in filter(None, written):
        print(f"written: {path}", file=sys.stderr)
