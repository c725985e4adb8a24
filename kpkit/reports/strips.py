"""The best and the worst pictures of a judged ensemble, with truth and poses drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from kpkit.core.crops import transform
from kpkit.core.files import safe_join
from kpkit.core.instances import Instances
from kpkit.data.images import read_image
from kpkit.evaluation.ap import per_image_scores
from kpkit.reports.drawing import draw_poses, strip, zoom
from kpkit.reports.judged_poses import read_judged
from kpkit.reports.manifests import Entry


@dataclass(frozen=True)
class Picture:
    """A picture of a strip.

    Attributes:
        jpeg: what is shown: the truth, and beside it the poses over the truth.
        file_name: the data set's.
        oks: mean over its people of the best OKS a pose reaches, 0 to 1.
        people, poses: judged people, and poses drawn.
        size: (width, height) of the JPEG.
    """

    jpeg: bytes
    file_name: str
    oks: float
    people: int
    poses: int
    size: tuple[int, int]


@dataclass(frozen=True)
class Strips:
    """Best pictures, best first; worst pictures, worst first."""

    best: list[Picture]
    worst: list[Picture]


def best_and_worst(entry: Entry, data: Path, *, count: int = 4, height: int = 230) -> Strips:
    """Draw the pictures an ensemble did best and worst on.

    Of each picture as many poses are drawn as it has judged people, highest score first: a confident pose on
    nobody shows, a doubtful one does not. Keypoints at or below the ensemble's score floor are left out.

    Args:
        entry: a finished ensemble on a labelled data set.
        data: the folder of data sets.
        count: pictures of each kind; fewer when the data set is small, none is in both.
        height: of a picture in pixels.

    Raises:
        InputError: the data set or a picture is not there, or the annotations are not those the ensemble
            was judged on.
    """
    found = read_judged(entry, data)
    dataset, images, poses = found.dataset, found.images, found.poses
    truth = found.truth[~found.truth.crowd & (found.truth.num_labelled > 0)]
    judged = per_image_scores(truth, poses, images=images)
    best, worst = choose(judged, count)
    drawn = []
    for row in [*best.tolist(), *worst.tolist()]:
        image_id = int(judged["image_id"][row])
        file_name = images.file_name[int(images.rows_of(np.array([image_id]))[0])]
        drawn.append(
            _picture(
                read_image(safe_join(dataset.images, file_name)),
                file_name,
                truth[truth.image_id == image_id],
                poses[poses.image_id == image_id],
                oks=float(judged["oks"][row]),
                height=height,
                floor=found.rules.score_floor,
            )
        )
    return Strips(drawn[: len(best)], drawn[len(best) :])


def choose(judged: dict[str, np.ndarray], count: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the best (best first) and the worst pictures (worst first) that have people to judge.

    Of equals the ones with more people are shown. No picture is in both.
    """
    rows = np.flatnonzero(judged["people"] > 0)
    order = rows[np.lexsort((judged["image_id"][rows], -judged["people"][rows], -judged["oks"][rows]))]
    number = min(count, -(-len(order) // 2))
    best, rest = order[:number], order[number:]
    worst = rest[np.lexsort((judged["image_id"][rest], -judged["people"][rest], judged["oks"][rest]))]
    return best, worst[:number]


def _picture(
    image: np.ndarray,
    file_name: str,
    people: Instances,
    found: Instances,
    *,
    oks: float,
    height: int,
    floor: float,
) -> Picture:
    """Truth, and poses under the truth, side by side."""
    found = found[np.argsort(-found.score, kind="stable")[: len(people)]]
    cut, matrix = zoom(image, np.concatenate([people.box, found.box]), height=height)
    labels, points = _placed(people, matrix), _placed(found, matrix)
    left = draw_poses(cut, labels, people.skeleton, thickness=1, radius=2, outline=1)
    right = draw_poses(cut, points, people.skeleton, thickness=3, radius=3, outline=1, above=floor)
    right = draw_poses(right, labels, people.skeleton, thickness=1, colour=(255, 255, 255))
    shown = strip([left, right], gap=2)
    return Picture(
        jpeg=_jpeg(shown),
        file_name=file_name,
        oks=oks,
        people=len(people),
        poses=len(found),
        size=(shown.shape[1], shown.shape[0]),
    )


def _placed(people: Instances, matrix: np.ndarray) -> np.ndarray:
    """Keypoints in the cut picture's pixels, third values kept."""
    keypoints = people.keypoints.copy()
    keypoints[:, :, :2] = transform(np.broadcast_to(matrix, (len(people), 2, 3)), keypoints[:, :, :2])
    return keypoints


def _jpeg(image: np.ndarray) -> bytes:
    options: Sequence[int] = [cv2.IMWRITE_JPEG_QUALITY, 86, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    return encoded.tobytes()
