"""Files are whole or absent: failing writes, hashes, joining, locks, publishing."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kpkit.core import files
from kpkit.core.errors import InputError, KpkitError

CALLS = ("open", "write", "fsync", "replace")


def fail_nth(monkeypatch: pytest.MonkeyPatch, n: int, code: int) -> list[str]:
    """Make the n-th file operation of a replacement fail; returns the operations seen."""
    seen: list[str] = []

    def step(name: str) -> None:
        seen.append(name)
        if len(seen) == n + 1:
            raise OSError(code, os.strerror(code))

    fsync, replace, open_folder, write = os.fsync, os.replace, os.open, Path.write_bytes

    def short_write(self: Path, data: bytes) -> int:
        write(self, data[: len(data) // 2])  # what a full disk leaves behind
        step("write")
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", short_write)
    monkeypatch.setattr(os, "fsync", lambda handle: (step("fsync"), fsync(handle))[1])
    monkeypatch.setattr(os, "replace", lambda a, b: (step("replace"), replace(a, b))[1])
    monkeypatch.setattr(os, "open", lambda *a, **k: (step("open"), open_folder(*a, **k))[1])
    return seen


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("n", range(5))
@pytest.mark.parametrize("existing", [True, False])
def test_any_failing_step_leaves_old_or_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, existing: bool, n: int, code: int
) -> None:
    path = tmp_path / "a.json"
    old, new = b"old" * 1000, b"new!" * 1000
    if existing:
        path.write_bytes(old)
    with monkeypatch.context() as patch:
        seen = fail_nth(patch, n, code)
        with pytest.raises(OSError, match=os.strerror(code)):
            files.write_bytes(path, new)
    assert seen == ["write", "fsync", "replace", "open", "fsync"][: n + 1]
    if seen[-1] in ("write", "fsync", "replace") and "replace" not in seen[:-1]:
        assert path.exists() == existing
        assert not existing or path.read_bytes() == old
    else:
        assert path.read_bytes() == new
    assert [p.name for p in tmp_path.iterdir() if p.name != "a.json"] == []


def test_a_killed_writer_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    files.write_text(path, "old")
    code = (
        "import os, sys; from kpkit.core.files import replacing\n"
        "with replacing(sys.argv[1]) as p:\n    p.write_text('half'); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == 9
    assert path.read_text() == "old"


def test_replacing_makes_folders_and_keeps_the_name(tmp_path: Path) -> None:
    path = tmp_path / "new/folder/a.txt"
    files.write_text(path, "ü")
    assert path.read_text(encoding="utf-8") == "ü"
    assert [p.name for p in path.parent.iterdir()] == ["a.txt"]
    with pytest.raises(FileNotFoundError), files.replacing(path):
        Path(tmp_path / "none").read_bytes()
    with pytest.raises(FileNotFoundError), files.replacing(path):
        pass  # nothing was written
    assert path.read_text(encoding="utf-8") == "ü"
    assert [p.name for p in path.parent.iterdir()] == ["a.txt"]


def test_json_round_trip_and_faults(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    value = {"b": [1, 2.5, None], "a": "ü"}
    files.write_json(path, value)
    assert files.read_json(path) == value
    assert list(files.read_json(path)) == ["b", "a"]
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(path, {"x": float("nan")})
    assert files.read_json(path) == value
    path.write_text('{"a": 1,\n "b"')
    with pytest.raises(InputError, match=r"a\.json: not valid JSON .*line 2"):
        files.read_json(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not valid JSON"):
        files.read_json(path)
    with pytest.raises(InputError, match="no such file"):
        files.read_json(tmp_path / "none.json")


def test_hashes(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * 10**6)
    assert files.file_hash(path) == hashlib.sha256(b"x" * 10**6).hexdigest()
    assert files.text_hash("ü") == hashlib.sha256("ü".encode()).hexdigest()
    assert files.canonical({"b": 1, "a": [1.5, "x"]}) == '{"a":[1.5,"x"],"b":1}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.canonical(float("inf"))


def test_hash_cache_notices_changes_and_survives_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, kept = tmp_path / "a", tmp_path / "hashes.json"
    path.write_bytes(b"one")
    cache = files.HashCache(kept)
    first = cache(path)
    cache.save()
    again = files.HashCache(kept)
    with monkeypatch.context() as patch:
        patch.setattr(files, "file_hash", lambda _: pytest.fail("hashed twice"))
        assert again(path) == first
    path.write_bytes(b"two")
    os.utime(path, ns=(1, 1))
    assert again(path) == hashlib.sha256(b"two").hexdigest()
    for damage in ("{", "[1]", '{"x": 5}'):
        kept.write_text(damage.replace("x", str(path.resolve())))
        assert files.HashCache(kept)(path) == again(path)


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../a", "a/../../b", "a\0b", "..", "a/.."])
def test_names_that_leave_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="leaves its folder"):
        files.safe_join(tmp_path, name)


def test_links_may_stay_but_not_leave(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "sub").mkdir(parents=True)
    outside.mkdir()
    (outside / "secret").write_text("x")
    (root / "sub" / "a").write_text("a")
    (root / "link").symlink_to(root / "sub" / "a")
    (root / "out").symlink_to(outside / "secret")
    (root / "folder").symlink_to(outside)
    assert files.safe_join(root, "sub/a") == root / "sub/a"
    assert files.safe_join(root, "link") == root / "link"
    assert files.safe_join(root, "not/yet..there") == root / "not/yet..there"
    for name in ("out", "folder/secret", "folder"):
        with pytest.raises(InputError, match="link that leaves its folder"):
            files.safe_join(root, name)
    (tmp_path / "alias").symlink_to(root)  # the root itself may be a link: data often lies elsewhere
    assert files.safe_join(tmp_path / "alias", "sub/a").read_text() == "a"


HOLD = """
import sys, time
from kpkit.core.files import locked
with locked(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_lock_is_refused_while_another_process_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "run" / "lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with (
        pytest.raises(KpkitError, match=rf"run is busy \(pid {holder.pid} on "),
        files.locked(path, busy="run is busy"),
    ):
        pytest.fail("entered")
    with pytest.raises(KpkitError, match="is in use"), files.locked(path, wait=0.2):
        pytest.fail("entered")
    holder.kill()  # the system frees the lock of a dead process
    holder.wait()
    with files.locked(path, wait=5):
        assert f"pid {os.getpid()} on " in path.read_text()
    with files.locked(path):
        pass


