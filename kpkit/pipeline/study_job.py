"""The artefact of a study: one row per training, kept with the figures the recipes' papers tell."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from kpkit.core.errors import InputError
from kpkit.core.progress import Progress
from kpkit.pipeline.artefacts import read_artefact
from kpkit.pipeline.job import ArtefactJob
from kpkit.reports.writers import write_csv
from kpkit.specs.loader import Document, load, varied

RUNS = "runs.csv"


@dataclass(frozen=True)
class Training:
    """One training of a study: the recipe's name, the seed, the document that says it all."""

    recipe: str
    seed: int
    document: Document


def trainings(study: Document) -> list[Training]:
    """What a study trains, recipe by recipe.

    A recipe whose own document says the same already is that document: it is not trained twice.

    Raises:
        InputError: a recipe that is missing, wrong with the overrides or judged on nothing, two of one name,
            or recipes judged on different people.
    """
    found: list[Training] = []
    for name in study.spec.recipes:
        base = load(name, "recipe", beside=study.path)
        for seed in study.spec.seeds:
            tables = dict(study.spec.overrides)
            tables["training"] = tables.get("training", {}) | {"seed": seed}
            own = varied(base, f"{base.name}-seed{seed}", tables, study.path)
            found.append(Training(base.name, seed, base if own.spec == base.spec else own))
    names = [training.recipe for training in found]
    if len(set(names)) != len(study.spec.recipes):
        raise InputError("two recipes have one name", file=study.path, remedy="rename a recipe's file")
    judged = {training.recipe: training.document.spec.data for training in found}
    remedy = "name one for all: overrides = { data = { val = ... } }"
    for name, data in judged.items():
        first = judged[found[0].recipe]
        if not data.val:
            raise InputError(f"recipe {name!r} is judged on nothing", file=study.path, remedy=remedy)
        if (data.val, data.val_boxes) != (first.val, first.val_boxes):
            one, other = (f"{d.val} with {d.val_boxes}" for d in (first, data))
            raise InputError(
                f"{found[0].recipe!r} is judged on {one}, {name!r} on {other}", file=study.path, remedy=remedy
            )
    return found


@dataclass
class StudyJob(ArtefactJob):
    """Gather the figures of a study's trainings.

    Args:
        trainings: what was trained.
        folders: their artefacts, in the same order.
    """

    trainings: list[Training] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)

    def make(self, work: Path, progress: Progress) -> dict[str, Any]:
        """``runs.csv``: recipe, seed, strategy, steps, people by source, figures 0 to 1, artefact's key."""
        rows = [_row(*each) for each in zip(self.trainings, self.folders, strict=True)]
        write_csv(pd.json_normalize(rows, sep="_"), work / RUNS)
        published = {
            training.recipe: training.document.spec.about.published_ap
            for training in self.trainings
            if training.document.spec.about.published_ap is not None
        }
        return {"runs": rows, "published": published}


def _row(training: Training, folder: Path) -> dict[str, Any]:
    done = read_artefact(folder)
    metrics, false = done.metrics, done.metrics.get("false_detections", {})
    return {
        "recipe": training.recipe,
        "seed": training.seed,
        "strategy": " -> ".join(training.document.spec.training.phases),
        "steps": metrics.get("steps", 0),
        "people": metrics.get("people", {}),
        "val": metrics["val"],
        "false_score": false.get("mean_keypoint_score"),
        "artefact": done.manifest["key"],
    }
