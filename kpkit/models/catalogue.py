"""Every network by name: what builds it, with which sizes, and what its paper reports.

The table is plain data and reads without torch; torch is imported when a network is built.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from kpkit.core.errors import InputError

if TYPE_CHECKING:
    from kpkit.models.network import PoseNetwork

Builder = Callable[[], "Callable[..., PoseNetwork]"]


@dataclass(frozen=True, kw_only=True)
class Published:
    """One row of a paper's or a public repository's table.

    Attributes:
        input_size: (height, width) in pixels.
        gflops: multiply-accumulates in units of 10^9 or 2^30, as the source counts them.
        ap: AP in percent on COCO val2017 (minival), with detected boxes.
        source: where the figures stand.
    """

    input_size: tuple[int, int]
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
        builder: returns the constructor; torch is imported by this call only.
        options: the constructor's arguments that make this size.
        published_params: parameters in millions as published, auxiliary decoder included; None if nowhere.
        published: the rows of the result tables.
    """

    name: str
    family: str
    backbone: str
    builder: Builder
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    published_params: float | None = None
    published: tuple[Published, ...] = ()


def _cpn() -> Callable[..., PoseNetwork]:
    from kpkit.models.cpn import CPN

    return CPN


def _mspn() -> Callable[..., PoseNetwork]:
    from kpkit.models.mspn import MSPN

    return MSPN


def _ccm_resnet() -> Callable[..., PoseNetwork]:
    from kpkit.models.ccm import ccm_resnet

    return ccm_resnet


def _ccm_hrnet() -> Callable[..., PoseNetwork]:
    from kpkit.models.ccm import ccm_hrnet

    return ccm_hrnet


SMALL, LARGE = (256, 192), (384, 288)
RESNET50, RESNET101, RESNET152 = (3, 4, 6, 3), (3, 4, 23, 3), (3, 8, 36, 3)


def _mspn_entry(stages: int, *published: Published) -> Entry:
    return Entry(
        name=f"mspn_resnet50_x{stages}",
        family="MSPN",
        backbone="ResNet-50",
        builder=_mspn,
        options={"stages": stages, "depths": RESNET50},
        published_params=71.9 if stages == 4 else None,
        published=published,
    )


_ENTRIES = (
    Entry(
        name="cpn_resnet50",
        family="CPN",
        backbone="ResNet-50",
        builder=_cpn,
        options={"depths": RESNET50},
        published_params=27.0,
        published=(
            Published(input_size=SMALL, gflops=6.2, ap=69.4, source="CPN paper"),
            Published(input_size=LARGE, gflops=13.9, ap=71.6, source="CPN paper"),
        ),
    ),
    Entry(
        name="cpn_resnet101",
        family="CPN",
        backbone="ResNet-101",
        builder=_cpn,
        options={"depths": RESNET101},
        published=(Published(input_size=LARGE, ap=72.9, source="tf-cpn repository"),),
    ),
    _mspn_entry(1, Published(input_size=SMALL, ap=71.5, source="MSPN repository")),
    _mspn_entry(2, Published(input_size=SMALL, ap=74.5, source="MSPN repository")),
    _mspn_entry(3, Published(input_size=SMALL, ap=75.2, source="MSPN repository")),
    _mspn_entry(
        4,
        Published(input_size=SMALL, ap=75.9, source="MSPN repository"),
        Published(input_size=LARGE, gflops=58.7, ap=76.9, source="MSPN repository; GFLOPs: CCM Table 11"),
    ),
    Entry(
        name="ccm_resnet50",
        family="CCM",
        backbone="ResNet-50",
        builder=_ccm_resnet,
        options={"depths": RESNET50, "channels": (256, 256, 256)},
        published_params=40.7,
        published=(Published(input_size=SMALL, gflops=45.4, ap=74.3, source="CCM Table 10"),),
    ),
    Entry(
        name="ccm_resnet152",
        family="CCM",
        backbone="ResNet-152",
        builder=_ccm_resnet,
        options={"depths": RESNET152, "channels": (128, 96, 64)},
        published_params=63.5,
        published=(Published(input_size=LARGE, gflops=40.1, ap=76.7, source="CCM Table 10"),),
    ),
    Entry(
        name="ccm_hrnet_w32",
        family="CCM",
        backbone="HRNet-w32",
        builder=_ccm_hrnet,
        options={"width": 32, "channels": (32,)},
        published_params=28.6,
        published=(Published(input_size=SMALL, gflops=7.92, ap=76.7, source="CCM Table 10"),),
    ),
    Entry(
        name="ccm_hrnet_w48",
        family="CCM",
        backbone="HRNet-w48",
        builder=_ccm_hrnet,
        options={"width": 48, "channels": (48,)},
        published_params=63.7,
        published=(Published(input_size=LARGE, gflops=36.6, ap=77.5, source="CCM Table 10"),),
    ),
)

CATALOGUE: Mapping[str, Entry] = MappingProxyType({entry.name: entry for entry in _ENTRIES})


def find_model(name: str) -> Entry:
    """The catalogue's row of a name; raises InputError naming the nearest known one."""
    if name in CATALOGUE:
        return CATALOGUE[name]
    near = difflib.get_close_matches(name, CATALOGUE, n=1, cutoff=0.0)[0]
    raise InputError(
        f"no network is called {name!r}", remedy=f"did you mean {near!r}? ('kpkit models' lists all)"
    )


def model_options(name: str) -> dict[str, Any]:
    """The options a network takes, with this name's values, in the constructor's order.

    ``keypoints`` and ``input_size`` are not among them: ``create_model`` takes them itself.
    """
    entry = find_model(name)
    parameters = inspect.signature(entry.builder()).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.name not in ("keypoints", "input_size")}
    return {**defaults, **entry.options}


def create_model(
    name: str, *, input_size: tuple[int, int] = (256, 192), keypoints: int = 17, **options: Any
) -> PoseNetwork:
    """Build a network with fresh parameters from torch's global generator.

    Args:
        name: a name of the catalogue, such as ``"cpn_resnet50"``.
        input_size: (height, width) of the crops in pixels, multiples of 32.
        keypoints: K.
        options: override the builder's parameters (``width``, ``depths``, ``channels`` ...); numbers may be
            given as lists, as TOML gives them.

    Raises:
        InputError: an unknown name or option, or a value the network cannot take.
    """
    known = model_options(name)
    for key, value in options.items():
        if key not in known:
            raise InputError(
                f"network {name} has no option {key!r}", remedy=f"it takes {', '.join(sorted(known))}"
            )
        known[key] = _like(name, key, value, known[key])
    try:
        return find_model(name).builder()(keypoints=keypoints, input_size=tuple(input_size), **known)
    except ValueError as error:
        raise InputError(f"network {name}: {error}") from error


def _like(name: str, key: str, value: Any, default: Any) -> Any:
    """``value`` in the type of ``default``, or InputError."""
    if isinstance(default, tuple):
        if isinstance(value, Sequence) and not isinstance(value, str) and all(type(v) is int for v in value):
            return tuple(value)
        kind = "a list of whole numbers"
    elif isinstance(default, float):
        if type(value) in (int, float):
            return float(value)
        kind = "a number"
    else:
        if type(value) is type(default):
            return value
        kind = {bool: "true or false", int: "a whole number", str: "a text"}[type(default)]
    raise InputError(f"network {name}: option {key!r} is {value!r}, not {kind}")