def test_publishing_a_folder(tmp_path: Path) -> None:
    work, final = tmp_path / "work", tmp_path / "final"
    (work / "sub").mkdir(parents=True)
    (work / "sub" / "a").write_text("mine")
    seen = []
    files.publish_folder(work, final, before=lambda: seen.append(final.exists()))
    assert seen == [False]
    assert (final / "sub/a").read_text() == "mine"
    assert not work.exists()
    work.mkdir()
    (work / "b").write_text("later")
    files.publish_folder(work, final)  # another process was quicker: what is there stays
    assert sorted(p.name for p in final.iterdir()) == ["sub"]
    assert not work.exists()
    work.mkdir()
    with pytest.raises(OSError):
        files.publish_folder(work, tmp_path / "none" / "final")
    assert work.exists()


def test_publishing_over_an_empty_or_wrong_place(tmp_path: Path) -> None:
    work, final = tmp_path / "work", tmp_path / "final"
    work.mkdir()
    (work / "a").write_text("x")
    final.write_text("a file")
    with pytest.raises(OSError):
        files.publish_folder(work, final)
    assert (work / "a").exists()
    assert final.read_text() == "a file"


def test_free_bytes_of_a_place_to_be(tmp_path: Path) -> None:
    assert files.free_bytes(tmp_path / "not" / "there") > 0


def test_error_text_and_pickling() -> None:
    import pickle

    error = InputError("is broken", file="a.json", row=3, remedy="mend it")
    assert str(error) == "a.json: row 3: is broken; mend it"
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    assert (again.cause, again.row) == ("is broken", 3)
    assert str(InputError("is broken", row="annotations[2]")) == "annotations[2]: is broken"
    assert json.dumps(str(InputError("x")))
