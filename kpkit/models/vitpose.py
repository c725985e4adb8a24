"""ViTPose (Xu et al., NeurIPS 2022): a plain vision transformer and a light decoder, on timm's blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from timm.layers import LayerNorm
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from kpkit.models.layers import HeatmapConv, initialise
from kpkit.models.network import Encoder, Output, PoseNetwork
from kpkit.models.simplebaseline import Deconvolutions

PATCH = 16
"""Pixels of a patch's side, and the encoder's stride."""


class PatchEmbed(nn.Module):
    """16x16 stride 16 convolution: (N, 3, H, W) to (N, width, H/16, W/16).

    The image is padded by 2 px on each side, as in the public code: patch i begins at pixel 16i - 2.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, PATCH, PATCH, padding=2)

    def forward(self, images: Tensor) -> Tensor:
        maps: Tensor = self.proj(images)
        return maps


class ViT(Encoder):
    """Vision transformer without class token: one token per patch, normalised after the last block.

    The tensors have timm's names and shapes. Positions are learnt for one grid, ``pos_embed`` (1, h * w,
    width), row by row. The public ViTPose code keeps the class token's position in front of them, (1,
    1 + h * w, width), and adds it to every patch: its ``pos_embed[:, 1:] + pos_embed[:, :1]`` is ours. To
    begin with MAE's weights it resizes their square grid of positions (bicubic, half-pixel centres), drops
    the class token and, for ViT-H, puts one pixel of zeros round the 14x14 kernels of the patches.

    Args:
        input_size: (height, width) in pixels, multiples of 16.
        width: channels C of a token.
        depth: blocks.
        heads: of the attention, a divisor of ``width``.
        drop_path: probability that the last block is skipped in training (stochastic depth), rising linearly
            from 0 at the first.

    Attributes:
        grid: (height, width) in patches.
        channels, strides: of the one map that ``forward`` returns.

    Raises:
        ValueError: a shape that is no transformer, or a probability outside [0, 1).
    """

    def __init__(
        self, *, input_size: tuple[int, int], width: int, depth: int, heads: int, drop_path: float
    ) -> None:
        super().__init__()
        if heads < 1 or width < heads or width % heads:
            raise ValueError(f"width is {width}, not a multiple of {heads} heads")
        if depth < 1:
            raise ValueError(f"depth is {depth}, at least 1 is needed")
        if not 0 <= drop_path < 1:
            raise ValueError(f"drop_path is {drop_path}, not a probability below 1")
        self.grid = (input_size[0] // PATCH, input_size[1] // PATCH)
        self.channels = (width,)
        self.strides = (PATCH,)
        self.patch_embed = PatchEmbed(width)
        self.pos_embed = nn.Parameter(torch.empty(1, self.grid[0] * self.grid[1], width))
        self.blocks = nn.Sequential(
            *(
                Block(width, heads, qkv_bias=True, drop_path=drop_path * i / max(depth - 1, 1))
                for i in range(depth)
            )
        )
        self.norm = LayerNorm(width)  # epsilon 1e-6, as in the blocks
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        for layer in self.blocks.modules():
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                nn.init.zeros_(layer.bias)

    def forward(self, images: Tensor) -> list[Tensor]:
        """The last block's tokens as a map, (N, width, H/16, W/16); ValueError at another input size."""
        maps = self.patch_embed(images)
        if maps.shape[-2:] != self.grid:
            raise ValueError(
                f"images of {tuple(images.shape[-2:])} px make {tuple(maps.shape[-2:])} patches,"
                f" the positions are of {self.grid}"
            )
        tokens = maps.flatten(2).transpose(1, 2) + self.pos_embed
        return [self.norm(self.blocks(tokens)).transpose(1, 2).unflatten(2, self.grid)]


class Enlarge(nn.Module):
    """ReLU, then bilinear x4, half-pixel centres: the simple decoder (section 3.1) before its convolution."""

    def forward(self, maps: Tensor) -> Tensor:
        """(N, C, h, w) to (N, C, 4h, 4w)."""
        return nn.functional.interpolate(maps.relu(), scale_factor=4, mode="bilinear", align_corners=False)


class ViTPose(PoseNetwork):
    """ViTPose. One output, at stride 4, supervised by the mean squared error (not half of it).

    The published training skips blocks (``drop_path``) and decays the learning rate from block to block
    towards the image (a recipe's ``layer_decay``).

    Args:
        keypoints: K.
        input_size: (height, width) in pixels, multiples of 16.
        width, depth, heads, drop_path: of the ``ViT`` encoder.
        decoder: ``simple`` is ReLU, bilinear x4 and a 3x3 convolution; ``classic`` two of SimpleBaseline's
            deconvolutions and a 1x1 convolution (section 3.1).
        deconvolutions: channels of the two deconvolutions of ``classic``; 256 is published.
        init_std: standard deviation of the decoder's fresh kernels (0.001 in the public code). The encoder's
            are drawn as ViT's are: truncated normal of 0.02, and PyTorch's default for the patches.
    """

    def __init__(
        self,
        *,
        keypoints: int = 17,
        input_size: tuple[int, int] = (256, 192),
        width: int = 768,
        depth: int = 12,
        heads: int = 12,
        drop_path: float = 0.3,
        decoder: str = "simple",
        deconvolutions: Sequence[int] = (256, 256),
        init_std: float = 0.001,
    ) -> None:
        super().__init__(keypoints=keypoints, input_size=input_size, multiple=PATCH)
        self.encoder = ViT(
            input_size=self.input_size, width=width, depth=depth, heads=heads, drop_path=drop_path
        )
        self.decoder: nn.Module
        if decoder == "simple":
            self.decoder, self.head = Enlarge(), HeatmapConv(width, keypoints, kernel=3)
        elif decoder == "classic":
            if len(deconvolutions) != 2:
                raise ValueError(f"deconvolutions is {tuple(deconvolutions)}, not two channel counts")
            self.decoder = Deconvolutions(width, deconvolutions)
            self.head = HeatmapConv(deconvolutions[-1], keypoints)
        else:
            raise ValueError(f"decoder is {decoder!r}, not 'simple' or 'classic'")
        self.outputs = (Output(stride=4),)
        initialise(self.decoder, "gaussian", init_std)
        initialise(self.head, "gaussian", init_std)

    def layers(self) -> list[list[nn.Parameter]]:
        """Patches and positions, then block by block; the last norm and the decoder follow them."""
        first = [*self.encoder.patch_embed.parameters(), self.encoder.pos_embed]
        return [first, *(list(block.parameters()) for block in self.encoder.blocks)]

    def stream(self, images: Tensor, final_only: bool) -> Iterator[Tensor]:
        yield self.head(self.decoder(self.encoder(images)[-1]))
