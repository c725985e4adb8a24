"""Phases: who is shown when, as a pure function of the step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpkit.core.errors import KpkitError
from kpkit.specs.recipe import TrainingSpec
from kpkit.training.phases import PhasePlan


def plan(counts: dict[str, int], ratios: dict[str, float] | None = None, **options: Any) -> PhasePlan:
    spec = TrainingSpec(**({"phases": ("ACHU", "CH"), "epochs": (2, 1), "batch_size": 4} | options))
    return PhasePlan(spec, counts, ratios or {})


def shown(of: PhasePlan) -> dict[int, np.ndarray]:
    """Rows of each epoch, step after step."""
    rows: dict[int, list[np.ndarray]] = {}
    for number in range(of.total_steps):
        step = of.step(number)
        rows.setdefault(step.epoch, []).append(step.rows)
    return {epoch: np.concatenate(parts) for epoch, parts in rows.items()}


COUNTS = {"A": 12, "C": 20, "H": 5, "U": 7}  # rows 0-11, 12-31, 32-36, 37-43


def test_every_row_of_a_phase_s_sources_once_an_epoch() -> None:
    epochs = shown(plan(COUNTS, batch_size=1))
    assert sorted(epochs) == [0, 1, 2]
    for epoch in (0, 1):
        assert sorted(epochs[epoch]) == list(range(44))
    assert sorted(epochs[2]) == list(range(12, 37))
    assert (epochs[0] != epochs[1]).any()


def test_phases_follow_each_other() -> None:
    steps = [plan(COUNTS).step(n) for n in range(plan(COUNTS).total_steps)]
    assert [s.phase for s in steps] == [0] * 22 + [1] * 6
    assert [s.epoch for s in steps] == [0] * 11 + [1] * 11 + [2] * 6
    assert [n for n, s in enumerate(steps) if s.last_of_epoch] == [10, 21, 27]
    assert all(len(s.rows) == 4 for s in steps)


def test_places_within_a_phase() -> None:
    of = plan(COUNTS)
    assert [of.place(n, in_phase=False) for n in (0, 21, 27)] == [(0, 0, 28), (21, 1, 28), (27, 2, 28)]
    assert [of.place(n, in_phase=True) for n in (0, 21, 22, 27)] == [
        (0, 0, 22), (21, 1, 22), (0, 0, 6), (5, 0, 6),
    ]  # fmt: skip
    cut = plan(COUNTS, max_steps=25)
    assert [cut.place(n, in_phase=True) for n in (21, 22, 24)] == [(21, 1, 22), (0, 0, 3), (2, 0, 3)]


@given(
    st.dictionaries(st.sampled_from("ACHU"), st.integers(1, 40), min_size=1),
    st.integers(1, 9),
    st.integers(0, 2**31),
    st.lists(st.integers(0, 10**6), min_size=5, max_size=20),
)
@settings(max_examples=60, deadline=None)
def test_random_access_equals_sequential(
    counts: dict[str, int], batch: int, seed: int, asked: list[int]
) -> None:
    letters = "".join(sorted(counts))
    if letters == "H":
        return
    options = {"phases": (letters,), "epochs": (3,), "batch_size": batch, "seed": seed}
    one = plan(counts, **options)
    steps = [one.step(n).rows for n in range(one.total_steps)]
    other = plan(counts, **options)
    for n in asked:
        np.testing.assert_array_equal(other.step(n % one.total_steps).rows, steps[n % one.total_steps])
    total = sum(counts.values())
    for rows in shown(one).values():
        times = np.bincount(rows, minlength=total)
        if total >= batch:  # what a last, smaller batch would hold waits; nobody comes twice
            assert times.max() == 1
            assert len(rows) == total - total % batch
        else:
            assert len(rows) == batch
            assert times.min() >= batch // total


LETTERS = st.permutations("ACHU").flatmap(lambda p: st.integers(1, 4).map(lambda n: "".join(p[:n])))
STRATEGIES = st.lists(LETTERS.filter(lambda letters: letters != "H"), min_size=1, max_size=4)


@given(
    st.sampled_from(["epochs", "steps"]),
    STRATEGIES,
    st.dictionaries(st.sampled_from("AHU"), st.floats(0.05, 3)),
    st.lists(st.integers(1, 30), min_size=4, max_size=4),
    st.integers(1, 9),
    st.integers(0, 2**31),
    st.data(),
)
@settings(max_examples=60, deadline=None)
def test_any_strategy_can_be_taken_up_at_any_step(
    unit: str,
    phases: list[str],
    ratios: dict[str, float],
    sizes: list[int],
    batch: int,
    seed: int,
    data: st.DataObject,
) -> None:
    """What a process that begins at step n shows from there on is what the unbroken one shows."""
    counts = dict(zip("ACHU", sizes, strict=True))
    lengths = [1 + i % 2 if unit == "epochs" else 1 + 5 * i for i in range(len(phases))]
    given = {"epochs": (), unit: lengths}
    options: dict[str, Any] = {"phases": phases, "batch_size": batch, "seed": seed, **given}
    whole = plan(counts, ratios, **options)
    steps = [whole.step(n) for n in range(whole.total_steps)]
    first = data.draw(st.integers(0, whole.total_steps - 1))
    resumed = plan(counts, ratios, **options)
    for n in range(first, whole.total_steps):
        again = resumed.step(n)
        np.testing.assert_array_equal(again.rows, steps[n].rows)
        assert again.phase == steps[n].phase and again.epoch == steps[n].epoch
        allowed = np.concatenate([np.r_[whole.rows_of(letter)] for letter in phases[again.phase]])
        assert set(again.rows) <= set(allowed)
        assert len(again.rows) == batch
    for edge in ("first_of_epoch", "last_of_epoch"):
        assert sum(getattr(step, edge) for step in steps) == len(whole.epochs)


@given(st.integers(1, 40), st.integers(1, 9), st.integers(0, 100))
@settings(max_examples=40, deadline=None)
def test_processes_that_train_together_share_a_step(people: int, workers: int, seed: int) -> None:
    of = plan({"C": people}, phases=("C",), epochs=(1,), batch_size=8, seed=seed)
    for n in range(of.total_steps):
        rows = of.step(n).rows
        shares = [rows[rank::workers] for rank in range(workers)]
        assert sorted(np.concatenate(shares)) == sorted(rows)
        assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize(
    ("ratio", "wanted"), [(0.25, 5), (0.5, 10), (1.0, 20), (1.7, 34), (0.001, 1)], ids=str
)
def test_ratios_count_against_c(ratio: float, wanted: int) -> None:
    of = plan(COUNTS, {"A": ratio}, phases=("AC",), epochs=(2,), batch_size=1)
    for rows in shown(of).values():
        times = np.bincount(rows, minlength=44)
        assert times[:12].sum() == wanted
        # nobody a second time before everybody came once
        assert times[:12].max() - times[:12].min() <= 1
        assert (times[12:32] == 1).all()
        assert times[32:].sum() == 0


def test_a_ratio_draws_other_rows_each_epoch() -> None:
    of = plan({"A": 1000, "C": 50}, {"A": 1.0}, phases=("AC",), epochs=(4,), batch_size=1)
    drawn = [set(rows[rows < 1000].tolist()) for rows in shown(of).values()]
    assert all(len(rows) == 50 for rows in drawn)
    assert len(set.union(*drawn)) > 150


def test_without_c_the_first_source_is_counted_against() -> None:
    of = plan(COUNTS, {"A": 9.0, "U": 0.5}, phases=("AU",), epochs=(1,), batch_size=1)
    rows = shown(of)[0]
    assert (rows < 12).sum() == 12
    assert (rows >= 37).sum() == 6


def test_seeds_change_the_order_only() -> None:
    one, other = (shown(plan(COUNTS, seed=seed, batch_size=1))[0] for seed in (1, 2))
    assert (one != other).any()
    assert sorted(one) == sorted(other)
    np.testing.assert_array_equal(one, shown(plan(COUNTS, seed=1, batch_size=1))[0])


@pytest.mark.parametrize(("first", "second"), [(22, 6), (20, 3), (1, 1), (11, 12), (30, 7)])
def test_phases_of_given_steps(first: int, second: int) -> None:
    """An epoch of the first phase has 11 steps, of the second 6; the last of each may be cut short."""
    of = plan(COUNTS, epochs=(), steps=(first, second))
    assert of.total_steps == first + second
    steps = [of.step(n) for n in range(of.total_steps)]
    assert [step.phase for step in steps] == [0] * first + [1] * second
    assert len(of.epochs) == -(-first // 11) + -(-second // 6)
    lasting = plan(COUNTS, epochs=(3, 2))
    ends = [n for n, step in enumerate(steps) if step.last_of_epoch]
    assert ends == sorted(
        {*range(10, first, 11), first - 1, *range(first + 5, first + second, 6), first + second - 1}
    )
    for n in range(min(first, 33)):
        np.testing.assert_array_equal(steps[n].rows, lasting.step(n).rows)
    assert of.place(first, in_phase=True) == (0, 0, second)


@pytest.mark.parametrize("limit", [1, 10, 11, 12, 28, 99])
def test_max_steps(limit: int) -> None:
    of, whole = plan(COUNTS, max_steps=limit), plan(COUNTS)
    assert of.total_steps == min(limit, 28)
    assert of.step(of.total_steps - 1).last_of_epoch
    for n in range(of.total_steps):
        np.testing.assert_array_equal(of.step(n).rows, whole.step(n).rows)


def test_a_source_smaller_than_a_batch_fills_one() -> None:
    of = plan({"C": 3}, phases=("C",), epochs=(2,), batch_size=8)
    assert of.total_steps == 2
    for rows in shown(of).values():
        assert sorted(np.bincount(rows)) == [2, 3, 3]


@pytest.mark.parametrize("counts", [{"C": 4}, {"C": 4, "H": 0}])
def test_a_source_without_anyone_is_refused(counts: dict[str, int]) -> None:
    with pytest.raises(KpkitError, match=r"^phase .CH. shows source H, which holds no one; leave H out"):
        plan(counts, phases=("C", "CH"), epochs=(1, 1))
