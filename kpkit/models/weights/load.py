"""Filling a network from a file, strictly: every tensor of both is accounted for, or nothing is changed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from kpkit.core.errors import InputError
from kpkit.core.files import replacing
from kpkit.core.skeletons import Skeleton
from kpkit.models.network import PoseNetwork
from kpkit.models.weights.carry import SKELETON, carried_heads, skeleton_of
from kpkit.models.weights.checkpoint import read_checkpoint
from kpkit.models.weights.manifest import manifest_path, read_manifest
from kpkit.models.weights.rules import Rules, matches
from kpkit.models.weights.sources import find_rules


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What a file did to a network.

    Attributes:
        source: who named the file's tensors.
        part: ``"network"``, or ``"backbone"`` where only the encoder was filled.
        loaded: names of the network that the file filled.
        zeroed: names of the network that the source computes without: convolution biases in front of batch
            norms, and batch norms' step counters, which old files lack.
        dropped: names in the file that the network has no place for, by the source's rules.
        fresh: names of the network that kept the values they had.
    """

    source: str
    part: Literal["network", "backbone"]
    loaded: tuple[str, ...]
    zeroed: tuple[str, ...]
    dropped: tuple[str, ...]
    fresh: tuple[str, ...]


def save_weights(net: nn.Module, path: str | Path, skeleton: Skeleton | None = None) -> None:
    """Write every tensor of ``net`` (parameters and batch norm statistics) to a safetensors file.

    The file takes its name when it is complete; equal tensors give equal bytes. It tells the ``skeleton`` of
    the heads, where one is given.
    """
    save_tensors(net.state_dict(), path, {SKELETON: skeleton.name} if skeleton else None)


def save_tensors(
    tensors: Mapping[str, Tensor], path: str | Path, metadata: dict[str, str] | None = None
) -> None:
    """Write tensors by name to a safetensors file, atomically."""
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with replacing(path) as temporary:
        temporary.touch()
        mode = temporary.stat().st_mode  # safetensors would leave a file that its owner alone can read
        save_file(state, temporary, metadata)
        temporary.chmod(mode)


def load_weights(
    net: nn.Module, path: str | Path, source: str = "kpkit", *, skeleton: Skeleton | None = None
) -> Loaded:
    """Fill ``net`` from a file; every tensor of both must be accounted for.

    Opening the file runs none of its code. Wrappers (``state_dict``, ``model``, averaged weights first) and
    the ``module.`` of parallel training are understood; step counters of batch norms, which files older
    than torch 0.4.1 lack, become zero.

    Args:
        net: a network (or companion) of the file's architecture; unchanged when the file is refused.
        path: a safetensors file, or what ``torch.save`` wrote, old format or new.
        source: who named the tensors, a key of ``SOURCES``. ``"timm"`` and ``"kpkit-encoder"`` fill the
            encoder alone; so does ``"kpkit"`` with a file that was imported as a backbone, as the manifest
            beside it says.
        skeleton: of ``net``'s heads; given, those of kpkit's own file for another skeleton are carried by
            keypoint name. Keypoints the file lacks keep what ``net`` had.

    Returns:
        What was loaded, dropped, and left as it was.

    Raises:
        InputError: an unknown source, one that knows no such network, a file that cannot be read, or
            tensors that are missing, left over or of another shape (listed).
    """
    rules = find_rules(net, source)
    tensors = read_checkpoint(path).tensors
    if source == "kpkit":
        rules = _as_imported(rules, path)
    wanted = net.state_dict()
    if source == "kpkit" and skeleton is not None:
        tensors |= carried_heads(tensors, wanted, skeleton_of(path), skeleton)
    origin, dropped = _assign(wanted, tensors, rules, path)
    state = {ours: _converted(net, ours, tensors[name], rules) for ours, name in origin.items()}
    zeroed = _zeros(wanted, state, rules)
    _check_fits(wanted, {**state, **zeroed}, origin, rules, path)
    net.load_state_dict({**wanted, **state, **zeroed})
    filled = state.keys() | zeroed.keys()
    return Loaded(
        source=source,
        part=rules.part,
        loaded=tuple(name for name in wanted if name in state),
        zeroed=tuple(zeroed),
        dropped=dropped,
        fresh=tuple(name for name in wanted if name not in filled),
    )


