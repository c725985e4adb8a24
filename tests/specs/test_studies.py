"""The shipped studies: what their recipes differ in is what they say, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from kpkit.pipeline.context import Context
from kpkit.pipeline.graph import GraphBuilder
from kpkit.pipeline.plan import plan_rows
from kpkit.pipeline.study_job import trainings
from kpkit.specs.loader import load, shipped
from kpkit.specs.recipe import RecipeSpec

STUDIES = [path for path in shipped() if path.parent.name == "studies"]


def changed(one: RecipeSpec, other: RecipeSpec) -> set[str]:
    """Dotted keys of the tables that differ."""
    a, b = (spec.model_dump(exclude={"about"}) for spec in (one, other))
    return {f"{table}.{key}" for table in ("network", "codec", "data", "training", "augmentation", "decode")
            for key in a[table] if a[table][key] != b[table][key]}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "varied"),
    [
        ("strategies", {"training.phases", "training.steps"}),
        ("hard_negatives", {"training.phases", "data.H"}),
        ("resampling", {"training.resampling"}),
    ],
)
def test_one_thing_is_varied(name: str, varied: set[str]) -> None:
    planned = trainings(load(name, "study"))
    assert len({training.seed for training in planned}) == 3
    first = planned[0]
    others = [training for training in planned if training.seed == first.seed]
    differences = [changed(first.document.spec, other.document.spec) for other in others[1:]]
    assert set().union(*differences) == varied
    assert all(differences)
    for one in planned:
        twin = next(other for other in others if other.recipe == one.recipe)
        assert changed(one.document.spec, twin.document.spec) <= {"training.seed"}


@pytest.mark.parametrize("path", STUDIES, ids=lambda p: p.stem)
def test_the_budget_is_the_same(path: Path, nano_world: Path, tmp_path: Path) -> None:
    """Whatever the world holds: steps are given, not epochs."""
    for training in trainings(load(str(path))):
        spec = training.document.spec.training
        assert (sum(spec.steps), spec.batch_size, spec.max_steps) == (1500, 24, None)
    builder = GraphBuilder(Context(nano_world, tmp_path / "runs"))
    builder.add(load(str(path)))
    rows = plan_rows(list(builder.nodes.values()))
    assert {row.crops for row in rows if row.name.startswith(("recipes/ablation", "recipes/tiny_mspn2"))} <= {
        36_000, None,
    }  # fmt: skip
    assert rows[-1].name.startswith(f"studies/{path.stem}-")
    assert not any(row.missing for row in rows)


def test_the_strategies_are_the_paper_s() -> None:
    """With the figures of CCM's own documents of Table 5."""
    for name in ("c", "a_c", "ac_c", "ach_ch", "achu_ch"):
        ours, theirs = (load(f"{family}_{name}", "recipe").spec for family in ("ablation", "ccm_table5"))
        assert ours.training.phases == theirs.training.phases
        assert ours.about.published_ap == theirs.about.published_ap
