"""Peers' weights, rebuilt from names and shapes by the recipe of golden/README.md, as the peers save them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from kpkit.models.catalogue import create_model
from kpkit.models.network import PoseNetwork


def draw(name: str, shape: Sequence[int]) -> Tensor:
    """One tensor, by the peer's name and shape."""
    if name.endswith("num_batches_tracked"):
        return torch.zeros(tuple(shape), dtype=torch.int64)
    normal = np.random.Generator(np.random.Philox(key=zlib.crc32(name.encode()))).standard_normal(
        tuple(shape)
    )
    n = np.asarray(normal).astype(np.float32)
    tenth = np.float32(0.1)
    if name.endswith("running_var"):
        n = 1 + tenth * np.abs(n)
    elif len(shape) >= 2:
        n = n / np.float32(np.sqrt(np.prod(shape[1:])))
    elif name.endswith("weight"):
        n = 1 + tenth * n
    else:
        n = tenth * n
    return torch.from_numpy(np.asarray(n, np.float32))


def peer_state(keys: Path) -> dict[str, Tensor]:
    """A peer's tensors by the peer's names."""
    return {name: draw(name, shape) for name, shape in json.loads(keys.read_text())["tensors"]}


def empty_model(name: str, **options: object) -> PoseNetwork:
    """A network whose tensors hold nothing yet (building one with fresh numbers takes seconds)."""
    with torch.device("meta"):
        net = create_model(name, **options)
    return net.to_empty(device="cpu").eval()
