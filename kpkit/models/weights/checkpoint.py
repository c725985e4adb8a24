"""Tensors out of a file of any origin: safetensors, or what ``torch.save`` wrote, old format or new.

Nothing of the file is ever run. torch's weights-only reader builds tensors and plain containers; what
published checkpoints carry beside them (numpy figures, log buffers, parsed arguments) is read as an empty
placeholder by name, and every other name is refused.
"""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from kpkit.core.errors import InputError

WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model")
"""Keys under which training programs keep a network's tensors, the better average first."""

ONLY_TENSORS = "save its tensors alone: torch.save(network.state_dict(), FILE)"


@dataclass(frozen=True)
class Checkpoint:
    """A file's tensors by name, on the CPU, and the keys they were found under (``"state_dict"``)."""

    tensors: dict[str, Tensor]
    found_in: str


class _Placeholder:
    """Stands for an object that is not wanted: takes any arguments, keeps nothing."""

    def __new__(cls, *_: object) -> _Placeholder:
        return super().__new__(cls)

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


_NOT_WANTED = (
    *(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("scalar", "_reconstruct")),
    "numpy.ndarray",
    "numpy.dtype",
    "mmengine.logging.history_buffer.HistoryBuffer",
    "builtins.getattr",  # how a HistoryBuffer names its own methods
    "argparse.Namespace",
    "yacs.config.CfgNode",
)


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint's tensors; the prefix ``module.`` of parallel training is taken off.

    Raises:
        InputError: no such file, empty, truncated, of no known format, code in the place of data, or
            entries that are no plain tensors of finite numbers.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError("a folder, not a file of weights", file=path)
    if not path.is_file():
        raise InputError("no such file", file=path)
    with open(path, "rb") as handle:
        head = handle.read(16)
    if not head:
        raise InputError("the file is empty", file=path, remedy="fetch it again")
    if head[8:9] == b"{":
        content: Any = _read_safetensors(path)
    elif head.startswith((b"PK\x03\x04", b"\x80\x02\x8a\n")):
        content = _read_torch(path)
    elif head.startswith(b"\x80"):
        raise InputError("a pickle, but none that torch.save wrote", file=path, remedy=ONLY_TENSORS)
    else:
        raise InputError(
            "neither a whole safetensors file nor a torch checkpoint",
            file=path,
            remedy="fetch it again, or give another file",
        )
    return _unwrap(content, path)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except SafetensorError as error:
        raise InputError(
            f"not a whole safetensors file ({error})", file=path, remedy="fetch it or write it again"
        ) from None


def _read_torch(path: Path) -> Any:
    placeholders: list[Any] = [(_Placeholder, name) for name in _NOT_WANTED]
    try:
        with torch.serialization.safe_globals(placeholders), warnings.catch_warnings(action="ignore"):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file makes torch raise almost anything
        if isinstance(error, pickle.UnpicklingError) and (name := re.search(r"GLOBAL (\S+)", str(error))):
            raise InputError(
                f"it names {name[1]}, which opening it would run; nothing was run",
                file=path,
                remedy=ONLY_TENSORS,
            ) from None
        if "TorchScript" in str(error):
            raise InputError("a TorchScript program, not weights", file=path, remedy=ONLY_TENSORS) from None
        raise InputError(
            f"not a whole torch checkpoint ({type(error).__name__})", file=path, remedy="fetch it again"
        ) from None


def _unwrap(content: Any, path: Path) -> Checkpoint:
    """The mapping of tensors inside what a training program saved."""
    keys: list[str] = []
    while isinstance(content, Mapping):
        wrapper = next((k for k in WRAPPERS if isinstance(content.get(k), Mapping)), None)
        if wrapper is None:
            break
        keys.append(wrapper)
        content = content[wrapper]
    if not isinstance(content, Mapping):
        raise InputError(f"it holds a {type(content).__name__}, not tensors by name", file=path)
    tensors: dict[str, Tensor] = {}
    for name, value in content.items():
        if not isinstance(name, str):
            raise InputError(f"entry {name!r} is no name of a tensor", file=path, remedy=ONLY_TENSORS)
        if not isinstance(value, Tensor):
            raise InputError(
                f"entry {name!r} is no tensor ({type(value).__name__})", file=path, remedy=ONLY_TENSORS
            )
        if value.layout != torch.strided or value.is_quantized or value.is_complex() or value.is_meta:
            raise InputError(f"tensor {name!r} is not one of plain numbers", file=path)
        tensors[name] = value.detach()
    if not tensors:
        raise InputError("it holds no tensors", file=path)
    for name, value in tensors.items():
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise InputError(f"tensor {name!r} holds NaN or infinity", file=path, remedy="give another file")
    if all(name.startswith("module.") for name in tensors):
        tensors = {name.removeprefix("module."): value for name, value in tensors.items()}
    return Checkpoint(tensors, ".".join(keys))
