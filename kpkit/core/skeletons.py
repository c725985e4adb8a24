"""Skeletons: the named keypoints a data set speaks, what mirrors what, and how precisely each is labelled."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kpkit.core.errors import KpkitError


@dataclass(frozen=True)
class Skeleton:
    """K named keypoints.

    Attributes:
        name: the name documents use, such as ``"coco17"``.
        keypoints: K names; a pair ``left_x`` and ``right_x`` mirror each other.
        oks_sigmas: K OKS constants (COCO's ``k_i / 2``), empty where the data set defines none.
        limbs: pairs of names to draw.
    """

    name: str
    keypoints: tuple[str, ...]
    oks_sigmas: tuple[float, ...]
    limbs: tuple[tuple[str, str], ...]

    def __post_init__(self) -> None:
        if len(set(self.keypoints)) != len(self.keypoints):
            raise KpkitError(f"skeleton {self.name}: a keypoint name occurs twice")
        if self.oks_sigmas and len(self.oks_sigmas) != len(self.keypoints):
            raise KpkitError(f"skeleton {self.name}: needs one OKS sigma per keypoint")

    def __len__(self) -> int:
        return len(self.keypoints)

    def index(self, keypoint: str) -> int:
        """Position of a keypoint name; raises KpkitError for an unknown one."""
        try:
            return self.keypoints.index(keypoint)
        except ValueError:
            raise KpkitError(f"skeleton {self.name} has no keypoint {keypoint!r}") from None

    @cached_property
    def flip_order(self) -> np.ndarray:
        """(K,) indices: keypoint k of a mirrored picture is keypoint ``flip_order[k]`` of the original."""
        order = []
        for name in self.keypoints:
            if name.startswith("left_"):
                name = "right_" + name.removeprefix("left_")
            elif name.startswith("right_"):
                name = "left_" + name.removeprefix("right_")
            order.append(self.index(name))
        return np.array(order, dtype=np.int64)

    @cached_property
    def flip_pairs(self) -> tuple[tuple[int, int], ...]:
        """The (left, right) index pairs, in order of their first keypoint."""
        return tuple((k, int(m)) for k, m in enumerate(self.flip_order) if k < m)

    @cached_property
    def limb_indices(self) -> tuple[tuple[int, int], ...]:
        """Limbs as index pairs."""
        return tuple((self.index(a), self.index(b)) for a, b in self.limbs)

    @cached_property
    def upper_body(self) -> np.ndarray:
        """(K,) bool: above the hips. Half-body augmentation splits a person here."""
        lower = ("hip", "knee", "ankle")
        return np.array([not name.endswith(lower) for name in self.keypoints])

    def positions_in(self, other: Skeleton) -> np.ndarray:
        """(K,) index of each of our keypoints in ``other``, -1 where it has none of that name."""
        return np.array(
            [other.keypoints.index(n) if n in other.keypoints else -1 for n in self.keypoints],
            dtype=np.int64,
        )


COCO17 = Skeleton(
    name="coco17",
    keypoints=(
        "nose", "left_eye", "right_eye", "left_ear", "right_ear",
        "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
        "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
    ),
    oks_sigmas=(
        0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062,
        0.107, 0.107, 0.087, 0.087, 0.089, 0.089,
    ),
    limbs=(
        ("left_ankle", "left_knee"), ("left_knee", "left_hip"),
        ("right_ankle", "right_knee"), ("right_knee", "right_hip"),
        ("left_hip", "right_hip"), ("left_shoulder", "left_hip"), ("right_shoulder", "right_hip"),
        ("left_shoulder", "right_shoulder"),
        ("left_shoulder", "left_elbow"), ("right_shoulder", "right_elbow"),
        ("left_elbow", "left_wrist"), ("right_elbow", "right_wrist"),
        ("left_eye", "right_eye"), ("nose", "left_eye"), ("nose", "right_eye"),
        ("left_eye", "left_ear"), ("right_eye", "right_ear"),
        ("left_ear", "left_shoulder"), ("right_ear", "right_shoulder"),
    ),
)  # fmt: skip
"""COCO's person keypoints; sigmas from the COCO keypoint evaluation."""

AIC14 = Skeleton(
    name="aic14",
    keypoints=(
        "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
        "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle",
        "head_top", "neck",
    ),
    oks_sigmas=(
        0.0139, 0.0152, 0.0106, 0.0142, 0.0150, 0.0140, 0.0391,
        0.0369, 0.0198, 0.0384, 0.0341, 0.0242, 0.0129, 0.0124,
    ),
    limbs=(
        ("right_shoulder", "right_elbow"), ("right_elbow", "right_wrist"),
        ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"),
        ("right_hip", "right_knee"), ("right_knee", "right_ankle"),
        ("left_hip", "left_knee"), ("left_knee", "left_ankle"),
        ("head_top", "neck"), ("neck", "right_shoulder"), ("neck", "left_shoulder"),
        ("right_shoulder", "right_hip"), ("left_shoulder", "left_hip"),
    ),
)  # fmt: skip
"""AI Challenger's 14 keypoints, right side first; sigmas from its own evaluation."""

SKELETONS = {skeleton.name: skeleton for skeleton in (COCO17, AIC14)}
