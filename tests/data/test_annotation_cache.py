"""The cache of annotations: the same bits, never stale, never half-written, never trusted."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kpkit.core.errors import InputError
from kpkit.core.instances import ImageTable, Instances
from kpkit.core.skeletons import AIC14
from kpkit.data import annotation_cache, coco
from kpkit.data.array_file import read_arrays, write_arrays
from kpkit.data.coco import read_annotations, write_annotations

Read = tuple[ImageTable, Instances]


@pytest.fixture(autouse=True)
def _small_files_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(annotation_cache, "SMALLEST", 1)
    monkeypatch.delenv("KPKIT_CACHE", raising=False)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """The cache of a run folder that is there."""
    (tmp_path / "runs").mkdir()
    return tmp_path / "runs" / ".cache"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows by one with each read of the annotation file itself."""
    done: list[str] = []
    real = coco._read
    monkeypatch.setattr(coco, "_read", lambda path, *how: (done.append(str(path)), real(path, *how))[1])
    return done


def labels(path: Path, count: int = 40, seed: int = 0, weighted: bool = False, whole: bool = True) -> Path:
    rng = np.random.default_rng(seed)
    keypoints = rng.uniform(-5, 640, (count, 17, 3))
    keypoints = np.round(keypoints) if whole else keypoints
    keypoints[:, :, 2] = rng.integers(0, 3, (count, 17))
    people = Instances.of(
        rng.choice([5, 2**40], count), rng.uniform(1, 99, (count, 4)), keypoints, score=rng.random(count),
        area=rng.uniform(1, 999, count), crowd=rng.random(count) < 0.3, id=rng.permutation(count) + 1,
        keypoint_weight=rng.random((count, 17)) if weighted else None,
    )  # fmt: skip
    write_annotations(path, ImageTable.of([5, 2**40], ["a b/ü.jpg", "c..d.jpg"], [64, 0], [48, 0]), people)
    return path


