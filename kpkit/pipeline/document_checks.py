"""Faults between documents and networks that can be told before hours of training."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from kpkit.core.errors import InputError, KpkitError
from kpkit.core.skeletons import COCO17, SKELETONS
from kpkit.heatmaps.blend import common_codec
from kpkit.inference.network import codec_of, create_network
from kpkit.models.catalogue import find_model, model_options
from kpkit.models.network import PoseNetwork
from kpkit.models.weights.carry import carried_heads
from kpkit.models.weights.manifest import manifest_path, read_manifest
from kpkit.models.weights.sources.own import STEM, beside_poses
from kpkit.specs.loader import Document
from kpkit.specs.recipe import CodecSpec, NetworkSpec, RecipeSpec


def weightless(spec: NetworkSpec) -> PoseNetwork:
    """The network on torch's meta device: its shape and size without memory for weights.

    Raises InputError for a name, an option or a value the catalogue refuses.
    """
    return _weightless(spec.model_dump_json())


@lru_cache(maxsize=256)
def _weightless(network: str) -> PoseNetwork:
    spec = NetworkSpec.model_validate_json(network)
    with torch.device("meta"):
        return create_network(spec)


def check_network(document: Document, *, built: bool) -> None:
    """Refuse a recipe whose network cannot be.

    Args:
        document: the recipe.
        built: also try the options' values; a trained recipe needs names checked alone.
    """
    network = document.spec.network
    try:
        known = model_options(network.name)
    except InputError as error:
        raise InputError(error.cause, file=document.path, row="network.name", remedy=error.remedy) from None
    for option in network.options:
        if option not in known:
            raise InputError(
                f"{network.name} has no option {option!r}",
                file=document.path,
                row=f"network.options.{option}",
                remedy=f"known: {', '.join(sorted(known))}",
            )
    refines = find_model(network.name).refines
    if refines != (document.spec.refinement is not None):
        raise InputError(
            f"{network.name} {'refines' if refines else 'does not refine'} poses",
            file=document.path,
            row="refinement",
            remedy="give the recipe a [refinement]" if refines else "leave it out, or name a posefix network",
        )
    if built:
        try:
            shape = weightless(network)
        except InputError as error:
            raise InputError(str(error), file=document.path) from None
        training = document.spec.training
        if training.layer_decay < 1 and not shape.layers():
            raise InputError(
                f"{network.name} has no layers for the learning rate to decay over",
                file=document.path,
                row="training.layer_decay",
                remedy="leave it out",
            )
        thresholds = training.resampling.thresholds if training.resampling else ()
        if thresholds and len(thresholds) != shape.stage_count - 1:
            later = shape.stage_count - 1
            raise InputError(
                f"is for {_counted(len(thresholds), 'later stage')}, {network.name} has {later or 'none'}",
                file=document.path,
                row="training.resampling.thresholds",
                remedy="give one for each stage after the first" if later else "leave resampling out",
            )


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def check_weights(document: Document, weights: Path) -> None:
    """Refuse an untrained recipe that reads imported weights otherwise than they were made.

    Wrong colours, margins or peaks raise no error in a network; they only cost AP.

    Args:
        document: a recipe without training phases.
        weights: the file it names. One without a manifest beside it (kpkit's own) is not checked.
    """
    if not manifest_path(weights).is_file():
        return
    manifest = read_manifest(weights, verify=True)
    if manifest.part != "network":
        cause = f"{weights.name} fills the encoder only; the rest of {manifest.network} must be trained"
        raise InputError(cause, file=document.path, row="weights", remedy="name training.phases")
    spec: RecipeSpec = document.spec
    made = CodecSpec.model_validate(manifest.codec | {"peak": manifest.peak})
    pairs: dict[str, tuple[Any, Any]] = {
        "network.name": (spec.network.name, manifest.network),
        "network.options": (_options(spec.network.options), _options(manifest.options)),
        **{
            f"network.{key}": (getattr(spec.network, key), getattr(manifest, key))
            for key in ("skeleton", "input_size", "mean", "std", "channel_order")
        },
        **{
            f"codec.{key}": (getattr(spec.codec, key), getattr(made, key))
            for key in ("convention", "margins", "padding", "peak")
        },
    }
    for row, (found, wanted) in pairs.items():
        if found != wanted:
            raise InputError(
                f"is {found!r}, but {weights.name} was made with {wanted!r}",
                file=document.path,
                row=row,
                remedy="take over the recipe that import-weights wrote beside the weights",
            )


def start_source(document: Document, started: Document) -> str:
    """How a recipe reads the weights it starts from, a source of ``load_weights``.

    A refiner takes the encoder of a network that finds keypoints; whatever else starts takes all.
    """
    return "kpkit-encoder" if document.spec.refinement and not started.spec.refinement else "kpkit"


def check_start(document: Document, started: Document) -> None:
    """Refuse a recipe that starts from a network whose weights do not fit its own.

    Args:
        document: the recipe.
        started: the recipe it names as ``start``.
    """
    seen, taught = (d.spec.network for d in (document, started))
    looks = ("channel_order", "mean", "std")
    if other := next((name for name in looks if getattr(seen, name) != getattr(taught, name)), None):
        raise InputError(
            f"{started.name} sees pictures otherwise: {other} is {getattr(taught, other)} there, "
            f"{getattr(seen, other)} here",
            file=document.path,
            row="start",
            remedy="give both recipes the same channel_order, mean and std",
        )
    network = weightless(seen)
    ours, theirs = (net.state_dict() for net in (network, weightless(taught)))
    if start_source(document, started) == "kpkit":
        skeletons = (SKELETONS[kind.skeleton] for kind in (taught, seen))
        carried = theirs | carried_heads(theirs, ours, *skeletons)
    else:
        ours, carried = (
            {name: tensor for name, tensor in tensors.items() if name.startswith("encoder.")}
            for tensors in (ours, theirs)
        )
        if STEM in carried:
            carried[STEM] = beside_poses(carried[STEM], network)
    other = next((n for n in ours | carried if _shape(ours, n) != _shape(carried, n)), None)
    if other is not None:
        raise InputError(
            f"the weights of {started.name} do not fit: {other} is {_shape(carried, other)} there, "
            f"{_shape(ours, other)} here",
            file=document.path,
            row="start",
            remedy="give both recipes the same network and options",
        )


def _shape(tensors: Mapping[str, torch.Tensor], name: str) -> str:
    return str(tuple(tensors[name].shape)) if name in tensors else "missing"


def _options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options with lists and tuples alike."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in options.items()}


def check_members(document: Document, members: Mapping[str, RecipeSpec]) -> None:
    """Refuse members that cannot be blended (promise P4).

    Args:
        document: the ensemble or pseudo-label document that names them.
        members: name -> recipe.
    """
    for name, spec in members.items():
        if spec.refinement:
            raise InputError(
                f"{name} refines poses and has no heatmaps to blend",
                file=document.path,
                remedy="leave it out of the members",
            )
        if spec.network.skeleton != COCO17.name:
            raise InputError(
                f"{name} finds the keypoints of {spec.network.skeleton}, not of {COCO17.name}",
                file=document.path,
                remedy=f'train a recipe of {COCO17.name} with start = "{name}", and name that',
            )
    codecs = [codec_of(spec, weightless(spec.network)) for spec in members.values()]
    try:
        common_codec(codecs, list(members), document.spec.common_stride)
    except KpkitError as error:
        raise InputError(str(error), file=document.path) from None
