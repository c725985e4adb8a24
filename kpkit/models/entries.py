"""What the catalogue holds of each network: plain data, read without torch."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from kpkit.models.network import PoseNetwork

SMALL, LARGE = (256, 192), (384, 288)
"""The papers' two input sizes, (height, width) in pixels."""

RESNET50, RESNET101, RESNET152 = (3, 4, 6, 3), (3, 4, 23, 3), (3, 8, 36, 3)
"""Blocks per stage."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """One row of a paper's or a public repository's table.

    Attributes:
        input_size: (height, width) in pixels; None where it is not known.
        gflops: multiply-accumulates in units of 10^9 or 2^30, as the source counts them.
        ap: AP in percent on COCO val2017 (minival), with detected boxes.
        source: where the figures stand.
    """

    input_size: tuple[int, int] | None
    gflops: float | None = None
    ap: float | None = None
    source: str


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One network of the catalogue.

    Attributes:
        name: what ``create_model`` takes.
        family: paper's name of the design.
        backbone: its encoder.
        builder: ``module:constructor``; the module is imported when the network is built.
        options: the constructor's arguments that make this size.
        pretrained: timm's name of ImageNet (or MAE) weights that fit the encoder, empty if there are none.
        published_params: parameters in millions as published, auxiliary decoder included; None if nowhere.
        published: the rows of the result tables.
        input_shape: of one input, without the batch, of a companion: a module that works beside a pose
            network and takes no crop. Empty for pose networks, whose input is a crop of any size.
        refines: it reads a pose beside the crop and makes it better; no member of an ensemble.
    """

    name: str
    family: str
    backbone: str
    builder: str
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    pretrained: str = ""
    published_params: float | None = None
    published: tuple[Published, ...] = ()
    input_shape: tuple[int, ...] = ()
    refines: bool = False

    def constructor(self) -> Callable[..., PoseNetwork]:
        """The network's class or function; a companion's gives a plain module."""
        module, name = self.builder.split(":")
        return cast("Callable[..., PoseNetwork]", getattr(importlib.import_module(module), name))
