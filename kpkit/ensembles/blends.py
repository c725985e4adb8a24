"""Poses of stored members under many weights at once: the maps are read once, decoded once per candidate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from kpkit.core.instances import Instances
from kpkit.core.progress import Progress, silent
from kpkit.ensembles.stored import StoredEnsemble
from kpkit.heatmaps.blend import weighted_mean
from kpkit.heatmaps.codecs import Codec
from kpkit.heatmaps.decode import decode
from kpkit.specs.poses import DecodeSpec


def blended_poses(
    ensemble: StoredEnsemble,
    weights: Mapping[str, np.ndarray],
    group: np.ndarray,
    decoding: DecodeSpec,
    progress: Progress = silent,
) -> dict[str, Instances]:
    """Poses of every box by each of several blends.

    Args:
        ensemble: N boxes, M members.
        weights: name -> (G, K, M) weights, one set for each group of boxes; 0 or more, any positive sum.
        group: (N,) which set a box is blended by, such as its picture's fold.
        decoding: flip test, blur, sub-pixel rule.
        progress: told boxes done.

    Returns:
        name -> poses, rows as in the box list, keypoint scores as the heatmap's value.
    """
    boxes = ensemble.boxes
    points = {name: np.zeros(boxes.keypoints.shape) for name in weights}
    for batch in ensemble.batches(decoding.flip_test, decoding.flip_shift):
        maps = np.stack(batch.maps, axis=2)  # (n, K, M, h, w)
        flat = maps.reshape(*maps.shape[:3], -1)
        for name, sets in weights.items():
            shares = sets / sets.sum(axis=2, keepdims=True)
            chosen = shares[group[batch.rows]].astype(np.float32)
            blend = np.matmul(chosen[:, :, None], flat).reshape(*maps.shape[:2], *maps.shape[3:])
            points[name][batch.rows] = image_points(blend, ensemble.codec, decoding, batch.boxes.box)
        progress(batch.rows.stop, len(boxes), "boxes", f"{len(weights)} blends")
    source = np.full(len(boxes), "P")
    return {name: boxes.with_(keypoints=values, source=source) for name, values in points.items()}


def decoded_ways(
    ensemble: StoredEnsemble,
    weights: np.ndarray,
    ways: Sequence[DecodeSpec],
    progress: Progress = silent,
) -> list[np.ndarray]:
    """Points of every box by one blend, decoded in several ways; stored maps are read once.

    Args:
        ensemble: N boxes, M members.
        weights: (M, K), 0 or more.
        ways: flip test, blur, sub-pixel rule.
        progress: told boxes done.

    Returns:
        for each way (N, K, 3) float32 image pixels and score.
    """
    found = [np.zeros(ensemble.boxes.keypoints.shape, np.float32) for _ in ways]
    flips = list(dict.fromkeys((way.flip_test, way.flip_shift) for way in ways))
    for batches in zip(*(ensemble.batches(*flip) for flip in flips), strict=True):
        blends = {
            flip: weighted_mean(batch.maps, weights) for flip, batch in zip(flips, batches, strict=True)
        }
        rows, box = batches[0].rows, batches[0].boxes.box
        for way, points in zip(ways, found, strict=True):
            points[rows] = image_points(blends[way.flip_test, way.flip_shift], ensemble.codec, way, box)
        progress(rows.stop, len(ensemble.boxes), "boxes", f"{len(ways)} ways to decode")
    return found


def image_points(maps: np.ndarray, codec: Codec, decoding: DecodeSpec, box: np.ndarray) -> np.ndarray:
    """(n, K, h, w) maps -> (n, K, 3) image pixels x, y and score 0 to 1."""
    points, scores = decode(maps, **decoding.options)
    return np.concatenate([codec.to_image(points, box), scores.clip(0, 1)[..., None]], axis=2)
