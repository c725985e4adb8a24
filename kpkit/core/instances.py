"""The one container that flows through kpkit: people as a struct of arrays; and their pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from kpkit.core.errors import KpkitError
from kpkit.core.skeletons import COCO17, Skeleton

SOURCES = {
    "A": "AI Challenger labels",
    "C": "COCO labels",
    "H": "hard negatives",
    "U": "pseudo labels",
    "D": "detections",
    "P": "network poses",
    "M": "merged poses, whose score is the pose's own and no box's",
}
"""Where an instance comes from. A, C, H and U are the CCM paper's letters (its section 4.3)."""
_NOT_ROWS = ("skeleton", "keypoint_weight")


@dataclass(frozen=True, eq=False)
class Instances:
    """N people (or boxes taken for people), one row each.

    Attributes:
        image_id: (N,) int64.
        box: (N, 4) float64, x, y, width, height in image pixels.
        keypoints: (N, K, 3) float64. The first two are x, y in image pixels (integers are pixel
            centres). The third is the visibility 0/1/2 of a label (COCO's meaning), or the keypoint
            score in 0..1 of a network pose.
        score: (N,) float64; 1 for labels.
        area: (N,) float64, square pixels: the segment's area where known, the scale OKS uses.
        crowd: (N,) bool, COCO's iscrowd.
        source: (N,) one letter of SOURCES.
        id: (N,) int64, the annotation id; 0 where the format has none.
        skeleton: what the K keypoints are.
        keypoint_weight: (N, K) float64 in 0..1, the loss weight of each labelled keypoint; None where all
            weigh 1.
    """

    image_id: np.ndarray
    box: np.ndarray
    keypoints: np.ndarray
    score: np.ndarray
    area: np.ndarray
    crowd: np.ndarray
    source: np.ndarray
    id: np.ndarray
    skeleton: Skeleton = COCO17
    keypoint_weight: np.ndarray | None = None

    def __post_init__(self) -> None:
        n, k = len(self.image_id), len(self.skeleton)
        shapes = {
            "image_id": (n,), "box": (n, 4), "keypoints": (n, k, 3), "score": (n,),
            "area": (n,), "crowd": (n,), "source": (n,), "id": (n,),
        }  # fmt: skip
        for field, shape in shapes.items():
            found = getattr(self, field).shape
            if found != shape:
                raise KpkitError(f"Instances.{field} has shape {found}, must be {shape}")
        weight = self.keypoint_weight
        if weight is not None and weight.shape != (n, k):
            raise KpkitError(f"Instances.keypoint_weight has shape {weight.shape}, must be {(n, k)}")

    @classmethod
    def of(
        cls,
        image_id: Sequence[int] | np.ndarray,
        box: Sequence[Sequence[float]] | np.ndarray,
        keypoints: Sequence[Sequence[Sequence[float]]] | np.ndarray | None = None,
        *,
        score: Sequence[float] | np.ndarray | None = None,
        area: Sequence[float] | np.ndarray | None = None,
        crowd: Sequence[bool] | np.ndarray | None = None,
        source: str | np.ndarray = "C",
        id: Sequence[int] | np.ndarray | None = None,
        skeleton: Skeleton = COCO17,
        keypoint_weight: np.ndarray | None = None,
    ) -> Instances:
        """Build from what is known; the rest gets its neutral value.

        Without keypoints all are unlabelled (zeros); without area it is the box's; without score, 1.
        """
        ids = np.asarray(image_id, dtype=np.int64).reshape(-1)
        n = len(ids)
        boxes = np.asarray(box, dtype=np.float64).reshape(n, 4)
        if keypoints is None:
            keypoints = np.zeros((n, len(skeleton), 3))
        return cls(
            image_id=ids,
            box=boxes,
            keypoints=np.asarray(keypoints, dtype=np.float64).reshape(n, len(skeleton), 3),
            score=np.ones(n) if score is None else np.asarray(score, dtype=np.float64),
            area=boxes[:, 2] * boxes[:, 3] if area is None else np.asarray(area, dtype=np.float64),
            crowd=np.zeros(n, bool) if crowd is None else np.asarray(crowd, dtype=bool),
            source=np.full(n, source) if isinstance(source, str) else np.asarray(source),
            id=np.zeros(n, np.int64) if id is None else np.asarray(id, dtype=np.int64),
            skeleton=skeleton,
            keypoint_weight=keypoint_weight,
        )

    @classmethod
    def empty(cls, skeleton: Skeleton = COCO17) -> Instances:
        """No one."""
        return cls.of([], np.zeros((0, 4)), skeleton=skeleton)

    @classmethod
    def concat(cls, parts: Iterable[Instances]) -> Instances:
        """One after another; all must speak one skeleton."""
        parts = list(parts)
        if not parts:
            return cls.empty()
        names = {part.skeleton.name for part in parts}
        if len(names) > 1:
            raise KpkitError(f"cannot join instances of skeletons {', '.join(sorted(names))}")
        arrays = {
            f.name: np.concatenate([getattr(part, f.name) for part in parts])
            for f in fields(cls)
            if f.name not in _NOT_ROWS
        }
        weight = None
        if any(part.keypoint_weight is not None for part in parts):
            weight = np.concatenate([part.weights for part in parts])
        return cls(**arrays, skeleton=parts[0].skeleton, keypoint_weight=weight)

    def __len__(self) -> int:
        return len(self.image_id)

    def __getitem__(self, rows: np.ndarray | slice | Sequence[int]) -> Instances:
        """Rows by mask, indices or slice."""
        arrays = {f.name: getattr(self, f.name)[rows] for f in fields(self) if f.name not in _NOT_ROWS}
        weight = None if self.keypoint_weight is None else self.keypoint_weight[rows]
        return Instances(**arrays, skeleton=self.skeleton, keypoint_weight=weight)

    def with_(self, **arrays: np.ndarray) -> Instances:
        """A copy with some fields replaced."""
        return replace(self, **arrays)  # type: ignore[arg-type]

    @property
    def weights(self) -> np.ndarray:
        """(N, K) ``keypoint_weight``, ones where it is None."""
        if self.keypoint_weight is None:
            return np.ones((len(self), len(self.skeleton)))
        return self.keypoint_weight

    @property
    def num_labelled(self) -> np.ndarray:
        """(N,) int: keypoints with visibility above 0 (COCO's num_keypoints)."""
        return (self.keypoints[:, :, 2] > 0).sum(axis=1)

    @property
    def labelled_outside(self) -> np.ndarray:
        """(N, K) bool: labelled keypoints that lie outside their own person's box."""
        low, high = self.box[:, None, :2], (self.box[:, :2] + self.box[:, 2:])[:, None]
        points = self.keypoints[:, :, :2]
        outside = ((points < low) | (points > high)).any(axis=2)
        return outside & (self.keypoints[:, :, 2] > 0)

    def speaking(self, skeleton: Skeleton) -> Instances:
        """The same people in another skeleton, keypoints carried by name.

        Keypoints the other skeleton lacks are dropped; those it has and we lack become unlabelled (weight 1).
        """
        if skeleton == self.skeleton:
            return self
        position = skeleton.positions_in(self.skeleton)
        keypoints = np.zeros((len(self), len(skeleton), 3))
        known = position >= 0
        keypoints[:, known] = self.keypoints[:, position[known]]
        weight = self.keypoint_weight
        if weight is not None:
            carried = np.ones((len(self), len(skeleton)))
            carried[:, known] = weight[:, position[known]]
            weight = carried
        return replace(self, keypoints=keypoints, skeleton=skeleton, keypoint_weight=weight)

    def canonical_order(self) -> np.ndarray:
        """(N,) rows in the canonical order of a box list: image id, then box, then falling score."""
        box = np.round(self.box, 3)
        return np.lexsort((-self.score, box[:, 3], box[:, 2], box[:, 1], box[:, 0], self.image_id))

    def sorted_by_image(self) -> Instances:
        """The rows in canonical order."""
        return self[self.canonical_order()]

    def boxes_hash(self) -> str:
        """SHA-256 of image ids and boxes (to 1/1000 px) in row order.

        Members of an ensemble must agree on it before their heatmaps are blended.
        """
        digest = hashlib.sha256()
        digest.update(self.image_id.astype("<i8").tobytes())
        digest.update(np.round(self.box * 1000).astype("<i8").tobytes())
        return digest.hexdigest()


