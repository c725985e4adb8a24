"""AI Challenger's labels in COCO's skeleton: time and memory of kpkit, and of a loop over people beside it.

    python benchmarks/align_aic.py FILE.json [--people 400000] [--rounds 3]

FILE holds original AI Challenger records. They are repeated, each copy under image ids of its own, until
there are as many people; the repeated file goes to a temporary folder. Each way runs in a process of its own;
rounds alternate. kpkit reads, checks every code and box, and speaks COCO's skeleton. The loop reads with json
and builds COCO's annotation records person by person, as conversion scripts do, checking nothing; then it
makes the array of keypoints that a data set needs. Seconds are by the clock, in brackets of the processor.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

Run = tuple[float, float, float, float, int, int]

MEASURE = """
import resource, sys, time
{imports}
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start, cpu = time.perf_counter(), time.process_time()
people, labelled = measured(sys.argv[1])
seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print("MEASURED", seconds, cpu, peak / 1024, before / 1024, people, labelled)
"""

OURS = MEASURE.format(
    imports="""
from kpkit.core.skeletons import COCO17
from kpkit.data.aic import read_aic

def measured(path):
    _, people = read_aic(path)
    coco = people.speaking(COCO17)
    return len(coco), int(coco.num_labelled.sum())
"""
)
LOOP = MEASURE.format(
    imports="""
import json
import numpy as np

TO_COCO = {0: 6, 1: 8, 2: 10, 3: 5, 4: 7, 5: 9, 6: 12, 7: 14, 8: 16, 9: 11, 10: 13, 11: 15}
VISIBILITY = {1: 2, 2: 1, 3: 0}

def measured(path):
    with open(path) as file:
        records = json.load(file)
    annotations = []
    for image, record in enumerate(records):
        for human, corners in record["human_annotations"].items():
            points = record["keypoint_annotations"][human]
            keypoints = [0] * 51
            for theirs, ours in TO_COCO.items():
                x, y, code = points[3 * theirs : 3 * theirs + 3]
                keypoints[3 * ours : 3 * ours + 3] = [x, y, VISIBILITY[code]]
            x1, y1, x2, y2 = corners
            annotations.append({
                "id": len(annotations) + 1, "image_id": image, "category_id": 1, "iscrowd": 0,
                "bbox": [x1, y1, x2 - x1, y2 - y1], "area": 0.53 * (x2 - x1) * (y2 - y1),
                "keypoints": keypoints, "num_keypoints": sum(v > 0 for v in keypoints[2::3]),
            })
    array = np.array([a["keypoints"] for a in annotations], np.float64).reshape(-1, 17, 3)
    return len(array), int((array[:, :, 2] > 0).sum())
"""
)


def repeat(source: Path, target: Path, people: int) -> None:
    """Write a file of at least so many people: the records of ``source`` under ever new image ids."""
    records = json.loads(source.read_bytes())
    count = copy = 0
    with open(target, "w") as file:
        file.write("[")
        while count < people:
            for record in records:
                name = hashlib.sha1(f"{record['image_id']} {copy}".encode()).hexdigest()
                file.write(("," if count else "") + json.dumps({**record, "image_id": name}))
                count += len(record["human_annotations"])
                if count >= people:
                    break
            copy += 1
        file.write("]")


def measure(code: str, path: Path) -> Run:
    """Seconds, CPU seconds, peak MiB, MiB before, people, labelled keypoints, of one fresh process."""
    output = subprocess.run(
        [sys.executable, "-c", code, str(path)], check=True, capture_output=True, text=True
    ).stdout
    line = next(line for line in output.splitlines() if line.startswith("MEASURED"))
    seconds, cpu, peak, before, people, labelled = line.split()[1:]
    return float(seconds), float(cpu), float(peak), float(before), int(people), int(labelled)


def main() -> None:
    """Run the rounds and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("file", type=Path)
    parser.add_argument("--people", type=int, default=400_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    cases = {"loop over people": LOOP, "kpkit": OURS}
    found: dict[str, list[Run]] = {name: [] for name in cases}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "aic.json"
        repeat(options.file, path, options.people)
        size = path.stat().st_size
        for _ in range(options.rounds):
            for name, code in cases.items():
                found[name].append(measure(code, path))
    counts = {run[4:] for runs in found.values() for run in runs}
    if len(counts) > 1:
        raise SystemExit(f"people and labelled keypoints differ: {counts}")
    people, labelled = counts.pop()
    print(f"{people:,} people, {labelled:,} labelled keypoints of COCO's, {size / 2**20:.0f} MiB; medians of "
          f"{options.rounds} rounds")  # fmt: skip
    peer = found["loop over people"]
    for name, runs in found.items():
        seconds, cpu, peak, before = (statistics.median(run[k] for run in runs) for k in range(4))
        faster = statistics.median(p[0] / r[0] for p, r in zip(peer, runs, strict=True))
        leaner = statistics.median(r[2] / p[2] for p, r in zip(peer, runs, strict=True))
        print(
            f"{name:16s} {seconds:6.2f} s ({cpu:.2f})   peak {peak:6.0f} MiB ({before:.0f} before)   "
            f"x{faster:.2f} as fast, {leaner:.0%} of the memory"
        )


if __name__ == "__main__":
    main()
