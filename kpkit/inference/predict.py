"""Boxes in pictures to poses by one network or several, each term of their mean added as it is made.

Networks, test-time views of their crops, and plain and mirrored pictures are terms of one mean. Of the maps
of a batch, the mean and a slice's (Predictor.slices) are alive at a time, whatever the number of terms.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kpkit.core.instances import Instances
from kpkit.core.progress import Progress, silent
from kpkit.data.crops import CropDataset
from kpkit.heatmaps.blend import RunningMean, shares_of
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
    weights: Sequence[float] | np.ndarray,
    codec: Codec,
    crops: CropDataset,
    decoding: DecodeSpec,
    *,
    keep_members: bool = False,
    progress: Progress = silent,
) -> tuple[Instances, dict[str, Instances]]:
    """Look at every box.

    Args:
        predictors: networks; each looks at crops of its own codec, once for each of its views. The views of
            a network share its weight equally.
        weights: (M,) one per network, or (M, K) one per network and keypoint.
        codec: the grid the heatmaps are blended on.
        crops: the boxes and their pictures, without augmentation; its geometry does not matter.
        decoding: flip test, blur, sub-pixel rule.
        keep_members: also decode each network's maps alone, the mean of its views on its own codec.
        progress: told boxes done.

    Returns:
        the blend's poses and, if asked for, each network's by name: rows as in ``crops``, keypoints in image
        pixels with the heatmap's value as keypoint score, box and box score unchanged.

    Raises:
        KpkitError: weights that make no mean (heatmaps.blend.shares_of).
    """
    boxes = crops.instances
    keypoints = len(boxes.skeleton)
    shape = (len(boxes), keypoints, 3)
    blend = np.zeros(shape)
    alone = {p.name: np.zeros(shape) for p in predictors} if keep_members else {}
    shares = shares_of(weights)
    geometries = list(dict.fromkeys(view.geometry for p in predictors for view in p.views))
    for begin in range(0, len(boxes), BATCH):
        rows = np.arange(begin, min(begin + BATCH, len(boxes)))
        images = {
            g: batch.images for g, batch in zip(geometries, crops.batches(geometries, rows), strict=True)
        }
        box = boxes.box[rows]
        mean = RunningMean((len(rows), keypoints, *codec.shape))
        for predictor, share in zip(predictors, shares, strict=True):
            equal = 1 / len(predictor.views)
            for part in predictor.slices(len(rows)):
                own_shape = (len(box[part]), keypoints, *predictor.codec.shape)
                own = RunningMean(own_shape) if keep_members else None
                for view in predictor.views:
                    maps = _flip_tested(predictor, images[view.geometry][part], decoding)
                    mean.add(to_codec(maps, view, codec, box[part]), share * equal, part)
                    if own:
                        own.add(to_codec(maps, view, predictor.codec, box[part]), equal)
                if own:
                    points = _points(own.maps, predictor.codec, decoding, box[part])
                    alone[predictor.name][rows[part]] = points
        blend[rows] = _points(mean.maps, codec, decoding, box)
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
    points, scores = decode(maps, **decoding.options)
    return np.concatenate([codec.to_image(points, box), scores.clip(0, 1)[..., None]], axis=2)
