"""``kpkit demo``: quick on a tiny world; and, slowly, that its members learn."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.pipeline.runs import leftovers, run


@pytest.mark.timeout(600)
def test_demo_on_a_tiny_world(tmp_path: Path) -> None:
    done = run("demo", "--dir", tmp_path / "demo", "--size", "tiny", "--no-ray")
    assert done.returncode == 0, done.stderr
    for row in ("tiny_cpn", "tiny_mspn", "tiny_ccm", "test-dev2017", "test-challenge2017"):
        assert row in done.stdout
    assert "generated world" in done.stdout
    page = (tmp_path / "demo/report.html").read_text()
    assert "generated world" in page and "tiny_ccm" in page and "data:image/" in page
    assert leftovers(tmp_path / "demo") == []


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.timeout(3600)
def test_members_of_the_demo_learn(tmp_path: Path) -> None:
    """Each member reaches 40 AP on the world's val with detected boxes (minutes: pytest -m slow)."""
    done = run("demo", "--dir", tmp_path / "demo")
    assert done.returncode == 0, done.stderr
    (manifest,) = (tmp_path / "demo/runs/ensembles").glob("tiny-on-val2017-*/manifest.json")
    judged = json.loads(manifest.read_text())["metrics"]["members"]
    assert len(judged) == 3
    assert {name: figures["AP"] for name, figures in judged.items() if figures["AP"] < 0.40} == {}
