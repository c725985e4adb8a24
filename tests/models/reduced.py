"""Every network of the catalogue at a size that trains in seconds: the table the sweep reads.

A new constructor needs one row here. Names that reduce to the same options are one network to the sweep, so
rows should override what merely makes a network bigger (widths, depths) and leave what makes it different.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kpkit.models.catalogue import CATALOGUE, create_model, model_options
from kpkit.models.network import PoseNetwork


@dataclass(frozen=True, kw_only=True)
class Reduced:
    """How a constructor's networks are reduced.

    Attributes:
        options: override the name's own options.
        at_most: numbers that are cut down where the name's own is higher.
        input_size: (height, width) of the crops, as small as the network takes; not square where it can be.
        learning_rate: of the overfit test's Adam.
        steps: of the overfit test, at most.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    at_most: Mapping[str, int] = field(default_factory=dict)
    input_size: tuple[int, int] = (96, 64)
    learning_rate: float = 1e-2
    steps: int = 150


# By catalogue name, else by ``Entry.builder``.
REDUCED: dict[str, Reduced] = {
    # Kaiming: so narrow, the published N(0, 0.001^2) is below the epsilon of the batch norms behind it.
    "kpkit.models.simplebaseline:SimpleBaseline": Reduced(
        options={"width": 8, "depths": (1, 1, 2, 1), "deconvolutions": (16, 16, 16), "init": "kaiming"},
    ),
    "kpkit.models.posefix:PoseFix": Reduced(
        options={"width": 8, "depths": (1, 1, 2, 1), "deconvolutions": (16, 16, 16)},
    ),
    "kpkit.models.hrnet:PoseHRNet": Reduced(
        options={"width": 8, "modules": (1, 1, 1), "init": "kaiming"}, learning_rate=3e-3
    ),
    # Nothing is dropped: of two crops a block may see none, and its gradient is zero then.
    "kpkit.models.vitpose:ViTPose": Reduced(
        options={"width": 32, "depth": 2, "heads": 2, "drop_path": 0.0, "deconvolutions": (16, 16)},
        learning_rate=3e-3,
    ),
    "kpkit.models.cpn:cpn_resnet": Reduced(options={"width": 8, "channels": 16, "depths": (1, 1, 2, 1)}),
    "kpkit.models.cpn:cpn_inception_resnet": Reduced(
        options={"width": 4, "channels": 16, "depths": (1, 1, 1)}
    ),
    "kpkit.models.mspn:MSPN": Reduced(
        options={"width": 8, "channels": 16, "depths": (1, 1, 2, 1)}, at_most={"stages": 2}
    ),
    "kpkit.models.rsn:RSN": Reduced(
        options={"width": 8, "channels": 16, "depths": (1, 1, 2, 1)}, at_most={"stages": 2}
    ),
    "kpkit.models.ccm:ccm_resnet": Reduced(
        options={"width": 8, "channels": (16, 16, 16), "depths": (1, 1, 2, 2)}
    ),
    "ccm_resnext50": Reduced(options={"width": 16, "channels": (16, 16, 16), "depths": (1, 1, 2, 2)}),
    "ccm_mobilenet_v2": Reduced(options={"width": 8, "channels": (16, 16, 16)}),
    "ccm_shufflenet_v2": Reduced(options={"width": 16, "channels": (16, 16, 16)}),
    "kpkit.models.multiposenet:KeypointSubnet": Reduced(
        options={"width": 8, "channels": 16, "depths": (1, 1, 2, 1)}, learning_rate=3e-3
    ),
    "kpkit.models.ccm:ccm_hrnet": Reduced(options={"width": 8, "channels": (16,), "modules": (1, 1, 1)}),
}


def reduction(name: str) -> Reduced:
    """The row of a name."""
    builder = CATALOGUE[name].builder
    row = REDUCED.get(name) or REDUCED.get(builder)
    assert row is not None, f"add a row for {builder!r} to REDUCED in tests/models/reduced.py"
    return row


def reduced_options(name: str) -> dict[str, Any]:
    """What a name's constructor is given, reduced."""
    row, options = reduction(name), model_options(name)
    return options | {key: min(options[key], most) for key, most in row.at_most.items()} | dict(row.options)


def reduced(name: str, **options: Any) -> PoseNetwork:
    """A small network of the same making."""
    return create_model(
        name, **{"input_size": reduction(name).input_size, **reduced_options(name), **options}
    )


def distinct_names() -> list[str]:
    """One name of each network that is left different after reduction; a name without a row stands too."""
    first: dict[str, str] = {}
    for name, entry in CATALOGUE.items():
        known = name in REDUCED or entry.builder in REDUCED
        made = f"{entry.builder} {sorted(reduced_options(name).items())}" if known else name
        first.setdefault(made, name)
    return list(first.values())
