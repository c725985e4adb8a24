"""Random views of people for training: which region, turned how far, mirrored or not.

HRNet's scheme (leoxiaobin/deep-high-resolution-net.pytorch, lib/dataset/JointsDataset.py) and its numbers by
default. Everything drawn for one person depends on (seed, epoch, row) alone, so an epoch can be resumed at
any row, and by any number of workers, with the same crops.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kpkit.core.crops import fit_boxes
from kpkit.core.errors import KpkitError
from kpkit.core.instances import Instances
from kpkit.core.seeds import generator


@dataclass(frozen=True)
class Augmentation:
    """How far views may stray.

    Attributes:
        flip: probability of mirroring.
        scale: s; the region's size is multiplied by clip(1 + s z, 1 - s, 1 + s), z standard normal, so
            0.35 gives 0.65 .. 1.35. 0 turns it off.
        rotation: r degrees; the angle is clip(r z, -2 r, 2 r). 0 turns it off.
        rotation_probability: share of views that are turned at all.
        shift: standard deviation of the region's displacement, as a share of its size; 0, as in HRNet, keeps
            it. Detectors place boxes a few hundredths off.
        half_body: probability of showing the upper or the lower body only.
        half_body_min_keypoints: it takes more labelled keypoints than this.
        half_body_padding: factor on the half's box after the aspect fit.
        upper_body_share: probability of choosing the upper half; HRNet draws randn() < 0.5, which is 0.69.
    """

    flip: float = 0.5
    scale: float = 0.35
    rotation: float = 45.0
    rotation_probability: float = 0.6
    shift: float = 0.0
    half_body: float = 0.3
    half_body_min_keypoints: int = 8
    half_body_padding: float = 1.5
    upper_body_share: float = 0.6915

    def __post_init__(self) -> None:
        for name in ("flip", "rotation_probability", "half_body", "upper_body_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise KpkitError(f"augmentation: {name} is a probability, from 0 to 1")
        if not 0 <= self.scale < 1:
            raise KpkitError("augmentation: scale must be at least 0 and below 1")
        if self.rotation < 0 or self.shift < 0 or self.half_body_padding <= 0:
            raise KpkitError("augmentation: rotation, shift must not be negative, half_body_padding above 0")


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


def plain_views(box: np.ndarray, input_size: tuple[int, int], padding: float) -> Views:
    """The views of validation and test: the box (N, 4), fitted to the aspect and padded, nothing drawn."""
    centre, size = fit_boxes(box, input_size, padding)
    return Views(centre, size, np.zeros(len(box)), np.zeros(len(box), bool))


def random_views(
    augmentation: Augmentation,
    instances: Instances,
    rows: np.ndarray,
    *,
    seed: int,
    epoch: int,
    input_size: tuple[int, int],
    padding: float = 1.25,
) -> Views:
    """Draw a view of each person.

    Order, as in HRNet: the region is the padded box, or half the body; then it is scaled, shifted, turned,
    mirrored.

    Args:
        augmentation: how far views may stray.
        instances: the N people to show.
        rows: (N,) their rows in the whole data set, which key the draws.
        seed, epoch: the rest of the key.
        input_size: (height, width) of the crop.
        padding: factor on the box after the aspect fit.
    """
    draws = np.empty((len(rows), 8))
    for k, row in enumerate(rows):
        source = generator(seed, "augment", epoch, int(row))
        draws[k, :4] = source.standard_normal(4)
        draws[k, 4:] = source.random(4)
    z_scale, z_rotation = draws[:, :2].T
    u_rotation, u_flip, u_half, u_upper = draws[:, 4:].T
    centre, size = fit_boxes(instances.box, input_size, padding)
    chosen = u_half < augmentation.half_body
    half_centre, half_size, possible = _half_bodies(augmentation, instances, u_upper, input_size)
    half = (chosen & possible)[:, None]
    centre, size = np.where(half, half_centre, centre), np.where(half, half_size, size)
    spread = augmentation.scale
    size = size * np.clip(1 + spread * z_scale, 1 - spread, 1 + spread)[:, None]
    centre = centre + augmentation.shift * draws[:, 2:4] * size
    limit = 2 * augmentation.rotation
    angle = np.clip(augmentation.rotation * z_rotation, -limit, limit)
    turned = u_rotation < augmentation.rotation_probability
    return Views(centre, size, np.where(turned, angle, 0.0), u_flip < augmentation.flip)


def _half_bodies(
    augmentation: Augmentation, instances: Instances, u_upper: np.ndarray, input_size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centre and size of half a body, and whether the person has one to show.

    The half chosen first needs 3 labelled keypoints, else the other is taken, which needs 2. The centre is
    the mean of the half's keypoints, the size that of their box, fitted to the aspect and padded.
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
    _, size = fit_boxes(box, input_size, augmentation.half_body_padding)
    enough = labelled.sum(axis=1) > augmentation.half_body_min_keypoints
    return centre, size, enough & (count >= 2) & (size[:, 0] > 0)
