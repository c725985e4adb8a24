"""Mean of five members' heatmaps: kpkit's against numpy's stacked mean, one thread, inputs rotating past the
caches.

    python benchmarks/mean_heatmaps.py

Medians of the process's time over rounds in which all ways run one after the other; ratios are medians of the
rounds' own. ``limit`` is the time the bytes read take at the bandwidth of a plain copy measured beside them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from drawn_heatmaps import drawn_members

from kpkit.core import compiled
from kpkit.heatmaps import blend
from kpkit.heatmaps.packing import Packed, pack

MEMBERS = 5
SETS = 4
"""Sets of inputs, taken in turn: together larger than any cache."""


def main() -> None:
    """Print a table per map size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=32, help="boxes in a batch")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for shape in ((64, 48), (96, 72), (128, 96)):
        measure(shape, options.people, options.rounds)


def measure(shape: tuple[int, int], people: int, rounds: int) -> None:
    """Time every way on one map size."""
    singles = [drawn_members(MEMBERS, people, shape, seed) for seed in range(SETS)]
    halves = [[m.astype(np.float16) for m in members] for members in singles]
    codes = [[pack(m, "u8") for m in members] for members in singles]
    out = np.empty((people, *singles[0][0].shape[1:]), np.float32)
    equal = [1.0] * MEMBERS

    def plain(members: list[np.ndarray] | list[Packed]) -> np.ndarray:
        kernels, compiled.available = compiled.available, lambda: False
        try:
            return blend.weighted_mean(members, equal, out)
        finally:
            compiled.available = kernels  # type: ignore[assignment]

    def with_torch(members: list[np.ndarray]) -> None:
        for begin in range(0, people, 4):
            rows = slice(begin, begin + 4)
            total = torch.from_numpy(out[rows])
            total.copy_(torch.from_numpy(members[0][rows]))
            for member in members[1:]:
                total += torch.from_numpy(member[rows])
            total /= MEMBERS

    ways: dict[str, Callable[[int], object]] = {
        "numpy float16: mean(stack)": lambda k: np.mean(np.stack(halves[k]), axis=0),
        "torch float16, four boxes at a time": lambda k: with_torch(halves[k]),
        "kpkit float16": lambda k: blend.weighted_mean(halves[k], equal, out),
        "kpkit float16, no compiler": lambda k: plain(halves[k]),
        "kpkit u8, codes as read": lambda k: blend.weighted_mean(codes[k], equal, out),
        "kpkit u8, no compiler": lambda k: plain(codes[k]),
        "numpy float32: mean(stack)": lambda k: np.mean(np.stack(singles[k]), axis=0),
        "kpkit float32": lambda k: blend.weighted_mean(singles[k], equal, out),
        "copy of float32 maps (bandwidth)": lambda k: np.copyto(out, singles[k][0]),
    }
    exact = np.mean(np.stack(halves[0]).astype(np.float64), axis=0)
    worst = np.abs(blend.weighted_mean(halves[0], equal) - exact).max()
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 2):
        for name, way in ways.items():
            begin = time.process_time()
            way(turn % SETS)
            if turn >= 2:  # the first rounds compile and touch memory
                spent[name].append((time.process_time() - begin) / people * 1e3)
    baseline = np.array(spent["numpy float16: mean(stack)"])
    copy = np.median(spent["copy of float32 maps (bandwidth)"])
    print(f"\n{shape[0]}x{shape[1]}, {people} boxes, {MEMBERS} members; largest error {worst:.1e}")
    for name, times in spent.items():
        ratio = np.median(baseline / times)
        print(f"  {name:<38} {np.median(times):7.4f} ms a box   x{ratio:.1f}")
    # five float16 maps are read and one float32 map written: 14 bytes a pixel; a copy moves 8
    print(f"  limit: {copy * 14 / 8:.4f} ms a box   x{np.median(baseline) / (copy * 14 / 8):.0f}")


if __name__ == "__main__":
    main()
