"""Is refinement worth it? Poses compared before and after on labelled pictures, keypoint by keypoint."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kpkit.core.instances import Instances
from kpkit.core.seeds import generator
from kpkit.evaluation.bootstrap import DRAWS
from kpkit.evaluation.errors import pose_errors
from kpkit.evaluation.oks import keypoint_oks

ENOUGH = 20
"""Pictures on which a keypoint must be labelled for an interval: drawn anew, a few say nothing of others."""


@dataclass(frozen=True, eq=False)
class Gain:
    """What refinement did to K keypoints of people that the unrefined poses had reached.

    Attributes:
        value, low, high: (K,) mean rise of the keypoint's similarity with its place, -1..1, and the ends of
            its 95 % interval over pictures; NaN where nobody labelled it, the ends also where fewer than
            ENOUGH pictures show it.
        better, worse: shares of the reached people whose OKS rose or fell.
    """

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    better: float
    worse: float

    @property
    def accepted(self) -> np.ndarray:
        """(K,) bool: keypoints that gain, by the whole interval."""
        return np.nan_to_num(self.low, nan=-1.0) > 0


def refinement_gain(truth: Instances, before: Instances, after: Instances, image_id: np.ndarray) -> Gain:
    """Compare poses row by row, each with the person it had reached before.

    Args:
        truth: labels.
        before, after: the same M poses unrefined and refined.
        image_id: the pictures judged; intervals are of pictures drawn anew.
    """
    person = pose_errors(truth, before, image_id).person
    rows = np.flatnonzero(person >= 0)
    people = truth[person[rows]]
    labelled = people.keypoints[:, :, 2] > 0
    was, now = (
        keypoint_oks(people.keypoints, poses.keypoints[rows], people.area, truth.skeleton.oks_sigmas)
        for poses in (before, after)
    )
    rise = np.where(labelled, now - was, 0.0)
    pictures = np.unique(image_id)
    place = np.searchsorted(pictures, people.image_id)
    total, count = (np.zeros((len(pictures), rise.shape[1])) for _ in range(2))
    np.add.at(total, place, rise)
    np.add.at(count, place, labelled)
    rng = generator("gain of refinement")
    often = rng.multinomial(len(pictures), np.full(len(pictures), 1 / len(pictures)), DRAWS)
    with np.errstate(invalid="ignore"):
        value = total.sum(axis=0) / count.sum(axis=0)
        drawn = (often @ total) / (often @ count)
    enough = (count > 0).sum(axis=0) >= ENOUGH
    low, high = np.full((2, rise.shape[1]), np.nan)
    if enough.any():
        low[enough], high[enough] = np.nanquantile(drawn[:, enough], [0.025, 0.975], axis=0)
    whole = rise.sum(axis=1)
    share = [float((sign * whole > 0).mean()) if len(rows) else 0.0 for sign in (1, -1)]
    return Gain(value, low, high, better=share[0], worse=share[1])


def gated(before: Instances, after: Instances, accepted: np.ndarray) -> Instances:
    """The refined places of accepted keypoints (K,) bool, the others where they were."""
    return after.with_(keypoints=np.where(accepted[:, None], after.keypoints, before.keypoints))
