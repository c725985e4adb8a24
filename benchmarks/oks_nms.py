"""OKS-NMS and soft OKS-NMS beside HRNet's, over 100,000 poses in 5,000 pictures, on one thread.

    python benchmarks/oks_nms.py --peer CHECKOUT [--rounds 3]

CHECKOUT holds github.com/leoxiaobin/deep-high-resolution-net.pytorch; its ``lib/nms/nms.py`` is run unchanged
(the compiled box suppressions that it imports beside are not called and need not be built). Half of the
poses are near copies of the other half; people are 30 to 250 px in size and up to 500 px apart. The peer
gets its own list of dictionaries per picture, kpkit its arrays. Kept rows and their order are compared
first. Times are CPU seconds of the process, contenders in turn; ratios are medians over the rounds.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import statistics
import sys
import time
import types
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from kpkit.core import compiled
from kpkit.core.instances import Instances
from kpkit.core.seeds import generator
from kpkit.inference.nms import oks_nms, soft_oks_nms

POSES, PICTURES, THRESHOLD = 100_000, 5_000, 0.9


def drawn_poses() -> Instances:
    """Poses by picture; ``id`` is the row."""
    rng = generator(0, "oks_nms")
    half = POSES // 2
    size = rng.uniform(30, 250, half)
    points = rng.uniform(0, 500, (half, 1, 2)) + rng.normal(0, 0.3, (half, 17, 2)) * size[:, None, None]
    copies = points + rng.normal(0, 0.01, points.shape) * size[:, None, None]
    area = np.concatenate([size**2, size**2 * rng.uniform(0.9, 1.1, half)])
    image = np.tile(np.repeat(np.arange(PICTURES), half // PICTURES), 2)
    poses = Instances.of(
        image,
        np.zeros((POSES, 4)),
        np.concatenate([np.concatenate([points, copies]), rng.random((POSES, 17, 1))], axis=2),
        score=rng.random(POSES),
        area=area,
    )
    poses = poses[np.argsort(image, kind="stable")]
    return poses.with_(id=np.arange(POSES))


def peer_module(checkout: Path) -> Any:
    """HRNet's nms.py, with its compiled neighbours left empty."""
    for name in ("peer_nms", "peer_nms.cpu_nms", "peer_nms.gpu_nms"):
        sys.modules[name] = types.ModuleType(name)
    for name in ("cpu_nms", "gpu_nms"):
        setattr(sys.modules[f"peer_nms.{name}"], name, None)
    spec = importlib.util.spec_from_file_location("peer_nms.nms", checkout / "lib" / "nms" / "nms.py")
    if spec is None or spec.loader is None:
        raise SystemExit(f"{checkout} holds no lib/nms/nms.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def by_peer(rule: Callable[[list[dict[str, Any]], float], Any], pictures: list[list[dict[str, Any]]]) -> Any:
    """The peer's kept rows, picture by picture."""
    return [[people[kept]["id"] for kept in rule(people, THRESHOLD)] for people in pictures]


def without_compiler(rule: Callable[[], Instances]) -> Instances:
    """The same in plain numpy."""
    available = compiled.available
    compiled.available = lambda: False
    try:
        return rule()
    finally:
        compiled.available = available


def main() -> None:
    """Compare, then race."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--peer", type=Path, required=True, metavar="CHECKOUT")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    peer = peer_module(given.peer)
    poses = drawn_poses()
    people = [
        {"keypoints": k, "score": s, "area": a, "id": i}
        for k, s, a, i in zip(poses.keypoints, poses.score, poses.area, poses.id, strict=True)
    ]
    cuts = np.searchsorted(poses.image_id, np.arange(PICTURES + 1))
    pictures = [people[begin:end] for begin, end in itertools.pairwise(cuts)]
    ours: dict[str, Callable[[], Instances]] = {
        "oks_nms": lambda: oks_nms(poses, THRESHOLD),
        "soft_oks_nms": lambda: soft_oks_nms(poses, THRESHOLD),
    }
    for name, rule in ours.items():
        runs: dict[str, Callable[[], Any]] = {
            "peer": partial(by_peer, getattr(peer, name), pictures),
            "numpy": partial(without_compiler, rule),
        }
        if compiled.available():
            runs["compiled"] = rule
        wanted = [row for rows in runs["peer"]() for row in rows]
        for way, run in runs.items():
            if way != "peer" and run().id.tolist() != wanted:
                raise SystemExit(f"{name}: {way} keeps other rows than the peer")
        seconds: dict[str, list[float]] = {way: [] for way in runs}
        for _ in range(given.rounds):
            for way, run in runs.items():
                start = time.process_time()
                run()
                seconds[way].append(time.process_time() - start)
        print(f"{name}: {len(wanted):,} of {POSES:,} kept, the same rows in the same order")
        for way, spent in seconds.items():
            ratio = statistics.median(p / s for p, s in zip(seconds["peer"], spent, strict=True))
            print(f"  {way:<9} {statistics.median(spent):7.3f} s  x{ratio:.1f}")


if __name__ == "__main__":
    main()
