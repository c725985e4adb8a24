"""``evaluate``: how good results are, how sure that is, where they fail, whether others are better."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kpkit.cli.options import Json, Runs

if TYPE_CHECKING:
    from kpkit.core.progress import Progress
    from kpkit.evaluation.ap import Judged
    from kpkit.evaluation.matching import Matches


def evaluate(
    results: Annotated[Path, typer.Argument(metavar="RESULTS", help="COCO keypoint results (JSON).")],
    truth: Annotated[Path, typer.Option("--truth", help="COCO person-keypoint annotations.")],
    only_truth_images: Annotated[
        bool, typer.Option("--only-truth-images", help="Leave out results for pictures the truth lacks.")
    ] = False,
    intervals: Annotated[
        bool, typer.Option("--intervals", help="95 % intervals over pictures (bootstrap).")
    ] = False,
    against: Annotated[
        Path | None,
        typer.Option("--against", help="Other results: how much better RESULTS is, with intervals."),
    ] = None,
    draws: Annotated[
        int | None, typer.Option("--draws", min=1, help="Draws of the bootstrap; 1000 when not given.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Of the bootstrap; 0 when not given.")] = None,
    errors: Annotated[
        bool,
        typer.Option("--errors", help="Jitter, inversion, swap, miss and more: how many, and their cost."),
    ] = False,
    details: Annotated[
        bool, typer.Option("--details", help="By keypoint, visibility, number of labels and overlap.")
    ] = False,
    runs: Runs = Path("runs"),
    json: Json = False,
) -> None:
    """The ten COCO keypoint figures, equal to pycocotools, on inputs that are checked first.

    Where there is a folder of artefacts, its cache keeps the annotations for the next time.
    """
    import json as json_module

    from kpkit.cli.evaluation_tables import lines
    from kpkit.core.errors import KpkitError
    from kpkit.data.annotation_cache import FOLDER
    from kpkit.evaluation.ap import judge
    from kpkit.evaluation.bootstrap import DRAWS

    if not (intervals or against) and (draws is not None or seed is not None):
        raise KpkitError("--draws and --seed need --intervals or --against")
    read = partial(judge, truth, only_truth_images=only_truth_images, cache=runs / FOLDER)
    judged = read(results)
    matches = judged.matches()
    told: dict[str, Any] = dict(matches.figures())
    if intervals or against:
        other = read(against).matches() if against else None
        told |= _resampled(matches, other, intervals, DRAWS if draws is None else draws, seed or 0)
    if errors or details:
        told |= _analysed(judged, errors, details)
    print(json_module.dumps(told) if json else "\n".join(lines(told)))


def _resampled(
    matches: Matches, other: Matches | None, intervals: bool, draws: int, seed: int
) -> dict[str, Any]:
    """Intervals of the figures, where asked for, and differences from other results, where there are any."""
    from kpkit.evaluation.bootstrap import difference_intervals, figure_intervals, resample

    with _progress("drawing pictures") as report:
        drawn = resample([matches, other] if other else [matches], draws=draws, seed=seed, progress=report)
    told: dict[str, Any] = {"bootstrap": {"draws": draws, "seed": seed, "pictures": len(matches.image_id)}}
    figures = matches.figures()
    if intervals:
        own = {name: values[0] for name, values in drawn.items()}
        told["intervals"] = {n: i.as_dict() for n, i in figure_intervals(figures, own).items()}
    if other:
        differences = difference_intervals(figures, other.figures(), drawn)
        told["against"] = {
            "figures": other.figures(),
            "difference": {n: i.as_dict() | {"of_chance": i.of_chance} for n, i in differences.items()},
        }
    return told


def _analysed(judged: Judged, errors: bool, details: bool) -> dict[str, Any]:
    """Errors and their costs; parts of the labels."""
    from kpkit.evaluation.breakdown import breakdown
    from kpkit.evaluation.error_costs import error_costs
    from kpkit.evaluation.errors import KINDS, pose_errors

    inputs = judged.truth, judged.poses, judged.image_id
    found = pose_errors(*inputs)
    told: dict[str, Any] = {}
    if errors:
        names = judged.truth.skeleton.keypoints
        counts = found.counts().T.tolist()
        costs = [
            {"error": c.error, "count": c.count, "gain": _known(c.gain), "AP_repaired": _number(c.repaired)}
            for c in error_costs(*inputs, found)
        ]
        kinds = [
            {"keypoint": name} | dict(zip(KINDS, count, strict=True))
            for name, count in zip(names, counts, strict=True)
        ]
        told["errors"] = {"costs": costs, "keypoints": kinds}
    if details:
        told["details"] = {
            table: [
                {"part": part.name, "people": part.people, "labels": part.labels}
                | part.figures
                | {"OKS": _number(part.oks)}
                for part in parts
            ]
            for table, parts in breakdown(*inputs, found).items()
        }
    return told


def _known(values: dict[str, float]) -> dict[str, float | None]:
    return {name: _number(value) for name, value in values.items()}


def _number(value: float) -> float | None:
    """JSON knows no NaN."""
    return None if value != value else value


@contextmanager
def _progress(title: str) -> Iterator[Progress]:
    """Where a step reports to, shown on stderr as jobs are; nothing of a step that is done at once."""
    import time

    from kpkit.cli.watch import watcher

    with watcher() as shown:
        begun = time.monotonic()

        def report(done: int, total: int, unit: str = "", note: str = "") -> None:
            if shown.idle and time.monotonic() - begun > 1:
                shown.started(title, title)
            if not shown.idle:
                shown.progressed(title, done, total, unit, note)

        yield report
        if not shown.idle:
            shown.finished(title, time.monotonic() - begun)
