"""Peers' weights, rebuilt from names and shapes by the recipe of golden/README.md, as the peers save them."""

from __future__ import annotations

import json
import re
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


def megvii_name(ours: str) -> str:
    """The public MSPN code's name of one of our MSPN's tensors."""
    pair = {"0": "conv", "1": "bn"}
    units = {
        "lateral": "u_skip",
        "upsample": "up_conv",
        "encoder_skip": "skip1",
        "decoder_skip": "skip2",
        "head.0": "res_conv1",
        "head.1": "res_conv2",
    }
    if found := re.fullmatch(r"stem\.(\d)\.(.+)", ours):
        return f"top.conv.{pair[found[1]]}.{found[2]}"
    if found := re.fullmatch(r"stages\.(\d)\.cross\.(\d)\.(.+)", ours):
        return f"stage{found[1]}.upsample.up4.cross_conv.{pair[found[2]]}.{found[3]}"
    if found := re.fullmatch(r"stages\.(\d)\.up\.(\d)\.(head\.\d|\w+)\.(\d)\.(.+)", ours):
        unit = f"stage{found[1]}.upsample.up{int(found[2]) + 1}.{units[found[3]]}"
        return f"{unit}.{pair[found[4]]}.{found[5]}"
    found = re.fullmatch(r"stages\.(\d)\.down\.(layer\d\.\d+)\.(conv|bn|downsample\.)(\d)\.(.+)", ours)
    assert found, ours
    body = f"stage{found[1]}.downsample.{found[2]}"
    if found[3] == "downsample.":
        return f"{body}.downsample.{pair[found[4]]}.{found[5]}"
    return f"{body}.conv_bn_relu{found[4]}.{found[3]}.{found[5]}"