def _as_imported(rules: Rules, path: str | Path) -> Rules:
    """A backbone's file fills all but what its manifest says it lacks."""
    if not manifest_path(path).is_file():
        return rules
    manifest = read_manifest(path)
    if manifest.part == "network":
        return rules
    lacking = "|".join(map(re.escape, manifest.fresh))
    return Rules(fills=(rf"^(?!({lacking})$)",))


def _assign(
    wanted: Mapping[str, Tensor], tensors: Mapping[str, Tensor], rules: Rules, path: str | Path
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Which name of the file fills which of the network, and what is dropped."""
    origin: dict[str, str] = {}
    dropped = []
    for name in tensors:
        if matches(name, rules.drops):
            dropped.append(name)
            continue
        target = rules.renamed(name)
        targets = [target]
        if "*" in target:
            pattern = re.compile(re.escape(target).replace(r"\*", r"\d+"))
            targets = [ours for ours in wanted if pattern.fullmatch(ours)] or [target]
        for ours in targets:
            if ours in origin:
                raise InputError(f"its tensors {origin[ours]} and {name} both fill {ours}", file=path)
            origin[ours] = name
    return origin, tuple(dropped)


def _converted(net: nn.Module, ours: str, tensor: Tensor, rules: Rules) -> Tensor:
    for pattern, convert in rules.converts.items():
        if re.search(pattern, ours):
            return convert(tensor, cast(PoseNetwork, net))  # companions have no conversions
    return tensor


def _zeros(wanted: Mapping[str, Tensor], state: Mapping[str, Tensor], rules: Rules) -> dict[str, Tensor]:
    """What the source computes without, which is as good as zero.

    A file that has one of its ``zeros`` is held to have all: then a missing one is a fault. Step counters do
    not matter to a batch norm of fixed momentum and may be missing one by one.
    """
    patterns: tuple[str, ...] = (r"\.num_batches_tracked$",)
    if not any(matches(name, rules.zeros) for name in state):
        patterns += rules.zeros
    absent = [n for n in wanted if n not in state and matches(n, rules.fills) and matches(n, patterns)]
    return {name: torch.zeros_like(wanted[name]) for name in absent}


def _check_fits(
    wanted: Mapping[str, Tensor],
    state: Mapping[str, Tensor],
    origin: Mapping[str, str],
    rules: Rules,
    path: str | Path,
) -> None:
    faults = []
    if missing := [name for name in wanted if name not in state and matches(name, rules.fills)]:
        faults.append(f"{len(missing)} missing ({_some(missing)})")
    if extra := [origin[name] for name in state if name not in wanted]:
        faults.append(f"{len(extra)} unexpected ({_some(extra)})")
    shapes, kinds = [], []
    for name in (name for name in wanted if name in state):
        theirs, ours = state[name], wanted[name]
        if theirs.shape != ours.shape:
            shapes.append(f"{name} is {tuple(theirs.shape)}, not {tuple(ours.shape)}")
        elif theirs.is_floating_point() != ours.is_floating_point():
            kinds.append(f"{name} is of {theirs.dtype}")
    if shapes:
        faults.append(f"{len(shapes)} of another shape ({_some(shapes)})")
    if kinds:
        faults.append(f"{len(kinds)} of another kind ({_some(kinds)})")
    if faults:
        raise InputError(
            f"its tensors do not fit the network: {'; '.join(faults)}",
            file=path,
            remedy="use the source, network name, options and input size these weights were trained with",
        )


def _some(names: Iterable[str], most: int = 5) -> str:
    names = list(names)
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
