"""What storing heatmaps costs: bytes, speed, and how far decoded points move.

    python benchmarks/store.py [--size 96x72] [--boxes 512] [--stores runs/heatmaps/*/view0]

Four members' drawn heatmaps (drawn_heatmaps.py), or those of stores that were kept as ``f16``, are stored in
every way the store knows, read back and decoded, one member alone and the mean of all; points are compared
with those of the float32 maps. Distances in heatmap pixels: one is four of the crop's. Other containers, as
far as they are installed, store the same values (the codes of ``u8``, 16 bits a pixel): zarr, h5py with
hdf5plugin, blosc2, zstandard without bit planes. Writes end with the files flushed to disk where the
container offers it (kpkit's do). Speed is of the process's time, the median of rounds in which all ways of a
table run one after the other, in boxes of one member a second; files are read from the system's cache.
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
    parser.add_argument("--size", default="96x72", help="height x width of a drawn map")
    parser.add_argument("--boxes", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--stores", type=Path, nargs="*", help="members' float16 stores, in place of drawn maps"
    )
    options = parser.parse_args()
    if options.stores:
        stores = [HeatmapStore(path) for path in options.stores]
        codec = stores[0].codec
        members = [store.read(0, min(options.boxes, len(store))) for store in stores]
    else:
        height, width = map(int, options.size.split("x"))
        codec = Codec("classic", (4 * height, 4 * width), 4, 1.25)
        members = drawn_members(MEMBERS, options.boxes, (height, width))
    with tempfile.TemporaryDirectory() as folder:
        choices(members, codec, Path(folder), options.rounds)
        peers(members[0], codec, Path(folder), options.rounds)


def choices(members: list[np.ndarray], codec: Codec, folder: Path, rounds: int) -> None:
    """Size, speed and error of the store's own formats."""
    boxes = len(members[0])
    fp32 = members[0].nbytes / boxes
    shown = {"one member": members[:1], f"mean of {len(members)}": members}
    exact = {(name, rule): points(m, rule) for name, m in shown.items() for rule in RULES}
    print(f"{boxes} boxes of {codec.shape[0]}x{codec.shape[1]}; float32 {fp32 / 1024:.1f} KiB a box")
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in CHOICES}
    for turn in range(rounds + 1):
        for name, choice in CHOICES.items():
            begin = time.process_time()
            write(folder / name, members[0], codec, choice)
            middle = time.process_time()
            read(folder / name)
            if turn:  # the first compiles
                spent[name].append((middle - begin, time.process_time() - middle))
    for name, choice in CHOICES.items():
        stored, size = [], 0
        for member in members:
            write(folder / name, member, codec, choice)
            stored.append(HeatmapStore(folder / name).read(0, boxes))
            size += sum(path.stat().st_size for path in (folder / name).iterdir())
        mean = size / boxes / len(members)
        writing, reading = np.median(spent[name], axis=0)
        print(f"{name:<18} {mean / 1024:6.1f} KiB a box, 1/{fp32 / mean:.1f}; "
              f"write {boxes / writing:6.0f}, read {boxes / reading:6.0f} boxes a second")  # fmt: skip
        for (of, rule), (right, scores) in exact.items():
            off = np.linalg.norm(points(stored[: len(shown[of])], rule)[0] - right, axis=2)
            shares = " ".join(f"p{q:g} {np.percentile(off, q):.4f}" for q in (50, 99))
            sure = off[scores >= 0.1].max(initial=0)
            print(f"    {of:<11} {rule:<29} {shares} max {off.max():8.4f}, of scores from 0.1 {sure:8.4f}; "
                  f"> 0.05 px: {np.sum(off > 0.05)} of {off.size}")  # fmt: skip


RULES: dict[str, dict[str, object]] = {
    "parabola": {"refine": "parabola"},
    "blur 11, then parabola (CCM)": {"refine": "parabola", "blur": 11},
    "dark_udp, its filter of 11": {"refine": "dark_udp", "refine_blur": 11},
}


def points(members: list[np.ndarray], rule: str) -> tuple[np.ndarray, np.ndarray]:
    """Points and scores of the members' mean."""
    mean = weighted_mean(members, [1.0] * len(members))
    return decode(mean, **RULES[rule])  # type: ignore[arg-type]


