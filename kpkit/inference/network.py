"""One trained network, ready to look at crops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from kpkit.core.crops import CropGeometry
from kpkit.core.skeletons import SKELETONS, Skeleton
from kpkit.heatmaps.codecs import Codec
from kpkit.heatmaps.flip import unflip
from kpkit.models.catalogue import create_model
from kpkit.models.network import PoseNetwork
from kpkit.specs.recipe import NetworkSpec, RecipeSpec


def create_network(spec: NetworkSpec) -> PoseNetwork:
    """The network a recipe describes, with fresh parameters from torch's global generator.

    Raises InputError for a name, an option or a value the catalogue refuses.
    """
    keypoints = len(SKELETONS[spec.skeleton])
    return create_model(spec.name, input_size=spec.input_size, keypoints=keypoints, **spec.options)


def codec_of(spec: RecipeSpec, network: PoseNetwork) -> Codec:
    """The codec of a recipe's network: the recipe's crop, the network's stride."""
    return _codec(spec, network.stride)


def crop_geometry(spec: RecipeSpec) -> CropGeometry:
    """How a recipe's crops are cut."""
    return _codec(spec, stride=1).geometry


def _codec(spec: RecipeSpec, stride: int) -> Codec:
    table = spec.codec
    return Codec(table.convention, spec.network.input_size, stride, table.padding, table.margins)


def normaliser(spec: NetworkSpec, device: torch.device) -> Callable[[np.ndarray], torch.Tensor]:
    """A function from (N, h, w, 3) uint8 RGB crops to the (N, 3, h, w) float network input.

    Channels, mean and std are in the recipe's ``channel_order``.
    """
    mean = torch.tensor(spec.mean, device=device) * 255
    factor = 1 / (torch.tensor(spec.std, device=device) * 255)

    def normalise(crops: np.ndarray) -> torch.Tensor:
        images = torch.from_numpy(crops).to(device, non_blocking=True).float()
        # (N, h, w, 3) memory seen as (N, 3, h, w) is channels-last without a copy
        if spec.channel_order == "bgr":
            images = images.flip(3)
        return ((images - mean) * factor).permute(0, 3, 1, 2)

    return normalise


@dataclass
class Predictor:
    """A network with what it needs to turn crops into heatmaps of its codec.

    Args:
        name: the recipe's.
        network: moved to ``device``; put into evaluation mode at every call and back after it.
        spec: its recipe.
    """

    name: str
    network: PoseNetwork
    spec: RecipeSpec
    device: torch.device

    def __post_init__(self) -> None:
        self.skeleton: Skeleton = SKELETONS[self.spec.network.skeleton]
        self.codec = codec_of(self.spec, self.network)
        self._normalise = normaliser(self.spec.network, self.device)

    @torch.inference_mode()
    def heatmaps(self, crops: np.ndarray, *, mirrored: bool = False) -> np.ndarray:
        """Final heatmaps, divided by the recipe's peak, so that those of all networks are about 0 to 1.

        Args:
            crops: (N, h, w, 3) uint8 RGB, cut by the codec.
            mirrored: look at the mirrored crops and bring the maps back.

        Returns:
            (N, K, h', w') float32.
        """
        images = self._normalise(crops)
        if mirrored:
            images = images.flip(3)
        images = images.contiguous(memory_format=torch.channels_last)
        training = self.network.training
        self.network.eval()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.spec.network.precision == "bf16"):
            maps = self.network(images, final_only=True)[-1]
        self.network.train(training)
        maps = maps.float()
        if (peak := self.spec.codec.peak) != 1:
            maps = maps / peak
        array = maps.cpu().numpy()
        return unflip(array, self.skeleton) if mirrored else array


def best_device() -> torch.device:
    """The first GPU, else the CPU with one thread (two are slower here than one: perf.md, noise)."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    torch.set_num_threads(1)
    return torch.device("cpu")
