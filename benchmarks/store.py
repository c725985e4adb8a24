"""What storing heatmaps costs: bytes, speed, and how far decoded points move.

    python benchmarks/store.py [--size 96x72] [--boxes 512]

Four members' drawn heatmaps (drawn_heatmaps.py) are stored in every way the store knows, read back, averaged
and decoded; points are compared with those of the mean of the float32 maps. Distances in heatmap pixels: one
is four of the crop's. Other containers, as far as they are installed, store the same bytes (those of ``u8``):
zarr, h5py with hdf5plugin, blosc2, zstandard without bit planes. Writes end with the files flushed to disk
where the container offers it (kpkit's do). Speed is of the process's time, the median of rounds in which all
ways run one after the other, in boxes of one member a second; files are read from the system's cache.
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from drawn_heatmaps import drawn_members

from kpkit.core.skeletons import COCO17
from kpkit.heatmaps.blend import weighted_mean
from kpkit.heatmaps.codecs import Codec
from kpkit.heatmaps.decode import decode
from kpkit.heatmaps.packing import pack
from kpkit.heatmaps.store import HeatmapStore, StoreWriter

BATCH = 64
MEMBERS = 4
CHOICES: dict[str, dict[str, object]] = {
    "f16": {"format": "f16"},
    "u8": {"format": "u8"},
    "u8, window 48x36": {"format": "u8", "window": (48, 36)},
    "u8, window 32x32": {"format": "u8", "window": (32, 32)},
    "f16, window 32x32": {"format": "f16", "window": (32, 32)},
}


def main() -> None:
    """Print the two tables."""
    warnings.simplefilter("ignore", UserWarning)  # windows warn; here they are measured
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="96x72", help="height x width of a map")
    parser.add_argument("--boxes", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    height, width = map(int, options.size.split("x"))
    codec = Codec("classic", (4 * height, 4 * width), 4, 1.25)
    members = drawn_members(MEMBERS, options.boxes, (height, width))
    with tempfile.TemporaryDirectory() as folder:
        choices(members, codec, Path(folder), options.rounds)
        peers(members[0], Path(folder), options.rounds)


def choices(members: list[np.ndarray], codec: Codec, folder: Path, rounds: int) -> None:
    """Size, speed and error of the store's own formats."""
    boxes = len(members[0])
    fp32 = members[0].nbytes / boxes
    exact = {name: points(members, **rule) for name, rule in RULES.items()}
    print(f"{boxes} boxes of {codec.shape[0]}x{codec.shape[1]}, mean of {MEMBERS} members; float32 "
          f"{fp32 / 1024:.1f} KiB a box")  # fmt: skip
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in CHOICES}
    for turn in range(rounds + 1):
        for name, choice in CHOICES.items():
            begin = time.process_time()
            write(folder / name, members[0], codec, choice)
            middle = time.process_time()
            store = HeatmapStore(folder / name)
            for row in range(0, boxes, BATCH):
                store.read(row, row + BATCH)
            if turn:  # the first compiles
                spent[name].append((middle - begin, time.process_time() - middle))
    for name, choice in CHOICES.items():
        stored = []
        for member in members:
            write(folder / name, member, codec, choice)
            stored.append(HeatmapStore(folder / name).read(0, boxes))
        size = sum(path.stat().st_size for path in (folder / name).iterdir()) / boxes
        writing, reading = np.median(spent[name], axis=0)
        print(f"{name:<18} {size / 1024:6.1f} KiB a box, 1/{fp32 / size:.1f}; "
              f"write {boxes / writing:6.0f}, read {boxes / reading:6.0f} boxes a second")  # fmt: skip
        for rule, right in exact.items():
            off = np.linalg.norm(points(stored, **RULES[rule]) - right, axis=2)
            shares = " ".join(f"p{q:g} {np.percentile(off, q):.4f}" for q in (50, 99))
            print(f"    {rule:<34} {shares} max {off.max():.4f}; > 0.1 px: {100 * np.mean(off > 0.1):.2f} %")


RULES: dict[str, dict[str, object]] = {
    "parabola": {"refine": "parabola"},
    "blur 11, then parabola (CCM)": {"refine": "parabola", "blur": 11},
    "dark_udp, its filter of 11": {"refine": "dark_udp", "refine_blur": 11},
}


def points(members: list[np.ndarray], **rule: object) -> np.ndarray:
    """Points of the members' mean."""
    mean = weighted_mean(members, [1.0] * len(members))
    return decode(mean, **rule)[0]  # type: ignore[arg-type]


