"""Checkpoints: whole or absent, two kept, a damaged one passed over, no code run on opening."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from kpkit.training.checkpoint import load_newest, save_checkpoint


def state(step: int) -> dict[str, object]:
    return {"step": step, "network": {"w": torch.full((50,), float(step))}, "log": [{"loss": 0.5}]}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def two(tmp_path: Path) -> Path:
    for step in (10, 20):
        save_checkpoint(tmp_path, step, state(step))
    return tmp_path


def test_the_newest_comes_back(two: Path) -> None:
    found = load_newest(two)
    assert found is not None
    step, saved, remarks = found
    assert (step, remarks) == (20, [])
    assert saved["log"] == [{"loss": 0.5}]
    assert torch.equal(saved["network"]["w"], torch.full((50,), 20.0))


def test_none_is_none(tmp_path: Path) -> None:
    assert load_newest(tmp_path) is None
    assert load_newest(tmp_path / "not there") is None


def test_two_are_kept_in_the_order_of_their_steps(two: Path) -> None:
    for step in (100, 99999999):
        save_checkpoint(two, step, state(step))
        assert len(names(two)) == 4
    assert names(two) == [
        "step-00000100.json", "step-00000100.pt", "step-99999999.json", "step-99999999.pt",
    ]  # fmt: skip


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.9999])
def test_a_truncated_one_is_passed_over(two: Path, share: float) -> None:
    newest = two / "step-00000020.pt"
    data = newest.read_bytes()
    newest.write_bytes(data[: int(len(data) * share)])
    found = load_newest(two)
    assert found is not None
    assert found[0] == 10
    assert found[2] == ["step-00000020.pt is damaged and was passed over"]


def test_a_flipped_bit_is_noticed(two: Path) -> None:
    newest = two / "step-00000020.pt"
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes(data)
    found = load_newest(two)
    assert found is not None
    assert found[0] == 10


@pytest.mark.parametrize("seal", [None, b"", b"{", b"[]", b"null", b"{}", b'"text"', b"\xff"])
def test_one_without_a_seal_is_passed_over(two: Path, seal: bytes | None) -> None:
    """As after a kill between the state and its seal."""
    path = two / "step-00000020.json"
    path.unlink() if seal is None else path.write_bytes(seal)
    found = load_newest(two)
    assert found is not None
    assert found[0] == 10
    assert found[2] == ["step-00000020.pt has no valid seal and was passed over"]


def test_all_damaged_is_none(two: Path) -> None:
    for path in two.glob("*.pt"):
        path.write_bytes(b"nothing")
    assert load_newest(two) is None


def test_leftovers_of_a_killed_write_are_no_checkpoints(two: Path) -> None:
    (two / ".step-00000030.pt.1234.tmp").write_bytes(b"half")
    (two / "step-00000040.json").write_text('{"sha256": "0"}')
    (two / "step-30.pt").write_bytes(b"")
    found = load_newest(two)
    assert found is not None
    assert (found[0], found[2]) == (20, [])


def test_a_failing_write_leaves_the_old_ones(two: Path) -> None:
    with pytest.raises(Exception, match=r"pickle|Pickl|local object"):
        save_checkpoint(two, 30, {"bad": lambda: 0})
    assert names(two) == [
        "step-00000010.json", "step-00000010.pt", "step-00000020.json", "step-00000020.pt",
    ]  # fmt: skip


def test_opening_runs_no_code(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (exec, (f"open({str(tmp_path / 'ran')!r}, 'w')",))

    save_checkpoint(tmp_path, 1, {"evil": Evil()})
    with pytest.raises(Exception, match="weights_only"):
        load_newest(tmp_path)
    assert not (tmp_path / "ran").exists()
