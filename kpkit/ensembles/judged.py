"""Several results on the same pictures: figures with intervals, and what each gains over another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from kpkit.core.instances import ImageTable, Instances
from kpkit.core.progress import Progress, silent
from kpkit.evaluation.bootstrap import difference_intervals, figure_intervals, resample
from kpkit.evaluation.guard import guard_truth
from kpkit.evaluation.matching import match
from kpkit.inference.finish import distinct_poses, finish_poses
from kpkit.specs.poses import PosesSpec

Gain = dict[str, float | None]
"""``value``, ``low`` and ``high`` of a 95 % interval, -1..1; None where nothing is known."""


class Judged:
    """Finished poses judged by COCO's rules, with the same drawn pictures for all.

    Args:
        truth, images: labels and the pictures judged.
        results: names and finished poses, looked at one after the other.
        draws, seed: of pictures (evaluation.bootstrap).
        progress: told draws done.

    Raises:
        InputError: labels that no figure can be computed from.
    """

    def __init__(
        self,
        truth: Instances,
        images: ImageTable,
        results: Iterable[tuple[str, Instances]],
        *,
        draws: int,
        seed: int,
        progress: Progress = silent,
    ) -> None:
        guard_truth(truth, None)
        matches = {name: match(truth, poses, images.id) for name, poses in results}
        self._place = {name: place for place, name in enumerate(matches)}
        self._figures = {name: found.figures() for name, found in matches.items()}
        self._drawn = resample(list(matches.values()), draws=draws, seed=seed, progress=progress)

    def row(self, name: str, base: str | None = None) -> dict[str, Any]:
        """``figures`` (the ten, 0..1, -1 where nobody of that size is), ``AP`` with its interval, and with a
        base the ``gain`` in AP over it."""
        own = {figure: values[self._place[name]] for figure, values in self._drawn.items()}
        interval = figure_intervals(self._figures[name], own)["AP"].as_dict()
        told: dict[str, Any] = {"figures": self._figures[name], "AP": interval}
        return told if base is None else told | {"gain": self.gain(name, base)}

    def gain(self, name: str, base: str) -> Gain:
        """AP of one less that of another, on the same draws."""
        places = np.array([self._place[name], self._place[base]])
        both = {figure: values[places] for figure, values in self._drawn.items()}
        return difference_intervals(self._figures[name], self._figures[base], both)["AP"].as_dict()


def finished(poses: Instances, spec: PosesSpec, truth: Instances, images: ImageTable) -> Instances:
    """Poses as they are judged; learned scores are learned here, out of fold (inference.learn_scores)."""
    if spec.scoring != "learned":
        return finish_poses(poses, spec)
    from kpkit.inference.learn_scores import learn_scores

    _, score = learn_scores(poses, truth, images.id)
    return distinct_poses(poses.with_(score=score), spec)
