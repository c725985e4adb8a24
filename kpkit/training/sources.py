"""What a recipe trains on: its sources one after the other, and what it is validated on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kpkit.core.instances import ImageTable, Instances
from kpkit.data.augment import Augmentation
from kpkit.data.crops import CropDataset, picture_paths
from kpkit.data.load import LoadedDataset
from kpkit.inference.network import crop_geometry
from kpkit.specs.recipe import RecipeSpec

CACHE_BYTES = 2 * 2**30
"""Memory for decoded pictures: small data sets fit whole, COCO's 25 GB pass through."""


@dataclass(frozen=True)
class Validation:
    """What a network is judged by.

    Attributes:
        crops: boxes to look at.
        truth: the people there.
        images: the pictures that are judged.
        nobody: crops of detections on no one; None where no detector's file is known, or it found none.
    """

    crops: CropDataset
    truth: Instances
    images: ImageTable
    nobody: CropDataset | None = None


@dataclass(frozen=True)
class TrainingData:
    """Everything the loop reads.

    Attributes:
        counts: rows per source letter, in the order they are joined.
        crops: all sources' people with augmentation.
        val: None where the recipe names no validation set.
    """

    counts: dict[str, int]
    crops: CropDataset
    val: Validation | None


def trainable(people: Instances) -> Instances:
    """People with a labelled keypoint, crowds left out (hard negatives are made, not selected)."""
    return people[(people.num_labelled > 0) & ~people.crowd]


def join_sources(
    spec: RecipeSpec, sources: Mapping[str, tuple[Instances, LoadedDataset]], val: Validation | None
) -> TrainingData:
    """Join the sources into one numbering.

    Args:
        spec: the recipe: crop, augmentation, seed.
        sources: letter -> (people to show, the data set with their pictures).
        val: passed through.
    """
    people, pictures = [], []
    for shown, loaded in sources.values():
        people.append(shown)
        pictures += picture_paths(shown, loaded.images, loaded.folder)
    crops = CropDataset(
        Instances.concat(people),
        pictures,
        crop_geometry(spec),
        augmentation=Augmentation(**spec.augmentation.model_dump()),
        seed=spec.training.seed,
        cache_bytes=CACHE_BYTES,
    )
    return TrainingData({letter: len(shown) for letter, (shown, _) in sources.items()}, crops, val)


def validation_of(
    spec: RecipeSpec, boxes: Instances, loaded: LoadedDataset, nobody: Instances | None = None
) -> Validation:
    """The validation set: plain crops of ``boxes``, judged against the data set's people.

    ``nobody`` are its hard negatives, if they are known.
    """

    def crops(people: Instances) -> CropDataset:
        return CropDataset(people, picture_paths(people, loaded.images, loaded.folder), crop_geometry(spec))

    false = None if nobody is None or len(nobody) == 0 else crops(nobody)
    return Validation(crops(boxes), loaded.people, loaded.images, false)
