"""A codec says how keypoints meet heatmaps. Its id travels with every heatmap (design section 4).

============  ========  =============================  ================================
convention    crop      crop pixel of heatmap pixel u  who
============  ========  =============================  ================================
``classic``   classic   stride * u                     SimpleBaseline, HRNet, CCM
``megvii``    classic   stride * u + stride / 2        CPN, MSPN, RSN (4x + 2)
``unbiased``  unbiased  u * (W - 1) / (w - 1)          UDP, DARK's code
============  ========  =============================  ================================

A keypoint that is written and read by one codec comes back exactly with the sub-pixel target, and within half
a stride of crop pixels with targets that stand on whole pixels (HRNet's patch, Megvii's kernel): the nearest
one is taken. Read by another codec it is off by the difference in the table's third column, 2 crop pixels
between ``classic`` and ``megvii`` at stride 4.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from kpkit.core import crops


@dataclass(frozen=True)
class Codec:
    """Geometry of a network's crops and maps.

    Attributes:
        convention: ``"classic"``, ``"megvii"`` or ``"unbiased"``.
        input_size: (height, width) of the crop in pixels.
        stride: crop pixels per heatmap pixel.
        padding: factor on the region after the fit to the crop's aspect ratio.
        margins: factors on the box's (width, height) before it.
        rotation: degrees by which the crop's content is turned, counter-clockwise as seen; a recipe's is 0,
            other ones are test-time views.
    """

    convention: str
    input_size: tuple[int, int]
    stride: int
    padding: float
    margins: tuple[float, float] = (1.0, 1.0)
    rotation: float = 0.0

    @property
    def id(self) -> str:
        """One word that two members share, or one of them is resampled before they are blended."""
        h, w = self.input_size
        margins = "" if self.margins == (1, 1) else "-m{:g}x{:g}".format(*self.margins)
        rotation = "" if self.rotation == 0 else f"-r{self.rotation:g}"
        return f"{self.convention}-{h}x{w}-s{self.stride}{margins}-p{self.padding:g}{rotation}"

    @property
    def geometry(self) -> crops.CropGeometry:
        """How its crops are cut."""
        convention = "unbiased" if self.convention == "unbiased" else "classic"
        return crops.CropGeometry(self.input_size, convention, self.padding, self.margins, self.rotation)

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of a heatmap."""
        return self.input_size[0] // self.stride, self.input_size[1] // self.stride

    @property
    def offset(self) -> float:
        """Crop pixels x and y of heatmap pixel 0."""
        return self.stride / 2 if self.convention == "megvii" else 0.0

    @property
    def exact_flip_shift(self) -> float:
        """Heatmap pixels a mirrored map must move right to meet the plain one; negative moves it left.

        The crop is mirrored about (W - 1) / 2. A map that samples it at x = stride * u + offset is mirrored
        onto places (stride - 1 - 2 * offset) / stride beside its grid: 3/4 at stride 4 for ``classic`` (HRNet
        moves 1, CCM finds 0.8 best), -1/4 for ``megvii`` (whose code moves nothing). Unbiased maps are
        mirrored onto themselves.
        """
        if self.convention == "unbiased":
            return 0.0
        return (self.stride - 1 - 2 * self.offset) / self.stride

    def view(self, scale: float, rotation: float) -> Codec:
        """The same network's maps of a crop that shows ``scale`` times the region, turned by degrees."""
        return replace(self, padding=self.padding * scale, rotation=rotation)

    def at_stride(self, stride: int) -> Codec:
        """The same crop's maps at another stride."""
        return replace(self, stride=stride)

    def to_heatmap(self, points: np.ndarray) -> np.ndarray:
        """(..., 2) crop pixels x, y -> heatmap pixels."""
        return (points - self.offset) / self._scale

    def to_crop(self, points: np.ndarray) -> np.ndarray:
        """(..., 2) heatmap pixels x, y -> crop pixels."""
        return points * self._scale + self.offset

    @property
    def _scale(self) -> np.ndarray:
        if self.convention != "unbiased":
            return np.array([self.stride, self.stride], dtype=np.float64)
        (input_h, input_w), (h, w) = self.input_size, self.shape
        return np.array([(input_w - 1) / (w - 1), (input_h - 1) / (h - 1)])

    def matrices(self, box: np.ndarray) -> np.ndarray:
        """(N, 4) boxes in image pixels -> (N, 2, 3) maps from image to crop."""
        return self.geometry.matrices(box)

    def to_image(self, points: np.ndarray, box: np.ndarray) -> np.ndarray:
        """(N, K, 2) heatmap pixels -> image pixels of the boxes' crops."""
        return crops.transform(crops.invert(self.matrices(box)), self.to_crop(points))
