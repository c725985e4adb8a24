"""Random views of people for training: which region, turned how far, mirrored or not.

HRNet's scheme (leoxiaobin/deep-high-resolution-net.pytorch, lib/dataset/JointsDataset.py) and its numbers by
default; MSPN's (megvii-detection/MSPN, dataset/JointsDataset.py) by other settings. Everything drawn for one
person depends on (seed, epoch, row) alone, so an epoch can be resumed at any row, and by any number of
workers, with the same crops.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kpkit.core.crops import CropGeometry, fit_boxes
from kpkit.core.errors import KpkitError
from kpkit.core.instances import Instances
from kpkit.core.seeds import generator

DISTRIBUTIONS = ("normal", "uniform")


@dataclass(frozen=True)
class Augmentation:
    """How far views may stray.

    Attributes:
        flip: probability of mirroring.
        distribution: of the draws z for scale and rotation: ``"normal"`` (HRNet), or ``"uniform"`` over
            -1 .. 1 (MSPN, CPN).
        scale: s; the region's size is multiplied by clip(1 + s z, 1 - s, 1 + s), so 0.35 gives 0.65 .. 1.35.
            0 turns it off.
        rotation: r degrees; the angle is clip(r z, -2 r, 2 r). 0 turns it off.
        rotation_probability: share of views that are turned at all.
        shift: standard deviation of the region's displacement, as a share of its size; 0, as in HRNet, keeps
            it. Detectors place boxes a few hundredths off.
        margins: factors on the box's (width, height) before the aspect fit; None takes the crop's own (MSPN
            trains with 1.05 and tests with more).
        extension: the box's (width, height), or the half body's, grow by uniform draws of up to these shares
            before the aspect fit, each by its own (MSPN 0.6 and 0.8).
        zoom: factor on every region's size (MSPN 0.8).
        half_body: probability of showing the upper or the lower body only.
        half_body_min_keypoints: it takes more labelled keypoints than this.
        half_body_padding: factor on the half's box after the aspect fit (MSPN, which extends it: 1).
        upper_body_share: probability of choosing the upper half; HRNet draws randn() < 0.5, which is 0.69.
    """

    flip: float = 0.5
    distribution: str = "normal"
    scale: float = 0.35
    rotation: float = 45.0
    rotation_probability: float = 0.6
    shift: float = 0.0
    margins: tuple[float, float] | None = None
    extension: tuple[float, float] = (0.0, 0.0)
    zoom: float = 1.0
    half_body: float = 0.3
    half_body_min_keypoints: int = 8
    half_body_padding: float = 1.5
    upper_body_share: float = 0.6915

    def __post_init__(self) -> None:
        for name in ("flip", "rotation_probability", "half_body", "upper_body_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise KpkitError(f"augmentation: {name} is a probability, from 0 to 1")
        if self.distribution not in DISTRIBUTIONS:
            raise KpkitError(f"augmentation: distribution is one of {', '.join(DISTRIBUTIONS)}")
        if not 0 <= self.scale < 1:
            raise KpkitError("augmentation: scale must be at least 0 and below 1")
        if self.rotation < 0 or self.shift < 0 or min(self.extension) < 0:
            raise KpkitError("augmentation: rotation, shift and extension must not be negative")
        if min(self.half_body_padding, self.zoom, *(self.margins or ())) <= 0:
            raise KpkitError("augmentation: half_body_padding, zoom and margins must be above 0")


@dataclass(frozen=True, eq=False)
class Views:
    """Regions to crop, one for each of N people.

    Attributes:
        centre: (N, 2) image pixels.
        size: (N, 2) width and height in image pixels, of the crop's aspect ratio.
        rotation: (N,) degrees, positive turns the content counter-clockwise as seen.
        flip: (N,) bool, mirror the crop.
    """

    centre: np.ndarray
    size: np.ndarray
    rotation: np.ndarray
    flip: np.ndarray


def plain_views(box: np.ndarray, geometry: CropGeometry) -> Views:
    """The views of validation and test: the boxes (N, 4) as the geometry shows them, nothing drawn."""
    centre, size = geometry.regions(box)
    return Views(centre, size, np.full(len(box), geometry.rotation), np.zeros(len(box), bool))


def random_views(
    augmentation: Augmentation,
    instances: Instances,
    rows: np.ndarray,
    *,
    seed: int,
    epoch: int,
    geometry: CropGeometry,
) -> Views:
    """Draw a view of each person.

    Order, as in HRNet: the region is the fitted box, or half the body; then it is scaled, shifted, turned,
    mirrored.

    Args:
        augmentation: how far views may stray.
        instances: the N people to show.
        rows: (N,) their rows in the whole data set, which key the draws.
        seed, epoch: the rest of the key.
        geometry: how boxes are fitted.
    """
    draws = np.empty((len(rows), 12))
    for k, row in enumerate(rows):
        source = generator(seed, "augment", epoch, int(row))
        draws[k, :4] = source.standard_normal(4)
        draws[k, 4:] = source.random(8)
    z_scale, z_rotation = (
        draws[:, :2] if augmentation.distribution == "normal" else 2 * draws[:, 8:10] - 1
    ).T
    u_rotation, u_flip, u_half, u_upper = draws[:, 4:8].T
    growth = 1 + np.array(augmentation.extension) * draws[:, 10:]
    margins = np.array(augmentation.margins or geometry.margins) * growth
    centre, size = fit_boxes(instances.box, geometry.input_size, geometry.padding, margins)
    chosen = u_half < augmentation.half_body
    half_centre, half_size, possible = _half_bodies(
        augmentation, instances, u_upper, growth, geometry.input_size
    )
    half = (chosen & possible)[:, None]
    centre, size = np.where(half, half_centre, centre), np.where(half, half_size, size)
    spread = augmentation.scale
    size = size * (augmentation.zoom * np.clip(1 + spread * z_scale, 1 - spread, 1 + spread))[:, None]
    centre = centre + augmentation.shift * draws[:, 2:4] * size
    limit = 2 * augmentation.rotation
    angle = np.clip(augmentation.rotation * z_rotation, -limit, limit)
    turned = u_rotation < augmentation.rotation_probability
    return Views(centre, size, np.where(turned, angle, 0.0), u_flip < augmentation.flip)


def _half_bodies(
    augmentation: Augmentation,
    instances: Instances,
    u_upper: np.ndarray,
    growth: np.ndarray,
    input_size: tuple[int, int],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centre and size of half a body, and whether the person has one to show.

    The half chosen first needs 3 labelled keypoints, else the other is taken, which needs 2. The centre is
    the mean of the half's keypoints, the size that of their box, grown by (N, 2) factors, fitted to the
    aspect and padded.
    """
    labelled = instances.keypoints[:, :, 2] > 0
    upper = labelled & instances.skeleton.upper_body
    lower = labelled & ~instances.skeleton.upper_body
    upper_count, lower_count = upper.sum(axis=1), lower.sum(axis=1)
    first = u_upper < augmentation.upper_body_share
    take_upper = np.where(first, (upper_count > 2) | (lower_count <= 2), lower_count <= 2)
    half = np.where(take_upper[:, None], upper, lower)
    count = half.sum(axis=1)
    points = instances.keypoints[:, :, :2]
    centre = (points * half[..., None]).sum(axis=1) / np.maximum(count, 1)[:, None]
    low = np.where(half[..., None], points, np.inf).min(axis=1)
    high = np.where(half[..., None], points, -np.inf).max(axis=1)
    with np.errstate(invalid="ignore"):
        extent = np.where(count[:, None] > 0, high - low, 0.0)
    box = np.concatenate([centre - extent / 2, extent], axis=1)
    _, size = fit_boxes(box, input_size, augmentation.half_body_padding, growth)
    enough = labelled.sum(axis=1) > augmentation.half_body_min_keypoints
    return centre, size, enough & (count >= 2) & (size[:, 0] > 0)
