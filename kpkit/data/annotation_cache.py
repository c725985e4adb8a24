"""Annotations read before, kept as arrays: the second time costs a few hundredths of a second.

An entry is trusted no more than any other input: nothing in it is run, its checksum, shapes and values are
checked, and one that fails is made anew. It answers for the annotation file only while

- size, inode and both times are those it was made from, and the file had lain still for a while then, so
  that no later change can have the same times (a change sets the inode's time, which no one can set back); or
- the file's SHA-256 is the one it was made from, whatever its times say.

Entries lie in the run folder, or where KPKIT_CACHE says, never beside the annotations; ``KPKIT_CACHE=off``
keeps none. A folder that cannot be written to costs a warning and time.
"""

from __future__ import annotations

import hashlib
import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kpkit.core.errors import KpkitError
from kpkit.core.files import file_hash
from kpkit.core.instances import ImageTable, Instances
from kpkit.core.skeletons import Skeleton
from kpkit.data.array_file import read_arrays, write_arrays
from kpkit.data.image_lists import check_names
from kpkit.data.label_checks import check_labels

VARIABLE = "KPKIT_CACHE"
FOLDER = ".cache"
"""Of a folder of artefacts."""

SMALLEST = 1 << 20
"""Bytes of a file that is worth an entry; a smaller one is read in less than 20 ms."""

_MAGIC = b"kpkit annotations 2\n"  # counted up when what is kept, or what reading makes of a file, changes
_STILL = 2_000_000_000
"""Nanoseconds without a change after which a file's times tell of the next: coarse clocks tick every 2 s."""
_LEFTOVER = 3600.0
"""Seconds after which a half-written entry is one of a killed process."""

_PEOPLE = {
    "image_id": np.int64, "box": np.float64, "keypoints": np.float64, "score": np.float64,
    "area": np.float64, "crowd": np.bool_, "id": np.int64,
}  # fmt: skip
_TYPES = _PEOPLE | {"keypoint_weight": np.float64, "images": np.int64, "stamp": np.int64}
"""Of an entry's arrays that are no texts; keypoint_weight is there where there are weights."""
Read = tuple[ImageTable, Instances]


def cache_folder(own: Path | None) -> Path | None:
    """Where entries go: KPKIT_CACHE, else a run's ``own`` folder where there is a run; None for nowhere."""
    chosen = os.environ.get(VARIABLE, "")
    if chosen:
        return None if chosen == "off" else Path(chosen)
    return own if own is not None and own.parent.is_dir() else None


def remembered(
    path: str | Path, folder: Path, skeleton: Skeleton, codes: str, read: Callable[[], Read]
) -> Read:
    """What ``read`` gives for an annotation file, from the cache where it knows the file.

    Args:
        path: the annotation file.
        folder: of the entries; made when there is none.
        skeleton, codes: how the file is read; each way has its own entry.
        read: reads and checks the file.

    Raises:
        InputError: what ``read`` raises.
    """
    path = Path(path)
    try:
        stamp = _Stamp.of(path)
    except OSError:
        return read()
    if stamp.size < SMALLEST:
        return read()
    key = hashlib.sha256("\0".join((str(path.resolve()), skeleton.name, codes)).encode()).digest()
    entry = folder / f"{path.name.split('.')[0]}-{key.hex()[:16]}.annotations"
    stored = _open(entry, key)
    if stored is not None and stored.stamp.tells(stamp):
        found = _restored(stored, skeleton, path)
        if found is not None:
            return found
    content = bytes.fromhex(file_hash(path))
    found = None
    if stored is not None and stored.content == content:
        found = _restored(stored, skeleton, path)
    found = found or read()
    try:
        still = _Stamp.of(path).identity == stamp.identity
    except OSError:
        still = False
    if still:
        _keep(entry, key, content, stamp, found)
    return found


