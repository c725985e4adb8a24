"""Files of weights from anywhere: what opens, what is refused in one sentence, and that nothing is run."""

from __future__ import annotations

import collections
import contextlib
import io
import os
import pickle
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save, save_file

from kpkit.core.errors import InputError
from kpkit.models.weights.checkpoint import read_checkpoint

TENSORS = {"conv.weight": torch.arange(600.0).reshape(20, 30), "conv.bias": torch.ones(20)}


class Evil:
    """Pickled as an order to make a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.folder),)


def torch_bytes(content: Any, *, legacy: bool) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=not legacy)
    return buffer.getvalue()


FORMATS: dict[str, Callable[[], bytes]] = {
    "safetensors": lambda: save(TENSORS),
    "zip": lambda: torch_bytes(TENSORS, legacy=False),
    "legacy": lambda: torch_bytes(TENSORS, legacy=True),
}


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_checkpoint(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_gives_the_tensors(tmp_path: Path, format: str) -> None:
    path = tmp_path / "weights.of.any.name"
    path.write_bytes(FORMATS[format]())
    found = read_checkpoint(path)
    assert found.found_in == "" and list(found.tensors) == sorted(TENSORS, reverse=format != "safetensors")
    assert all(torch.equal(found.tensors[name], TENSORS[name]) for name in TENSORS)


@pytest.mark.parametrize(
    ("content", "keys"),
    [
        ({"model": TENSORS, "epoch": 3}, "model"),
        ({"state_dict": {f"module.{k}": v for k, v in TENSORS.items()}, "optimizer": {}}, "state_dict"),
        ({"model": "pose_hrnet", "state_dict": TENSORS, "best_state_dict": TENSORS}, "state_dict"),
        ({"state_dict": {"conv.bias": torch.zeros(20)}, "state_dict_ema": TENSORS}, "state_dict_ema"),
        ({"state_dict": {"model": TENSORS}}, "state_dict.model"),
        (collections.OrderedDict((k, torch.nn.Parameter(v)) for k, v in TENSORS.items()), ""),
    ],
)
@pytest.mark.parametrize("legacy", [False, True])
def test_wrappers_are_taken_off(tmp_path: Path, content: Any, keys: str, legacy: bool) -> None:
    (tmp_path / "net.pth").write_bytes(torch_bytes(content, legacy=legacy))
    found = read_checkpoint(tmp_path / "net.pth")
    assert found.found_in == keys and found.tensors.keys() == TENSORS.keys()
    assert all(torch.equal(found.tensors[k], TENSORS[k]) for k in TENSORS)


@pytest.mark.parametrize("legacy", [False, True])
def test_figures_and_arguments_beside_the_tensors_do_not_matter(tmp_path: Path, legacy: bool) -> None:
    beside = {
        "perf": np.float64(0.74),
        "meta": {"dataset_meta": {"sigmas": np.ones(17, np.float32), "names": np.array(["nose"], object)}},
        "message_hub": [getattr, np.dtype("i8")],
        "args": Namespace(lr=0.001),
    }
    (tmp_path / "net.pth").write_bytes(torch_bytes({"state_dict": TENSORS, **beside}, legacy=legacy))
    assert read_checkpoint(tmp_path / "net.pth").tensors.keys() == TENSORS.keys()


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("share", [0.001, 0.02, 0.3, 0.8, 0.999])
def test_truncated_files_are_refused(tmp_path: Path, format: str, share: float) -> None:
    whole = FORMATS[format]()
    path = tmp_path / "cut.pth"
    path.write_bytes(whole[: max(1, int(len(whole) * share))])
    assert "whole" in refusal(path) or "none that torch.save wrote" in refusal(path)


def test_flipped_bytes_are_refused_or_read_but_never_crash(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    path = tmp_path / "net.pth"
    for write in FORMATS.values():
        whole = write()
        for _ in range(60):
            broken = bytearray(whole)
            broken[int(random.integers(0, min(len(whole), 600)))] ^= int(random.integers(1, 256))
            path.write_bytes(broken)
            with contextlib.suppress(InputError):
                read_checkpoint(path)


@pytest.mark.parametrize("legacy", [False, True, None])
@pytest.mark.parametrize("beside", [False, True])
def test_pickled_code_is_refused_and_never_run(tmp_path: Path, legacy: bool | None, beside: bool) -> None:
    ran = tmp_path / "ran"
    content = {"state_dict": TENSORS, "epoch": Evil(ran)} if beside else Evil(ran)
    path = tmp_path / "evil.pth"
    path.write_bytes(pickle.dumps(content) if legacy is None else torch_bytes(content, legacy=legacy))
    said = refusal(path)
    assert "none that torch.save wrote" in said if legacy is None else "names posix.mkdir" in said
    assert "save its tensors alone" in said
    assert not ran.exists()


def test_other_contents_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    for content, cause in [
        ([torch.ones(2)], "it holds a list, not tensors by name"),
        ({}, "it holds no tensors"),
        ({"state_dict": {}}, "it holds no tensors"),
        ({"w": torch.ones(2), "epoch": 3}, "entry 'epoch' is no tensor (int)"),
        ({3: torch.ones(2)}, "entry 3 is no name"),
        ({"w": getattr}, "entry 'w' is no tensor"),
        ({"w": torch.tensor([1.0, torch.nan])}, "tensor 'w' holds NaN or infinity"),
        ({"w": torch.ones(2, dtype=torch.complex64)}, "tensor 'w' is not one of plain numbers"),
        ({"w": torch.ones(2).to_sparse()}, "tensor 'w' is not one of plain numbers"),
        (torch.nn.Linear(2, 2), "it names torch.nn.modules.linear.Linear"),
    ]:
        path.write_bytes(torch_bytes(content, legacy=False))
        assert cause in refusal(path)


def test_what_is_no_file_of_weights_is_refused(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "absent.pth")
    assert "a folder, not a file" in refusal(tmp_path)
    path = tmp_path / "net.pth"
    for data, cause in [
        (b"", "the file is empty"),
        (b"<!DOCTYPE html><title>Sign in</title>", "neither a whole safetensors file nor a torch checkpoint"),
        (b"PK\x03\x04 not a torch archive", "not a whole torch checkpoint"),
    ]:
        path.write_bytes(data)
        assert cause in refusal(path)
    save_file({"w": torch.tensor([torch.inf])}, path)
    assert "holds NaN or infinity" in refusal(path)
