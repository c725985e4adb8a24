"""Object keypoint similarity (OKS): the overlap measure of the COCO keypoint evaluation.

One labelled keypoint at distance d from its truth counts ``exp(-d^2 / (2 s (2 sigma)^2))`` where s is the
person's area and sigma the keypoint's OKS constant; OKS is the mean over a person's keypoints.
"""

from __future__ import annotations

import numpy as np

from kpkit.core.errors import KpkitError

_EPS = np.spacing(1.0)


def oks(
    truth: np.ndarray,
    area: np.ndarray,
    poses: np.ndarray,
    sigmas: np.ndarray | tuple[float, ...],
    *,
    box: np.ndarray | None = None,
) -> np.ndarray:
    """OKS of every truth with every pose, by the rules of the COCO evaluation.

    Only keypoints the truth labels count. A truth that labels none is compared through the distance of the
    pose's keypoints from its box doubled on every side (0 inside).

    Args:
        truth: (N, K, 3) x, y in pixels and visibility 0/1/2.
        area: (N,) square pixels, the annotations' areas.
        poses: (M, K, 2 or more) x, y in pixels.
        sigmas: (K,) OKS constants.
        box: (N, 4) x, y, width, height of the truths; needed when one of them labels nothing.

    Returns:
        (N, M) values in 0..1.

    Raises:
        KpkitError: a truth labels nothing and no boxes are given.
    """
    labelled = truth[:, :, 2] > 0
    some = labelled.sum(axis=1) > 0
    delta = poses[None, :, :, :2] - truth[:, None, :, :2]
    if not some.all():
        if box is None:
            raise KpkitError("a person without labelled keypoints needs a box for its OKS")
        delta[~some] = _outside(poses, box[~some])
    close = _closeness(delta, area[:, None] + _EPS, sigmas)
    counted = np.where(some[:, None], labelled, True)
    return np.einsum("nmk,nk->nm", close, counted.astype(np.float64)) / counted.sum(axis=1)[:, None]


def pose_oks(
    a: np.ndarray,
    area_a: np.ndarray,
    b: np.ndarray,
    area_b: np.ndarray,
    sigmas: np.ndarray | tuple[float, ...],
) -> np.ndarray:
    """OKS of poses with poses, row by row: every keypoint counts, the scale is the mean of both areas.

    This is the similarity OKS-NMS thresholds (HRNet's rule).

    Args:
        a, b: (..., K, 2 or more) x, y in pixels; the leading axes broadcast.
        area_a, area_b: (...) square pixels.
        sigmas: (K,) OKS constants.

    Returns:
        (...) values in 0..1.
    """
    scale = (area_a + area_b) / 2 + _EPS
    close: np.ndarray = _closeness(a[..., :2] - b[..., :2], scale, sigmas)
    return close.mean(axis=-1)


def keypoint_oks(
    a: np.ndarray, b: np.ndarray, area: np.ndarray, sigmas: np.ndarray | tuple[float, ...]
) -> np.ndarray:
    """Each keypoint's share of the OKS, row by row.

    Args:
        a, b: (..., K, 2 or more) x, y in pixels; the leading axes broadcast.
        area: (...) square pixels.
        sigmas: (K,) OKS constants.

    Returns:
        (..., K) values in 0..1.
    """
    close: np.ndarray = _closeness(a[..., :2] - b[..., :2], area + _EPS, sigmas)
    return close


def _closeness(delta: np.ndarray, scale: np.ndarray, sigmas: np.ndarray | tuple[float, ...]) -> np.ndarray:
    """(..., K, 2) distances and (...) areas -> (..., K) in 0..1."""
    variance = (np.asarray(sigmas, np.float64) * 2) ** 2
    squared = delta[..., 0] ** 2 + delta[..., 1] ** 2
    return np.exp(-(squared / variance / scale[..., None] / 2))


def _outside(poses: np.ndarray, box: np.ndarray) -> np.ndarray:
    """(n, M, K, 2) how far keypoints lie outside boxes grown by their own size on each side."""
    low = (box[:, :2] - box[:, 2:])[:, None, None]
    high = (box[:, :2] + 2 * box[:, 2:])[:, None, None]
    points = poses[None, :, :, :2]
    return np.maximum(0, low - points) + np.maximum(0, points - high)
