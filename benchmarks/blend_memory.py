"""Resident memory of blending three members, for two numbers of boxes.

    python benchmarks/blend_memory.py [--boxes 20000 100000]

The job's own code runs (kpkit.inference.predict.predict_poses): shards of a box list one after the other,
crops cut from a picture, three members of two conventions on a common grid, flip test, blend, decoding. Only
the networks are stand-ins, which return maps drawn beforehand: memory is that of a run without a network's
activations, whatever the network. Each number of boxes is measured in a process of its own.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SHARD = 512
CROP = (384, 288)


def main() -> None:
    """Print the peak of a process per number of boxes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--boxes", type=int, nargs="+", default=[20_000, 100_000])
    parser.add_argument("--alone", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone is not None:
        blend(options.alone)
        return
    for boxes in options.boxes:
        command = [sys.executable, __file__, "--alone", str(boxes)]
        subprocess.run(command, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})


def blend(boxes: int) -> None:
    """Poses of so many boxes by three members; prints this process's peak."""
    import cv2
    import numpy as np
    import torch
    from drawn_heatmaps import drawn_members

    from kpkit.core.instances import Instances
    from kpkit.core.skeletons import COCO17
    from kpkit.data.crops import CropDataset
    from kpkit.heatmaps.blend import common_codec
    from kpkit.heatmaps.codecs import Codec
    from kpkit.inference.network import Predictor
    from kpkit.inference.predict import predict_poses
    from kpkit.pipeline.pose_shards import PoseShards
    from kpkit.specs.poses import DecodeSpec

    torch.set_num_threads(1)

    class Drawn(Predictor):
        """Gives maps drawn beforehand, as many as it is shown crops."""

        def __init__(self, name: str, codec: Codec, seed: int) -> None:
            self.name, self.codec, self.device, self.looks = name, codec, torch.device("cpu"), ((1.0, 0.0),)
            (self.drawn,) = drawn_members(1, 24, codec.shape, seed)

        def heatmaps(self, crops: np.ndarray, *, mirrored: bool = False) -> np.ndarray:
            """Copies, as a network's outputs are."""
            first = int(crops[:, 0, 0, 0].sum()) % 8
            return self.drawn[first : first + len(crops)].copy()

    codecs = [Codec(convention, CROP, 4, 1.25) for convention in ("classic", "classic", "megvii")]
    predictors = [Drawn(name, codec, k) for k, (name, codec) in enumerate(zip("abc", codecs, strict=True))]
    codec = common_codec(codecs, "abc", 4)
    rng = np.random.default_rng(0)
    begin = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "picture.png"
        cv2.imwrite(str(picture), rng.integers(0, 256, (480, 640, 3), dtype=np.uint8))
        box = np.concatenate([rng.uniform(0, 300, (boxes, 2)), rng.uniform(50, 300, (boxes, 2))], axis=1)
        people = Instances.of(np.arange(boxes) // 20, box, source="D", skeleton=COCO17)
        shards = PoseShards(Path(folder))
        shards.begin(people, {})
        del people, box
        for shard in range(len(shards)):
            rows = shards.boxes_of(shard)
            crops = CropDataset(rows, [str(picture)] * len(rows), codec.geometry)
            decoding = DecodeSpec()
            poses = predict_poses(predictors, [1.0, 1.0, 2.0], codec, crops, decoding)
            shards.write(shard, *poses)
            if sys.stderr.isatty():
                print(f"\r{shards.cuts[shard + 1]} of {boxes}", end="", file=sys.stderr)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    maps = f"17 x {codec.shape[0]} x {codec.shape[1]}"
    spent = time.process_time() - begin
    print(f"{boxes:>7} boxes of {maps}, 3 members: peak {peak:.2f} GiB resident, {spent:.0f} s", flush=True)


if __name__ == "__main__":
    main()