def write(folder: Path, maps: np.ndarray, codec: Codec, choice: dict[str, object]) -> None:
    """Store maps as a job does, a batch at a time."""
    shutil.rmtree(folder, ignore_errors=True)
    with StoreWriter(folder, codec, COCO17.keypoints, "", len(maps), **choice) as writer:  # type: ignore[arg-type]
        for begin in range(0, len(maps), BATCH):
            writer.append(maps[begin : begin + BATCH])


def read(folder: Path) -> None:
    """Read a store a batch at a time."""
    store = HeatmapStore(folder)
    for row in range(0, len(store), BATCH):
        store.read(row, row + BATCH)


def peers(maps: np.ndarray, codec: Codec, folder: Path, rounds: int) -> None:
    """The same codes in other containers. Making them is not counted; the store's figures include it."""
    codes = pack(maps, "u8").values
    boxes, rows = len(codes), 32

    ways: dict[str, tuple[Callable[[Path], None], Callable[[Path], None]]] = {
        "kpkit u8, float32 to float32": (
            lambda path: write(path, maps, codec, {"format": "u8"}),
            read,
        )
    }
    if importlib.util.find_spec("zarr"):
        import zarr
        from zarr.codecs import BloscCodec

        def zarr_write(path: Path) -> None:
            codec = BloscCodec(cname="zstd", clevel=1, shuffle="bitshuffle", typesize=2)
            array = zarr.create_array(
                str(path), shape=codes.shape, dtype="u2", compressors=codec, chunks=(rows, *codes.shape[1:])
            )
            array[:] = codes

        def zarr_read(path: Path) -> None:
            array = zarr.open_array(str(path), mode="r")
            for row in range(0, boxes, BATCH):
                array[row : row + BATCH]

        ways["zarr, blosc zstd bitshuffle"] = zarr_write, zarr_read
    if importlib.util.find_spec("hdf5plugin"):
        import h5py
        import hdf5plugin

        def hdf5_write(path: Path) -> None:
            filters = hdf5plugin.Bitshuffle(cname="zstd", clevel=1)
            with h5py.File(path, "w") as file:
                file.create_dataset("maps", data=codes, chunks=(rows, *codes.shape[1:]), **filters)

        def hdf5_read(path: Path) -> None:
            with h5py.File(path) as file:
                for row in range(0, boxes, BATCH):
                    file["maps"][row : row + BATCH]

        ways["h5py, bitshuffle zstd"] = hdf5_write, hdf5_read
    if importlib.util.find_spec("blosc2"):
        import blosc2

        blosc2.set_nthreads(1)
        parameters = {
            "codec": blosc2.Codec.ZSTD,
            "clevel": 1,
            "filters": [blosc2.Filter.BITSHUFFLE],
            "nthreads": 1,
            "typesize": 2,
        }

        def blosc_write(path: Path) -> None:
            pieces = [blosc2.compress2(codes[k : k + rows], **parameters) for k in range(0, boxes, rows)]
            path.write_bytes(b"".join(len(p).to_bytes(8, "little") + p for p in pieces))

        def blosc_read(path: Path) -> None:
            data, place = path.read_bytes(), 0
            while place < len(data):
                length = int.from_bytes(data[place : place + 8], "little")
                blosc2.decompress2(data[place + 8 : place + 8 + length], nthreads=1)
                place += 8 + length

        ways["blosc2, zstd bitshuffle"] = blosc_write, blosc_read
    if importlib.util.find_spec("zstandard"):
        import zstandard

        def zstd_write(path: Path) -> None:
            compress = zstandard.ZstdCompressor(level=1).compress
            path.write_bytes(b"".join(compress(codes[k : k + 4]) for k in range(0, boxes, 4)))

        def zstd_read(path: Path) -> None:
            data = zstandard.ZstdDecompressor().stream_reader(path.read_bytes(), read_across_frames=True)
            while data.read(codes[:BATCH].nbytes):
                pass

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
    print("\nother containers, of codes already made, left as codes:")
    for name, pairs in times.items():
        writing_s, reading_s = np.median(pairs, axis=0)
        print(f"{name:<30} {sizes[name] / 1024:6.1f} KiB a box; "
              f"write {boxes / writing_s:6.0f}, read {boxes / reading_s:6.0f} boxes a second")  # fmt: skip


if __name__ == "__main__":
    main()
