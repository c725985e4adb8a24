"""RetinaNet's person branch (Lin et al., ICCV 2017) as MultiPoseNet puts it on its encoder (section 3.2).

Sizes and constants are those of the public PyTorch port of MultiPoseNet, which took them from RetinaNet.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

LEVELS = (3, 4, 5, 6, 7)
"""Pyramid levels; level l has stride 2^l and anchors from 2^(l + 2) pixels."""

RATIOS = (0.5, 1.0, 2.0)
"""Height over width."""

SCALES = (1.0, 2 ** (1 / 3), 2 ** (2 / 3))
ANCHORS = len(RATIOS) * len(SCALES)
DEVIATIONS = (0.1, 0.1, 0.2, 0.2)
"""Of a box's centre, in anchor sides, and of the logarithm of its sides: the unit of the regression."""


class PersonPyramid(nn.Module):
    """P3 to P7: laterals and nearest x2 sums from C5 up to C3, smoothed; P6 and P7 downwards from C5.

    Args:
        encoder_channels: of C3, C4, C5.
        channels: of every level; 256 is published.
    """

    def __init__(self, encoder_channels: Sequence[int], channels: int) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(nn.Conv2d(c, channels, 1) for c in encoder_channels)
        self.smooths = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in encoder_channels)
        self.p6 = nn.Conv2d(encoder_channels[-1], channels, 3, 2, 1)
        self.p7 = nn.Conv2d(channels, channels, 3, 2, 1)

    def forward(self, encoded: Sequence[Tensor]) -> list[Tensor]:
        """C3, C4, C5 to P3..P7, each half as large as the one before (rounded up)."""
        sums = [lateral(maps) for lateral, maps in zip(self.laterals, encoded, strict=True)]
        for i in reversed(range(len(sums) - 1)):
            sums[i] = sums[i] + nn.functional.interpolate(sums[i + 1], sums[i].shape[-2:])
        levels = [smooth(maps) for smooth, maps in zip(self.smooths, sums, strict=True)]
        p6 = self.p6(encoded[-1])
        return [*levels, p6, self.p7(p6.relu())]


def _tower(channels: int, outputs: int) -> nn.Sequential:
    """Four 3x3 convolutions with ReLU, none with batch norm, and a 3x3 convolution to the outputs."""
    layers: list[nn.Module] = []
    for _ in range(4):
        layers += [nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.Conv2d(channels, outputs, 3, padding=1))


class PersonSubnet(nn.Module):
    """Persons' boxes from an encoder's maps: a pyramid and two towers that all its levels share.

    Fresh parameters are RetinaNet's: N(0, 0.01^2), towers ending in zeros, and a score of 0.01 everywhere.

    Args:
        encoder_channels: of C3, C4, C5.
        channels: of the pyramid and the towers; 256 is published.
    """

    def __init__(self, encoder_channels: Sequence[int], channels: int = 256) -> None:
        super().__init__()
        self.pyramid = PersonPyramid(encoder_channels, channels)
        self.boxes = _tower(channels, 4 * ANCHORS)
        self.scores = _tower(channels, ANCHORS)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d) and layer.bias is not None:
                nn.init.normal_(layer.weight, std=0.01)
                nn.init.zeros_(layer.bias)
        for tower, bias in ((self.boxes, 0.0), (self.scores, -math.log(99.0))):
            last = tower[-1]
            assert isinstance(last, nn.Conv2d) and last.bias is not None
            nn.init.zeros_(last.weight)
            nn.init.constant_(last.bias, bias)

    def forward(self, encoded: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """What every anchor says.

        Args:
            encoded: C3, C4, C5 of N images.

        Returns:
            Logits of a person (N, A) and box regressions (N, A, 4), in the order of ``anchors``.
        """
        levels = self.pyramid(encoded)
        scores = [_per_anchor(self.scores(maps), 1) for maps in levels]
        boxes = [_per_anchor(self.boxes(maps), 4) for maps in levels]
        return torch.cat(scores, dim=1).squeeze(-1), torch.cat(boxes, dim=1)


def _per_anchor(maps: Tensor, values: int) -> Tensor:
    """(N, anchors * values, h, w) to (N, h * w * anchors, values)."""
    return maps.permute(0, 2, 3, 1).reshape(maps.shape[0], -1, values)


def anchors(height: int, width: int) -> Tensor:
    """Every anchor of an image, (A, 4) corners x, y, x, y in pixels, float32.

    By level, row, column, ratio and scale. A cell's centre is at (i + 0.5) strides; a level has the image's
    size divided by its stride, rounded up.
    """
    boxes = []
    for level in LEVELS:
        stride = 2**level
        sides = torch.tensor(
            [
                (4 * stride * scale / math.sqrt(ratio), 4 * stride * scale * math.sqrt(ratio))
                for ratio in RATIOS
                for scale in SCALES
            ],
            dtype=torch.float64,
        )
        rows, columns = (
            (torch.arange(-(-length // stride), dtype=torch.float64) + 0.5) * stride
            for length in (height, width)
        )
        y, x = torch.meshgrid(rows, columns, indexing="ij")
        centres = torch.stack([x, y], dim=-1).reshape(-1, 1, 2)
        boxes.append(torch.cat([centres - sides / 2, centres + sides / 2], dim=-1).reshape(-1, 4))
    return torch.cat(boxes).float()


def decode_boxes(regressions: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Anchors moved and stretched as the network says, cut at the image's edges.

    Args:
        regressions: (..., A, 4): shifts of the centre x, y in anchor sides and logarithms of the factors on
            width and height, all in ``DEVIATIONS``.
        boxes: (A, 4) from ``anchors``.
        size: (height, width) of the image.

    Returns:
        (..., A, 4) corners x, y, x, y in pixels.
    """
    sides = boxes[:, 2:] - boxes[:, :2]
    steps = regressions * regressions.new_tensor(DEVIATIONS)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2 + steps[..., :2] * sides
    halves = sides * steps[..., 2:].exp() / 2
    limit = regressions.new_tensor([size[1], size[0], size[1], size[0]])
    return torch.cat([centres - halves, centres + halves], dim=-1).clamp(min=limit * 0, max=limit)


def select_persons(scores: Tensor, boxes: Tensor, min_score: float = 0.05, overlap: float = 0.5) -> Tensor:
    """Which anchors of one image are persons: its best boxes, less those that repeat a better one.

    Args:
        scores: (A,) from 0 to 1.
        boxes: (A, 4) corners in pixels.
        min_score: a person scores more.
        overlap: greatest intersection over union of two persons; the port's value, the paper's is 0.3.

    Returns:
        Indices, best first.
    """
    from torchvision.ops import nms  # takes a second to import

    found = torch.nonzero(scores > min_score).squeeze(1)
    return found[nms(boxes[found], scores[found], overlap)]
