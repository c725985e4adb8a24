"""The store: what is written comes back in any order; what is not whole is never read."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kpkit.core.errors import InputError, KpkitError
from kpkit.core.skeletons import COCO17
from kpkit.heatmaps import store as store_module
from kpkit.heatmaps.codecs import Codec
from kpkit.heatmaps.packing import pack, unpack
from kpkit.heatmaps.store import HeatmapStore, StoreWriter

CODEC = Codec("megvii", (64, 48), 4, 1.25, (1.09, 1.135))
ROWS = 23


def maps_of(rows: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(0, 0.01, (rows, 17, 16, 12)).astype(np.float32) + rng.random(
        (rows, 17, 1, 1), np.float32
    )


def writer(folder: Path, **changes: Any) -> StoreWriter:
    wanted: dict[str, Any] = {
        "codec": CODEC,
        "keypoints": COCO17.keypoints,
        "boxes_hash": "abc",
        "rows": ROWS,
        "shard_rows": 7,
    }
    return StoreWriter(folder, **wanted | changes)


def kept(maps: np.ndarray, format: Any, window: tuple[int, int] | None = None) -> np.ndarray:
    out = np.empty(maps.shape, np.float32)
    unpack(pack(maps, format, window), out)
    return out


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "CHUNK_BYTES", 17 * 16 * 12 * 3)


@pytest.mark.parametrize("format", ["u8", "f16"])
@pytest.mark.parametrize("batch", [1, 5, 7, 23])
def test_what_is_written_comes_back(tmp_path: Path, format: str, batch: int) -> None:
    maps = maps_of(ROWS)
    with writer(tmp_path / "s", format=format) as w:
        assert w.done == 0
        for begin in range(0, ROWS, batch):
            w.append(maps[begin : begin + batch])
    found = HeatmapStore(tmp_path / "s")
    assert (found.codec, found.keypoints, found.boxes_hash) == (CODEC, COCO17.keypoints, "abc")
    assert (len(found), found.format, found.shape) == (ROWS, format, (17, 16, 12))
    wanted = kept(maps, format)
    for start, stop in ((0, ROWS), (0, 1), (6, 8), (7, 14), (3, 20), (22, 23), (5, 5), (20, 99)):
        np.testing.assert_array_equal(found.read(start, stop), wanted[start:stop])
    packed = list(found.chunks(2, 17))
    assert sum(map(len, packed)) == 15
    assert {p.values.dtype for p in packed} == {np.dtype("u2") if format == "u8" else np.dtype("f2")}


@pytest.mark.parametrize("format", ["u8", "f16"])
def test_windows_are_asked_for_and_warned_of(tmp_path: Path, format: str) -> None:
    maps = maps_of(ROWS)
    with pytest.warns(UserWarning, match="far off"), writer(tmp_path, format=format, window=(6, 5)) as w:
        w.append(maps)
    found = HeatmapStore(tmp_path)
    assert found.window == (6, 5)
    np.testing.assert_array_equal(found.read(4, 19), kept(maps, format, (6, 5))[4:19])


def test_equal_maps_make_equal_files_however_they_come(tmp_path: Path) -> None:
    maps = maps_of(ROWS)
    for name, batch in (("a", 4), ("b", 23)):
        with writer(tmp_path / name) as w:
            for begin in range(0, ROWS, batch):
                w.append(maps[begin : begin + batch])
    files = [{p.name: p.read_bytes() for p in (tmp_path / name).iterdir()} for name in "ab"]
    assert files[0] == files[1]
    assert set(files[0]) == {"index.json", "00000.maps", "00001.maps", "00002.maps", "00003.maps"}


def test_writing_goes_on_after_the_last_whole_shard(tmp_path: Path) -> None:
    maps = maps_of(ROWS)
    writer(tmp_path).append(maps[:17])
    with pytest.raises(InputError, match="2 of 4 shards are missing; run again"):
        HeatmapStore(tmp_path)
    with writer(tmp_path) as w:
        assert w.done == 14
        w.append(maps[14:])
    np.testing.assert_array_equal(HeatmapStore(tmp_path).read(0, ROWS), kept(maps, "u8"))
    with writer(tmp_path) as w:
        assert w.done == ROWS


def test_several_writers_fill_a_store(tmp_path: Path) -> None:
    maps, cuts = maps_of(ROWS), [0, 3, 11, ROWS]
    for shard in (2, 0, 1):
        with writer(tmp_path, cuts=cuts, shard=shard) as w:
            assert w.done == cuts[shard]
            w.append(maps[cuts[shard] : cuts[shard + 1]])
    np.testing.assert_array_equal(HeatmapStore(tmp_path).read(0, ROWS), kept(maps, "u8"))
    with writer(tmp_path, cuts=cuts, shard=1) as w:
        assert w.done == 11


def test_no_boxes(tmp_path: Path) -> None:
    with writer(tmp_path, rows=0) as w:
        assert w.done == 0
    assert HeatmapStore(tmp_path).read(0, 5).shape == (0, 17, 16, 12)


CHANGES = {
    "boxes": {"boxes_hash": "abd"},
    "codec": {"codec": CODEC.at_stride(2)},
    "format": {"format": "f16"},
    "keypoints": {"keypoints": COCO17.keypoints[::-1]},
    "rows": {"rows": ROWS + 1},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_store_of_something_else_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    writer(tmp_path)
    with pytest.raises(InputError, match="holds a store of other"):
        writer(tmp_path, **change)


def test_a_store_of_another_version_is_told_so(tmp_path: Path) -> None:
    with writer(tmp_path) as w:
        w.append(maps_of(ROWS))
    index = tmp_path / "index.json"
    index.write_text(index.read_text().replace("heatmaps 2", "heatmaps 1"))
    sentence = (
        r'another version of kpkit \("heatmaps 1", this one reads "heatmaps 2"\); remove the folder and run'
    )
    for opened in (HeatmapStore, writer):
        with pytest.raises(InputError, match=sentence) as caught:
            opened(tmp_path)
        assert caught.value.file == index


def test_misuse_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KpkitError, match="not one of u8, f16"):
        writer(tmp_path, format="u4")
    with pytest.raises(KpkitError, match="must rise from 0 to 23"):
        writer(tmp_path, cuts=[0, 9, 5, ROWS])
    w = writer(tmp_path)
    with pytest.raises(KpkitError, match=r"maps of shape \(17, 12, 16\)"):
        w.append(maps_of(2).swapaxes(2, 3))
    with pytest.raises(KpkitError, match="1 more maps than the store has rows"):
        w.append(maps_of(ROWS + 1))
    with (
        pytest.raises(KpkitError, match=r"3 rows of the store .* were not written"),
        writer(tmp_path / "b") as w,
    ):
        w.append(maps_of(ROWS - 3))
    maps = maps_of(ROWS)
    maps[20, 3, 2, 2] = np.nan
    with pytest.raises(KpkitError, match="NaN"), writer(tmp_path / "c") as w:
        w.append(maps)


@pytest.mark.parametrize("format", ["u8", "f16"])
def test_every_damaged_byte_is_told(tmp_path: Path, format: str) -> None:
    maps = maps_of(7)
    with writer(tmp_path, rows=7, format=format) as w:
        w.append(maps)
    path = tmp_path / "00000.maps"
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for place in [0, 9, 14, 40, *rng.integers(0, len(whole), 20).tolist()]:
        broken = bytearray(whole)
        broken[place] ^= 0x10
        path.write_bytes(broken)
        with pytest.raises(InputError, match="damaged heatmaps") as caught:
            HeatmapStore(tmp_path).read(0, 7)
        assert caught.value.file == path
    for length in (0, 5, 11, 30, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match="damaged heatmaps"):
            HeatmapStore(tmp_path).read(0, 7)
    path.write_bytes(whole)
    np.testing.assert_array_equal(HeatmapStore(tmp_path).read(0, 7), kept(maps, format))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"kind": "heatmaps 2"}', '{"kind": "other"}'])
def test_an_index_that_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "index.json").write_text(text)
    with pytest.raises(InputError, match=r"index\.json"):
        HeatmapStore(tmp_path)


KILLED = f"""
import sys
import numpy as np
from kpkit.core import compiled
from kpkit.heatmaps.codecs import Codec
from kpkit.heatmaps.store import StoreWriter
compiled.available = lambda: False  # quicker to start, and of equal bits
folder, maps = sys.argv[1], np.load(sys.argv[2])
codec = Codec("megvii", (64, 48), 4, 1.25, (1.09, 1.135))
with StoreWriter(folder, codec, {COCO17.keypoints}, "abc", len(maps), shard_rows=7) as w:
    for row in range(w.done, len(maps)):
        w.append(maps[row : row + 1])
        print(row, flush=True)
