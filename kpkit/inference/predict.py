"""Boxes in pictures to poses by one network or several; one batch of heatmaps each is alive."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kpkit.core.instances import Instances
from kpkit.core.progress import Progress, silent
from kpkit.data.crops import CropDataset
from kpkit.heatmaps.blend import weighted_mean
from kpkit.heatmaps.codecs import Codec
from kpkit.heatmaps.decode import decode
from kpkit.heatmaps.flip import blend_flipped
from kpkit.heatmaps.grid import to_codec
from kpkit.inference.network import Predictor
from kpkit.specs.poses import DecodeSpec

BATCH = 64
"""Boxes per forward pass. Part of the result's last bits, so it is no setting."""


def predict_poses(
    predictors: Sequence[Predictor],
    weights: Sequence[float],
    codec: Codec,
    crops: CropDataset,
    decoding: DecodeSpec,
    *,
    keep_members: bool = False,
    progress: Progress = silent,
) -> tuple[Instances, dict[str, Instances]]:
    """Look at every box.

    Args:
        predictors: networks; each looks at crops of its own codec.
        weights: one per network, positive.
        codec: the grid the heatmaps are blended on.
        crops: the boxes and their pictures, without augmentation; its geometry does not matter.
        decoding: flip test, blur, sub-pixel rule.
        keep_members: also decode each network's maps alone.
        progress: told boxes done.

    Returns:
        the blend's poses and, if asked for, each network's by name: rows as in ``crops``, keypoints in image
        pixels with the heatmap's value as keypoint score, box and box score unchanged.
    """
    boxes = crops.instances
    shape = (len(boxes), len(boxes.skeleton), 3)
    blend = np.zeros(shape)
    alone = {p.name: np.zeros(shape) for p in predictors} if keep_members else {}
    geometries = list(dict.fromkeys(predictor.codec.geometry for predictor in predictors))
    for begin in range(0, len(boxes), BATCH):
        rows = np.arange(begin, min(begin + BATCH, len(boxes)))
        images = {
            g: batch.images for g, batch in zip(geometries, crops.batches(geometries, rows), strict=True)
        }
        box = boxes.box[rows]
        maps = []
        for predictor in predictors:
            own = _flip_tested(predictor, images[predictor.codec.geometry], decoding)
            if keep_members:
                alone[predictor.name][rows] = _points(own, predictor.codec, decoding, box)
            maps.append(to_codec(own, predictor.codec, codec, box))
        blend[rows] = _points(weighted_mean(maps, weights), codec, decoding, box)
        progress(int(rows[-1]) + 1, len(boxes), "boxes")
    source = np.full(len(boxes), "P")
    return (
        boxes.with_(keypoints=blend, source=source),
        {name: boxes.with_(keypoints=points, source=source) for name, points in alone.items()},
    )


def _flip_tested(predictor: Predictor, images: np.ndarray, decoding: DecodeSpec) -> np.ndarray:
    """A network's maps, averaged with the mirrored picture's where the document asks for it."""
    maps = predictor.heatmaps(images)
    if not decoding.flip_test:
        return maps
    shift = decoding.flip_shift
    exact = predictor.codec.exact_flip_shift if shift == "exact" else shift
    return blend_flipped(maps, predictor.heatmaps(images, mirrored=True), exact)


def _points(maps: np.ndarray, codec: Codec, decoding: DecodeSpec, box: np.ndarray) -> np.ndarray:
    """(N, K, h, w) maps -> (N, K, 3) image pixels and score."""
    points, scores = decode(maps, blur=decoding.blur, refine=decoding.refine)
    return np.concatenate([codec.to_image(points, box), scores.clip(0, 1)[..., None]], axis=2)
