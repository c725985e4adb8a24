"""Faults between documents and networks that can be told before hours of training."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import torch

from kpkit.core.errors import InputError, KpkitError
from kpkit.heatmaps.blend import common_codec
from kpkit.inference.network import codec_of
from kpkit.models.catalogue import create_model, model_options
from kpkit.models.network import PoseNetwork
from kpkit.specs.loader import Document
from kpkit.specs.recipe import NetworkSpec, RecipeSpec


def weightless(spec: NetworkSpec) -> PoseNetwork:
    """The network on torch's meta device: its shape and size without memory for weights.

    Raises InputError for a name, an option or a value the catalogue refuses.
    """
    return _weightless(spec.model_dump_json())


@lru_cache(maxsize=256)
def _weightless(network: str) -> PoseNetwork:
    spec = NetworkSpec.model_validate_json(network)
    with torch.device("meta"):
        return create_model(spec.name, input_size=spec.input_size, **spec.options)


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
    if built:
        try:
            weightless(network)
        except InputError as error:
            raise InputError(str(error), file=document.path) from None


def check_members(document: Document, members: Mapping[str, RecipeSpec]) -> None:
    """Refuse members that cannot be blended (promise P4).

    Args:
        document: the ensemble or pseudo-label document that names them.
        members: name -> recipe.
    """
    codecs = [codec_of(spec, weightless(spec.network)) for spec in members.values()]
    try:
        common_codec(codecs, list(members), document.spec.common_stride)
    except KpkitError as error:
        raise InputError(str(error), file=document.path) from None
