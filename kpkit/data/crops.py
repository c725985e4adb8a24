"""From pictures and Instances to network inputs: uint8 crops with their keypoints and weights.

Crops stay uint8: colour normalisation and heatmap targets are done for whole batches on the training device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from kpkit.core.crops import CONVENTIONS, crop_matrices, flip_matrices, transform
from kpkit.core.errors import InputError, KpkitError
from kpkit.core.files import safe_join
from kpkit.core.instances import ImageTable, Instances
from kpkit.data.augment import Augmentation, Views, plain_views, random_views
from kpkit.data.images import ImageCache


@dataclass(frozen=True, eq=False)
class CropBatch:
    """B crops of (h, w) pixels with K keypoints each.

    Attributes:
        rows: (B,) int64, rows of the data set.
        images: (B, h, w, 3) uint8, RGB; outside the picture 0.
        keypoints: (B, K, 2) float64, x and y in crop pixels; integers are pixel centres.
        visibility: (B, K) uint8, 0, 1 or 2 as labelled; 0 where the point falls outside the crop.
        keypoint_weight: (B, K) float32, the loss weight: 1 where ``visibility`` is above 0. For a hard
            negative (source "H") 1 everywhere: all its heatmaps are to be zero.
        negative: (B,) bool, the hard negatives: no peak belongs in their targets.
        matrix: (B, 2, 3) float64, image pixels to crop pixels (mirroring included).
        flipped: (B,) bool, whether the crop is mirrored (its keypoints are already swapped).
    """

    rows: np.ndarray
    images: np.ndarray
    keypoints: np.ndarray
    visibility: np.ndarray
    keypoint_weight: np.ndarray
    negative: np.ndarray
    matrix: np.ndarray
    flipped: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)


def picture_paths(instances: Instances, images: ImageTable, folder: str | Path) -> list[str]:
    """The picture file of each instance.

    Raises InputError for an image id the table lacks or a file name that leaves ``folder``.
    """
    rows = images.rows_of(instances.image_id)
    if (rows < 0).any():
        missing = int(instances.image_id[int(np.argmin(rows))])
        remedy = "take instances and pictures from one data set"
        raise InputError(f"image {missing} is not in the image table", file=folder, remedy=remedy)
    paths = {row: str(safe_join(folder, images.file_name[row])) for row in np.unique(rows).tolist()}
    return [paths[row] for row in rows.tolist()]


def warp(image: np.ndarray, matrices: np.ndarray, out: np.ndarray) -> None:
    """Cut crops from one picture: linear interpolation, 0 outside.

    Args:
        image: (H, W, 3) uint8.
        matrices: (N, 2, 3), image pixels to crop pixels.
        out: (N, h, w, 3) uint8, filled in place.
    """
    size = (out.shape[2], out.shape[1])
    for matrix, crop in zip(matrices, out, strict=True):
        cv2.warpAffine(image, matrix, size, dst=crop, flags=cv2.INTER_LINEAR)


def crop_batch(
    image: np.ndarray,
    box: np.ndarray,
    input_size: tuple[int, int],
    *,
    convention: str = "classic",
    padding: float = 1.25,
) -> tuple[np.ndarray, np.ndarray]:
    """Test-time crops of one picture: nothing drawn, nothing mirrored.

    Args:
        image: (H, W, 3) uint8.
        box: (N, 4) x, y, width, height in image pixels.
        input_size: (h, w) of the crops.
        convention: ``"classic"`` or ``"unbiased"`` (core.crops).
        padding: factor on the box after the aspect fit.

    Returns:
        crops (N, h, w, 3) uint8 and matrices (N, 2, 3), image pixels to crop pixels.
    """
    matrices = _matrices(plain_views(box, input_size, padding), input_size, convention)
    crops = np.empty((len(box), *input_size, 3), np.uint8)
    warp(image, matrices, crops)
    return crops, matrices


class CropDataset:
    """Crops of people for training or validation, equal for equal (seed, epoch, row).

    Args:
        instances: N people of one skeleton (join data sets with ``speaking`` and ``Instances.concat``).
        pictures: the N picture files, as picture_paths gives them; sizes are never needed.
        input_size: (h, w) of the crops.
        convention: ``"classic"`` or ``"unbiased"`` (core.crops).
        padding: factor on the box after the aspect fit.
        augmentation: how views are drawn; None shows the plain box.
        seed: key of all draws.
        cache_bytes: memory for decoded pictures kept between batches.
    """

    def __init__(
        self,
        instances: Instances,
        pictures: Sequence[str],
        input_size: tuple[int, int],
        *,
        convention: str = "classic",
        padding: float = 1.25,
        augmentation: Augmentation | None = None,
        seed: int = 0,
        cache_bytes: int = 0,
    ) -> None:
        if len(pictures) != len(instances):
            raise KpkitError(f"{len(instances)} instances but {len(pictures)} pictures")
        if convention not in CONVENTIONS:
            raise KpkitError(f"crop convention {convention!r} is none of {', '.join(CONVENTIONS)}")
        no_size = (instances.box[:, 2:] <= 0).any(axis=1)
        if no_size.any():
            row = int(np.argmax(no_size))
            remedy = "leave out people whose box has no size"
            cause = f"the box of image {instances.image_id[row]} has no positive size"
            raise InputError(cause, row=row, remedy=remedy)
        self.instances, self.pictures, self.input_size = instances, pictures, input_size
        self.convention, self.padding = convention, padding
        self.augmentation, self.seed = augmentation, seed
        self._cache = ImageCache(cache_bytes)

    def __len__(self) -> int:
        return len(self.instances)

    def batch(self, rows: Sequence[int] | np.ndarray, epoch: int = 0) -> CropBatch:
        """The crops of some rows; each picture is decoded once, however many of its people are asked for.

        Raises InputError naming the file for a picture that is missing or broken.
        """
        rows = np.asarray(rows, np.int64)
        people = self.instances[rows]
        views = self._views(people, rows, epoch)
        matrix = _matrices(views, self.input_size, self.convention)
        images = np.empty((len(rows), *self.input_size, 3), np.uint8)
        self._cut(rows, matrix, images)
        points = people.keypoints
        swapped = points[:, people.skeleton.flip_order]
        points = np.where(views.flip[:, None, None], swapped, points)
        keypoints = transform(matrix, points[:, :, :2])
        height, width = self.input_size
        # A pixel reaches half a pixel round its centre, so the crop spans -0.5 .. width - 0.5.
        inside = ((keypoints >= -0.5) & (keypoints < np.array([width, height]) - 0.5)).all(axis=2)
        visibility = np.where(inside, points[:, :, 2], 0).astype(np.uint8)
        negative = people.source == "H"
        weight = ((visibility > 0) | negative[:, None]).astype(np.float32)
        return CropBatch(rows, images, keypoints, visibility, weight, negative, matrix, views.flip)

    def sample(self, row: int, epoch: int = 0) -> CropBatch:
        """One row: a batch of one."""
        return self.batch([row], epoch)

    def _views(self, people: Instances, rows: np.ndarray, epoch: int) -> Views:
        if self.augmentation is None:
            return plain_views(people.box, self.input_size, self.padding)
        return random_views(
            self.augmentation, people, rows,
            seed=self.seed, epoch=epoch, input_size=self.input_size, padding=self.padding,
        )  # fmt: skip

    def _cut(self, rows: np.ndarray, matrix: np.ndarray, images: np.ndarray) -> None:
        places: dict[str, list[int]] = {}
        for place, row in enumerate(rows.tolist()):
            places.setdefault(self.pictures[row], []).append(place)
        for path, wanted in places.items():
            image = self._cache.read(path)
            for place in wanted:
                warp(image, matrix[place : place + 1], images[place : place + 1])


def _matrices(views: Views, input_size: tuple[int, int], convention: str) -> np.ndarray:
    matrix = crop_matrices(
        views.centre, views.size, input_size, rotation=views.rotation, convention=convention
    )
    return np.where(views.flip[:, None, None], flip_matrices(matrix, input_size[1]), matrix)
