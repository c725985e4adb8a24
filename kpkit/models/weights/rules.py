"""What kpkit knows of a source: its tensors' names in each family, and how its networks are fed and read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from torch import Tensor

    from kpkit.models.network import PoseNetwork

Convert = Callable[["Tensor", "PoseNetwork"], "Tensor"]
"""A tensor as the source keeps it, and the network it is for, to the tensor the network wants."""


@dataclass(frozen=True, kw_only=True)
class Convention:
    """How a source's networks are fed and read; what a recipe document says of them.

    Attributes:
        mean, std: of pictures scaled to 0..1, in ``channel_order``.
        channel_order: ``"rgb"`` or ``"bgr"``.
        codec: the ``[codec]`` table.
        codec_at: further keys of it at an input size, (height, width).
        decode: the ``[decode]`` table, as the source's own test program does it.
        poses: the ``[poses]`` table, likewise.
    """

    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    channel_order: Literal["rgb", "bgr"] = "rgb"
    codec: Mapping[str, Any] = field(default_factory=dict)
    codec_at: Mapping[tuple[int, int], Mapping[str, Any]] = field(default_factory=dict)
    decode: Mapping[str, Any] = field(default_factory=dict)
    poses: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How one source names the tensors of one family of networks.

    Attributes:
        renames: (pattern, replacement) pairs of ``re.sub``, applied in order to each name in the file. A
            ``*`` in the result stands for every stage of the network: they all get the tensor.
        drops: patterns of names in the file, as they stand there, that the network has no place for.
        zeros: patterns of the network's names that the source lacks because it computes without them,
            which is the same as zero.
        fills: patterns of the network's names that the file must fill; the rest stays as it is.
        converts: by pattern of the network's name, what makes the source's tensor fit.
        conventions: by name; the first is the one meant where nobody says otherwise.
    """

    renames: tuple[tuple[str, str], ...] = ()
    drops: tuple[str, ...] = ()
    zeros: tuple[str, ...] = ()
    fills: tuple[str, ...] = ("",)
    converts: Mapping[str, Convert] = field(default_factory=dict)
    conventions: Mapping[str, Convention] = field(default_factory=dict)

    @property
    def part(self) -> Literal["network", "backbone"]:
        """Whether the whole network is filled, or only its encoder."""
        return "network" if "" in self.fills else "backbone"

    def renamed(self, name: str) -> str:
        """The network's name (or pattern with ``*``) of a name in the file."""
        for pattern, replacement in self.renames:
            name = re.sub(pattern, replacement, name)
        return name


def matches(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether one of the patterns is found in the name."""
    return any(re.search(pattern, name) for pattern in patterns)
