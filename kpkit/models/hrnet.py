"""HRNet (Sun et al., CVPR 2019) for pose, its encoder built from timm's modules with timm's tensor names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from timm.models.hrnet import HighResolutionNetFeatures
from torch import Tensor, nn

from kpkit.models.layers import HeatmapConv, initialise
from kpkit.models.network import Encoder, Output, PoseNetwork


def _stage(modules: int, branches: int, width: int) -> dict[str, object]:
    return {
        "num_modules": modules,
        "num_branches": branches,
        "block_type": "BASIC",
        "num_blocks": (4,) * branches,
        "num_channels": tuple(width * 2**i for i in range(branches)),
        "fuse_method": "SUM",
    }


class HRNet(Encoder):
    """Pose HRNet without its last 1x1 convolution.

    timm's body in its plain form (``feature_location=""``; the default ends in classification layers), less
    the last fusion's rows towards the coarser branches, which no keypoint network reads: every parameter
    gets a gradient, and the rest has the official pose network's names and shapes.

    Args:
        width: channels C of the finest branch; 32 and 48 are published.
        modules: exchange modules in stages 2, 3 and 4.

    Attributes:
        channels, strides: of the two maps that ``forward`` returns.
    """

    conv1: nn.Module
    bn1: nn.Module
    act1: nn.Module
    conv2: nn.Module
    bn2: nn.Module
    act2: nn.Module
    layer1: nn.Module
    transition1: nn.ModuleList
    stage2: nn.Module
    transition2: nn.ModuleList
    stage3: nn.Module
    transition3: nn.ModuleList
    stage4: nn.Module

    def __init__(self, *, width: int = 32, modules: Sequence[int] = (1, 4, 3)) -> None:
        super().__init__()
        if width < 1:
            raise ValueError(f"width is {width}, at least 1 is needed")
        if len(modules) != 3 or min(modules) < 1:
            raise ValueError(f"modules is {tuple(modules)}, not three counts of at least 1")
        stem = {**_stage(1, 1, 64), "block_type": "BOTTLENECK"}
        config: dict[str, object] = {"stem_width": 64, "stage1": stem}
        for i, count in enumerate(modules):
            config[f"stage{i + 2}"] = _stage(count, i + 2, width)
        body = HighResolutionNetFeatures(config, feature_location="")
        last = body.stage4[-1]
        last.fuse_layers = last.fuse_layers[:1]
        for name, child in body.named_children():
            if next(child.parameters(), None) is not None or name.startswith("act"):
                self.add_module(name, child)
        for layer in self.modules():
            if isinstance(layer, nn.ReLU):
                layer.inplace = True  # timm copies the sums of its exchanges
        self.channels = (width, width)
        self.strides = (4, 4)

    def forward(self, images: Tensor) -> list[Tensor]:
        """The finest branch after stage 3 and after stage 4, both (N, width, H/4, W/4)."""
        x = self.act1(self.bn1(self.conv1(images)))
        x = self.layer1(self.act2(self.bn2(self.conv2(x))))
        branches = self.stage2([transition(x) for transition in self.transition1])
        branches = self.stage3(_widen(self.transition2, branches))
        third = branches[0]
        # The exchange modules replace the elements of the list they are given, so hand over a new one.
        fourth = self.stage4(_widen(self.transition3, branches))[0]
        return [third, fourth]


def _widen(transition: nn.ModuleList, branches: Sequence[Tensor]) -> list[Tensor]:
    """Existing branches as they are (an identity in HRNet), and a new one from the coarsest."""
    return [*branches, transition[-1](branches[-1])]


class PoseHRNet(PoseNetwork):
    """HRNet for pose: a 1x1 convolution on the finest branch (section 3). One output, at stride 4.

    Its loss is half the mean squared error, as in the public code.

    Args:
        keypoints: K.
        input_size: (height, width) in pixels, multiples of 32.
        width, modules: of the ``HRNet`` encoder.
        init, init_std: see ``initialise``; the public code draws every convolution from N(0, 0.001^2) where
            no ImageNet weights come in.
    """

    def __init__(
        self,
        *,
        keypoints: int = 17,
        input_size: tuple[int, int] = (256, 192),
        width: int = 32,
        modules: Sequence[int] = (1, 4, 3),
        init: str = "gaussian",
        init_std: float = 0.001,
    ) -> None:
        super().__init__(keypoints=keypoints, input_size=input_size)
        self.encoder = HRNet(width=width, modules=modules)
        self.head = HeatmapConv(width, keypoints)
        self.outputs = (Output(stride=self.encoder.strides[-1], weight=0.5),)
        initialise(self, init, init_std)

    def stream(self, images: Tensor, final_only: bool) -> Iterator[Tensor]:
        yield self.head(self.encoder(images)[-1])
