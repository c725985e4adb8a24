"""One trained network, ready to look at crops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch

from kpkit.core.crops import CropGeometry
from kpkit.core.skeletons import SKELETONS, Skeleton
from kpkit.heatmaps.codecs import Codec
from kpkit.heatmaps.flip import unflip
from kpkit.models.catalogue import create_model
from kpkit.models.network import PoseNetwork
from kpkit.specs.recipe import CodecSpec, NetworkSpec, RecipeSpec

CPU_SLICE = 16
"""Crops in one forward pass on a CPU: feature maps of more leave its caches (benchmarks/hrnet_inference.py).
Part of the result's last bits, so it is no setting."""


def create_network(spec: NetworkSpec) -> PoseNetwork:
    """The network a recipe describes, with fresh parameters from torch's global generator.

    Raises InputError for a name, an option or a value the catalogue refuses.
    """
    keypoints = len(SKELETONS[spec.skeleton])
    return create_model(spec.name, input_size=spec.input_size, keypoints=keypoints, **spec.options)


def codec_of(spec: RecipeSpec, network: PoseNetwork) -> Codec:
    """The codec of a recipe's network: the recipe's crop, the network's stride."""
    return make_codec(spec.codec, spec.network.input_size, network.stride)


def crop_geometry(spec: RecipeSpec) -> CropGeometry:
    """How a recipe's crops are cut."""
    return make_codec(spec.codec, spec.network.input_size, stride=1).geometry


def make_codec(table: CodecSpec, input_size: tuple[int, int], stride: int) -> Codec:
    """The codec of a ``[codec]`` table, for crops of a size and maps of a stride."""
    return Codec(table.convention, input_size, stride, table.padding, table.margins)


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
        device: where the network is.
        looks: scale and rotation of each test-time view (specs.ensemble.MemberSpec).

    Attributes:
        codec: of its maps of a plain view.
    """

    name: str
    network: PoseNetwork
    spec: RecipeSpec
    device: torch.device
    looks: tuple[tuple[float, float], ...] = ((1.0, 0.0),)

    def __post_init__(self) -> None:
        self.skeleton: Skeleton = SKELETONS[self.spec.network.skeleton]
        self.codec = codec_of(self.spec, self.network)
        self._normalise = normaliser(self.spec.network, self.device)

    @property
    def views(self) -> tuple[Codec, ...]:
        """Codecs of the looks' maps."""
        return tuple(self.codec.view(scale, rotation) for scale, rotation in self.looks)

    def slices(self, count: int) -> list[slice]:
        """How ``count`` crops are split, so that little more than one pass's maps are alive at a time."""
        size = CPU_SLICE if self.device.type == "cpu" else max(count, 1)
        return [slice(begin, min(begin + size, count)) for begin in range(0, count, size)]

    def heatmaps(self, crops: np.ndarray, *, mirrored: bool = False) -> np.ndarray:
        """Final heatmaps, divided by the recipe's peak, so that those of all networks are about 0 to 1.

        Args:
            crops: (N, h, w, 3) uint8 RGB, cut by the codec.
            mirrored: look at the mirrored crops and bring the maps back.

        Returns:
            (N, K, h', w') float32.
        """
        (array,) = self._look(crops, mirrored, lambda images: self.network(images, final_only=True)[-1:])
        return unflip(array, self.skeleton) if mirrored else array

    def stage_heatmaps(self, crops: np.ndarray) -> list[tuple[int, np.ndarray]]:
        """As ``heatmaps``, what every stage but the last ends with: (stride, heatmaps) stage by stage.

        The last stage is not computed. Empty for a network of one stage.
        """
        last = {output.stage: number for number, output in enumerate(self.network.outputs)}
        kept = list(last.values())[:-1]

        def early(images: torch.Tensor) -> list[torch.Tensor]:
            made = islice(self.network.stream(images, final_only=False), kept[-1] + 1 if kept else 0)
            return [maps for number, maps in enumerate(made) if number in kept]

        arrays = self._look(crops, False, early)
        return [
            (self.network.outputs[number].stride, maps) for number, maps in zip(kept, arrays, strict=True)
        ]

    @torch.inference_mode()
    def _look(
        self, crops: np.ndarray, mirrored: bool, forward: Callable[[torch.Tensor], list[torch.Tensor]]
    ) -> list[np.ndarray]:
        """The heatmaps that a forward pass makes of crops, in evaluation mode, over the peak."""
        images = self._normalise(crops)
        if mirrored:
            images = images.flip(3)
        images = images.contiguous(memory_format=torch.channels_last)
        training = self.network.training
        self.network.eval()
        slices = images.split(CPU_SLICE) if self.device.type == "cpu" else (images,)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.spec.network.precision == "bf16"):
            made = [torch.cat(maps) for maps in zip(*map(forward, slices), strict=True)]
        self.network.train(training)
        peak = self.spec.codec.peak
        made = [maps.float() for maps in made]
        return [(maps if peak == 1 else maps / peak).cpu().numpy() for maps in made]


def best_device() -> torch.device:
    """The first GPU, else the CPU with one thread (two are slower here than one: perf.md, noise)."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    torch.set_num_threads(1)
    return torch.device("cpu")
