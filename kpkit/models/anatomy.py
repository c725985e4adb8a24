"""A network taken apart: its modules with their types, parameters, work and output shapes."""

from __future__ import annotations

import itertools
import sys
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from kpkit.models.count import Meter
from kpkit.models.shapes import meta_twins, run_shapes


@dataclass(frozen=True, kw_only=True)
class Part:
    """One module, or several alike in a row.

    Attributes:
        name: under its parent; ``1-5`` for several.
        kind: its class.
        times: how many alike stand in a row; the figures are of one of them.
        params: its parameters, those of its parts included.
        gmacs: its multiply-accumulates for one input in 10^9, likewise.
        shapes: of what it returns at its last call, without the batch; empty if it is never called itself.
        parts: what it is made of, in the order of their first calls. Modules without parameters are left out
            where they keep the shape.
    """

    name: str
    kind: str
    times: int = 1
    params: int
    gmacs: float
    shapes: tuple[tuple[int, ...], ...]
    parts: tuple[Part, ...] = ()


@dataclass
class _Seen:
    """What happened at a module's calls.

    Attributes:
        first: calls of all modules before its own first one.
        inputs, outputs: shapes at its last call.
        macs: multiply-accumulates of its own, not within modules that it calls.
    """

    first: int = sys.maxsize
    inputs: tuple[tuple[int, ...], ...] = ()
    outputs: tuple[tuple[int, ...], ...] = ()
    macs: int = 0


def dissect(module: nn.Module, input_shape: tuple[int, ...]) -> Part:
    """Take a module apart by one forward pass of shapes, in evaluation mode.

    Args:
        module: left as it was; best built under ``blueprint``.
        input_shape: of its one input, without the batch.
    """
    seen = {part: _Seen() for part in module.modules()}
    running: list[nn.Module] = []
    meter, calls = Meter(), itertools.count()

    def settle() -> None:
        if running:
            seen[running[-1]].macs += meter.macs
        meter.macs = 0

    def enter(part: nn.Module, inputs: Any) -> None:
        settle()
        running.append(part)
        seen[part].first = min(seen[part].first, next(calls))
        seen[part].inputs = _shapes(inputs)

    def leave(part: nn.Module, _inputs: Any, output: Any) -> None:
        settle()
        running.pop()
        seen[part].outputs = _shapes(output)

    handles = [part.register_forward_pre_hook(enter) for part in seen]
    handles += [part.register_forward_hook(leave) for part in seen]
    try:
        with meter:
            run_shapes(module, meta_twins(module), input_shape)
    finally:
        for handle in handles:
            handle.remove()
    return _part("", module, seen)


def _part(name: str, module: nn.Module, seen: dict[nn.Module, _Seen]) -> Part:
    parts: list[Part] = []
    children = sorted(module.named_children(), key=lambda item: min(seen[m].first for m in item[1].modules()))
    for child_name, child in children:
        if next(child.parameters(), None) is None and seen[child].inputs == seen[child].outputs:
            continue
        part = _part(child_name, child, seen)
        if parts and _alike(parts[-1], part):
            first = parts[-1].name.split("-")[0]
            parts[-1] = replace(parts[-1], name=f"{first}-{child_name}", times=parts[-1].times + 1)
        else:
            parts.append(part)
    return Part(
        name=name,
        kind=type(module).__name__,
        params=sum(p.numel() for p in module.parameters()),
        gmacs=seen[module].macs / 1e9 + sum(part.gmacs * part.times for part in parts),
        shapes=seen[module].outputs,
        parts=tuple(parts),
    )


def _alike(one: Part, other: Part) -> bool:
    return replace(one, name="", times=1) == replace(other, name="")


def _shapes(values: Any) -> tuple[tuple[int, ...], ...]:
    """Shapes of the tensors among a module's inputs or outputs, without the batch."""
    if isinstance(values, Tensor):
        return (tuple(values.shape[1:]),)
    if isinstance(values, list | tuple):
        return tuple(shape for value in values for shape in _shapes(value))
    return ()
