"""A named data set in memory: its pictures, its people, its boxes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kpkit.core.errors import InputError
from kpkit.core.files import safe_join
from kpkit.core.instances import ImageTable, Instances
from kpkit.core.skeletons import COCO17, SKELETONS, Skeleton
from kpkit.core.visibility import CODES
from kpkit.data.aic import read_aic
from kpkit.data.coco import read_annotations
from kpkit.data.image_lists import read_image_list
from kpkit.data.images import image_size
from kpkit.data.results import read_detections
from kpkit.specs.datasets import Dataset


@dataclass(frozen=True)
class LoadedDataset:
    """A data set read from disk.

    Attributes:
        images: every picture.
        people: every annotated person, in the skeleton asked for; empty for a list of pictures.
        folder: where the pictures are.
        skipped: pictures left out because their file is absent (data sets that allow it).
    """

    images: ImageTable
    people: Instances
    folder: Path
    skipped: int = 0


def load_dataset(
    dataset: Dataset, skeleton: Skeleton = COCO17, *, check_pictures: bool = True
) -> LoadedDataset:
    """Read annotations or the picture list, and see that the pictures are there.

    Keypoints are carried into ``skeleton`` by name: what it lacks is dropped, what the data set lacks is
    unlabelled and has no loss.

    Raises:
        InputError: a faulty file; a part without pictures; or the first missing picture, unless the data
            set says to skip them.
    """
    if dataset.format == "coco":
        codes = CODES[dataset.visibility] if dataset.declared else None
        spoken = SKELETONS[dataset.skeleton]
        images, people = read_annotations(
            dataset.annotations, skeleton=spoken, codes=codes, cache=dataset.cache
        )
    elif dataset.format == "aic":
        images, people = read_aic(dataset.annotations, codes=CODES[dataset.visibility])
    else:
        images, people = read_image_list(dataset.annotations), Instances.empty()
    images, people = in_part(dataset, images, people)
    skipped = 0
    if check_pictures:
        present = _present(images, dataset.images)
        if not present.all() and not dataset.skip_missing:
            name = images.file_name[int(np.flatnonzero(~present)[0])]
            raise InputError(
                f"missing picture ({int((~present).sum())} of {len(images)} listed in "
                f"{dataset.annotations.name} are not there)",
                file=dataset.images / name,
                remedy='fetch it, or declare the data set with missing_pictures = "skip"',
            )
        skipped = int((~present).sum())
        images = images[present]
        people = people[images.rows_of(people.image_id) >= 0]
    return LoadedDataset(images, people.speaking(skeleton), dataset.images, skipped)


def in_part(dataset: Dataset, images: ImageTable, people: Instances) -> tuple[ImageTable, Instances]:
    """The pictures and people of a data set's files that belong to it, where it is a part of a larger one.

    Raises InputError where no picture does.
    """
    if dataset.part is None:
        return images, people
    belongs = dataset.part.holds(images.id)
    if not belongs.any():
        cause = f"none of {len(images)} pictures belongs to {dataset.name}"
        raise InputError(cause, file=dataset.annotations, remedy="deal them into fewer folds")
    return images[belongs], people[dataset.part.holds(people.image_id)]


def load_boxes(dataset: Dataset, loaded: LoadedDataset, source: str, min_score: float = 0.0) -> Instances:
    """Boxes to look at, in canonical order (image, box, falling score) and the skeleton of ``loaded``.

    Args:
        dataset, loaded: the data set.
        source: ``"detections"`` its detector file; ``"truth"`` the annotated people with a labelled
            keypoint, crowds left out; ``"image"`` each whole picture as one box.
        min_score: detections below are left out.
    """
    if source == "truth":
        people = loaded.people
        boxes = people[(people.num_labelled > 0) & ~people.crowd]
    elif source == "image":
        boxes = _whole_pictures(loaded)
    else:
        if dataset.detections is None:
            raise InputError(
                f"data set {dataset.name} has no detections file",
                remedy='name one, or use boxes = "image" or "truth"',
            )
        boxes = read_detections(dataset.detections)
    rows = boxes.canonical_order()
    if source == "detections":
        wanted = (boxes.score >= min_score) & (loaded.images.rows_of(boxes.image_id) >= 0)
        rows = rows[wanted[rows]]
    # of keypoints nothing is copied: they are most of the memory, and untouched zeros take none
    return Instances.of(
        boxes.image_id[rows],
        boxes.box[rows],
        score=boxes.score[rows],
        area=boxes.area[rows],
        id=boxes.id[rows],
        source="D",
        skeleton=loaded.people.skeleton,
    )


def _whole_pictures(loaded: LoadedDataset) -> Instances:
    images = loaded.images
    size = np.stack([images.width, images.height], axis=1).astype(np.float64)
    for row in np.flatnonzero(size[:, 0] == 0):
        size[row] = image_size(safe_join(loaded.folder, images.file_name[row]))
    return Instances.of(images.id, np.concatenate([np.zeros_like(size), size], axis=1))


def _present(images: ImageTable, folder: Path) -> np.ndarray:
    """(M,) bool: the file is there. Folders are listed once: a stat per picture is slow on network disks."""
    listed: dict[Path, set[str]] = {}

    def there(name: str) -> bool:
        path = safe_join(folder, name)
        if path.parent not in listed:
            listed[path.parent] = set(os.listdir(path.parent)) if path.parent.is_dir() else set()
        return path.name in listed[path.parent]

    return np.fromiter((there(name) for name in images.file_name), dtype=bool, count=len(images))
