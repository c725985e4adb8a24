"""Pictures a minute of the generated world on one core.

    python benchmarks/draw_world.py [--pictures N]

Draws each time into a new temporary folder; prints the median of three rounds, files and labels included.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from kpkit.data.world import draw_world


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pictures", type=int, default=200)
    pictures = parser.parse_args().pictures
    counts = dict.fromkeys(("val2017", "aic", "unlabeled2017", "test-dev2017", "test-challenge2017"), 1)
    counts["train2017"] = pictures - len(counts)
    rates, seconds = [], []
    for seed in range(3):
        with tempfile.TemporaryDirectory() as folder:
            start, cpu = time.perf_counter(), time.process_time()
            draw_world(Path(folder) / "world", size="tiny", seed=seed, counts=counts)
            rates.append(60 * pictures / (time.perf_counter() - start))
            seconds.append((time.process_time() - cpu) / pictures)
    spread = f"[{min(rates):.0f}-{max(rates):.0f}]"
    print(f"{statistics.median(rates):.0f} pictures a minute on one core {spread}")
    print(f"{1000 * statistics.median(seconds):.1f} ms of CPU each")


if __name__ == "__main__":
    main()
