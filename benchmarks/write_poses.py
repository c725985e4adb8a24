"""Writing and reading keypoint results of COCO's full size, against Python's json and the fastest encoders.

    python benchmarks/write_poses.py [POSES] [--rounds 7]

POSES (120,000 by default) random poses with two decimals. json, msgspec and orjson get ready lists of Python
numbers; kpkit gets arrays, checks and rounds them, and replaces the file atomically. Reading ends in arrays.
Seconds are of the processor; rounds alternate, ratios are taken within a round.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import orjson

from kpkit.core.instances import Instances
from kpkit.data.results import read_results, write_results


def random_poses(count: int) -> Instances:
    """Poses over pictures of 640 x 480."""
    rng = np.random.default_rng(0)
    keypoints = rng.uniform(0, 640, (count, 17, 3))
    return Instances.of(
        rng.integers(1, 580_000, count), np.zeros((count, 4)), keypoints, score=rng.random(count), source="P"
    )


def plain_rows(path: Path) -> list[dict]:
    """A results file as Python objects."""
    return json.loads(path.read_bytes())


def arrays_of(rows: list[dict]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image ids, keypoints and scores of rows."""
    return (
        np.array([row["image_id"] for row in rows]),
        np.array([row["keypoints"] for row in rows]).reshape(-1, 17, 3),
        np.array([row["score"] for row in rows]),
    )


def dump(rows: list[dict], path: Path) -> None:
    """As most tools write results."""
    with open(path, "w") as file:
        json.dump(rows, file)


def compare(title: str, ways: dict[str, Callable[[], object]], rounds: int) -> None:
    """Run the ways in turn and print their medians and their speed against the first."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            start = time.process_time()
            way()
            seconds[name].append(time.process_time() - start)
    first = seconds[next(iter(ways))]
    print(title)
    for name, found in seconds.items():
        ratio = statistics.median(a / b for a, b in zip(first, found, strict=True))
        print(f"  {name:28s} {statistics.median(found):6.3f} s   x{ratio:.1f}")


def main() -> None:
    """Write and read, in every way."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("poses", type=int, nargs="?", default=120_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    poses = random_poses(options.poses)
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = Path(folder) / "ours.json", Path(folder) / "theirs.json"
        write_results(ours, poses)
        rows = plain_rows(ours)
        print(
            f"{options.poses:,} poses, {ours.stat().st_size / 1e6:.0f} MB, {options.rounds} rounds, medians"
        )
        compare(
            "writing",
            {
                "json.dump": lambda: dump(rows, theirs),
                "json.dumps": lambda: theirs.write_text(json.dumps(rows)),
                "msgspec": lambda: theirs.write_bytes(msgspec.json.encode(rows)),
                "orjson": lambda: theirs.write_bytes(orjson.dumps(rows)),
                "kpkit, from arrays": lambda: write_results(ours, poses),
            },
            options.rounds,
        )
        compare(
            "reading to arrays",
            {
                "json.load": lambda: arrays_of(plain_rows(ours)),
                "orjson": lambda: arrays_of(orjson.loads(ours.read_bytes())),
                "kpkit, every value checked": lambda: read_results(ours),
            },
            options.rounds,
        )
        _, keypoints, score = arrays_of(plain_rows(ours))
        found = read_results(ours)
        assert np.array_equal(found.keypoints, keypoints) and np.array_equal(found.score, score)


if __name__ == "__main__":
    main()
