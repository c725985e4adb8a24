"""The splits of a world: names, sizes, folders."""

from __future__ import annotations

VERSION = 1
SPLITS = ("train2017", "val2017", "aic", "unlabeled2017", "test-dev2017", "test-challenge2017")
WORLD_SIZES: dict[str, tuple[int, ...]] = {
    "tiny": (40, 16, 24, 16, 12, 12),
    "small": (1800, 150, 250, 250, 100, 100),
    "scarce": (150, 600, 2500, 1500, 12, 12),
    "medium": (6000, 600, 3000, 3000, 500, 500),
}
"""Pictures per split, in the order of SPLITS. ``scarce`` has few labels of COCO's kind beside many of other
sources, and people enough in val for shares per keypoint: what the studies of label sources ask for."""
FOLDERS = {
    "train2017": "coco/train2017", "val2017": "coco/val2017", "unlabeled2017": "coco/unlabeled2017",
    "test-dev2017": "coco/test2017", "test-challenge2017": "coco/test2017",
    "aic": "aic/keypoint_train_images_20170902",
}  # fmt: skip