@dataclass(frozen=True)
class _Stamp:
    """What the file system says of a file: bytes, times in nanoseconds, and when it was asked."""

    size: int
    modified: int
    changed: int
    inode: int
    asked: int

    @classmethod
    def of(cls, path: Path) -> _Stamp:
        with open(path, "rb") as file:  # opening makes network file systems ask their server
            stat = os.fstat(file.fileno())
        inode = stat.st_ino & (2**63 - 1)
        return cls(stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, inode, time.time_ns())

    @property
    def identity(self) -> tuple[int, int, int, int]:
        """All but when it was asked."""
        return self.size, self.modified, self.changed, self.inode

    def tells(self, now: _Stamp) -> bool:
        """Whether a file of stamp ``now`` is the one that had this stamp, for certain."""
        still = self.asked - max(self.modified, self.changed)
        return self.identity == now.identity and still > _STILL


@dataclass(frozen=True)
class _Stored:
    """An entry whose checksum and types are right."""

    stamp: _Stamp
    content: bytes
    arrays: dict[str, np.ndarray]


def _open(entry: Path, key: bytes) -> _Stored | None:
    """An entry; None when there is none, or none that is whole and of this key."""
    try:
        arrays = read_arrays(entry, _MAGIC)
        if any(array.dtype != _TYPES.get(name, np.uint8) for name, array in arrays.items()):
            return None
        stamp = arrays["stamp"]
        if arrays["key"].tobytes() != key or stamp.shape != (5,):
            return None
        return _Stored(_Stamp(*stamp.tolist()), arrays["content"].tobytes(), arrays)
    except (OSError, KeyError, ValueError):
        return None


def _restored(stored: _Stored, skeleton: Skeleton, path: Path) -> Read | None:
    """The annotations of an entry; None when something in it is not as reading leaves it."""
    arrays = stored.arrays
    try:
        images = _restored_images(arrays, path)
        people = Instances(
            **{name: arrays[name] for name in _PEOPLE}, source=np.full(len(arrays["image_id"]), "C"),
            skeleton=skeleton, keypoint_weight=arrays.get("keypoint_weight"),
        )  # fmt: skip
        weight = people.keypoint_weight
        if weight is not None and not ((weight >= 0) & (weight <= 1)).all():
            return None
        check_labels(images, people, path, lambda row: f"cached row {row}")
        return images, people
    except (KeyError, TypeError, ValueError, KpkitError):
        return None


def _restored_images(arrays: dict[str, np.ndarray], path: Path) -> ImageTable:
    text = arrays["file_name"].tobytes().decode()
    ids, width, height = arrays["images"].reshape(3, -1)
    names = text.split("\0") if len(ids) else []
    framed = f"\0{text}\0"
    if any(mark in framed for mark in ("..", "\0/", "\0\0")):
        check_names(names, path, str)
    return ImageTable(ids, tuple(names), width, height)


def _keep(entry: Path, key: bytes, content: bytes, stamp: _Stamp, found: Read) -> None:
    """Write an entry, in one step."""
    images, people = found
    arrays = {name: getattr(people, name) for name in _PEOPLE}
    if people.keypoint_weight is not None:
        arrays["keypoint_weight"] = people.keypoint_weight
    arrays["images"] = np.stack([images.id, images.width, images.height])
    texts = {"file_name": "\0".join(images.file_name).encode(), "key": key, "content": content}
    arrays |= {name: np.frombuffer(text, np.uint8) for name, text in texts.items()}
    arrays["stamp"] = np.array([*stamp.identity, stamp.asked], np.int64)
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        for left in entry.parent.glob(f".{entry.name}.*.tmp"):
            if time.time() - left.stat().st_mtime > _LEFTOVER:
                left.unlink()
        write_arrays(entry, _MAGIC, arrays)
    except OSError as error:
        remedy = f"set {VARIABLE} to a folder that can be written to, or to off"
        warnings.warn(
            f"{entry.parent}: annotations are not cached ({error.strerror}); {remedy}", stacklevel=4
        )
