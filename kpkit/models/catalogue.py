"""Every network by name. The rows stand in ``families``, one file per paper."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from kpkit.core.errors import InputError
from kpkit.models.entries import Entry
from kpkit.models.families import ccm, cpn, hrnet, mspn, multiposenet, posefix, rsn, simplebaseline, vitpose

if TYPE_CHECKING:
    from kpkit.models.network import PoseNetwork

CATALOGUE: Mapping[str, Entry] = MappingProxyType(
    {
        entry.name: entry
        for family in (simplebaseline, hrnet, cpn, mspn, rsn, ccm, vitpose, multiposenet, posefix)
        for entry in family.ENTRIES
    }
)

COMPANIONS: Mapping[str, Entry] = MappingProxyType({entry.name: entry for entry in multiposenet.COMPANIONS})
"""Networks that work beside pose networks and take no crop, each with its ``input_shape``."""


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
    parameters = inspect.signature(entry.constructor()).parameters.values()
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
        return find_model(name).constructor()(keypoints=keypoints, input_size=tuple(input_size), **known)
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
