"""Time and memory of reading COCO person-keypoints annotations: kpkit against pycocotools, in one run.

    python benchmarks/read_annotations.py FILE.json[.gz] [--rounds 3]

Each read runs in a process of its own, so that peak memory is that of one reader; rounds alternate.
pycocotools cannot read gzip: it is given the unpacked file, kpkit both.
"""

from __future__ import annotations

import argparse
import gzip
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

MEASURE = """
import resource, sys, time
{imports}
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.perf_counter()
result = {call}
seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print("MEASURED", seconds, peak / 1024, before / 1024)
"""
PEER = MEASURE.format(imports="from pycocotools.coco import COCO", call="COCO(sys.argv[1])")
OURS = MEASURE.format(
    imports="from kpkit.data.coco import read_annotations", call="read_annotations(sys.argv[1])"
)


def measure(code: str, path: Path) -> tuple[float, float, float]:
    """Seconds, peak MiB, and MiB before the read, of one fresh process."""
    command = [sys.executable, "-c", code, str(path)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    line = next(line for line in output.splitlines() if line.startswith("MEASURED"))
    seconds, peak, before = map(float, line.split()[1:])
    return seconds, peak, before


def main() -> None:
    """Run the rounds and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("file", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        plain = options.file
        if options.file.suffix == ".gz":
            plain = Path(folder) / options.file.stem
            with gzip.open(options.file) as packed, open(plain, "wb") as unpacked:
                shutil.copyfileobj(packed, unpacked)
        cases = {"pycocotools": (PEER, plain), "kpkit": (OURS, plain)}
        if plain != options.file:
            cases["kpkit, gzip"] = (OURS, options.file)
        found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in cases}
        for _ in range(options.rounds):
            for name, (code, path) in cases.items():
                found[name].append(measure(code, path))
    print(f"{options.file.name}: {options.rounds} rounds, medians")
    peer = found["pycocotools"]
    for name, runs in found.items():
        seconds, peak, before = (statistics.median(column) for column in zip(*runs, strict=True))
        faster = statistics.median(p[0] / r[0] for p, r in zip(peer, runs, strict=True))
        leaner = statistics.median(r[1] / p[1] for p, r in zip(peer, runs, strict=True))
        print(
            f"{name:12s} {seconds:6.2f} s   peak {peak:6.0f} MiB ({before:.0f} before the read)   "
            f"x{faster:.2f} as fast, {leaner:.0%} of the memory"
        )


if __name__ == "__main__":
    main()
