"""Detections that say the same person twice, before anyone looks at them: box NMS, soft-NMS, fusion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kpkit.core.boxes import pair_iou
from kpkit.core.errors import KpkitError
from kpkit.core.instances import Instances
from kpkit.inference.clusters import clusters
from kpkit.inference.pictures import best_first, picture_starts, side_by_side
from kpkit.inference.suppression import soft_selection, suppressors


def box_nms(boxes: Instances, threshold: float) -> Instances:
    """Drop detections whose IoU with a kept, better one of their picture is above the threshold.

    Args:
        boxes: detections of any number of pictures.
        threshold: IoU in 0..1 (CPN, Table 1, compares several, and soft-NMS).

    Returns:
        The kept rows, by rising image id, then falling score (equal scores: the earlier row first).
    """
    order = best_first(boxes.image_id, boxes.score)
    box = boxes.box[order]
    kept = np.ones(len(order), bool)
    for rows, there in side_by_side(picture_starts(boxes.image_id[order])):
        by = suppressors(pair_iou(box[rows][:, :, None], box[rows][:, None]), there, threshold)
        kept[rows[there]] = (by == np.arange(rows.shape[1]))[there]
    return boxes[order[kept]]


def soft_box_nms(boxes: Instances, threshold: float, *, linear: bool) -> Instances:
    """Lower the scores of detections by their IoU with better ones (arXiv 1704.04503; CPN, Table 1).

    Args:
        boxes: detections of any number of pictures.
        threshold: IoU from which a linear decay sets in (the paper's N_t); the divisor, positive, of a
            Gaussian one (its sigma, 0.5 there).
        linear: times 1 - IoU; otherwise times exp(-IoU^2 / threshold).

    Returns:
        All rows with decayed scores, by rising image id, then falling score.

    Raises:
        KpkitError: a Gaussian decay without a positive threshold.
    """
    if not linear and threshold <= 0:
        raise KpkitError("a Gaussian decay needs a threshold above 0")
    order = best_first(boxes.image_id, boxes.score)
    box, score = boxes.box[order], boxes.score[order]
    for rows, there in side_by_side(picture_starts(boxes.image_id[order])):
        iou = pair_iou(box[rows][:, :, None], box[rows][:, None])
        keep = rows.shape[1]
        _, decayed = soft_selection(iou, score[rows], there, threshold, linear=linear, keep=keep)
        score[rows[there]] = decayed[there]
    decayed_boxes = boxes[order].with_(score=score)
    return decayed_boxes[best_first(decayed_boxes.image_id, score)]


def fuse_boxes(
    detectors: Sequence[Instances], threshold: float, weights: Sequence[float] | None = None
) -> Instances:
    """Weighted boxes fusion (arXiv 1910.13302, section 3, with the score rule of its public code).

    Boxes of all detectors, by falling weighted score, join the box most like them or begin a new one
    (``inference.clusters``). A fused box's corners are means weighted by score times the detector's weight.
    Its score is the mean of its boxes' weighted scores, times their number but no more than that of the
    detectors, over the sum of all weights: a box that only one of two detectors sees is worth half.

    Args:
        detectors: each one's boxes on the same pictures, scores in 0..1.
        threshold: IoU above which boxes are one (0.55 in the public code).
        weights: positive, one per detector; all 1 by default.

    Returns:
        One row per fused box, of source ``"D"``, by rising image id, then falling score; ids are 0. Boxes
        that score 0 or have no area say nothing and are left out.

    Raises:
        KpkitError: another number of weights than detectors, or one that is not positive.
    """
    chosen = np.asarray([1.0] * len(detectors) if weights is None else weights, np.float64)
    if len(chosen) != len(detectors) or not (chosen > 0).all():
        raise KpkitError(f"{len(detectors)} detectors need as many positive weights, not {chosen.tolist()}")
    boxes = Instances.concat(detectors)
    weighted = boxes.score * np.repeat(chosen, [len(part) for part in detectors])
    told = (weighted > 0) & (boxes.box[:, 2:] > 0).all(axis=1)
    boxes, weighted = boxes[told], weighted[told]
    order = best_first(boxes.image_id, weighted)
    boxes, weighted = boxes[order], weighted[order]
    corners = np.concatenate([boxes.box[:, :2], boxes.box[:, :2] + boxes.box[:, 2:]], axis=1)
    number, mean = clusters(
        boxes.image_id, corners, np.repeat(weighted[:, None], 4, axis=1), _corner_iou, threshold
    )
    count = np.bincount(number)
    score = np.bincount(number, weighted) / count * np.minimum(count, len(detectors)) / chosen.sum()
    _, first = np.unique(number, return_index=True)
    box = np.concatenate([mean[:, :2], mean[:, 2:] - mean[:, :2]], axis=1)
    fused = Instances.of(boxes.image_id[first], box, score=score, source="D", skeleton=boxes.skeleton)
    return fused[best_first(fused.image_id, fused.score)]


def _corner_iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """IoU of boxes given by two corners."""
    return pair_iou(*(np.concatenate([c[..., :2], c[..., 2:] - c[..., :2]], axis=-1) for c in (a, b)))
