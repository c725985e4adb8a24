"""A trained refiner, ready to look at poses in their pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kpkit.core.crops import invert, transform
from kpkit.core.instances import Instances
from kpkit.core.progress import Progress, silent
from kpkit.core.skeletons import SKELETONS
from kpkit.data.crops import CropDataset
from kpkit.inference.network import CPU_SLICE, codec_of, normaliser
from kpkit.models.network import PoseNetwork
from kpkit.refinement.maps import pose_maps, soft_argmax
from kpkit.specs.recipe import RecipeSpec

BATCH = 64
"""Poses looked at together. Part of the result's last bits, so it is no setting."""
LEAST = 20.0
"""Pixels that a side of a pose without extent counts as (official code)."""


@dataclass
class Refiner:
    """A refining network with what it needs to make poses better.

    Args:
        network: on ``device``; put into evaluation mode at every call and back after it.
        spec: its recipe, with ``[refinement]``.
    """

    network: PoseNetwork
    spec: RecipeSpec
    device: torch.device

    def __post_init__(self) -> None:
        self.codec = codec_of(self.spec, self.network)
        self._flip = SKELETONS[self.spec.network.skeleton].flip_order
        self._normalise = normaliser(self.spec.network, self.device)

    def refine(
        self,
        poses: Instances,
        pictures: Sequence[str],
        *,
        present: np.ndarray | None = None,
        progress: Progress = silent,
    ) -> Instances:
        """Better poses. One batch of crops and maps is alive, however many poses there are.

        A pose is looked at in the tight box of its own keypoints, by the codec's margins and padding. Where
        the recipe's decoding says so, the mirrored crop is looked at as well and the places are averaged.

        Args:
            poses: N; results of any tool. Their boxes play no part.
            pictures: N picture files.
            present: (N, K) bool, the keypoints the poses have; all of them where it is not given, whatever
                their scores (official code).
            progress: told poses done.

        Returns:
            the same rows with other places, scores as they were.

        Raises:
            InputError: a picture that cannot be read.
        """
        shown = np.ones(poses.keypoints.shape[:2], bool) if present is None else present
        box = pose_boxes(poses.keypoints, shown)
        crops = CropDataset(poses.with_(box=box), pictures, self.codec.geometry)
        keypoints = poses.keypoints.copy()
        for begin in range(0, len(poses), BATCH):
            rows = np.arange(begin, min(begin + BATCH, len(poses)))
            batch = crops.batch(rows)
            places = self._look(batch.images, batch.keypoints, shown[rows])
            keypoints[rows, :, :2] = transform(invert(batch.matrix), places)
            progress(int(rows[-1]) + 1, len(poses), "poses")
        return poses.with_(keypoints=keypoints)

    def _look(self, crops: np.ndarray, points: np.ndarray, present: np.ndarray) -> np.ndarray:
        """(N, K, 2) places in crop pixels, from crops and poses in crop pixels."""
        images = self._normalise(crops)
        places = self._places(images, points, present)
        if not self.spec.decode.flip_test:
            return places
        flip, last = self._flip, images.shape[3] - 1
        seen = self._places(images.flip(3), _mirrored(points[:, flip], last), present[:, flip])
        mean: np.ndarray = (places + _mirrored(seen[:, flip], last)) / 2
        return mean

    @torch.inference_mode()
    def _places(self, images: Tensor, points: np.ndarray, present: np.ndarray) -> np.ndarray:
        """As ``_look``, in one direction."""
        pose, there = (torch.from_numpy(array).to(self.device) for array in (points, present))
        training = self.network.training
        self.network.eval()
        size = CPU_SLICE if self.device.type == "cpu" else len(images)
        slices = zip(images.split(size), pose.split(size), there.split(size), strict=True)
        places = torch.cat([soft_argmax(look(self.network, self.spec, *part)) for part in slices])
        self.network.train(training)
        return self.codec.to_crop(places.double().cpu().numpy())


def _mirrored(points: np.ndarray, last: int) -> np.ndarray:
    """Points in the mirrored crop, whose last column is ``last``."""
    return np.stack([last - points[..., 0], points[..., 1]], axis=-1)


def look(
    network: torch.nn.Module, spec: RecipeSpec, images: Tensor, points: Tensor, present: Tensor
) -> Tensor:
    """(N, K, h, w) logits of normalised crops (N, 3, H, W) and the poses (N, K, 2) shown in them.

    A pose's Gaussians are as high above nothing as white is above black, in the crops' normalisation (its
    channels' mean): 255 with the published one, which divides by nothing.
    """
    assert spec.refinement
    size = (images.shape[2], images.shape[3])
    white = float(np.mean(1 / np.array(spec.network.std)))
    maps = pose_maps(points, present, size, spec.refinement.sigma, white)
    halved = spec.network.precision == "bf16"
    both = torch.empty(
        (len(images), 3 + maps.shape[1], *size),
        dtype=torch.bfloat16 if halved else torch.float32,
        device=images.device,
        memory_format=torch.channels_last,
    )
    both[:, :3], both[:, 3:] = images, maps
    with torch.autocast(images.device.type, torch.bfloat16, enabled=halved):
        logits: Tensor = network(both)[-1]
    return logits.float()


def pose_boxes(keypoints: np.ndarray, present: np.ndarray) -> np.ndarray:
    """(N, 4) tight boxes x, y, width, height of poses (N, K, 3) of which (N, K) are there; LEAST in size."""
    there = present[..., None]
    low = np.where(there, keypoints[..., :2], np.inf).min(axis=1)
    high = np.where(there, keypoints[..., :2], -np.inf).max(axis=1)
    some = present.any(axis=1, keepdims=True)
    low, high = (np.where(some, end, 0.0) for end in (low, high))
    size = np.where(high > low, high - low, LEAST)
    return np.concatenate([(low + high - size) / 2, size], axis=1)
