"""Learning rates, counted by hand."""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpkit.specs.recipe import ScheduleSpec
from kpkit.training.schedule import learning_rate


def test_warm_up_rises_linearly_to_the_base() -> None:
    spec = ScheduleSpec(warmup_steps=3)
    rates = [learning_rate(spec, 0.8, step, 0, 1000) for step in range(4)]
    assert rates == pytest.approx([0.2, 0.4, 0.6, 0.8])


def test_cosine() -> None:
    spec = ScheduleSpec(warmup_steps=10)
    assert learning_rate(spec, 2.0, 10, 0, 110) == pytest.approx(2.0)
    assert learning_rate(spec, 2.0, 35, 0, 110) == pytest.approx(1 + 2**-0.5)
    assert learning_rate(spec, 2.0, 60, 0, 110) == pytest.approx(1.0)
    assert learning_rate(spec, 2.0, 85, 0, 110) == pytest.approx(1 - 2**-0.5)
    assert learning_rate(spec, 2.0, 110, 0, 110) == 0.0
    assert 0 < learning_rate(spec, 2.0, 109, 0, 110) < 2.0 * 3e-4
    assert learning_rate(ScheduleSpec(), 1.0, 0, 0, 50) == 1.0


def test_linear() -> None:
    """MSPN: from a tenth to the whole rate, then evenly to zero."""
    spec = ScheduleSpec(kind="linear", warmup_steps=9, warmup_from=0.1)
    rates = [learning_rate(spec, 1.0, step, 0, 109) for step in (0, 4, 9, 34, 59, 108)]
    assert rates == pytest.approx([0.1 + 0.9 * 0.1, 0.1 + 0.9 * 0.5, 1.0, 0.75, 0.5, 0.01])


@pytest.mark.parametrize(
    ("epoch", "rate"), [(0, 1.0), (2, 1.0), (3, 0.5), (4, 0.5), (5, 0.25), (9, 0.25), (10, 0.25)]
)
def test_steps(epoch: int, rate: float) -> None:
    spec = ScheduleSpec(kind="step", milestones=(3, 5), factor=0.5)
    assert learning_rate(spec, 1.0, 500, epoch, 1000) == pytest.approx(rate)


def test_steps_warm_up_too() -> None:
    spec = ScheduleSpec(kind="step", milestones=(1,), factor=0.1, warmup_steps=1)
    assert learning_rate(spec, 1.0, 0, 0, 10) == pytest.approx(0.5)
    assert learning_rate(spec, 1.0, 0, 1, 10) == pytest.approx(0.05)
    assert learning_rate(spec, 1.0, 1, 1, 10) == pytest.approx(0.1)


@given(st.sampled_from(["cosine", "linear"]), st.integers(0, 50), st.integers(1, 60), st.integers(0, 59))
def test_never_negative_nor_above_the_base(
    kind: Literal["cosine", "linear"], warmup: int, total: int, step: int
) -> None:
    """Also where the run is shorter than its warm-up."""
    spec = ScheduleSpec(kind=kind, warmup_steps=warmup)
    rate = learning_rate(spec, 1.0, min(step, total - 1), 0, total)
    assert 0 < rate <= 1.0
