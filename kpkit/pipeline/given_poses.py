"""The poses that a refiner is given, and the labelled people they are of."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kpkit.core.errors import InputError
from kpkit.core.instances import Instances
from kpkit.data.load import LoadedDataset, load_dataset
from kpkit.data.results import read_poses, read_results
from kpkit.inference.finish import finish_poses
from kpkit.specs.datasets import Dataset
from kpkit.specs.poses import PosesSpec
from kpkit.specs.refinement import RefinementSpec
from kpkit.training.sources import trainable


def given_poses(
    path: Path, rules: PosesSpec | None, spec: RefinementSpec, shown: Dataset, val: Dataset | None
) -> tuple[Instances, Instances | None]:
    """Read poses, and find out on which pictures they are.

    An ensemble's are where the recipe has them made; those of a file are told by their image ids, and taken
    to be on ``shown`` where both data sets have these.

    Args:
        path: COCO results, or an ensemble's poses where there are ``rules`` to finish them by (mean scores).
        rules: the ensemble's.
        spec: what the refiner does with them.
        shown: the data set it learns from, its C.
        val: its validation set.

    Returns:
        The poses; and the labelled people of ``val`` where they are on its pictures, None where they are on
        those of ``shown``.

    Raises:
        InputError: poses on pictures of neither; or on those of ``val`` for more than to measure errors.
    """
    if rules is not None:
        poses = finish_poses(read_poses(path), rules.model_copy(update={"scoring": "mean"}))
        if spec.folds:
            return poses, None
        assert val
        return poses, trainable(load_dataset(val, check_pictures=False).people)
    poses = read_results(path)
    on_shown = _on(load_dataset(shown, check_pictures=False), poses)
    if on_shown.all():
        return poses, None
    judged = None if val is None else load_dataset(val, check_pictures=False)
    on_val = np.zeros(len(poses), bool) if judged is None else _on(judged, poses)
    names = shown.name if val is None else f"{shown.name} or {val.name}"
    if not (on_shown | on_val).all():
        row = int(np.argmin(on_shown | on_val))
        raise InputError(
            f"image id {int(poses.image_id[row])} is no picture of {names} "
            f"({int((~on_shown & ~on_val).sum())} of {len(poses)} poses are on such pictures)",
            file=path,
            row=row,
            remedy=f"give poses on the pictures of {shown.name}",
        )
    if judged is None or not on_val.all():
        cause = f"{int(on_shown.sum())} of {len(poses)} poses are on pictures of {shown.name}, the others not"
        raise InputError(cause, file=path, remedy=f"give poses on pictures of {names}, not of both")
    if spec.errors != "measured" or spec.real:
        raise InputError(
            f"the poses are on other pictures than {shown.name}'s, where they serve to measure errors alone",
            file=path,
            remedy='set errors = "measured" and real = 0 in [refinement], or give poses on its pictures',
        )
    return poses, trainable(judged.people)


def _on(loaded: LoadedDataset, poses: Instances) -> np.ndarray:
    """(N,) bool: poses on a data set's pictures."""
    on: np.ndarray = loaded.images.rows_of(poses.image_id) >= 0
    return on
