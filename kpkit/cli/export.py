"""``export-onnx``: a trained network for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kpkit.cli.build import RUNS
from kpkit.cli.options import Data, Runs

if TYPE_CHECKING:
    from kpkit.specs.recipe import CodecSpec, NetworkSpec


def register(app: typer.Typer) -> None:
    """Add the group's command."""
    app.command("export-onnx")(export_onnx)


def export_onnx(
    what: Annotated[
        str,
        typer.Argument(metavar="WHAT", help="A recipe, trained or taken over; or with --weights a network."),
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT.onnx", help="The file to write.")],
    weights: Annotated[
        Path | None,
        typer.Option("--weights", help="Weights of the network of this name ('kpkit models' lists all)."),
    ] = None,
    input_size: Annotated[
        tuple[int, int] | None,
        typer.Option(
            "--input-size",
            metavar="H W",
            help="Height and width in pixels, where no manifest beside the weights says it.",
        ),
    ] = None,
    data: Data = None,
    runs: Runs = RUNS,
) -> None:
    """Write a network's final heatmaps as ONNX, once onnxruntime agrees with torch within 1e-4.

    The file's metadata say how it must be fed and read. Needs pip install 'kpkit[onnx]'.
    """
    from kpkit.core.errors import InputError
    from kpkit.exporters.onnx import describe, export_onnx
    from kpkit.inference.network import create_network
    from kpkit.models.weights import load_weights

    if out.suffix != ".onnx":
        raise InputError("the name does not end in .onnx", file=out)
    if weights is None and input_size is not None:
        raise InputError("--input-size goes with --weights", remedy="a recipe has its own")
    network, codec, file = (
        _of_recipe(what, data, runs) if weights is None else _of_file(what, weights, input_size)
    )
    net = create_network(network)
    load_weights(net, file)
    export_onnx(net, out, describe(net, network, codec))
    (h, w), (rows, columns) = net.input_size, net.heatmap_size
    print(f"wrote {out}: images (N, 3, {h}, {w}) to heatmaps (N, {net.keypoints}, {rows}, {columns})")


def _of_recipe(name: str, data: Path | None, runs: Path) -> tuple[NetworkSpec, CodecSpec, Path]:
    """A recipe's tables and the weights of its artefact, or those it takes over without training."""
    from kpkit.core.errors import InputError
    from kpkit.ensembles.members import WEIGHTS
    from kpkit.pipeline.context import Context
    from kpkit.pipeline.graph import GraphBuilder
    from kpkit.specs.loader import load

    document = load(name, "recipe")
    spec = document.spec
    if not spec.training.phases:
        return spec.network, spec.codec, document.path.parent / spec.weights
    node = GraphBuilder(Context(data, runs)).recipe(document)
    if node.missing:
        raise InputError(f"which of its trainings is meant depends on its data: {node.missing[0]}")
    if not node.artefact.done:
        raise InputError("not trained yet", file=document.path, remedy=f"kpkit train {name}")
    return spec.network, spec.codec, node.artefact.folder / WEIGHTS


def _of_file(
    name: str, weights: Path, input_size: tuple[int, int] | None
) -> tuple[NetworkSpec, CodecSpec | None, Path]:
    """A network as the manifest beside its weights describes it, or by its name alone."""
    from kpkit.core.errors import InputError
    from kpkit.models.catalogue import find_model
    from kpkit.models.weights.manifest import manifest_path, read_manifest
    from kpkit.specs.base import parse
    from kpkit.specs.recipe import CodecSpec, NetworkSpec

    find_model(name)
    if not weights.is_file():
        raise InputError("no such file", file=weights)
    if not manifest_path(weights).is_file():
        size = {} if input_size is None else {"input_size": input_size}
        return parse(NetworkSpec, {"name": name, **size}, "--input-size"), None, weights
    said = read_manifest(weights, verify=True)
    if said.network != name or said.part != "network":
        what = said.network if said.part == "network" else f"the encoder of {said.network}"
        raise InputError(f"its manifest says they are weights of {what}, not of {name}", file=weights)
    if input_size not in (None, said.input_size):
        raise InputError(f"its manifest says input size {said.input_size}", file=weights)
    shared = said.model_dump(
        include={"skeleton", "input_size", "options", "mean", "std", "channel_order"}, mode="json"
    )
    file = manifest_path(weights)
    return parse(NetworkSpec, {"name": name, **shared}, file), parse(CodecSpec, said.codec, file), weights
