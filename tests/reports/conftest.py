"""One finished runs folder for the tests that only read it."""

from __future__ import annotations

import pytest

from .fake_runs import FakeRuns, make_runs


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> FakeRuns:
    """Recipes, negatives, labels, ensembles and submissions, with their data; do not write into it."""
    return make_runs(tmp_path_factory.mktemp("finished"))
