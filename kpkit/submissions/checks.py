"""What well-formed rows can still get wrong: pictures, coordinates, scores, repeats; whole arrays at once."""

from __future__ import annotations

import numpy as np

from kpkit.core.instances import ImageTable
from kpkit.evaluation.guard import first_equal
from kpkit.submissions.parse import Rows
from kpkit.submissions.problems import Findings

FARTHEST = 1e5
"""Pixels no picture reaches, and no score. Whole numbers beyond 64 bits even stop pycocotools."""

_OUTSIDE_SHARE = 0.01
_EMPTY_SHARE = 0.5
_ENOUGH_FOR_CONSTANT = 10


def check_rows(rows: Rows, images: ImageTable, max_poses: int, findings: Findings) -> None:
    """Run every check on the well-formed rows.

    Args:
        rows: the well-formed rows of a file.
        images: the pictures of the split; coordinates are held against sizes where it knows them (not 0).
        max_poses: poses of a picture the server looks at.
        findings: receives every fault.
    """
    place = images.rows_of(rows.image_id)
    _check_images(rows, images, place, findings)
    _check_coordinates(rows, images, place, findings)
    _check_scores(rows, findings)
    _check_repeats(rows, findings)
    _check_number(rows, max_poses, findings)


def _check_images(rows: Rows, images: ImageTable, place: np.ndarray, findings: Findings) -> None:
    foreign = place < 0
    share = f"so are {foreign.sum():,} of {len(place):,} rows ({foreign.sum() / max(1, len(place)):.0%})"
    findings.rows(
        "image_id_foreign",
        rows.number[foreign],
        lambda row: (
            f"image id {_image(rows, row)} is not in the image list; {share}; use the ids of this split"
        ),
    )
    # Rows that could not be read would make their pictures look empty.
    if len(rows.number) == rows.total and len(images):
        empty = 1 - len(np.unique(place[~foreign])) / len(images)
        if empty > _EMPTY_SHARE:
            findings.file(
                "images_without_poses",
                f"{empty:.1%} of the {len(images):,} pictures have no pose; is it whole, and of this split?",
                "warning",
            )


def _check_coordinates(rows: Rows, images: ImageTable, place: np.ndarray, findings: Findings) -> None:
    if not len(rows.number):
        return
    x, y = rows.keypoints[:, :, 0], rows.keypoints[:, :, 1]
    farthest = [max(part.max(), -part.min()) for part in (x, y, rows.keypoints[:, :, 2])]
    if max(farthest) > FARTHEST:
        absurd = (np.abs(rows.keypoints) > FARTHEST).any(axis=(1, 2))
        findings.rows(
            "coordinate_size",
            rows.number[absurd],
            lambda row: (
                f"a keypoint number is beyond {FARTHEST:,.0f} (image {_image(rows, row)}); mend the pose"
            ),
        )
    equal = (np.ptp(x, axis=1) == 0) & (np.ptp(y, axis=1) == 0)
    findings.rows(
        "junk_pose",
        rows.number[equal],
        lambda row: (
            f"all keypoints lie on one point (image {_image(rows, row)}); this is no pose, leave it out"
        ),
        "warning",
    )
    if max(farthest[:2]) <= 1.5 and not equal.all():
        findings.file(
            "coordinates_normalised",
            "every coordinate lies within 1.5 of 0; coordinates must be pixels, not shares of the picture",
            "warning",
        )
    known = place >= 0
    width, height = (
        np.where(known, size[place], 0) if len(size) else place * 0 for size in (images.width, images.height)
    )
    known &= (width > 0) & (height > 0)
    w, h = width[:, None], height[:, None]
    # Far: more than a quarter of the picture's size beyond its border.
    far = (x < -w / 4) | (x > 1.25 * w) | (y < -h / 4) | (y > 1.25 * h)
    far &= known[:, None]
    number, of = int(far.sum()), int(known.sum()) * far.shape[1]
    if number > _OUTSIDE_SHARE * of:
        first = int(rows.number[far.any(axis=1)][0])
        findings.row(
            "coordinates_outside",
            first,
            f"a keypoint lies far outside its picture (image {_image(rows, first)}); "
            f"so do {number:,} of {of:,} ({number / of:.0%}): wrong pictures, or crop coordinates?",
            "warning",
        )


def _check_scores(rows: Rows, findings: Findings) -> None:
    findings.rows(
        "score_size",
        rows.number[np.abs(rows.score) > FARTHEST],
        lambda row: f"the score is beyond {FARTHEST:,.0f} (image {_image(rows, row)}); mend the pose",
    )
    findings.rows(
        "score_negative",
        rows.number[rows.score < 0],
        lambda row: f"the score is negative (image {_image(rows, row)}); scores are expected from 0 up",
        "warning",
    )
    if len(rows.score) >= _ENOUGH_FOR_CONSTANT and np.ptp(rows.score) == 0:
        findings.file(
            "score_constant",
            f"every score is {rows.score[0]:g}; poses cannot be ranked, so the AP says little",
            "warning",
        )


def _check_repeats(rows: Rows, findings: Findings) -> None:
    points = rows.keypoints[:, :, :2].reshape(len(rows.number), 34)
    first = first_equal(np.column_stack([rows.image_id.astype(np.float64), points]))
    again = first != np.arange(len(first))
    earlier = dict(zip(rows.number[again].tolist(), rows.number[first[again]].tolist(), strict=True))
    same_score = rows.score == rows.score[first]
    findings.rows(
        "duplicate_row",
        rows.number[again & same_score],
        lambda row: (
            f"repeats row {earlier[row]} (image {_image(rows, row)}): same pose, same score; leave it out"
        ),
    )
    findings.rows(
        "duplicate_pose",
        rows.number[again & ~same_score],
        lambda row: (
            f"has the pose of row {earlier[row]} (image {_image(rows, row)}) with another score; run OKS-NMS"
        ),
        "warning",
    )


def _check_number(rows: Rows, limit: int, findings: Findings) -> None:
    order = np.argsort(rows.image_id, kind="stable")
    ids, start, count = np.unique(rows.image_id[order], return_index=True, return_counts=True)
    for k in np.flatnonzero(count > limit):
        row = int(rows.number[order[start[k] + limit]])
        findings.row(
            "too_many_poses",
            row,
            f"image {ids[k]} has {count[k]} poses, only the {limit} best-scoring count; leave out the rest",
            "warning",
        )


def _image(rows: Rows, row: int) -> int:
    """The image id of a row of the file."""
    return int(rows.image_id[np.searchsorted(rows.number, row)])
