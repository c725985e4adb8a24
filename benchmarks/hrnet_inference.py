"""Inference speed of pose HRNet-w32 beside the official code, on one CPU thread.

    python benchmarks/hrnet_inference.py --peer CHECKOUT

CHECKOUT holds github.com/leoxiaobin/deep-high-resolution-net.pytorch; its ``lib/models/pose_hrnet.py`` is
imported unchanged. Both networks hold the same weights and see the same crops (256x192, noise) in
channels-last memory, in fp32 and under bf16 autocast; in a forward pass CPU_SLICE of them, as members of
ensembles do it, 32, as the official configuration has it, or 64. Their heatmaps are compared first; then they
take turns in random order. Times are the thread's own CPU seconds, which busy neighbours disturb least;
ratios are medians over the rounds.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from kpkit.inference.network import CPU_SLICE
from kpkit.models.catalogue import create_model
from kpkit.models.fuse import fuse_batch_norm

ROUNDS, CROPS = 7, 64
MODULES = (1, 4, 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--peer", type=Path, required=True, metavar="CHECKOUT")
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    random.seed(0)
    peer, ours = same_weights(given.peer)
    folded = fuse_batch_norm(ours)
    for net in (peer, ours, folded):
        net.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    crops = torch.randn(CROPS, 3, 256, 192).to(memory_format=torch.channels_last)
    contenders = {
        "peer": (peer, CPU_SLICE),
        "peer, 32 a pass": (peer, 32),
        "ours": (ours, CPU_SLICE),
        "ours, folded": (folded, CPU_SLICE),
        "ours, folded, 64 a pass": (folded, CROPS),
    }
    exact = look(peer, crops.split(CPU_SLICE), "fp32")()
    for precision in ("fp32", "bf16"):
        runs = {name: look(net, crops.split(n), precision) for name, (net, n) in contenders.items()}
        compare(precision, runs, exact)


def same_weights(checkout: Path) -> tuple[nn.Module, nn.Module]:
    """The official network and ours, with the numbers of one, none of which is 0 or 1."""
    path = checkout / "lib" / "models" / "pose_hrnet.py"
    found = importlib.util.spec_from_file_location("pose_hrnet", path)
    assert found and found.loader, path
    code = importlib.util.module_from_spec(found)
    found.loader.exec_module(code)
    peer: nn.Module = code.get_pose_net(configuration(), is_train=False)
    ours = create_model("hrnet_w32", init="kaiming")
    for layer in ours.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.running_mean, 0, 0.1)
            nn.init.uniform_(layer.running_var, 0.5, 1.5)
    state = ours.state_dict().items()
    peer.load_state_dict({
        name.replace("encoder.", "").replace("head.", "final_layer."): tensor for name, tensor in state
    })  # fmt: skip
    return peer, ours


def configuration() -> dict[str, Any]:
    """What its experiments/coco/hrnet/w32_256x192_adam_lr1e-3.yaml says of the network."""
    extra: dict[str, Any] = {"PRETRAINED_LAYERS": ["*"], "FINAL_CONV_KERNEL": 1}
    for i, modules in enumerate(MODULES):
        branches = i + 2
        extra[f"STAGE{branches}"] = {
            "NUM_MODULES": modules,
            "NUM_BRANCHES": branches,
            "BLOCK": "BASIC",
            "NUM_BLOCKS": [4] * branches,
            "NUM_CHANNELS": [32 * 2**branch for branch in range(branches)],
            "FUSE_METHOD": "SUM",
        }
    return {"MODEL": {"EXTRA": extra, "NUM_JOINTS": 17}}


def look(net: nn.Module, slices: Sequence[Tensor], precision: str) -> Callable[[], Tensor]:
    """The final heatmaps of all crops, a forward pass for each slice."""

    @torch.inference_mode()
    def forward() -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            made = [net(images) for images in slices]
        return torch.cat([maps[-1] if isinstance(maps, list) else maps for maps in made])

    return forward


def compare(precision: str, runs: dict[str, Callable[[], Tensor]], exact: Tensor) -> None:
    """Print how fast each network is and how far its heatmaps are from the official network's in fp32."""
    error = {
        name: (forward().float() - exact).abs().max() / exact.abs().max() for name, forward in runs.items()
    }
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name in random.sample(list(runs), len(runs)):
            start = time.process_time()
            runs[name]()
            seconds[name].append(time.process_time() - start)
    for name, taken in seconds.items():
        ratio = statistics.median(a / b for a, b in zip(seconds["peer"], taken, strict=True))
        print(
            f"{precision} {name}: {len(exact) / statistics.median(taken):.1f} crops/s, x{ratio:.2f}, "
            f"heatmaps within {error[name]:.1e} of the maximum"
        )


if __name__ == "__main__":
    main()
