"""Arrays in a file: the same bits, and no damage unseen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kpkit.data.array_file import _BLOCK, _Checksum, read_arrays, write_arrays

MAGIC = b"arrays\n"


def arrays(count: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "text": np.frombuffer(b"any" * count, np.uint8),
        "flags": rng.random((count, 3)) < 0.5,
        "small": rng.integers(-9, 9, (count, 5)),
        "long": rng.integers(-(2**60), 2**60, count),
        "whole": rng.integers(0, 640, (count, 17, 3)).astype(float),
        "real": rng.normal(0, 1e9, (count, 4)),
        "none": np.zeros((0, 7)),
        "one": np.array(0.1),
    }


@pytest.mark.parametrize("count", [0, 1, 60_000])
def test_arrays_come_back_bit_for_bit(tmp_path: Path, count: int) -> None:
    path, given = tmp_path / "a", arrays(count)
    write_arrays(path, MAGIC, given)
    assert path.stat().st_size < 1000 + count * (3 + 3 + 2 * 5 + 8 + 2 * 51 + 32)
    found = read_arrays(path, MAGIC)
    assert list(found) == list(given)
    for name, array in given.items():
        assert found[name].dtype == array.dtype and found[name].shape == array.shape, name
        assert found[name].tobytes() == array.tobytes() and found[name].flags.writeable, name


def test_all_likely_damage_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_arrays(path, MAGIC, {"real": np.random.default_rng(0).normal(size=_BLOCK // 4)})
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    start = len(whole) - 32 - 2 * _BLOCK
    rng = np.random.default_rng(1)
    broken = [whole[:-1], np.append(whole, whole[:1])]
    for at in start + 8 * rng.integers(0, (2 * _BLOCK - 8192) // 8, 12):
        for length in (1, 100, 4096):  # overwritten with zeros, or with what may be: small whole numbers
            for values in (0, rng.integers(0, 256, length, np.uint8)):
                broken.append(whole.copy())
                broken[-1][at : at + length] = values
        for size in (8, 4096):  # two neighbours change places
            broken.append(whole.copy())
            broken[-1][at : at + 2 * size] = np.roll(whole[at : at + 2 * size], size)
        broken.append(whole.copy())  # one bit up, the same bit of the word 4 KiB on down
        bits = broken[-1][[at, at + 4096]] & 1
        broken[-1][[at, at + 4096]] += (1 - 2 * bits).astype(np.uint8)
    for data in broken:
        path.write_bytes(data.tobytes())
        with pytest.raises(ValueError):
            read_arrays(path, MAGIC)
    path.write_bytes(whole.tobytes())
    read_arrays(path, MAGIC)
    with pytest.raises(ValueError):
        read_arrays(path, b"others\n")


HEADERS = [
    b"[]", b"7", b"\xff",
    b'[["a","|O8","<i8",[1]]]', b'[["a","<f8","|O8",[1]]]', b'[["a","<i8","<i8",[-1]]]',
    b'[["a","<i8","<i8",[99]]]', b'[["a","|u1","|u1",[]]]', b'[["a","<i8","<i8",[1],7]]',
    b'[["a","<i8","<i8",[1099511627776,1099511627776]]]', b'[["a","<f8","<f8",[1]]]',
]  # fmt: skip


@pytest.mark.parametrize("header", [*HEADERS, b'[["a","<i8","<i8",[1]]]'])
def test_headers_are_not_believed(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "a"
    opening = MAGIC + len(header).to_bytes(8, "little") + header
    content = np.float64(np.inf).tobytes()
    block = np.zeros(_BLOCK, np.uint8)
    block[:8] = np.frombuffer(content, np.uint8)
    checksum = _Checksum(opening)
    checksum.add(block, 8)
    path.write_bytes(opening + content + checksum.digest.digest())
    if header in HEADERS:
        with pytest.raises(ValueError):
            read_arrays(path, MAGIC)
    else:
        assert read_arrays(path, MAGIC)["a"].tobytes() == content
