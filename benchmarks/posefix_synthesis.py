"""Poses with drawn errors, a second of one core; and the official code's rate beside it.

    python benchmarks/posefix_synthesis.py [--peer CHECKOUT] [--rounds 5]
    python benchmarks/posefix_synthesis.py --annotations FILE [--svg FILE]

CHECKOUT holds github.com/mks0601/PoseFix_RELEASE; ``synthesize_pose`` of its ``main/gen_batch.py`` is run
unchanged, person by person (its configuration is kpkit's numbers; the rest of the file is not run). People
are drawn: 17 keypoints of which 80 % are labelled, half of the people alone, the others with one to three
neighbours. kpkit draws batches of 32 (a training step) and of 1,024. Rates are medians over the rounds, in
CPU seconds of the process. Beside them: how similar drawn keypoints are to their own places, by kind.

With --annotations (COCO person keypoints) nothing is timed: a pose of each labelled person is drawn and held
against what the error model intends, as the report does for a refiner; --svg keeps the figure.
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

import msgspec
import numpy as np

from kpkit.core.seeds import generator
from kpkit.core.skeletons import COCO17
from kpkit.data.coco import read_annotations
from kpkit.evaluation.errors import KINDS
from kpkit.evaluation.oks import keypoint_oks
from kpkit.refinement.errors import ErrorModel, published_errors
from kpkit.refinement.lesson import drawn_facts
from kpkit.refinement.synthesis import Scenes, synthesise
from kpkit.reports.cells import aligned
from kpkit.reports.made_metrics import DrawnFacts
from kpkit.reports.spreads import KINDS as SHOWN
from kpkit.reports.spreads import kinds_table, spread_sentences, synthesis_figure

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


def hold_against(annotations: Path, svg: Path | None) -> None:
    """Print how drawn poses of everybody labelled are spread, and how they are meant to be."""
    _, people = read_annotations(annotations)
    people = people[(people.num_labelled > 0) & ~people.crowd]
    facts = drawn_facts(people, published_errors(), len(people))
    told = msgspec.convert(facts, DrawnFacts)
    print(f"{told.poses:,} poses with {told.keypoints:,} keypoints; shares in percent")
    print("\n".join(aligned(kinds_table(told), SHOWN)))
    print("\n".join(spread_sentences(told)))
    edges = np.linspace(0, 1, len(told.oks.drawn) + 1)
    print(f"\n{'OKS':12s}{'intended':>9s}{'drawn':>9s}")
    for (low, high), *shares in zip(
        itertools.pairwise(edges), told.oks.intended, told.oks.drawn, strict=True
    ):
        print(f"{low:.2f}-{high:.2f}   " + "".join(f"{100 * share:8.2f}%" for share in shares))
    if svg:
        svg.write_text(synthesis_figure(told, "s"))


def main() -> None:
    """Draw, time, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peer", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--annotations", type=Path)
    parser.add_argument("--svg", type=Path)
    arguments = parser.parse_args()
    if arguments.annotations:
        hold_against(arguments.annotations, arguments.svg)
        return
    scenes, errors = drawn_people(), published_errors()
    contenders: dict[str, tuple[int, Callable[[], Any]]] = {}
    for batch in (32, 1024):
        parts = [scenes.part(slice(b, b + batch)) for b in range(0, PEOPLE, batch)]
        contenders[f"kpkit, batches of {batch}"] = (
            PEOPLE,
            partial(batches, parts, errors),
        )
    if arguments.peer:
        peer = official(arguments.peer)
        few = [scenes.part(slice(i, i + 1)) for i in range(PEERS)]
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
