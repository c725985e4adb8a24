"""The rules tried on a labelled set before anything is written, and solved there where they are to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kpkit.core.errors import KpkitError
from kpkit.core.instances import Instances
from kpkit.pseudo_labels.calibration import FOLDS, Calibration, folds, out_of_fold, solve_floors
from kpkit.pseudo_labels.candidates import Candidates
from kpkit.pseudo_labels.judging import counts, judge
from kpkit.pseudo_labels.selection import Rules, label_people
from kpkit.specs.pseudo_labels import PseudoLabelsSpec


@dataclass(frozen=True)
class Audit:
    """What a labelled set says of the rules.

    Attributes:
        rules: with the floors that were solved, or the document's.
        calibration: probability behind a score, where labels are to be weighed by it.
        figures: for the manifest: ``people`` labelled there, of them ``nobody`` (the truth has no one) and
            ``unjudged``; per keypoint name its ``floor`` (None where nothing is kept), and how many were
            ``kept``, ``right_50``, ``right_75`` and ``unknown`` (the truth has no such point).
    """

    rules: Rules
    calibration: Calibration | None
    figures: dict[str, Any]


def given_rules(spec: PseudoLabelsSpec, keypoints: int) -> Rules:
    """The document's one floor for every keypoint."""
    return Rules(np.full(keypoints, spec.min_keypoint_score), spec.min_agreement, spec.min_keypoints)


def audit(spec: PseudoLabelsSpec, found: Candidates, truth: Instances) -> Audit:
    """Solve what the document wants solved, and judge what the rules would keep.

    Solved floors are judged out of fold: on each fold of pictures, those that the other folds give.

    Args:
        spec: the document.
        found: the teachers' people on the audit set.
        truth: every annotated person there.

    Raises:
        KpkitError: floors are to be solved on people of fewer than ten pictures.
    """
    rules = given_rules(spec, len(truth.skeleton))
    people, scores = found.people, found.people.keypoints[:, :, 2]
    kept = rules.kept(scores, found.agreement)
    calibration = None
    if spec.precision or spec.soft_weights:
        evidence = _Evidence.of(found, truth, spec)
        if spec.precision:
            _require_pictures(people.image_id)
            for held in folds(people.image_id):
                there = evidence.floors(~held, spec.precision, rules)
                kept[held] = there.kept(scores[held], found.agreement[held])
            rules = evidence.floors(np.ones(len(people), bool), spec.precision, rules)
        if spec.soft_weights:
            calibration = Calibration.fit(evidence.scores, evidence.right, evidence.judged)
    labels, _ = label_people(people, kept, spec.min_keypoints)
    judged = judge(labels, truth)
    table = counts(judged, truth.skeleton.keypoints)
    floors = [float(floor) if np.isfinite(floor) else None for floor in rules.floors]
    figures = {
        "people": len(labels),
        "nobody": int(judged.nobody.sum()),
        "unjudged": int(judged.unjudged.sum()),
        "keypoints": {
            name: {"floor": floor} | table[name] for name, floor in zip(table, floors, strict=True)
        },
    }
    return Audit(rules, calibration, figures)


def _require_pictures(image_id: np.ndarray) -> None:
    """Each fold's floors are solved on folds of the others."""
    pictures = len(np.unique(image_id))
    if pictures < 2 * FOLDS:
        raise KpkitError(
            f"precision is solved on people of {2 * FOLDS} pictures or more, but the teachers found people "
            f"on {pictures} of audit; name a larger data set, or min_keypoint_score in its place"
        )


@dataclass(frozen=True)
class _Evidence:
    """(N, K) scores of all keypoints the teachers agree on, which of them are judged, which right."""

    scores: np.ndarray
    judged: np.ndarray
    right: np.ndarray
    image_id: np.ndarray

    @classmethod
    def of(cls, found: Candidates, truth: Instances, spec: PseudoLabelsSpec) -> _Evidence:
        keypoints = found.people.keypoints.copy()
        keypoints[:, :, 2] = 2.0 * (found.agreement >= spec.min_agreement)
        judged = judge(found.people.with_(keypoints=keypoints), truth)
        return cls(
            found.people.keypoints[:, :, 2],
            judged.kept,
            judged.right(spec.right_oks),
            found.people.image_id,
        )

    def floors(self, rows: np.ndarray, precision: float, rules: Rules) -> Rules:
        """The rules with floors solved on some people."""
        scores, judged = self.scores[rows], self.judged[rows]
        probability = out_of_fold(scores, self.right[rows], judged, self.image_id[rows])
        floors = solve_floors(scores, probability, judged, precision)
        return Rules(np.maximum(floors, rules.floors), rules.min_agreement, rules.min_keypoints)