"""


def test_a_killed_writer_leaves_whole_shards(tmp_path: Path) -> None:
    """Killed at three moments, each time it goes on; the store ends the same as one written in peace."""
    maps, rng = maps_of(ROWS), np.random.default_rng(0)
    np.save(tmp_path / "maps.npy", maps)
    command = [sys.executable, "-c", KILLED, str(tmp_path / "s"), str(tmp_path / "maps.npy")]
    begun = []
    for lines in (1, 6, 8):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout
        begun += [process.stdout.readline() for _ in range(lines)][:1]
        time.sleep(float(rng.uniform(0, 0.004)))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        for path in (tmp_path / "s").glob("[0-9]*.maps"):
            begin = int(path.stem) * 7
            alone = tmp_path / "alone"
            alone.mkdir(exist_ok=True)
            index = json.loads((tmp_path / "s" / "index.json").read_text())
            index["cuts"] = [0, min(7, ROWS - begin)]
            (alone / "index.json").write_text(json.dumps(index))
            (alone / "00000.maps").write_bytes(path.read_bytes())
            np.testing.assert_array_equal(HeatmapStore(alone).read(0, 7), kept(maps[begin : begin + 7], "u8"))
    assert begun[0] == "0\n"
    assert begun[1:] == sorted(begun[1:], key=int)
    with writer(tmp_path / "s") as w:
        assert w.done % 7 == 0 and w.done >= 7
        w.append(maps[w.done :])
    np.testing.assert_array_equal(HeatmapStore(tmp_path / "s").read(0, ROWS), kept(maps, "u8"))
