"""From pictures and Instances to network inputs: uint8 crops with their keypoints and weights.

Crops stay uint8: colour normalisation and heatmap targets are done for whole batches on the training device.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from kpkit.core.crops import CropGeometry, crop_matrices, flip_matrices, transform
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
        visibility: (B, K) uint8, 0, 1 or 2 as labelled.
        keypoint_weight: (B, K) float64 in 0..1, loss weights as labelled.
        inside: (B, K) bool, the point falls into the crop.
        source: (B,) str, where each person comes from, a letter of core.instances.SOURCES.
        matrix: (B, 2, 3) float64, image pixels to crop pixels (mirroring included).
        flipped: (B,) bool, whether the crop is mirrored (its keypoints are already swapped).
    """

    rows: np.ndarray
    images: np.ndarray
    keypoints: np.ndarray
    visibility: np.ndarray
    keypoint_weight: np.ndarray
    inside: np.ndarray
    source: np.ndarray
    matrix: np.ndarray
    flipped: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def negative(self) -> np.ndarray:
        """(B,) bool, the hard negatives: all their heatmaps are to be zero."""
        return np.asarray(self.source == "H")


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


def crop_batch(image: np.ndarray, box: np.ndarray, geometry: CropGeometry) -> tuple[np.ndarray, np.ndarray]:
    """Test-time crops of one picture: nothing drawn, nothing mirrored.

    Args:
        image: (H, W, 3) uint8.
        box: (N, 4) x, y, width, height in image pixels.
        geometry: how they are fitted and cut.

    Returns:
        crops (N, h, w, 3) uint8 and matrices (N, 2, 3), image pixels to crop pixels.
    """
    matrices = geometry.matrices(box)
    crops = np.empty((len(box), *geometry.input_size, 3), np.uint8)
    warp(image, matrices, crops)
    return crops, matrices


class CropDataset:
    """Crops of people for training or validation, equal for equal (seed, epoch, row).

    Args:
        instances: N people of one skeleton (join data sets with ``speaking`` and ``Instances.concat``).
        pictures: the N picture files, as picture_paths gives them; sizes are never needed.
        geometry: how boxes become crops.
        augmentation: how views are drawn; None shows the plain box.
        seed: key of all draws.
        cache_bytes: memory for decoded pictures kept between batches.
    """

    def __init__(
        self,
        instances: Instances,
        pictures: Sequence[str],
        geometry: CropGeometry,
        *,
        augmentation: Augmentation | None = None,
        seed: int = 0,
        cache_bytes: int = 0,
    ) -> None:
        if len(pictures) != len(instances):
            raise KpkitError(f"{len(instances)} instances but {len(pictures)} pictures")
        no_size = (instances.box[:, 2:] <= 0).any(axis=1)
        if no_size.any():
            row = int(np.argmax(no_size))
            remedy = "leave out people whose box has no size"
            cause = f"the box of image {instances.image_id[row]} has no positive size"
            raise InputError(cause, row=row, remedy=remedy)
        self.instances, self.pictures, self.geometry = instances, pictures, geometry
        self.augmentation, self.seed = augmentation, seed
        self._cache = ImageCache(cache_bytes)

    def __len__(self) -> int:
        return len(self.instances)

    def batch(self, rows: Sequence[int] | np.ndarray, epoch: int = 0) -> CropBatch:
        """The crops of some rows; each picture is decoded once, however many of its people are asked for.

        Raises InputError naming the file for a picture that is missing or broken.
        """
        return self.batches([self.geometry], rows, epoch)[0]

    def batches(
        self, geometries: Iterable[CropGeometry], rows: Sequence[int] | np.ndarray, epoch: int = 0
    ) -> list[CropBatch]:
        """As ``batch``, once for each geometry: the same people, draws and (once decoded) pictures."""
        rows = np.asarray(rows, np.int64)
        uncut = [self._uncut(geometry, rows, epoch) for geometry in geometries]
        places: dict[str, list[int]] = {}
        for place, row in enumerate(rows.tolist()):
            places.setdefault(self.pictures[row], []).append(place)
        for path, wanted in places.items():
            image = self._cache.read(path)
            for batch in uncut:
                for place in wanted:
                    warp(image, batch.matrix[place : place + 1], batch.images[place : place + 1])
        return uncut

    def upright(self, rows: slice) -> CropDataset:
        """Some of the people in their plain boxes, whatever the augmentation; decoded pictures are shared."""
        people = CropDataset(self.instances[rows], self.pictures[rows], self.geometry)
        people._cache = self._cache
        return people

    def sample(self, row: int, epoch: int = 0) -> CropBatch:
        """One row: a batch of one."""
        return self.batch([row], epoch)

    def _uncut(self, geometry: CropGeometry, rows: np.ndarray, epoch: int) -> CropBatch:
        """The batch with its images still to be filled."""
        people = self.instances[rows]
        views = self._views(people, geometry, rows, epoch)
        matrix = _matrices(views, geometry)
        labels = np.concatenate([people.keypoints, people.weights[..., None]], axis=2)
        swapped = labels[:, people.skeleton.flip_order]
        labels = np.where(views.flip[:, None, None], swapped, labels)
        points, weight = labels[..., :3], labels[..., 3]
        keypoints = transform(matrix, points[:, :, :2])
        height, width = geometry.input_size
        # A pixel reaches half a pixel round its centre, so the crop spans -0.5 .. width - 0.5.
        inside = np.all((keypoints >= -0.5) & (keypoints < np.array([width, height]) - 0.5), axis=2)
        images = np.empty((len(rows), height, width, 3), np.uint8)
        visibility = points[:, :, 2].astype(np.uint8)
        return CropBatch(
            rows, images, keypoints, visibility, weight, inside, people.source, matrix, views.flip
        )

    def _views(self, people: Instances, geometry: CropGeometry, rows: np.ndarray, epoch: int) -> Views:
        if self.augmentation is None:
            return plain_views(people.box, geometry)
        return random_views(self.augmentation, people, rows, seed=self.seed, epoch=epoch, geometry=geometry)


def _matrices(views: Views, geometry: CropGeometry) -> np.ndarray:
    matrix = crop_matrices(
        views.centre,
        views.size,
        geometry.input_size,
        rotation=views.rotation,
        convention=geometry.convention,
    )
    return np.where(views.flip[:, None, None], flip_matrices(matrix, geometry.input_size[1]), matrix)
