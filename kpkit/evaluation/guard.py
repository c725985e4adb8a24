"""Inputs an average precision can be trusted with.

pycocotools does not look at its inputs: NaN coordinates can raise the AP, doubled poses lower it, and
neither is said. Everything it would swallow is refused here.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kpkit.core.errors import InputError
from kpkit.core.instances import ImageTable, Instances

_ROWS = 2048
"""Rows looked at together: they stay in the processor's cache."""


def first_equal(table: np.ndarray) -> np.ndarray:
    """Index of the first row equal to each row.

    Args:
        table: (N, D) float64 without NaN.

    Returns:
        (N,) int64, ``out[i] <= i``; ``out[i] == i`` where no earlier row is equal.
    """
    if len(table) == 0:
        return np.zeros(0, np.int64)
    _, first, inverse = np.unique(_fingerprints(table), return_index=True, return_inverse=True)
    candidate = first[inverse.reshape(-1)]
    own = np.arange(len(table))
    same = np.ones(len(table), bool)
    repeated = candidate != own
    same[repeated] = (table[repeated] == table[candidate[repeated]]).all(axis=1)
    return np.where(same, candidate, own)


def _fingerprints(table: np.ndarray) -> np.ndarray:
    """(N,) uint64, one number a row: sorting numbers is far quicker than sorting rows."""
    factors = np.random.Generator(np.random.Philox(17)).integers(0, 2**63, table.shape[1], dtype=np.uint64)
    odd = factors * np.uint64(2) + np.uint64(1)
    made = np.empty(len(table), np.uint64)
    for start in range(0, len(table), _ROWS):
        bits = (table[start : start + _ROWS] + 0.0).view(np.uint64)  # adding 0 joins -0 and 0
        mixed = (bits ^ (bits >> np.uint64(29))) * odd
        made[start : start + _ROWS] = (mixed ^ (mixed >> np.uint64(32))).sum(axis=1, dtype=np.uint64)
    return made


def guard_pictures(
    poses: Instances, images: ImageTable, split: str, file: str | Path, more: str = ""
) -> None:
    """Refuse results on pictures that a data set lacks; ``more`` is said behind the remedy.

    Raises:
        InputError: naming the first such row.
    """
    unknown = images.rows_of(poses.image_id) < 0
    if unknown.any():
        row = int(np.flatnonzero(unknown)[0])
        raise InputError(
            f"image id {int(poses.image_id[row])} is no picture of {split} "
            f"({int(unknown.sum())} of {len(poses)} rows have such ids)",
            file=file,
            row=row,
            remedy=f"give results of this data set{more}",
        )


def guard_truth(truth: Instances, file: str | Path | None) -> None:
    """Refuse a truth that no figure can be computed from.

    Raises:
        InputError: a value is not finite, or the skeleton has no OKS constants.
    """
    if not truth.skeleton.oks_sigmas:
        raise InputError(
            f"skeleton {truth.skeleton.name} has no OKS sigmas, so no AP can be computed", file=file
        )
    finite = np.isfinite(truth.keypoints).all(axis=(1, 2)) & np.isfinite(truth.box).all(axis=1)
    _refuse_rows(~(finite & np.isfinite(truth.area)), truth, "a value is NaN or infinite", file)


def guard_results(results: Instances, truth: Instances, file: str | Path | None) -> None:
    """Refuse results whose AP would not mean what it says.

    Raises:
        InputError: another skeleton than the truth's, a value that is not finite, or a pose given twice.
    """
    if results.skeleton != truth.skeleton:
        raise InputError(
            f"results have {len(results.skeleton)} keypoints ({results.skeleton.name}), "
            f"the truth {len(truth.skeleton)} ({truth.skeleton.name})",
            file=file,
            remedy=f"convert them to {truth.skeleton.name} by keypoint name",
        )
    broken = ~np.isfinite(results.keypoints).all(axis=(1, 2))
    _refuse_rows(broken, results, "a keypoint is NaN or infinite", file)
    _refuse_rows(~np.isfinite(results.score), results, "the score is NaN or infinite", file)
    flat = results.keypoints[:, :, :2].reshape(len(results), 2 * len(results.skeleton))
    first = first_equal(np.column_stack([results.image_id.astype(np.float64), results.score, flat]))
    twice = np.flatnonzero(first != np.arange(len(results)))
    if len(twice):
        row = int(twice[0])
        raise InputError(
            f"image {int(results.image_id[row])} has this very pose already in row {int(first[row])} "
            f"({len(twice)} such rows)",
            file=file,
            row=row,
            remedy="run OKS-NMS or remove the repeated rows",
        )


def guard_images(results: Instances, known: np.ndarray, file: str | Path | None) -> None:
    """Refuse results for pictures that are not judged.

    Args:
        known: ids of the judged pictures.

    Raises:
        InputError: some result's image id is not among them.
    """
    foreign = ~np.isin(results.image_id, known)
    if foreign.any():
        row = int(np.flatnonzero(foreign)[0])
        raise InputError(
            f"image id {int(results.image_id[row])} is not in the truth "
            f"({int(foreign.sum())} of {len(results)} rows have such ids)",
            file=file,
            row=row,
            remedy="give the truth of the same split, or judge only the truth's images",
        )


def _refuse_rows(bad: np.ndarray, of: Instances, cause: str, file: str | Path | None) -> None:
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise InputError(
            f"{cause} (image {int(of.image_id[row])}; {int(bad.sum())} of {len(of)} rows)",
            file=file,
            row=row,
            remedy="mend or remove these rows",
        )
