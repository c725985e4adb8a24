"""What every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


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
