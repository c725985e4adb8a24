"""The outside of a submission: a JSON file, or a zip with one at its root. Nothing is unpacked to disk."""

from __future__ import annotations

import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from kpkit.core.errors import InputError
from kpkit.submissions.problems import Findings

MAX_ENTRIES = 100
MAX_RATIO = 200
MAX_BYTES = 2**31
"""A results file is below these by far: poses shrink about fourfold, 420,000 of them take 0.2 GB."""


def read_submission(path: Path, findings: Findings) -> tuple[str, bytes] | None:
    """The name and bytes of the JSON file, from the disk or from inside a zip.

    Returns None when there is nothing to go on with; ``findings`` then says why.

    Raises:
        InputError: there is no such file.
    """
    if not path.is_file():
        raise InputError("no such file", file=path, remedy="give the results JSON or the zip made of it")
    with open(path, "rb") as handle:
        zipped = handle.read(4) in (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
    if zipped and path.suffix != ".zip":
        findings.file("file_suffix", f"{path.name} is a zip archive; its name must end in .zip")
    if zipped or path.suffix == ".zip":
        return _read_zip(path, findings)
    if path.suffix != ".json":
        findings.file("file_suffix", f"{path.name}: a results file's name must end in .json")
    if path.stat().st_size > MAX_BYTES:
        findings.file(
            "file_size", f"{path.name} has {path.stat().st_size:,} bytes, no results file has so many"
        )
        return None
    return path.name, path.read_bytes()


def _read_zip(path: Path, findings: Findings) -> tuple[str, bytes] | None:
    try:
        with zipfile.ZipFile(path) as archive:
            entry = _only_entry(archive, findings)
            return None if entry is None else (entry.filename, archive.read(entry))
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
        findings.file("zip_broken", f"{path.name} is not a whole zip archive ({error}); make it again")
    except NotImplementedError:
        findings.file("zip_method", f"{path.name} is packed by a method servers do not read; use deflate")
    return None


def _only_entry(archive: zipfile.ZipFile, findings: Findings) -> zipfile.ZipInfo | None:
    """The one JSON at the root, if the archive is as it must be and safe to read."""
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES:
        findings.file("zip_entries", f"the zip holds {len(entries):,} entries, must hold one JSON file")
        return None
    for entry in entries:
        _check_name(entry, findings)
    files = [entry for entry in entries if not entry.is_dir()]
    if len(files) != 1:
        names = ", ".join(repr(entry.filename) for entry in files[:5])
        findings.file("zip_entries", f"the zip holds {len(files)} files ({names}), must hold one JSON file")
        return None
    entry = files[0]
    if not entry.filename.endswith(".json"):
        findings.file("zip_not_json", f"the zip holds {entry.filename!r}, must hold a file ending in .json")
    if entry.flag_bits & 0x1:
        findings.file("zip_encrypted", f"{entry.filename!r} is encrypted; pack it without a password")
        return None
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        findings.file(
            "zip_method", f"{entry.filename!r} is packed by a method servers do not read; use deflate"
        )
        return None
    if entry.file_size > MAX_BYTES or entry.file_size > MAX_RATIO * max(1, entry.compress_size):
        findings.file(
            "zip_bomb",
            f"{entry.filename!r} would grow from {entry.compress_size:,} to {entry.file_size:,} bytes, "
            "which no results file does; it was not unpacked",
        )
        return None
    return entry


def _check_name(entry: zipfile.ZipInfo, findings: Findings) -> None:
    name = entry.orig_filename.replace("\\", "/")
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts or ":" in name or "\0" in name:
        findings.file("zip_unsafe_name", f"the zip's entry {name!r} would be unpacked outside its folder")
    elif entry.is_dir() or len(parts) > 1:
        findings.file("zip_folder", f"the zip's entry {name!r} is in a folder; put the JSON at the root")
    if stat.S_ISLNK(entry.external_attr >> 16):
        findings.file("zip_link", f"the zip's entry {name!r} is a link; pack the file itself")
