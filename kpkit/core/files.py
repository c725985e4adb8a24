"""Files that are whole or absent: atomic replacement, hashes, safe joining, locks."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from kpkit.core.errors import InputError, KpkitError


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Write beside ``path``, then move over it in one step.

    Yields the temporary path to write to. On success the file is flushed to disk and takes the name;
    on any error it is removed and the old file stays untouched.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with open(temporary, "rb") as handle:
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename inside ``folder`` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_bytes(path: str | Path, data: bytes) -> None:
    """Replace a file's content atomically."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: str | Path, text: str) -> None:
    """Replace a text file (UTF-8) atomically."""
    write_bytes(path, text.encode())


def write_json(path: str | Path, value: object, indent: int | None = 1) -> None:
    """Replace a JSON file atomically; NaN and infinity are refused (ValueError), keys keep their order."""
    write_text(path, json.dumps(value, indent=indent, allow_nan=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Read a small JSON file; a broken one raises InputError with its line."""
    try:
        return json.loads(Path(path).read_bytes())
    except FileNotFoundError:
        raise InputError("no such file", file=path) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"not valid JSON ({error})", file=path) from None


def file_hash(path: str | Path) -> str:
    """SHA-256 of a file's content, hexadecimal."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def text_hash(text: str) -> str:
    """SHA-256 of a text, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def canonical(value: object) -> str:
    """JSON with sorted keys and no spaces: one text for one meaning, for hashing."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


class HashCache:
    """File hashes remembered by path, size, inode and modification time, kept in one JSON file.

    Hashing 25 GB again at every start would make ``kpkit plan`` useless; a changed file is noticed by its
    size or times.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: dict[str, list[Any]] = {}
        if path.exists():
            with contextlib.suppress(InputError):  # a damaged cache only costs time
                loaded = read_json(path)
                self.entries = loaded if isinstance(loaded, dict) else {}

    def __call__(self, path: str | Path) -> str:
        """SHA-256 of a file, from memory when the file is the one remembered."""
        name = str(Path(path).resolve())
        stat = os.stat(path)
        stamp = [stat.st_size, stat.st_mtime_ns, stat.st_ino]
        known = self.entries.get(name)
        if isinstance(known, list) and len(known) == 4 and known[:3] == stamp:
            return str(known[3])
        digest = file_hash(path)
        self.entries[name] = [*stamp, digest]
        return digest

    def save(self) -> None:
        """Keep what was learnt."""
        write_json(self.path, self.entries, indent=None)


def safe_join(root: str | Path, name: str) -> Path:
    """``root / name``, refusing names that leave ``root`` (absolute, ``..``, links out of it).

    Raises InputError naming the offending name.
    """
    root = Path(root)
    if not name or "\0" in name or Path(name).is_absolute() or ".." in Path(name).parts:
        raise InputError(f"file name {name!r} leaves its folder {root}")
    path = root / name
    # Only links can still lead out; a plain name in the folder itself needs one look, not a full resolve.
    linked = path.is_symlink() or path.parent != root
    if linked and not path.resolve().is_relative_to(root.resolve()):
        raise InputError(f"file name {name!r} is a link that leaves its folder {root}")
    return path


@contextlib.contextmanager
def locked(path: str | Path, *, wait: float = 0.0, busy: str = "") -> Iterator[None]:
    """Hold an exclusive lock on a file; the system frees it when the process dies.

    Args:
        path: the lock file, made if absent; its text names the holder.
        wait: seconds to wait for another holder before giving up.
        busy: what to say when it stays held.

    Raises:
        KpkitError: another process holds it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+") as handle:
        deadline = time.monotonic() + wait
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() >= deadline:
                    handle.seek(0)
                    holder = handle.read().strip() or "another process"
                    raise KpkitError(f"{busy or str(path) + ' is in use'} ({holder})") from None
                time.sleep(0.1)
        handle.truncate(0)
        handle.write(f"pid {os.getpid()} on {socket.gethostname()}")
        handle.flush()
        yield


def publish_folder(work: Path, final: Path, before: Callable[[], None] | None = None) -> None:
    """Give a finished work folder its final name, in one step.

    Every file is flushed first, so that a folder under its final name is complete. A folder already there
    (another process was quicker) is kept and ``work`` removed.
    """
    for file in sorted(p for p in work.rglob("*") if p.is_file()):
        with open(file, "rb") as handle:
            os.fsync(handle.fileno())
    if before:
        before()
    try:
        os.rename(work, final)
    except OSError:
        if not final.is_dir():
            raise
        shutil.rmtree(work)
    sync_folder(final.parent)


def free_bytes(path: str | Path) -> int:
    """Free disk space where ``path`` is or will be."""
    path = Path(path).absolute()
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free
