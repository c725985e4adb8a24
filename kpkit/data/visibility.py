"""Whether a file's visibility codes are what its data set declares, told from where its keypoints lie.

Files of one data set circulate with other codes under one name; users of converted AI Challenger files have
had to guess them by drawing points (edvardHua/PoseEstimationForMobile issue 151). A wrong reading trains on
keypoints at 0, 0, or drops every labelled one, and raises no error.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kpkit.core.errors import InputError
from kpkit.core.skeletons import Skeleton
from kpkit.core.visibility import CODES, VisibilityCodes
from kpkit.data.json_rows import Label

STRAY = 0.01
"""Share of a file's keypoints of one code, or of its boxes, that may be slips and are no evidence."""
ENOUGH = 500
"""Labelled keypoints from which on shares of them tell something."""
HIDDEN = 2.0
"""Hidden keypoints for each visible one that pictures of people do not reach: AI Challenger has 0.36."""


@dataclass(frozen=True)
class _Tally:
    """How many keypoints have each code, and how many of these lie at 0, 0."""

    count: dict[float, int]
    nowhere: dict[float, int]

    @classmethod
    def of(cls, codes: np.ndarray, nowhere: np.ndarray) -> _Tally:
        values = np.unique(codes)
        masks = [codes == value for value in values]
        return cls(
            {float(v): int(mask.sum()) for v, mask in zip(values, masks, strict=True)},
            {float(v): int((mask & nowhere).sum()) for v, mask in zip(values, masks, strict=True)},
        )

    def __str__(self) -> str:
        parts = [f"{n} ({self.nowhere[code]}) of code {code:g}" for code, n in self.count.items()]
        return ", ".join(parts[:6]) + (", ..." if len(parts) > 6 else "")


@dataclass(frozen=True)
class _Fault:
    """A contradiction, and the keypoints that show it: of a code, at 0, 0, elsewhere, or anywhere (None)."""

    cause: str
    code: float
    nowhere: bool | None = None


def check_codes(
    keypoints: np.ndarray, codes: VisibilityCodes, skeleton: Skeleton, path: str | Path, label: Label
) -> None:
    """Refuse keypoints whose codes contradict their declaration.

    A code must be a known one; unlabelled keypoints lie at 0, 0, labelled ones do not (but for a share STRAY
    of each); and of ENOUGH labelled keypoints fewer than HIDDEN are hidden for each visible one.

    Args:
        keypoints: (N, K, 3) as the file has them.
        codes: what the data set declares.
        skeleton: names the keypoint that is shown as evidence.
        path, label: name the file and its rows.

    Raises:
        InputError: the evidence, its first place, and which declarations would fit.
    """
    codes_found = keypoints[:, :, 2]
    nowhere = (keypoints[:, :, :2] == 0).all(axis=2)
    tally = _Tally.of(codes_found, nowhere)
    fault = _contradiction(tally, codes)
    if fault is None:
        return
    shows = codes_found == fault.code
    if fault.nowhere is not None:
        shows &= nowhere == fault.nowhere
    row = int(np.argmax(shows.any(axis=1)))
    k = int(np.argmax(shows[row]))
    x, y, _ = keypoints[row, k]
    raise InputError(
        f'the codes contradict visibility = "{codes.name}" ({codes}): {fault.cause}, first '
        f"{skeleton.keypoints[k]} at {x:g}, {y:g} (the file holds, with those at 0, 0: {tally})",
        file=path,
        row=label(row),
        remedy=_remedy(tally),
    )


def _contradiction(tally: _Tally, codes: VisibilityCodes) -> _Fault | None:
    """The first way in which a tally cannot be of these codes."""
    for code, number in tally.count.items():
        if code not in codes.known:
            return _Fault(f"{number} keypoints have code {code:g}", code)
    unlabelled, hidden, visible = (float(code) for code in codes.known)
    number_of = {code: tally.count.get(code, 0) for code in (unlabelled, hidden, visible)}
    placed = number_of[unlabelled] - tally.nowhere.get(unlabelled, 0)
    if placed > STRAY * number_of[unlabelled]:
        those = f"{number_of[unlabelled]} keypoints of code {unlabelled:g} (not labelled)"
        return _Fault(f"{placed} of {those} do not lie at 0, 0", unlabelled, False)
    for code in (visible, hidden):
        lost = tally.nowhere.get(code, 0)
        if lost > STRAY * number_of[code]:
            those = f"{number_of[code]} keypoints of code {code:g} (labelled)"
            return _Fault(f"{lost} of {those} lie at 0, 0", code, True)
    labelled = number_of[hidden] + number_of[visible]
    if labelled >= ENOUGH and number_of[hidden] >= HIDDEN * number_of[visible]:
        those = f"{number_of[hidden]} keypoints of code {hidden:g}"
        return _Fault(f"{those} would be hidden and only {number_of[visible]} visible", hidden)
    return None


def _remedy(tally: _Tally) -> str:
    fitting = [codes for codes in CODES.values() if _contradiction(tally, codes) is None]
    if not fitting:
        return f"none of {', '.join(CODES)} fits: find out what the codes mean before using the labels"
    fitting.sort(key=lambda codes: -tally.count.get(codes.visible, 0))
    shown = " or ".join(f'visibility = "{codes.name}" ({codes})' for codes in fitting)
    return f"{shown} would fit: declare it in the data set's table of the document"
