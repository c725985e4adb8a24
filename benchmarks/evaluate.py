"""OKS-AP at val2017's size: kpkit against pycocotools and faster-coco-eval, in one run.

    python benchmarks/evaluate.py [--rounds 5]

100,000 poses on 5,000 pictures with 11,004 annotated people, 6,352 of them with labels on 2,693 pictures,
drawn from one seed. "From arrays": what is read is in memory; the input is checked (kpkit alone does so),
matched and accumulated. "From files": from the annotation and the results file to the ten figures. Processor
time of one thread; rounds alternate, ratios are medians of the rounds'. faster-coco-eval is measured where it
is installed (``pip install kpkit[bench]``).
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from kpkit.core.instances import ImageTable, Instances
from kpkit.data.coco import read_annotations, write_annotations
from kpkit.data.results import read_results, write_results
from kpkit.evaluation import curves, matching, pairs
from kpkit.evaluation.ap import evaluate
from kpkit.evaluation.bootstrap import resample

PICTURES, PEOPLED, PEOPLE, LABELLED, POSES = 5_000, 2_693, 11_004, 6_352, 20


def scene(seed: int = 0) -> tuple[Instances, Instances, ImageTable]:
    """Truth, poses (two near each labelled person, the rest nowhere in particular) and pictures."""
    rng = np.random.default_rng(seed)
    image = np.concatenate([np.arange(PEOPLED), rng.integers(0, PEOPLED, PEOPLE - PEOPLED)])
    size = rng.uniform(20, 400, (PEOPLE, 1)) * rng.uniform([0.35, 0.7], [0.65, 1.3], (PEOPLE, 2))
    low = rng.uniform(0, 400, (PEOPLE, 2))
    keypoints = np.zeros((PEOPLE, 17, 3))
    keypoints[:, :, :2] = np.round(low[:, None] + size[:, None] * rng.random((PEOPLE, 17, 2)))
    keypoints[:, :, 2] = rng.choice([0, 1, 2], (PEOPLE, 17), p=[0.3, 0.15, 0.55])
    keypoints[:, 0, 2] = 2
    blank = rng.permutation(PEOPLE)[LABELLED:]
    keypoints[blank] = 0
    keypoints[keypoints[:, :, 2] == 0] = 0
    crowd = np.isin(np.arange(PEOPLE), blank[:250])
    truth = Instances.of(
        image, np.concatenate([low, size], axis=1), keypoints,
        area=size.prod(axis=1) * 0.53, crowd=crowd, id=np.arange(1, PEOPLE + 1),
    )  # fmt: skip

    number = PICTURES * POSES
    of = np.repeat(np.arange(PICTURES), POSES)
    points = rng.uniform(0, 400, (number, 1, 2)) + rng.uniform(20, 300, (number, 1, 2)) * rng.random(
        (number, 17, 2)
    )
    score = rng.random(number) * 0.4
    person = np.repeat(np.flatnonzero(truth.num_labelled), 2)
    person = person[np.argsort(image[person], kind="stable")]
    rank = np.arange(len(person)) - np.searchsorted(image[person], image[person])
    person, rank = person[rank < POSES], rank[rank < POSES]
    rows = image[person] * POSES + rank
    spread = np.sqrt(truth.area[person])[:, None, None] * rng.choice([0.02, 0.04, 0.08], (len(person), 1, 1))
    near = keypoints[person, :, :2] + rng.normal(0, 1, (len(person), 17, 2)) * spread
    points[rows] = np.where(keypoints[person, :, 2:] > 0, near, points[rows])
    score[rows] = np.round(rng.beta(4, 2, len(rows)), 3)
    order = rng.permutation(number)
    poses = Instances.of(
        of[order], np.zeros((number, 4)), np.dstack([np.round(points, 2), np.ones((number, 17))])[order],
        score=score[order], source="P",
    )  # fmt: skip
    table = ImageTable.of(np.arange(PICTURES), [f"{i:012d}.jpg" for i in range(PICTURES)], [640] * PICTURES,
                          [480] * PICTURES)  # fmt: skip
    return truth, poses, table


def quiet(call: Callable[[], Any]) -> Any:
    """The peers print."""
    with contextlib.redirect_stdout(io.StringIO()):
        return call()


def judged_by(kind: type[Any], labels: Any, results: Any) -> list[float]:
    """Evaluate, accumulate, summarize: a peer called as its demo does."""
    judge = kind(labels, results, "keypoints")
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    return [float(value) for value in judge.stats[:10]]


def plain(call: Callable[[], Any]) -> Any:
    """Without compiled kernels."""
    modules = (pairs, matching, curves)
    kept = [module.use_compiled for module in modules]
    for module in modules:
        module.use_compiled = lambda work: False  # type: ignore[assignment]
    try:
        return call()
    finally:
        for module, use in zip(modules, kept, strict=True):
            module.use_compiled = use  # type: ignore[assignment]


def measured(ways: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Processor seconds of each way in each round; their figures must agree."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        found = {}
        for name, call in ways.items():
            begun = time.process_time()
            found[name] = quiet(call)
            seconds[name].append(time.process_time() - begun)
        first, *others = found.values()
        for figures in others:
            np.testing.assert_allclose(figures, first, atol=1e-9)
    return seconds


def table(title: str, seconds: dict[str, list[float]]) -> None:
    """Print medians and the peers' time over each way's."""
    peers = [name for name in ("pycocotools", "faster-coco-eval") if name in seconds]
    print(f"\n{title}: seconds" + "".join(f", x {peer}" for peer in peers))
    for name, own in seconds.items():
        ratios = [statistics.median(p / o for p, o in zip(seconds[peer], own, strict=True)) for peer in peers]
        print(f"{name:<22} {statistics.median(own):7.3f}" + "".join(f"  {ratio:6.2f}" for ratio in ratios))


def main() -> None:
    """Draw, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    try:
        import faster_coco_eval as faster
    except ImportError:
        faster = None
        print("faster-coco-eval is not installed: measured against pycocotools alone")
    truth, poses, images = scene()
    with tempfile.TemporaryDirectory() as folder:
        labels, results = Path(folder) / "truth.json", Path(folder) / "results.json"
        write_annotations(labels, images, truth)
        write_results(results, poses)
        print(f"{len(poses):,} poses ({results.stat().st_size / 1e6:.1f} MB), {len(truth):,} people")

        read_truth, read_poses = read_annotations(labels)[1], read_results(results)
        packages = {"pycocotools": (COCO, COCOeval)}
        if faster:
            packages["faster-coco-eval"] = (faster.COCO, faster.COCOeval_faster)
        arrays: dict[str, Callable[[], Any]] = {}
        files: dict[str, Callable[[], Any]] = {}
        for name, (reader, judge) in packages.items():
            gt = quiet(lambda reader=reader: reader(str(labels)))
            dt = quiet(lambda gt=gt: gt.loadRes(str(results)))
            arrays[name] = lambda judge=judge, gt=gt, dt=dt: judged_by(judge, gt, dt)

            def from_files(reader: Any = reader, judge: Any = judge) -> list[float]:
                gt = reader(str(labels))
                return judged_by(judge, gt, gt.loadRes(str(results)))

            files[name] = from_files
        arrays["kpkit"] = lambda: list(evaluate(read_truth, read_poses, images=images).values())
        arrays["kpkit, plain numpy"] = lambda: plain(arrays["kpkit"])
        files["kpkit"] = lambda: list(evaluate(labels, results).values())
        for ways in (arrays, files):
            quiet(ways["kpkit"])  # compiles, or reads what was compiled
        table("from arrays", measured(arrays, rounds))
        table("from files", measured(files, rounds))

    matches = matching.match(truth, poses, images.id)
    begun = time.process_time()
    resample([matches], draws=1000)
    print(f"\nbootstrap of 1,000 draws from kept matches: {time.process_time() - begun:.2f} s")


if __name__ == "__main__":
    main()
