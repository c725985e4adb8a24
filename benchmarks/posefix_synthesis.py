"""Poses with drawn errors, a second of one core; and the official code's rate beside it.

    python benchmarks/posefix_synthesis.py [--peer CHECKOUT] [--rounds 5]

CHECKOUT holds github.com/mks0601/PoseFix_RELEASE; ``synthesize_pose`` of its ``main/gen_batch.py`` is run
unchanged, person by person (its configuration is kpkit's numbers; the rest of the file is not run). People
are drawn: 17 keypoints of which 80 % are labelled, half of the people alone, the others with one to three
neighbours. kpkit draws batches of 32 (a training step) and of 1,024. Rates are medians over the rounds, in
CPU seconds of the process. Beside them: how similar drawn keypoints are to their own places, by kind.
"""

from __future__ import annotations

import argparse
import ast
import itertools
import math
import random
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from kpkit.core.seeds import generator
from kpkit.core.skeletons import COCO17
from kpkit.evaluation.errors import KINDS
from kpkit.evaluation.oks import keypoint_oks
from kpkit.refinement.errors import ErrorModel, published_errors
from kpkit.refinement.synthesis import Scenes, synthesise

PEOPLE, PEERS = 8192, 64


def drawn_people() -> Scenes:
    """People in crops of 384x288."""
    rng = generator(0, "posefix_synthesis")
    body = rng.uniform([60, 40], [230, 340], (PEOPLE, 1, 17, 2))
    shift = np.concatenate([np.zeros((PEOPLE, 1, 1, 2)), rng.normal(0, 60, (PEOPLE, 3, 1, 2))], axis=1)
    visible = 2.0 * (rng.random((PEOPLE, 4, 17, 1)) < 0.8)
    people = np.concatenate([body + shift + rng.normal(0, 10, (PEOPLE, 4, 17, 2)), visible], axis=3)
    overlap = np.where(rng.random(PEOPLE) < 0.5, 0, rng.integers(1, 4, PEOPLE))
    people[:, 1:] *= (np.arange(3) < overlap[:, None])[..., None, None]
    estimated = np.concatenate([body[:, 0], np.ones((PEOPLE, 17, 1))], axis=2)
    return Scenes(people[:, 0], people[:, 1:], np.full(PEOPLE, 45000.0), overlap, estimated)


def part(scenes: Scenes, rows: slice) -> Scenes:
    """Some people, with no more room for neighbours than one of them needs."""
    assert scenes.estimated is not None
    overlap = scenes.overlap[rows]
    near = scenes.near[rows, : int(overlap.max())]
    return Scenes(scenes.keypoints[rows], near, scenes.area[rows], overlap, scenes.estimated[rows])


def batches(parts: list[Scenes], errors: ErrorModel) -> None:
    """kpkit's."""
    for number, people in enumerate(parts):
        synthesise(people, errors, generator(0, number))


def official(checkout: Path) -> Callable[..., Any]:
    """The peer's function, compiled from its own source."""
    tree = ast.parse((checkout / "main" / "gen_batch.py").read_text())
    tree.body = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "synthesize_pose"]
    settings = SimpleNamespace(
        kps_sigmas=np.array(COCO17.oks_sigmas),
        num_kps=17,
        ignore_kps=[],
        kps_symmetry=COCO17.flip_pairs,
    )
    space: dict[str, Any] = {"np": np, "math": math, "random": random, "cfg": settings}
    exec(compile(tree, "gen_batch.py", "exec"), space)
    function: Callable[..., Any] = space["synthesize_pose"]
    return function


def main() -> None:
    """Draw, time, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peer", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    scenes, errors = drawn_people(), published_errors()
    contenders: dict[str, tuple[int, Callable[[], Any]]] = {}
    for batch in (32, 1024):
        parts = [part(scenes, slice(b, b + batch)) for b in range(0, PEOPLE, batch)]
        contenders[f"kpkit, batches of {batch}"] = (
            PEOPLE,
            partial(batches, parts, errors),
        )
    if arguments.peer:
        peer = official(arguments.peer)
        few = [part(scenes, slice(i, i + 1)) for i in range(PEERS)]
        contenders["official code"] = (
            PEERS,
            lambda: [
                peer(p.keypoints[0], p.estimated[0], p.near[0], 45000.0, int(p.overlap[0]))  # type: ignore[index]
                for p in few
            ],
        )
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(arguments.rounds):
        for name, (people, run) in contenders.items():
            before = time.process_time()
            run()
            rates[name].append(people / (time.process_time() - before))
    for name, found in rates.items():
        print(f"{name:24s} {statistics.median(found):10,.0f} poses/s")
    drawn = synthesise(scenes, errors, generator(1))
    assert scenes.estimated is not None
    own = np.where(scenes.keypoints[..., 2:] > 0, scenes.keypoints, scenes.estimated)
    close = keypoint_oks(own, drawn.points, scenes.area, COCO17.oks_sigmas)
    edges = np.array([0, 0.1, 0.3, 0.5, 0.7, 0.85, 1.0])
    print(
        f"\n{'similarity':12s}"
        + "".join(f"{low:>6.2f}-{high:.2f}" for low, high in itertools.pairwise(edges))
    )
    for kind, name in enumerate(KINDS):
        share = np.histogram(close[drawn.kind == kind], edges)[0] / max((drawn.kind == kind).sum(), 1)
        print(f"{name:12s}" + "".join(f"{100 * s:10.1f}%" for s in share))


if __name__ == "__main__":
    main()
