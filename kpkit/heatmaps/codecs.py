"""A codec says how keypoints meet heatmaps. Its id travels with every heatmap (design section 4)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kpkit.core import crops


@dataclass(frozen=True)
class Codec:
    """Geometry of a network's crops and maps.

    Attributes:
        convention: crop convention, ``"classic"`` or ``"unbiased"`` (core/crops.py).
        input_size: (height, width) of the crop in pixels.
        stride: crop pixels per heatmap pixel.
        padding: margin factor round the box.
    """

    convention: str
    input_size: tuple[int, int]
    stride: int
    padding: float

    @property
    def id(self) -> str:
        """One word that two members must share before they are blended."""
        h, w = self.input_size
        return f"{self.convention}-{h}x{w}-s{self.stride}-p{self.padding:g}"

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of a heatmap."""
        return self.input_size[0] // self.stride, self.input_size[1] // self.stride

    @property
    def exact_flip_shift(self) -> float:
        """Heatmap pixels a mirrored map must move right to meet the plain one.

        The crop is mirrored about (W - 1) / 2. Classic maps sample it at x = stride * u, whose mirror image
        is not on the grid but (stride - 1) / stride beside it; unbiased maps mirror onto themselves.
        """
        return 0.0 if self.convention == "unbiased" else (self.stride - 1) / self.stride

    def to_heatmap(self, points: np.ndarray) -> np.ndarray:
        """(..., 2) crop pixels x, y -> heatmap pixels."""
        return points / self._scale

    def to_crop(self, points: np.ndarray) -> np.ndarray:
        """(..., 2) heatmap pixels x, y -> crop pixels."""
        return points * self._scale

    @property
    def _scale(self) -> np.ndarray:
        if self.convention == "classic":
            return np.array([self.stride, self.stride], dtype=np.float64)
        (input_h, input_w), (h, w) = self.input_size, self.shape
        return np.array([(input_w - 1) / (w - 1), (input_h - 1) / (h - 1)])

    def matrices(self, box: np.ndarray) -> np.ndarray:
        """(N, 4) boxes in image pixels -> (N, 2, 3) maps from image to crop, upright."""
        centre, size = crops.fit_boxes(box, self.input_size, self.padding)
        return crops.crop_matrices(centre, size, self.input_size, convention=self.convention)

    def to_image(self, points: np.ndarray, box: np.ndarray) -> np.ndarray:
        """(N, K, 2) heatmap pixels -> image pixels of the boxes' upright crops."""
        return crops.transform(crops.invert(self.matrices(box)), self.to_crop(points))
