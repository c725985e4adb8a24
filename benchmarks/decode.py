"""Heatmaps to points beside mmpose's and MSPN's code: flip included, one thread, 32 people of 17 keypoints.

    python benchmarks/decode.py --mmpose CHECKOUT --mspn CHECKOUT

The checkouts hold github.com/open-mmlab/mmpose and github.com/megvii-detection/MSPN. mmpose's flip_heatmaps,
get_heatmap_maximum and refine_keypoints_dark_udp are loaded unchanged by path; MSPN's flip_back and
get_results are taken unchanged from files whose other lines want an installed MSPN. Maps are Gaussians of
sigma 2 with noise; each call gets others, of 160 MB, so that none is in a cache. Contenders take turns; times
are the thread's own CPU milliseconds a person, medians over the rounds; ratios are medians of the rounds'.
With CUDA at hand the tensor path is timed on the GPU, beside a copy on the device of as many bytes.
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import patch

import cv2
import numpy as np
import torch

import kpkit
from kpkit.core import compiled
from kpkit.core.skeletons import COCO17
from kpkit.heatmaps.blur import gaussian_blur
from kpkit.heatmaps.decode_torch import decode_tensors
from kpkit.heatmaps.flip import blend_flipped, unflip
from kpkit.heatmaps.rule import make_rule

PEOPLE, KEYPOINTS, ROUNDS = 32, 17, 9
SIZES = ((64, 48), (96, 72), (128, 96))
ORDER = COCO17.flip_order
UDP = {"refine": "dark_udp", "refine_blur": 11}
MEGVII = {"refine": "quarter_second", "blur": 11}
CCM = {"refine": "parabola", "blur": 11, "flip_shift": 0.8}
EXCHANGES = ("MSPN flip + get_results",)
"""Contenders that exchange left and right in the array they get; it is set right between the timings."""
Maps = tuple[np.ndarray, np.ndarray]
Contender = Callable[[np.ndarray, np.ndarray], np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--mmpose", type=Path, required=True, metavar="CHECKOUT")
    parser.add_argument("--mspn", type=Path, required=True, metavar="CHECKOUT")
    given = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    for height, width in SIZES:
        rng = np.random.default_rng(0)
        nbytes = 2 * PEOPLE * KEYPOINTS * height * width * 4
        batches = [drawn(rng, height, width) for _ in range(max(3, 160_000_000 // nbytes))]
        peers = {
            "mmpose flip + UDP": mmpose(given.mmpose),
            "MSPN flip + get_results": mspn(given.mspn, height, width),
        }
        agree(peers, batches[0])
        contenders = peers | {
            "kpkit UDP, numpy": plain(UDP),
            "kpkit UDP, compiled": ours(UDP),
            "kpkit second maximum, numpy": plain(MEGVII),
            "kpkit second maximum, compiled": ours(MEGVII),
            "kpkit CCM, numpy": plain(CCM),
            "kpkit CCM, compiled": ours(CCM),
        }
        compare(f"{height}x{width}", contenders, batches)
    if torch.cuda.is_available():
        on_gpu()


def drawn(rng: np.random.Generator, height: int, width: int) -> Maps:
    """Plain maps, and those of the mirrored crop as a network makes them."""
    low, high = (2, 2), (width - 3, height - 3)
    points = rng.uniform(low, high, (PEOPLE, KEYPOINTS, 2))
    x, y = np.arange(width), np.arange(height)
    across = np.exp(-((x - points[..., :1]) ** 2) / 8)[:, :, None, :]
    maps = across * np.exp(-((y - points[..., 1:]) ** 2) / 8)[:, :, :, None]
    maps *= rng.uniform(0.2, 1, (PEOPLE, KEYPOINTS, 1, 1))
    one, other = (np.float32(maps) + rng.normal(0, 0.003, maps.shape).astype(np.float32) for _ in range(2))
    return one, np.ascontiguousarray(unflip(other, COCO17))


def loaded(path: Path, name: str) -> ModuleType:
    """A module from a file, under a name."""
    found = importlib.util.spec_from_file_location(name, path)
    assert found and found.loader, path
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module
    found.loader.exec_module(module)
    return module


def mmpose(checkout: Path) -> Contender:
    """As HeatmapHead.predict averages and UDPHeatmap.decode decodes, a person at a time."""
    folder = checkout / "mmpose" / "codecs" / "utils"
    sys.modules["mmpose_codecs"] = ModuleType("mmpose_codecs")
    sys.modules["mmpose_codecs"].__path__ = [str(folder)]
    maximum = loaded(folder / "post_processing.py", "mmpose_codecs.post_processing").get_heatmap_maximum
    refine = loaded(folder / "refinement.py", "mmpose_codecs.refinement").refine_keypoints_dark_udp
    flip = loaded(checkout / "mmpose" / "models" / "utils" / "tta.py", "mmpose_tta").flip_heatmaps

    def decode(plain: np.ndarray, mirrored: np.ndarray) -> np.ndarray:
        back = flip(torch.from_numpy(mirrored), flip_indices=ORDER.tolist(), shift_heatmap=False)
        people = ((torch.from_numpy(plain) + back) * 0.5).numpy()
        points = []
        for maps in people:
            encoded = maps.copy()
            keypoints, _ = maximum(encoded)
            points.append(refine(keypoints[None], encoded, blur_kernel_size=11)[0])
        return np.stack(points)

    return decode


def mspn(checkout: Path, height: int, width: int) -> Contender:
    """As its test.py averages and decodes, back in heatmap pixels."""
    pairs = [list(pair) for pair in COCO17.flip_pairs]
    keypoint = SimpleNamespace(NUM=KEYPOINTS, FLIP_PAIRS=pairs)
    cfg = SimpleNamespace(
        DATASET=SimpleNamespace(KEYPOINT=keypoint),
        OUTPUT_SHAPE=(height, width),
        INPUT_SHAPE=(4 * height, 4 * width),
    )
    known = {"np": np, "cv2": cv2, "cfg": cfg}
    get_results = function(checkout / "exps" / "mspn.2xstg.coco" / "test.py", "get_results", known)
    flip_back = function(checkout / "lib" / "utils" / "transforms.py", "flip_back", known)
    crop = np.array([4 * width, 4 * height], np.float64)

    def decode(plain: np.ndarray, mirrored: np.ndarray) -> np.ndarray:
        maps = (plain + flip_back(mirrored, pairs)) * 0.5
        centers, scales = np.tile(crop / 2, (len(maps), 1)), np.tile(crop / 200, (len(maps), 1))
        points, _ = get_results(maps, centers, scales, kernel=11)
        return (np.asarray(points) - 2) / 4

    return decode


def function(path: Path, name: str, known: dict[str, Any]) -> Any:
    """One function of a file, unchanged, among the names it reads."""
    tree = ast.parse(path.read_text(), str(path))
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name]
    space = dict(known)
    exec(compile(tree, str(path), "exec"), space)
    return space[name]


def exchange(mirrored: np.ndarray) -> None:
    """Put left maps in the place of right ones."""
    mirrored[:] = mirrored[:, ORDER]


def ours(options: dict[str, Any]) -> Contender:
    """kpkit.decode of what a network made."""
    return lambda plain, mirrored: kpkit.decode(plain, mirrored, flip_order=ORDER, **options)[0]


def plain(options: dict[str, Any]) -> Contender:
    """The same without numba."""

    def decode(maps: np.ndarray, mirrored: np.ndarray) -> np.ndarray:
        with patch.object(compiled, "available", lambda: False):
            return ours(options)(maps, mirrored)

    return decode


def agree(peers: dict[str, Contender], batch: Maps) -> None:
    """Print how far the points are from the peers', and from those of wholly filtered maps."""
    udp, megvii = (peer(batch[0], batch[1].copy()) for peer in peers.values())
    print(
        f"furthest from mmpose {np.abs(ours(UDP)(*batch) - udp).max():.1e} px,"
        f" plain {np.abs(plain(UDP)(*batch) - udp).max():.1e} px;"
        f" from MSPN {np.abs(ours(MEGVII)(*batch) - megvii).max():.1e} px,"
        f" plain {np.abs(plain(MEGVII)(*batch) - megvii).max():.1e} px",
        end="",
    )
    whole = gaussian_blur(blend_flipped(batch[0], unflip(batch[1], COCO17), CCM["flip_shift"]), 11)
    points, _ = kpkit.decode(whole, refine="parabola")
    print(f"; from the whole filter, then maximum: {np.abs(ours(CCM)(*batch) - points).max():.1e} px")


