"""Resident memory of refining a results file, for several numbers of poses.

    python benchmarks/refine_memory.py [--poses 5000 20000 100000]

``kpkit refine RESULTS --no-ray`` runs as a user runs it, in a process of its own per number of poses: the
file is read, every pose is looked at in its picture, and the refined poses and their fingerprints are
written. The refiner is a narrow one with drawn weights at 64x64, taken as it is: memory beside the network is
that of any refiner, whose crops and maps live one batch at a time. The pictures are 100, noise of 320x240,
shown again and again. What a pose more costs is printed from the least and the most.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

PICTURES, WIDTH, HEIGHT = 100, 320, 240
RECIPE = """
kind = "recipe"
weights = "refiner.safetensors"

[network]
name = "posefix_resnet50"
input_size = [64, 64]
options = { depths = [1, 1, 1, 1], width = 8, block = "basic", deconvolutions = [8, 8, 8] }

[refinement]
sigma = 2.0
"""


def main() -> None:
    """Print the peak of a process per number of poses, and what a pose more costs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--poses", type=int, nargs="+", default=[5_000, 20_000, 100_000])
    counts = sorted(parser.parse_args().poses)
    peaks: list[int] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_data(folder / "data", folder)
        write_poses(folder / "results.json", 64)
        refined(folder)  # takes the weights into the runs folder, once
        for count in counts:
            write_poses(folder / "results.json", count)
            peak, seconds = refined(folder)
            peaks.append(peak)
            print(
                f"{count:>7} poses: peak {peak / 2**30:.3f} GiB resident, {seconds:.0f} s of CPU", flush=True
            )
    if len(counts) > 1:
        rate = (peaks[-1] - peaks[0]) / (counts[-1] - counts[0])
        print(f"a pose more: {rate:,.0f} bytes")


def write_data(data: Path, folder: Path) -> None:
    """Pictures under COCO's names for test-dev, and a refiner of drawn weights."""
    import cv2
    import numpy as np
    import torch

    from kpkit.core.files import write_json
    from kpkit.core.skeletons import COCO17
    from kpkit.inference.network import create_network
    from kpkit.models.weights import save_weights
    from kpkit.specs.loader import load

    rng = np.random.default_rng(0)
    (data / "coco/test2017").mkdir(parents=True)
    images = [
        {"id": n + 1, "file_name": f"{n + 1:012d}.jpg", "width": WIDTH, "height": HEIGHT}
        for n in range(PICTURES)
    ]
    for image in images:
        noise = rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        cv2.imwrite(str(data / "coco/test2017" / str(image["file_name"])), noise)
    write_json(data / "coco/annotations/image_info_test-dev2017.json", {"images": images})
    (folder / "refiner.toml").write_text(RECIPE)
    torch.manual_seed(0)
    network = create_network(load(str(folder / "refiner.toml"), "recipe").spec.network)
    save_weights(network, folder / "refiner.safetensors", COCO17)


def write_poses(path: Path, count: int) -> None:
    """So many poses, spread evenly over the pictures, in order of the pictures."""
    import numpy as np

    from kpkit.core.instances import Instances
    from kpkit.data.results import write_results

    rng = np.random.default_rng(1)
    keypoints = rng.uniform([20, 20, 1], [WIDTH - 20, HEIGHT - 20, 1.0001], (count, 17, 3))
    box = np.tile([0.0, 0.0, WIDTH, HEIGHT], (count, 1))
    image_id = np.arange(count) * PICTURES // count + 1
    write_results(path, Instances.of(image_id, box, keypoints, score=rng.random(count), source="P"))


def refined(folder: Path) -> tuple[int, float]:
    """Peak of ``kpkit refine`` in bytes, and its CPU seconds."""
    command = [
        sys.executable, "-m", "kpkit.cli.main", "refine", str(folder / "results.json"),
        "--with", str(folder / "refiner.toml"), "--images", "coco_test-dev2017",
        "--data", str(folder / "data"), "--runs", str(folder / "runs"), "--no-ray",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"})
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"kpkit refine ended with status {os.waitstatus_to_exitcode(status)}")
    peak: resource.struct_rusage = used
    return peak.ru_maxrss * 1024, peak.ru_utime + peak.ru_stime


if __name__ == "__main__":
    main()