def write(folder: Path, maps: np.ndarray, codec: Codec, choice: dict[str, object]) -> None:
    """Store maps as a job does, a batch at a time."""
    shutil.rmtree(folder, ignore_errors=True)
    with StoreWriter(folder, codec, COCO17.keypoints, "", len(maps), **choice) as writer:  # type: ignore[arg-type]
        for begin in range(0, len(maps), BATCH):
            writer.append(maps[begin : begin + BATCH])


def peers(maps: np.ndarray, folder: Path, rounds: int) -> None:
    """The same bytes in other containers. Packing to bytes is not counted; the store's figures include it."""
    steps = pack(maps, "u8").values
    boxes, rows = len(steps), 32
    ways: dict[str, tuple[Callable[[Path], None], Callable[[Path], object]]] = {}
    if importlib.util.find_spec("zarr"):
        import zarr
        from zarr.codecs import BloscCodec

        def zarr_write(path: Path) -> None:
            codec = BloscCodec(cname="zstd", clevel=1, shuffle="bitshuffle", typesize=1)
            array = zarr.create_array(
                str(path), shape=steps.shape, dtype="u1", compressors=codec, chunks=(rows, *steps.shape[1:])
            )
            array[:] = steps

        ways["zarr, blosc zstd bitshuffle"] = zarr_write, lambda path: zarr.open_array(str(path), mode="r")[:]
    if importlib.util.find_spec("hdf5plugin"):
        import h5py
        import hdf5plugin

        def hdf5_write(path: Path) -> None:
            filters = hdf5plugin.Bitshuffle(cname="zstd", clevel=1)
            with h5py.File(path, "w") as file:
                file.create_dataset("maps", data=steps, chunks=(rows, *steps.shape[1:]), **filters)

        def hdf5_read(path: Path) -> object:
            with h5py.File(path) as file:
                return file["maps"][:]

        ways["h5py, bitshuffle zstd"] = hdf5_write, hdf5_read
    if importlib.util.find_spec("blosc2"):
        import blosc2

        blosc2.set_nthreads(1)
        parameters = {
            "codec": blosc2.Codec.ZSTD,
            "clevel": 1,
            "filters": [blosc2.Filter.BITSHUFFLE],
            "nthreads": 1,
            "typesize": 1,
        }

        def blosc_write(path: Path) -> None:
            pieces = [blosc2.compress2(steps[k : k + rows], **parameters) for k in range(0, boxes, rows)]
            path.write_bytes(b"".join(len(p).to_bytes(8, "little") + p for p in pieces))

        def blosc_read(path: Path) -> object:
            data, place, found = path.read_bytes(), 0, []
            while place < len(data):
                length = int.from_bytes(data[place : place + 8], "little")
                found.append(blosc2.decompress2(data[place + 8 : place + 8 + length], nthreads=1))
                place += 8 + length
            return found

        ways["blosc2, zstd bitshuffle"] = blosc_write, blosc_read
    if importlib.util.find_spec("zstandard"):
        import zstandard

        def zstd_write(path: Path) -> None:
            compress = zstandard.ZstdCompressor(level=1).compress
            np.save(path, [], allow_pickle=False)
            path.write_bytes(b"".join(compress(steps[k : k + 4]) for k in range(0, boxes, 4)))

        def zstd_read(path: Path) -> object:
            return (
                zstandard.ZstdDecompressor().stream_reader(path.read_bytes(), read_across_frames=True).read()
            )

        ways["zstandard, no bit planes"] = zstd_write, zstd_read
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    sizes = {}
    for turn in range(rounds + 1):
        for name, (writing, reading) in ways.items():
            path = folder / f"peer-{turn}-{name}"
            begin = time.process_time()
            writing(path)
            middle = time.process_time()
            reading(path)
            if turn:
                times[name].append((middle - begin, time.process_time() - middle))
            files = [path, *path.rglob("*")] if path.is_dir() else [path]
            sizes[name] = sum(p.stat().st_size for p in files if p.is_file()) / boxes
    print("\nother containers, of uint8 already packed, left as uint8:")
    for name, pairs in times.items():
        writing_s, reading_s = np.median(pairs, axis=0)
        print(f"{name:<30} {sizes[name] / 1024:6.1f} KiB a box; "
              f"write {boxes / writing_s:6.0f}, read {boxes / reading_s:6.0f} boxes a second")  # fmt: skip


if __name__ == "__main__":
    main()
