"""From a box in a picture to a network's crop and back: 2x3 affine matrices, batched over people.

Two crop conventions (design: a codec names one):

``classic``   HRNet, CPN, MSPN: the box's width maps to W, its centre to (W/2, H/2).
``unbiased``  UDP: sizes are distances between pixel centres, width maps to W-1, centre to (W-1)/2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kpkit.core.errors import KpkitError

CONVENTIONS = ("classic", "unbiased")


@dataclass(frozen=True)
class CropGeometry:
    """How boxes become crops. Networks of equal geometry look at the same crops.

    Attributes:
        input_size: (height, width) of the crop in pixels.
        convention: ``"classic"`` or ``"unbiased"``.
        padding: factor on both sides after the fit to the crop's aspect ratio (HRNet 1.25).
        margins: factors on (width, height) before it (MSPN 1.09 and 1.135, CPN 1.2 and 1.3).
        rotation: degrees by which the content is turned about the box's middle, counter-clockwise as seen.

    Raises:
        KpkitError: another convention.
    """

    input_size: tuple[int, int]
    convention: str = "classic"
    padding: float = 1.25
    margins: tuple[float, float] = (1.0, 1.0)
    rotation: float = 0.0

    def __post_init__(self) -> None:
        if self.convention not in CONVENTIONS:
            raise KpkitError(f"crop convention {self.convention!r} is none of {', '.join(CONVENTIONS)}")

    def regions(self, box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N, 4) boxes -> centres and sizes (N, 2) of what the crops show, in image pixels."""
        return fit_boxes(box, self.input_size, self.padding, self.margins)

    def matrices(self, box: np.ndarray) -> np.ndarray:
        """(N, 4) boxes in image pixels -> (N, 2, 3) maps from image to crop."""
        centre, size = self.regions(box)
        return crop_matrices(
            centre, size, self.input_size, rotation=self.rotation, convention=self.convention
        )


def fit_boxes(
    box: np.ndarray,
    input_size: tuple[int, int],
    padding: float = 1.25,
    margins: np.ndarray | tuple[float, float] = (1.0, 1.0),
) -> tuple[np.ndarray, np.ndarray]:
    """Grow boxes by margins, to the crop's aspect ratio, and by a padding.

    Args:
        box: (N, 4) x, y, width, height, image pixels.
        input_size: (height, width) of the crop.
        padding: factor on both sides after the aspect fit.
        margins: (2,) or (N, 2) factors on width and height before it.

    Returns:
        centres (N, 2) and sizes (N, 2) as x, y / width, height in image pixels.
    """
    aspect = input_size[1] / input_size[0]
    side = box[:, 2:] * margins
    width = np.maximum(side[:, 0], side[:, 1] * aspect)
    size = np.stack([width, width / aspect], axis=1) * padding
    return box[:, :2] + box[:, 2:] / 2, size


def crop_matrices(
    centre: np.ndarray,
    size: np.ndarray,
    input_size: tuple[int, int],
    *,
    rotation: np.ndarray | float = 0.0,
    convention: str = "classic",
) -> np.ndarray:
    """Affine maps from image pixels to crop pixels.

    Args:
        centre: (N, 2) image pixels.
        size: (N, 2) width, height of the region; the width sets the (isotropic) scale.
        input_size: (height, width) of the crop.
        rotation: (N,) or scalar degrees; positive turns the content counter-clockwise as seen.
        convention: ``"classic"`` or ``"unbiased"``.

    Returns:
        (N, 2, 3) float64.
    """
    less = {"classic": 0, "unbiased": 1}[convention]
    height, width = input_size[0] - less, input_size[1] - less
    angle = np.deg2rad(np.broadcast_to(np.asarray(rotation, np.float64), (len(centre),)))
    scale = width / size[:, 0]
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    matrix = np.empty((len(centre), 2, 3))
    matrix[:, 0, 0], matrix[:, 0, 1] = cos, sin
    matrix[:, 1, 0], matrix[:, 1, 1] = -sin, cos
    target = np.array([width / 2, height / 2])
    matrix[:, :, 2] = target - np.einsum("nij,nj->ni", matrix[:, :, :2], centre)
    return matrix


def flip_matrices(matrix: np.ndarray, input_width: int) -> np.ndarray:
    """The same crops mirrored left to right (x becomes width - 1 - x)."""
    mirrored = matrix.copy()
    mirrored[:, 0] *= -1
    mirrored[:, 0, 2] += input_width - 1
    return mirrored


def invert(matrix: np.ndarray) -> np.ndarray:
    """(N, 2, 3) affine maps -> their inverses."""
    linear = np.linalg.inv(matrix[:, :, :2])
    shift = -np.einsum("nij,nj->ni", linear, matrix[:, :, 2])
    return np.concatenate([linear, shift[:, :, None]], axis=2)


def transform(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Apply (N, 2, 3) maps to (N, K, 2) points."""
    return np.einsum("nij,nkj->nki", matrix[:, :, :2], points) + matrix[:, None, :, 2]
