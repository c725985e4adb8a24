"""Where the figures come from: by keypoint, by visibility, by number of labels, by how much people overlap.

The parts are those of the CCM paper's Tables 13 and 14 (labelled keypoints; visible and invisible) and 3
(OCHuman). How AP is counted for a part is decided here, as COCO does it for areas: everybody and everything
else is ignored. Labels are parted by taking the other labels away, so that a person without any of the part
is a person without labels. The groups of numbers of labels are Ronchi and Perona's (ICCV 2017).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from kpkit.core.boxes import pair_iou
from kpkit.core.instances import Instances, picture_pairs
from kpkit.evaluation.errors import PoseErrors, pose_errors
from kpkit.evaluation.matching import match
from kpkit.evaluation.rules import COCO, Rules

FIGURES = ("AP", "AP50", "AP75", "AR")
"""What is counted for each row, over people of every size."""
LABELLED = (5, 10, 15)
"""The last numbers of labelled keypoints of the groups; the fourth is those with more."""
OVERLAPS = (
    ("MaxIoU to .5", 0.0, 0.5),
    ("MaxIoU .5 to .75, moderate", 0.5, 0.75),
    ("MaxIoU from .75, hard", 0.75, np.inf),
)
"""Name, least and first greater MaxIoU; names of the latter two are OCHuman's (its API's ranges)."""
_ALL_SIZES = Rules(areas=COCO.areas[:1])


@dataclass(frozen=True)
class Part:
    """A part of the labels and how well it is found.

    Attributes:
        name: which part.
        people: people to be found that have labels in it.
        labels: these labels.
        figures: FIGURES to 0..1, -1 without people.
        oks: mean similarity of the keypoints with these labels, in 0..1, over people a pose has reached (OKS
            of .1); NaN where there are none.
    """

    name: str
    people: int
    labels: int
    figures: dict[str, float]
    oks: float


def breakdown(
    truth: Instances, poses: Instances, image_id: np.ndarray, errors: PoseErrors | None = None
) -> dict[str, list[Part]]:
    """Count every part.

    Args:
        truth, poses, image_id: as ``pose_errors`` takes them.
        errors: what it found; None finds them here.

    Returns:
        ``keypoints``: one row per keypoint of the skeleton, as if no other were labelled. ``visibility``: the
        visible labels alone (2), then the occluded (1). ``labelled``: people by number of labelled keypoints.
        ``overlap``: people by MaxIoU. The last two are judged on pictures that hold somebody of the group,
        as OCHuman's splits are, but people of other groups are ignored there, not cut out of the truth.
    """
    errors = pose_errors(truth, poses, image_id) if errors is None else errors
    wanted = np.isin(truth.image_id, image_id) & ~truth.crowd
    labelled = (truth.keypoints[:, :, 2] > 0) & wanted[:, None]

    def part(name: str, labels: np.ndarray, of: Instances, pictures: np.ndarray, counted: np.ndarray) -> Part:
        """Of labels (N, K) bool: how well a truth's counted people are found on pictures."""
        figures = match(of, poses, pictures, rules=_ALL_SIZES, counted=counted).figures()
        similar = errors.similarity[reached][labels[errors.person[reached]]]
        return Part(
            name,
            int(labels.any(axis=1).sum()),
            int(labels.sum()),
            {figure: figures[figure] for figure in FIGURES},
            float(similar.mean()) if len(similar) else float("nan"),
        )

    def of_labels(name: str, chosen: np.ndarray) -> Part:
        alone = truth.with_(keypoints=np.where(chosen[..., None], truth.keypoints, 0.0))
        return part(name, labelled & chosen, alone, image_id, wanted)

    def of_people(name: str, chosen: np.ndarray) -> Part:
        labels = labelled & chosen[:, None]
        return part(name, labels, truth, truth.image_id[labels.any(axis=1)], chosen)

    count = truth.num_labelled
    ends = (0, *(end for end in LABELLED if end < len(truth.skeleton)), len(truth.skeleton))
    groups = list(pairwise(ends))
    overlap = max_iou(truth)
    reached = np.flatnonzero(errors.person >= 0)
    every = np.arange(len(truth.skeleton))
    return {
        "keypoints": [of_labels(name, every == k) for k, name in enumerate(truth.skeleton.keypoints)],
        "visibility": [
            of_labels(name, truth.keypoints[:, :, 2] == code)
            for name, code in (("visible", 2), ("occluded", 1))
        ],
        "labelled": [of_people(f"{a + 1} to {b}", (count > a) & (count <= b)) for a, b in groups],
        "overlap": [of_people(name, (overlap >= a) & (overlap < b)) for name, a, b in OVERLAPS],
    }


def max_iou(people: Instances) -> np.ndarray:
    """(N,) the greatest IoU of each person's box with another's of its picture, in 0..1; 0 where it is alone.

    Crowd regions are nobody's neighbours. OCHuman's measure of occlusion (Zhang et al., CVPR 2019).
    """
    one, other = picture_pairs(people.image_id, people.image_id)
    pairs = (one != other) & ~people.crowd[other]
    one, other = one[pairs], other[pairs]
    most = np.zeros(len(people))
    np.maximum.at(most, one, pair_iou(people.box[one], people.box[other]))
    return most
