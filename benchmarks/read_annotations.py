"""Time and memory of reading COCO person-keypoints annotations: kpkit against pycocotools, in one run.

    python benchmarks/read_annotations.py FILE.json[.gz] [--segments DONORS.json[.gz]] [--rounds 5]

Each read runs in a process of its own, so that peak memory is that of one reader; rounds alternate, seconds
are of the processor. pycocotools cannot read gzip: it is given the unpacked file, kpkit both. kpkit reads
without a cache, with an empty one (which it fills), and with a full one.

--segments: a file of original annotations, as the published files hold outlines and FILE may lack them. Each
person of FILE gets the outlines of one person of that file, drawn at random, moved into its own box and
written like COCO's (two decimals).
"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import orjson

MEASURE = """
import re, sys, time
from pathlib import Path
{imports}
path, cache = sys.argv[1], Path(sys.argv[2])
def memory():  # ru_maxrss would count the parent's too
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text()).group(1)) / 1024
before = memory()
start = time.process_time()
result = {call}
seconds = time.process_time() - start
print("MEASURED", seconds, memory(), before)
"""
PEER = MEASURE.format(imports="from pycocotools.coco import COCO", call="COCO(path)")
READER = "from kpkit.data.coco import read_annotations"
OURS = MEASURE.format(imports=READER, call="read_annotations(path)")
CACHED = MEASURE.format(imports=READER, call="read_annotations(path, cache=cache)")


def measure(code: str, path: Path, cache: Path) -> tuple[float, float, float]:
    """Seconds, peak MiB, and MiB before the read, of one fresh process."""
    command = [sys.executable, "-c", code, str(path), str(cache)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    line = next(line for line in output.splitlines() if line.startswith("MEASURED"))
    seconds, peak, before = map(float, line.split()[1:])
    return seconds, peak, before


def load(path: Path) -> dict:
    """A JSON file, plain or gzipped."""
    data = path.read_bytes()
    return orjson.loads(gzip.decompress(data) if path.suffix == ".gz" else data)


def with_segments(document: dict, donors: dict, seed: int = 0) -> bytes:
    """The file with outlines of the donors' people, each moved into the box of the person that gets it."""
    outlines = []
    for row in donors["annotations"]:
        if isinstance(row.get("segmentation"), list) and row["segmentation"] and min(row["bbox"][2:]) > 0:
            x, y, width, height = row["bbox"]
            corner, size = np.array([x, y]), np.array([width, height])
            outlines.append([(np.reshape(part, (-1, 2)) - corner) / size for part in row["segmentation"]])
    chosen = np.random.default_rng(seed).integers(0, len(outlines), len(document["annotations"]))
    for row, donor in zip(document["annotations"], chosen.tolist(), strict=True):
        corner, size = np.array(row["bbox"][:2]), np.array(row["bbox"][2:])
        drawn = [np.round(part * size + corner, 2).ravel().tolist() for part in outlines[donor]]
        row["segmentation"] = drawn
    return orjson.dumps(document)


def main() -> None:
    """Run the rounds and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("file", type=Path)
    parser.add_argument("--segments", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        plain, packed, runs = (
            Path(folder) / "plain.json",
            Path(folder) / "packed.json.gz",
            Path(folder) / "runs",
        )
        document = load(options.file)
        people = len(document["annotations"])
        if options.segments:
            plain.write_bytes(with_segments(document, load(options.segments)))
        else:
            plain.write_bytes(json.dumps(document, separators=(",", ":")).encode())
        del document
        packed.write_bytes(gzip.compress(plain.read_bytes(), 6))
        cases = {
            "pycocotools": (PEER, plain),
            "kpkit": (OURS, plain),
            "kpkit, gzip": (OURS, packed),
            "kpkit, cache filled": (CACHED, plain),
            "kpkit, from cache": (CACHED, plain),
        }
        found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in cases}
        for _ in range(options.rounds):
            shutil.rmtree(runs, ignore_errors=True)
            runs.mkdir()
            for name, (code, path) in cases.items():
                found[name].append(measure(code, path, runs / "cache"))
        size = plain.stat().st_size / 1e6
    print(f"{options.file.name}: {people:,} people, {size:.0f} MB, {options.rounds} rounds, medians")
    peer = found["pycocotools"]
    for name, runs_of in found.items():
        seconds, peak, before = (statistics.median(column) for column in zip(*runs_of, strict=True))
        faster = statistics.median(p[0] / r[0] for p, r in zip(peer, runs_of, strict=True))
        leaner = statistics.median(r[1] / p[1] for p, r in zip(peer, runs_of, strict=True))
        print(
            f"{name:20s} {seconds:6.3f} s   peak {peak:6.0f} MiB ({before:.0f} before the read)   "
            f"x{faster:.1f} as fast, {leaner:.0%} of the memory"
        )


if __name__ == "__main__":
    main()
