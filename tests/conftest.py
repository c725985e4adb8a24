"""What every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Ray starts its workers at niceness 15: beside anything else a test that waits for them would wait for ever.
os.environ.setdefault("RAY_worker_niceness", "0")


def _shared() -> Path | None:
    root = Path(os.environ.get("KPKIT_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    return root if (root / "golden").is_dir() and (root / "real").is_dir() else None


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with ``golden/`` and ``real/``: beside the checkout, or KPKIT_SHARED."""
    root = _shared()
    if root is None:
        pytest.skip("golden and real files are not here (../shared or KPKIT_SHARED)")
    return root


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say aloud when checks against the peers' numbers and real data did not run."""
    if _shared() is None:
        terminalreporter.write_line(
            "NOTE: ../shared is absent: golden and real-data tests were skipped", yellow=True
        )


@pytest.fixture(scope="session")
def nano_world(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A generated world of a few dozen pictures, drawn once for all test processes; do not write to it."""
    from kpkit.core.files import locked
    from kpkit.data.world import draw_world

    base = tmp_path_factory.getbasetemp()
    base = base if worker_id == "master" else base.parent
    counts = {"train2017": 14, "val2017": 8, "aic": 8, "unlabeled2017": 6, "test-dev2017": 4,
              "test-challenge2017": 4}  # fmt: skip
    with locked(base / "nano_world.lock", wait=300):
        draw_world(base / "nano_world", size="tiny", seed=3, counts=counts)
    return base / "nano_world"


@pytest.fixture(scope="session")
def documents() -> Path:
    """The documents of the tests: a pipeline of seconds, and one for real input."""
    return Path(__file__).parent / "documents"
