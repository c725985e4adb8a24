"""``evaluate``, ``check``, ``judge-labels``: how good are results and labels, would the server take them?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpkit.cli.evaluate import evaluate
from kpkit.cli.options import Data, Json, Runs


def register(app: typer.Typer) -> None:
    """Add the group's commands."""
    app.command("evaluate")(evaluate)
    app.command("check")(check)
    app.command("judge-labels")(judge_labels)


def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Results JSON, or the zip to upload.")],
    images: Annotated[Path, typer.Option("--images", help="The split's image info or annotation file.")],
    profile: Annotated[
        str | None,
        typer.Option("--profile", help="Server rules: val2017, test-dev2017, test-challenge2017 or local."),
    ] = None,
    json: Json = False,
) -> None:
    """Would the server accept it? Every fault is named with its row. Exit code 1 when there is one."""
    import json as json_module
    from dataclasses import asdict

    from kpkit.submissions.validate import check_submission

    problems = check_submission(file, images, profile=profile)
    errors = sum(problem.severity == "error" for problem in problems)
    if json:
        print(json_module.dumps([asdict(problem) for problem in problems]))
    else:
        for problem in problems:
            print(problem)
        warnings = len(problems) - errors
        verdict = "would be refused" if errors else "good"
        print(f"{file}: {verdict}, {errors} errors, {warnings} warnings")
    if errors:
        raise typer.Exit(1)


def judge_labels(
    labels: Annotated[
        str,
        typer.Argument(
            metavar="LABELS",
            help="A pseudo-label document, its artefact's folder, or a COCO annotation file.",
        ),
    ],
    truth: Annotated[Path, typer.Option("--truth", help="COCO person-keypoint annotations.")],
    data: Data = None,
    runs: Runs = Path("runs"),
    json: Json = False,
) -> None:
    """How many labels of each keypoint are right by a truth, beside what their audit foretold.

    A label is right when its OKS with the truth's point is at least .5, or .75. Ignore regions are left out,
    and pictures the truth does not list.
    """
    import json as json_module

    from kpkit.pipeline.judged_labels import judged_labels

    found = judged_labels(labels, truth, data=data, runs=runs)
    print(json_module.dumps(found.as_dict()) if json else "\n".join(found.lines()))
