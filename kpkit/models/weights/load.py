"""Weights on disk: written whole or not at all, read strictly, never by running code."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from kpkit.core.errors import InputError
from kpkit.core.files import replacing

SOURCES = ("kpkit",)


def save_weights(net: nn.Module, path: str | Path) -> None:
    """Write every tensor of ``net`` (parameters and batch norm statistics) to a safetensors file.

    The file takes its name when it is complete; equal tensors give equal bytes.
    """
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in net.state_dict().items()}
    with replacing(path) as temporary:
        save_file(state, temporary)


def load_weights(net: nn.Module, path: str | Path, source: str = "kpkit") -> None:
    """Fill ``net`` from a file; every tensor of both must be accounted for.

    Args:
        net: a network of the file's name and options; unchanged when the file is refused.
        path: what ``save_weights`` wrote.
        source: who named the tensors; only ``"kpkit"`` is known.

    Raises:
        InputError: no such file, not a safetensors file, truncated, or tensors that are missing, left over
            or of another shape (listed).
    """
    if source not in SOURCES:
        raise InputError(f"weights source {source!r} is unknown", remedy=f"known: {', '.join(SOURCES)}")
    if not Path(path).is_file():
        raise InputError("no such file", file=path)
    try:
        state = load_file(path)
    except SafetensorError as error:
        raise InputError(
            f"not a whole safetensors file ({error})",
            file=path,
            remedy="give what kpkit wrote, or write it again",
        ) from None
    _check_fits(net.state_dict(), state, path)
    net.load_state_dict(state)


def _check_fits(wanted: dict[str, Tensor], state: dict[str, Tensor], path: str | Path) -> None:
    faults = []
    if missing := [name for name in wanted if name not in state]:
        faults.append(f"{len(missing)} missing ({_some(missing)})")
    if extra := [name for name in state if name not in wanted]:
        faults.append(f"{len(extra)} unexpected ({_some(extra)})")
    shapes = [
        f"{name} is {tuple(state[name].shape)}, not {tuple(wanted[name].shape)}"
        for name in wanted
        if name in state and state[name].shape != wanted[name].shape
    ]
    if shapes:
        faults.append(f"{len(shapes)} of another shape ({_some(shapes)})")
    if faults:
        raise InputError(
            f"its tensors do not fit the network: {'; '.join(faults)}",
            file=path,
            remedy="use the network name and options these weights were trained with",
        )


def _some(names: Iterable[str], most: int = 5) -> str:
    names = list(names)
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
