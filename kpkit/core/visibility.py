"""Visibility codes: what a file's third number of a keypoint means. Inside kpkit it is COCO's, 0, 1 or 2."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class VisibilityCodes:
    """One way to write whether a keypoint is seen.

    Attributes:
        name: the name documents use, such as ``"aic"``.
        visible: code of a keypoint that is labelled and seen; COCO's 2.
        hidden: code of a keypoint that is labelled but covered; COCO's 1.
        unlabelled: code of a keypoint nobody marked, which lies at 0, 0; COCO's 0.
    """

    name: str
    visible: int
    hidden: int
    unlabelled: int

    def __str__(self) -> str:
        words = {
            self.visible: "visible",
            self.hidden: "labelled but not visible",
            self.unlabelled: "not labelled",
        }
        return ", ".join(f"{code} {words[code]}" for code in sorted(words))

    @property
    def known(self) -> tuple[int, int, int]:
        """The three codes by COCO's meaning: unlabelled, hidden, visible."""
        return self.unlabelled, self.hidden, self.visible

    def to_coco(self, codes: np.ndarray) -> np.ndarray:
        """COCO visibilities, int64, of an array of known codes."""
        table = np.zeros(max(self.known) + 1, np.int64)
        table[list(self.known)] = (0, 1, 2)
        return table[np.asarray(codes).astype(np.int64)]

    def from_coco(self, visibility: np.ndarray) -> np.ndarray:
        """Codes, int64, of an array of COCO visibilities."""
        return np.array(self.known)[np.asarray(visibility).astype(np.int64)]


CODES = {
    codes.name: codes
    for codes in (
        # AI Challenger's own files (AIChallenger/AI_Challenger_2017, Evaluation/keypoint_eval)
        VisibilityCodes("aic", visible=1, hidden=2, unlabelled=3),
        # COCO's, and that of AI Challenger files converted for COCO's tools
        VisibilityCodes("coco", visible=2, hidden=1, unlabelled=0),
        # AI Challenger's where only the 3 was made a 0
        VisibilityCodes("inverted", visible=1, hidden=2, unlabelled=0),
        # OpenPose's training files, and AI Challenger files converted for them
        VisibilityCodes("openpose", visible=1, hidden=0, unlabelled=2),
    )
}
"""The codes that circulate, by name."""
