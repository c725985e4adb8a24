"""Checkpoints that are whole or absent: two are kept, a damaged one is noticed and passed over."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch

from kpkit.core.errors import InputError
from kpkit.core.files import file_hash, read_json, replacing, write_json

_NAME = re.compile(r"step-(\d{8})\.pt")


def save_checkpoint(folder: Path, step: int, state: dict[str, Any], keep: int = 2) -> None:
    """Write the state after ``step`` steps, then drop all but the newest ``keep``.

    ``state`` holds tensors, numbers, texts and containers of them, so that it opens without running code.
    """
    path = folder / f"step-{step:08d}.pt"
    with replacing(path) as temporary:
        torch.save(state, temporary)
        digest = file_hash(temporary)
    # the state becomes valid with its seal: a checkpoint without one is ignored
    write_json(path.with_suffix(".json"), {"sha256": digest})
    for old in _steps(folder)[:-keep]:
        for suffix in (".json", ".pt"):
            (folder / f"step-{old:08d}").with_suffix(suffix).unlink(missing_ok=True)


def load_newest(folder: Path) -> tuple[int, dict[str, Any], list[str]] | None:
    """The newest whole checkpoint.

    Returns:
        (steps done, state, remarks on damaged files passed over), or None where there is none.
    """
    remarks: list[str] = []
    for step in reversed(_steps(folder)):
        path = folder / f"step-{step:08d}.pt"
        try:
            sealed = read_json(path.with_suffix(".json"))["sha256"]
        except (InputError, KeyError, TypeError):
            remarks.append(f"{path.name} has no valid seal and was passed over")
            continue
        if file_hash(path) != sealed:
            remarks.append(f"{path.name} is damaged and was passed over")
            continue
        return step, torch.load(path, map_location="cpu", weights_only=True), remarks
    return None


def _steps(folder: Path) -> list[int]:
    """Steps that have a checkpoint file, oldest first."""
    found = (_NAME.fullmatch(path.name) for path in folder.glob("step-*.pt"))
    return sorted(int(match[1]) for match in found if match)