def compare(size: str, contenders: dict[str, Contender], batches: list[Maps]) -> None:
    """Print each contender's time and its ratios to the peers."""
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    turn = 0
    for contender in contenders.values():  # compiled, and their memory allocated
        contender(batches[0][0], batches[0][1].copy())
    for _ in range(ROUNDS):
        for name, contender in contenders.items():
            turn += 1
            start = time.process_time()
            contender(*batches[turn % len(batches)])
            taken[name].append((time.process_time() - start) * 1e3 / PEOPLE)
            if name in EXCHANGES:
                exchange(batches[turn % len(batches)][1])
    peers = list(contenders)[:2]
    for name, times in taken.items():
        ratios = ", ".join(
            f"x{statistics.median(a / b for a, b in zip(taken[peer], times, strict=True)):.1f} {peer}"
            for peer in peers
        )
        print(f"{size} {name:<32} {statistics.median(times):.4f} ms/person [{min(times):.4f}]: {ratios}")


def on_gpu(people: int = 512) -> None:
    """Microseconds a person of decode_tensors on the GPU, and its share of the memory's rate."""
    for height, width in SIZES:
        one, other = (torch.rand(people, KEYPOINTS, height, width, device="cuda") for _ in range(2))
        copy = torch.empty_like(one)
        least = gpu_seconds(lambda a=one, b=copy: b.copy_(a))  # reads one and writes one: as many bytes
        for name, options in (("UDP", UDP), ("CCM", CCM)):
            rule = make_rule(
                KEYPOINTS,
                **({"blur": 0, "refine_blur": 0, "flip_shift": 0.0} | options),
                blur_sigma=0.0,
                refine_blur_sigma=0.0,
                border="zero",
                flip_order=ORDER,
            )
            seconds = gpu_seconds(lambda a=one, b=other, r=rule: decode_tensors(a, b, r))
            print(
                f"{height}x{width} {torch.cuda.get_device_name()} {name}: {seconds / people * 1e6:.2f} us a"
                f" person, {least / seconds:.0%} of the memory's rate"
            )


def gpu_seconds(step: Callable[[], Any]) -> float:
    """Median of ROUNDS, after three to warm up."""
    times = []
    for _ in range(3 + ROUNDS):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        step()
        end.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(end) / 1e3)
    return statistics.median(times[3:])


if __name__ == "__main__":
    main()
