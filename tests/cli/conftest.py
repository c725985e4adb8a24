"""The command line in this process, as a user's shell sees it; a world to break."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kpkit.cli.main import run
from kpkit.data.world import draw_world

DOCUMENTS = Path(__file__).parents[1] / "documents"
COUNTS = {
    "train2017": 6, "val2017": 4, "aic": 4, "unlabeled2017": 4, "test-dev2017": 3, "test-challenge2017": 3,
}  # fmt: skip


@dataclass(frozen=True)
class Said:
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """The one error sentence, which is the last line; job lines may stand before it."""
        lines = self.err.splitlines()
        errors = [line for line in lines if line.startswith("error: ")]
        assert len(errors) == 1 and lines[-1] == errors[0], self.err
        assert "Traceback" not in self.err + self.out
        assert sum(errors[0].removeprefix("error: ") in line for line in lines) == 1, self.err
        return errors[0].removeprefix("error: ")

    @property
    def only_sentence(self) -> str:
        """The error sentence where nothing else was printed at all."""
        assert self.sentence and self.out == "" and len(self.err.splitlines()) == 1, self.err
        return self.sentence


Kpkit = Callable[..., Said]


@pytest.fixture
def kpkit(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Kpkit:
    """``kpkit("plan", doc, "--data", folder)``."""

    def call(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["kpkit", *map(str, arguments)])
        monkeypatch.delenv("KPKIT_DATA", raising=False)
        capsys.readouterr()
        code = run(debug=False)
        printed = capsys.readouterr()
        return Said(code, printed.out, printed.err)

    return call


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated world of a few pictures; do not write into it."""
    world = tmp_path_factory.mktemp("drawn") / "world"
    draw_world(world, size="tiny", seed=11, counts=COUNTS)
    return world


@dataclass(frozen=True)
class World:
    """A world of one's own, whose files can be broken and mended."""

    root: Path
    good: Path

    def __fspath__(self) -> str:
        return str(self.root)

    def __str__(self) -> str:
        return str(self.root)

    def table(self, name: str) -> Any:
        """A JSON file as Python objects."""
        return json.loads((self.root / name).read_bytes())

    def put(self, name: str, content: object) -> Path:
        """Replace a file by bytes, or by JSON."""
        path = self.root / name
        path.unlink()
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return path

    def mend(self) -> None:
        """Every file as it was drawn."""
        shutil.rmtree(self.root)
        shutil.copytree(self.good, self.root, copy_function=os.link)


@pytest.fixture
def world(drawn: Path, tmp_path: Path) -> World:
    """A copy of the drawn world."""
    root = tmp_path / "world"
    shutil.copytree(drawn, root, copy_function=os.link)
    return World(root, drawn)