def long_ago(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the file have lain still: the inode's time cannot be set back, so the clock goes forward."""
    now = annotation_cache.time.time_ns()
    monkeypatch.setattr(annotation_cache.time, "time_ns", lambda: now + 10 * annotation_cache._STILL)


def same_bits(one: Read, other: Read) -> None:
    for a, b in zip(one, other, strict=True):
        for field in fields(a):
            x, y = getattr(a, field.name), getattr(b, field.name)
            if isinstance(x, np.ndarray):
                assert x.dtype == y.dtype and x.shape == y.shape and x.tobytes() == y.tobytes(), field.name
                assert x.flags.writeable
            else:
                assert x == y, field.name


@pytest.mark.parametrize("name", ["labels.json", "labels.json.gz"])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("whole", [True, False])
def test_what_was_cached_has_the_bits_of_a_fresh_read(
    tmp_path: Path, cache: Path, reads: list[str], name: str, weighted: bool, whole: bool
) -> None:
    path = labels(tmp_path / name, weighted=weighted, whole=whole)
    fresh = read_annotations(path)
    same_bits(read_annotations(path, cache=cache), fresh)
    assert len(reads) == 2
    same_bits(read_annotations(path, cache=cache), fresh)
    assert len(reads) == 2
    assert [p.parent for p in tmp_path.rglob("*.annotations")] == [cache]


@pytest.mark.shared
@pytest.mark.parametrize("name", ["person_keypoints_val2017_538.json.gz", "person_keypoints_train2017.json"])
def test_real_annotations_come_back_bit_for_bit(
    shared: Path, cache: Path, reads: list[str], name: str
) -> None:
    path = shared / "real/coco/annotations" / name
    fresh = read_annotations(path, cache=cache)
    same_bits(read_annotations(path, cache=cache), fresh)
    assert len(reads) == 1


def test_files_without_people_or_pictures(tmp_path: Path, cache: Path) -> None:
    path = tmp_path / "none.json"
    for images in ([], [{"id": 1, "file_name": "a.jpg"}]):
        path.write_text(json.dumps({"images": images, "annotations": []}))
        fresh = read_annotations(path)
        same_bits(read_annotations(path, cache=cache), fresh)
        same_bits(read_annotations(path, cache=cache), fresh)


def test_the_clock_alone_never_hides_a_change(tmp_path: Path, cache: Path, reads: list[str]) -> None:
    path = labels(tmp_path / "a.json")
    stat = path.stat()
    read_annotations(path, cache=cache)
    text = path.read_bytes()
    changed = text.replace(b'"iscrowd":0', b'"iscrowd":1', 1)
    assert len(changed) == len(text) and changed != text
    path.write_bytes(changed)  # same size, same inode, and then the same modification time
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    same_bits(read_annotations(path, cache=cache), read_annotations(path))
    assert len(reads) == 3


def test_a_file_that_lay_still_is_not_hashed_and_a_touched_one_is(
    tmp_path: Path, cache: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = labels(tmp_path / "a.json")
    hashed: list[Path] = []
    real = annotation_cache.file_hash
    monkeypatch.setattr(annotation_cache, "file_hash", lambda p: (hashed.append(p), real(p))[1])
    read_annotations(path, cache=cache)
    read_annotations(path, cache=cache)
    assert len(hashed) == 2  # written this very moment: its times prove nothing yet
    long_ago(path, monkeypatch)
    read_annotations(path, cache=cache)
    read_annotations(path, cache=cache)
    assert len(hashed) == 3
    os.utime(path, ns=(0, 0))
    read_annotations(path, cache=cache)
    assert len(hashed) == 4 and len(reads) == 1
    # another text under the same modification time: the inode's own time tells
    stat = path.stat()
    path.write_bytes(path.read_bytes().replace(b'"iscrowd":0', b'"iscrowd":1', 1))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    same_bits(read_annotations(path, cache=cache), read_annotations(path))


def test_a_file_that_changes_while_it_is_read_is_not_kept(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = labels(tmp_path / "a.json")
    real = coco._read
    monkeypatch.setattr(coco, "_read", lambda p, *how: (real(p, *how), labels(path, 41))[0])
    read_annotations(path, cache=cache)
    monkeypatch.setattr(coco, "_read", lambda p, *how: (real(p, *how), path.unlink())[0])
    read_annotations(path, cache=cache)
    assert not cache.exists()


def test_each_way_of_reading_and_each_file_has_its_own_entry(tmp_path: Path, cache: Path) -> None:
    one, other = labels(tmp_path / "a.json"), labels(tmp_path / "b" / "a.json", 41)
    assert len(read_annotations(one, cache=cache)[1]) == 40
    assert len(read_annotations(other, cache=cache)[1]) == 41
    assert len(read_annotations(one, cache=cache)[1]) == 40
    with pytest.raises(InputError, match="not those of skeleton aic14"):
        read_annotations(one, skeleton=AIC14, cache=cache)
    assert len(list(cache.iterdir())) == 2


def test_faulty_files_are_refused_every_time(tmp_path: Path, cache: Path) -> None:
    path = labels(tmp_path / "a.json")
    path.write_bytes(path.read_bytes().replace(b'"category_id":1', b'"category_id":"1"', 1))
    for _ in range(2):
        with pytest.raises(InputError, match=r"a.json: annotations\[0\].*'category_id' must be an integer"):
            read_annotations(path, cache=cache)
    with pytest.raises(InputError, match="no such file"):
        read_annotations(tmp_path / "none.json", cache=cache)
    assert not cache.exists()


def test_damaged_entries_are_noticed_and_made_anew(tmp_path: Path, cache: Path, reads: list[str]) -> None:
    path = labels(tmp_path / "a.json")
    fresh = read_annotations(path, cache=cache)
    entry = next(cache.iterdir())
    whole = entry.read_bytes()
    rng = np.random.default_rng(0)
    broken = [whole[: len(whole) * k // 12] for k in range(12)]
    for place, bit in zip(rng.integers(0, len(whole), 24), rng.integers(0, 8, 24), strict=True):
        data = bytearray(whole)
        data[place] ^= 1 << bit
        broken.append(bytes(data))
    for count, data in enumerate(broken, 2):
        entry.write_bytes(data)
        same_bits(read_annotations(path, cache=cache), fresh)
        assert len(reads) == count
    same_bits(read_annotations(path, cache=cache), fresh)
    assert len(reads) == len(broken) + 1


CRAFTED: dict[str, dict[str, Any]] = {
    "a pickle": {"people": np.array([1])},
    "unknown picture": {"image_id": np.full(40, 9)},
    "id twice": {"id": np.ones(40, np.int64)},
    "visibility": {"keypoints": np.full((40, 17, 3), 3.0)},
    "type": {"score": np.ones(40, np.int64)},
    "NaN": {"keypoints": np.full((40, 17, 3), np.nan)},
    "rows": {"score": np.ones(39)},
    "box": {"box": np.full((40, 4), -1.0)},
    "infinite area": {"area": np.full(40, np.inf)},
    "weight": {"keypoint_weight": np.full((40, 17), 2.0)},
    "names": {"file_name": np.frombuffer(b"a\0b\0c", np.uint8)},
    "leaves": {"file_name": np.frombuffer(b"../a\0b", np.uint8)},
    "absolute": {"file_name": np.frombuffer(b"b\0/etc/a", np.uint8)},
    "no UTF-8": {"file_name": np.frombuffer(b"\xff\0b", np.uint8)},
    "pictures": {"images": np.zeros((3, 2), np.int64)},
    "columns": {"images": np.zeros(7, np.int64)},
    "stamp": {"stamp": np.zeros((5, 1), np.int64)},
    "key": {"key": np.zeros(32, np.uint8)},
}


@pytest.mark.parametrize("what", CRAFTED)
def test_entries_made_to_deceive_are_refused(
    tmp_path: Path, cache: Path, reads: list[str], what: str
) -> None:
    path = labels(tmp_path / "a.json")
    fresh = read_annotations(path, cache=cache)
    entry = next(cache.iterdir())
    arrays = dict(read_arrays(entry, annotation_cache._MAGIC)) | CRAFTED[what]
    if what == "a pickle":
        del arrays["keypoints"]
    write_arrays(entry, annotation_cache._MAGIC, arrays)
    same_bits(read_annotations(path, cache=cache), fresh)
    assert len(reads) == 2


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS])
@pytest.mark.parametrize("step", ["fsync", "replace", "mkdir"])
def test_a_folder_that_takes_nothing_costs_a_warning(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, step: str, code: int
) -> None:
    path = labels(tmp_path / "a.json")
    fresh = read_annotations(path)

    def fail(*given: object, **how: object) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(Path if step == "mkdir" else os, step, fail)
        with pytest.warns(UserWarning, match=f"not cached .{os.strerror(code)}.*KPKIT_CACHE"):
            same_bits(read_annotations(path, cache=cache), fresh)
    assert not list(tmp_path.rglob("*.tmp")) and not list(tmp_path.rglob("*.annotations"))


def test_where_the_cache_is(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = labels(tmp_path / "data" / "a.json")
    read_annotations(path)
    read_annotations(path, cache=tmp_path / "no_run_yet" / ".cache")
    monkeypatch.setenv("KPKIT_CACHE", "off")
    read_annotations(path, cache=cache)
    assert not list(tmp_path.rglob("*.annotations"))
    monkeypatch.setenv("KPKIT_CACHE", str(tmp_path / "x" / "mine"))
    read_annotations(path)
    read_annotations(path, cache=cache)
    assert [p.parent for p in tmp_path.rglob("*.annotations")] == [tmp_path / "x" / "mine"]
    assert [p.name for p in (tmp_path / "data").iterdir()] == ["a.json"]


def test_small_files_are_not_kept(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    read_annotations(labels(tmp_path / "a.json"), cache=cache)
    assert not cache.exists()


def test_several_processes_read_and_write_one_entry(tmp_path: Path, cache: Path) -> None:
    path = labels(tmp_path / "a.json", 3000)
    code = (
        "import sys; from pathlib import Path; from kpkit.data import annotation_cache, coco\n"
        "annotation_cache.SMALLEST = 1\n"
        "for k in range(6):\n"
        "    people = coco.read_annotations(sys.argv[1], cache=Path(sys.argv[2]))[1]\n"
        "    assert len(people) == 3000 and people.keypoints.sum() == float(sys.argv[3])\n"
        "    for entry in Path(sys.argv[2]).glob('*.annotations'): entry.unlink(missing_ok=True)\n"
    )
    total = float(read_annotations(path)[1].keypoints.sum())
    command = [sys.executable, "-c", code, str(path), str(cache), repr(total)]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(2)]
    for process in running:
        assert process.wait() == 0, process.communicate()[1].decode()
    assert not list(cache.glob("*.tmp"))


def test_leftovers_of_killed_processes_go(tmp_path: Path, cache: Path) -> None:
    path = labels(tmp_path / "a.json")
    read_annotations(path, cache=cache)
    entry = next(cache.iterdir())
    old, new = (entry.with_name(f".{entry.name}.{pid}.tmp") for pid in (1, 2))
    old.write_bytes(b"half")
    new.write_bytes(b"half")
    os.utime(old, (0, 0))
    entry.unlink()
    read_annotations(path, cache=cache)
    assert sorted(cache.iterdir()) == sorted([entry, new])


def test_a_run_keeps_its_cache_in_its_folder(tmp_path: Path) -> None:
    from kpkit.pipeline.context import Context

    (tmp_path / "coco" / "val2017").mkdir(parents=True)
    labels(tmp_path / "coco" / "annotations" / "person_keypoints_val2017.json")
    missing: list[str] = []
    found = Context(tmp_path, tmp_path / "runs").dataset("coco_val2017", {}, missing, named_in=Path("d"))
    assert found is not None and found.cache == tmp_path / "runs" / ".cache", missing
