"""Zips that must not be sent, or not even opened."""

from __future__ import annotations

import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from kpkit.submissions import archive
from kpkit.submissions.profiles import ServerProfile
from kpkit.submissions.validate import check_submission

from .good_submissions import NAME, pack, pictures, rows, text

TABLE = pictures(11)
GOOD = text(rows(11, TABLE))
INNER = f"{NAME}.json"


def one(**entries: bytes) -> Callable[[Path], Path]:
    return lambda folder: pack(folder / f"{NAME}.zip", entries)


def plain(folder: Path) -> Path:
    return pack(folder / f"{NAME}.zip", {INNER: GOOD})


def patched(change: Callable[[bytearray], object]) -> Callable[[Path], Path]:
    """A good zip with its bytes changed."""

    def make(folder: Path) -> Path:
        path = plain(folder)
        data = bytearray(path.read_bytes())
        change(data)
        path.write_bytes(data)
        return path

    return make


def encrypted(data: bytearray) -> None:
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + offset] |= 1


def flipped(data: bytearray) -> None:
    data[len(data) // 2] ^= 0xFF


def lying_size(data: bytearray) -> None:
    struct.pack_into("<I", data, data.index(b"PK\x01\x02") + 24, 10**9)


def huge_size(data: bytearray) -> None:
    at = data.index(b"PK\x01\x02")
    struct.pack_into("<II", data, at + 20, 2**31 - 1, 2**32 - 2)


def link(folder: Path) -> Path:
    path = folder / f"{NAME}.zip"
    with zipfile.ZipFile(path, "w") as made:
        entry = zipfile.ZipInfo(INNER)
        entry.create_system = 3
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        made.writestr(entry, "/etc/passwd")
    return path


def renamed(name: str) -> Callable[[Path], Path]:
    return lambda folder: plain(folder).rename(folder / name)


FAULTS: dict[str, tuple[Callable[[Path], Path], str, str]] = {
    "in a folder": (one(**{f"results/{INNER}": GOOD}), "zip_folder", "put the JSON at the root"),
    "a folder beside": (one(**{"__MACOSX/": b"", INNER: GOOD}), "zip_folder", "'__MACOSX/'"),
    "two files": (one(**{INNER: GOOD, "readme.txt": b"x"}), "zip_entries", "2 files"),
    "no file": (one(), "zip_entries", "0 files"),
    "many entries": (one(**{f"{k}.json": b"[]" for k in range(101)}), "zip_entries", "101 entries"),
    "slip": (one(**{f"../{INNER}": GOOD}), "zip_unsafe_name", "outside its folder"),
    "absolute": (one(**{f"/tmp/{INNER}": GOOD}), "zip_unsafe_name", "outside its folder"),
    "drive": (one(**{f"C:\\{INNER}": GOOD}), "zip_unsafe_name", "outside its folder"),
    "backslashes": (one(**{f"..\\{INNER}": GOOD}), "zip_unsafe_name", "outside its folder"),
    "link": (link, "zip_link", "pack the file itself"),
    "bomb": (one(**{INNER: b"[" + b" " * 10**7 + b"]"}), "zip_bomb", "not unpacked"),
    "false size": (patched(lying_size), "zip_bomb", "not unpacked"),
    "beyond all": (patched(huge_size), "zip_bomb", "not unpacked"),
    "encrypted": (patched(encrypted), "zip_encrypted", "password"),
    "bit flipped": (patched(flipped), "zip_broken", "make it again"),
    "cut short": (patched(lambda d: d.__delitem__(slice(len(d) // 2, None))), "zip_broken", "make it again"),
    "no zip at all": (patched(lambda d: d.__setitem__(slice(None), GOOD)), "zip_broken", "make it again"),
    "other method": (
        lambda f: pack(f / f"{NAME}.zip", {INNER: GOOD}, zipfile.ZIP_LZMA), "zip_method", "use deflate",
    ),
    "no JSON name": (one(**{f"{NAME}.txt": GOOD}), "zip_not_json", "ending in .json"),
    "zip called JSON": (renamed(f"{NAME}.json"), "file_suffix", "must end in .zip"),
    "other split": (renamed("person_keypoints_val2017_kpkit_results.zip"), "file_name", "test-dev2017"),
    "own name": (renamed("results.zip"), "file_name", "_ALGORITHM_results.zip"),
    "no algorithm": (renamed("person_keypoints_test-dev2017__results.zip"), "file_name", "ALGORITHM"),
    "other name inside": (one(**{"results.json": GOOD}), "zip_name", INNER),
    "broken JSON inside": (one(**{INNER: GOOD[:-40]}), "truncated", "ends in the middle"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_faults(name: str, tmp_path: Path) -> None:
    make, code, words = FAULTS[name]
    path = make(tmp_path)
    before = sorted(p.name for p in tmp_path.iterdir())
    hits = [p for p in check_submission(path, TABLE, profile="test-dev2017") if p.code == code]
    assert hits
    assert words in hits[0].message
    assert hits[0].severity == "error"
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_good_zip(tmp_path: Path) -> None:
    assert check_submission(plain(tmp_path), TABLE, profile="test-dev2017") == []
    assert check_submission(renamed("mine.zip")(tmp_path), TABLE) == []


def test_size_warns(tmp_path: Path) -> None:
    small = ServerProfile("small", "test-dev2017", "", max_bytes=1000)
    found = check_submission(plain(tmp_path), TABLE, profile=small)
    assert [(p.code, p.severity) for p in found] == [("file_size", "warning")]


def test_json_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "results.txt"
    path.write_bytes(GOOD)
    assert [p.code for p in check_submission(path, TABLE)] == ["file_suffix"]
    path = path.rename(tmp_path / "results.json")
    assert [p.code for p in check_submission(path, TABLE, profile="test-dev2017")] == ["file_name"]
    monkeypatch.setattr(archive, "MAX_BYTES", 100)
    assert [p.code for p in check_submission(path, TABLE)] == ["file_size"]