def picture_pairs(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every pair of rows on one picture.

    Args:
        a, b: (N,) and (M,) image ids, in any order.

    Returns:
        (P,) rows of ``a``, rising, and (P,) rows of ``b``, rising for each row of ``a``.
    """
    order = np.argsort(b, kind="stable")
    begin, end = (np.searchsorted(b[order], a, side=side) for side in ("left", "right"))
    count = end - begin
    rows = np.repeat(np.arange(len(a)), count)
    place = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
    return rows, order[np.repeat(begin, count) + place]


@dataclass(frozen=True, eq=False)
class ImageTable:
    """The pictures of a data set, one row each.

    Attributes:
        id: (M,) int64, unique.
        file_name: M names as the data set writes them, relative to its picture folder.
        width, height: (M,) int64 pixels; 0 where the format does not tell (AI Challenger).
    """

    id: np.ndarray
    file_name: tuple[str, ...]
    width: np.ndarray
    height: np.ndarray

    @classmethod
    def of(
        cls,
        id: Sequence[int] | np.ndarray,
        file_name: Iterable[str],
        width: Sequence[int] | np.ndarray | None = None,
        height: Sequence[int] | np.ndarray | None = None,
    ) -> ImageTable:
        """Build from sequences; sizes are unknown (0) when not given."""
        ids = np.asarray(id, dtype=np.int64).reshape(-1)
        zeros = np.zeros(len(ids), np.int64)
        return cls(
            id=ids,
            file_name=tuple(file_name),
            width=zeros if width is None else np.asarray(width, dtype=np.int64),
            height=zeros if height is None else np.asarray(height, dtype=np.int64),
        )

    def __post_init__(self) -> None:
        n = len(self.id)
        if not (len(self.file_name) == len(self.width) == len(self.height) == n):
            raise KpkitError("ImageTable: id, file_name, width and height differ in length")
        unique, count = np.unique(self.id, return_counts=True)
        if len(unique) != n:
            raise KpkitError(f"image id {int(unique[count > 1][0])} occurs more than once")

    def __len__(self) -> int:
        return len(self.id)

    def __getitem__(self, rows: np.ndarray | slice) -> ImageTable:
        """Rows by mask, indices or slice."""
        index = np.arange(len(self))[rows]
        names = tuple(self.file_name[i] for i in index)
        return ImageTable(self.id[index], names, self.width[index], self.height[index])

    def rows_of(self, image_id: np.ndarray) -> np.ndarray:
        """Row of each image id, -1 where the table has none."""
        if len(self) == 0:
            return np.full(len(image_id), -1, dtype=np.int64)
        order = np.argsort(self.id, kind="stable")
        place = np.minimum(np.searchsorted(self.id, image_id, sorter=order), len(self) - 1)
        rows = order[place]
        return np.where(self.id[rows] == image_id, rows, -1)
