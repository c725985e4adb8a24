"""Pose residual network (Kocabas et al., ECCV 2018, MultiPoseNet, section 3.3): whose keypoints are these?"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class PRN(nn.Module):
    """Out of all keypoints inside a person's box, those of that person.

    A residual correction by a multilayer perceptron: the keypoint maps within the box, flattened, through
    dense layers with ReLU, plus the maps themselves, softmax. Flattening is row by row with the keypoints
    last, as public code does. The paper writes the grid as 36x56, height / width = 1.56: 56 is the height.

    The paper draws one hidden layer; the public PyTorch code has a second one of the same size. The softmax
    runs over all values of all keypoints together in either. Dropout follows each hidden layer.

    Args:
        keypoints: K.
        grid: (height, width) that a box is resampled to.
        hidden: units of a hidden layer; 1024 is published.
        bottleneck: the PyTorch code's second hidden layer.
        dropout: share of hidden units dropped in training.

    Raises:
        ValueError: a size or share that cannot be.
    """

    def __init__(
        self,
        *,
        keypoints: int = 17,
        grid: tuple[int, int] = (56, 36),
        hidden: int = 1024,
        bottleneck: bool = False,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if len(grid) != 2 or min(*grid, keypoints, hidden) < 1:
            raise ValueError(
                f"a grid {tuple(grid)} of {keypoints} keypoints with {hidden} hidden units is empty"
            )
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout is {dropout}, not a share below 1")
        self.shape = (grid[0], grid[1], keypoints)
        values = grid[0] * grid[1] * keypoints
        self.hidden = self._layer(values, hidden, dropout)
        self.bottleneck = self._layer(hidden, hidden, dropout) if bottleneck else nn.Identity()
        self.correction = nn.Sequential(nn.Linear(hidden, values), nn.ReLU())

    @staticmethod
    def _layer(inputs: int, outputs: int, dropout: float) -> nn.Sequential:
        return nn.Sequential(nn.Linear(inputs, outputs), nn.ReLU(), nn.Dropout(dropout))

    def forward(self, maps: Tensor) -> Tensor:
        """Probabilities of the person's keypoints.

        Args:
            maps: (N, height, width, K) float, at least 0: peaks of every person's keypoints in the box.

        Returns:
            (N, height, width, K); each of the N sums to 1 over everything.
        """
        flat = maps.flatten(1)
        scores = flat + self.correction(self.bottleneck(self.hidden(flat)))
        return torch.softmax(scores, dim=1).view(-1, *self.shape)
