"""How long the submission check takes, and how much memory, on a file of test-dev's size.

    python benchmarks/check_submission.py [POSES]

Writes a random submission of POSES rows (420,000 by default) to a temporary folder, checks its JSON and its
zip each in three fresh processes by turns, and prints seconds of the processor and peak memory.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from kpkit.core.instances import ImageTable, Instances
from kpkit.data.image_lists import write_image_list
from kpkit.submissions.write import write_submission

_CHECK = """
import re, sys, time
from pathlib import Path
from kpkit.submissions.validate import check_submission
start = time.process_time()
problems = check_submission(sys.argv[1], sys.argv[2], profile="test-dev2017")
seconds = time.process_time() - start
# ru_maxrss would count the parent's memory too
peak = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text()).group(1)) / 2**20
print(f"{sys.argv[1][-4:]}: {seconds:.1f} s, peak {peak:.2f} GiB, {len(problems)} problems")
"""


def main(poses: int) -> None:
    """Make the file and check it."""
    rng = np.random.default_rng(0)
    per_image = 20
    number = -(-poses // per_image)
    table = ImageTable.of(
        np.arange(1, number + 1), [f"{i:012}.jpg" for i in range(1, number + 1)],
        np.full(number, 640), np.full(number, 480),
    )  # fmt: skip
    points = rng.uniform(0, 480, (poses, 17, 3))
    people = Instances.of(
        np.repeat(table.id, per_image)[:poses], np.zeros((poses, 4)), points, score=rng.random(poses)
    )
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder) / "image_info.json"
        write_image_list(images, table)
        files = write_submission(people, folder, profile="test-dev2017", algorithm="bench", images=table)
        del people, points
        print(f"{poses:,} poses, JSON of {files.json.stat().st_size / 2**20:.0f} MiB")
        for path in (files.json, files.zip) * 3:
            subprocess.run([sys.executable, "-c", _CHECK, str(path), str(images)], check=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 420_000)
