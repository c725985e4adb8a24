"""People made of coloured dots, and a recipe that learns them in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from kpkit.core.instances import ImageTable, Instances
from kpkit.data.load import LoadedDataset
from kpkit.specs.recipe import RecipeSpec
from kpkit.training.sources import TrainingData, join_sources, validation_of

SIDE = 64


def recipe(precision: str = "fp32", **training: Any) -> RecipeSpec:
    """A CPN of a few thousand parameters on 64 x 64 crops without augmentation."""
    options = {"phases": ["C"], "epochs": [3], "batch_size": 4, "learning_rate": 1e-2}
    return RecipeSpec.model_validate(
        {
            "kind": "recipe",
            "network": {
                "name": "cpn_resnet50",
                "input_size": [SIDE, SIDE],
                "precision": precision,
                "options": {"depths": [1, 1, 1, 1], "width": 16, "channels": 32, "refine_projection": False},
            },
            "codec": {"sigmas": [2.0], "padding": 1.0},
            "data": {"C": "dots", "H": {"boxes": "dots"}},
            "augmentation": {"flip": 0, "scale": 0, "rotation": 0, "half_body": 0},
            "decode": {"flip_test": False},
            "poses": {"score_floor": 0},
            "training": options | training,
        }
    )


def draw(folder: Path, people: int, seed: int = 0) -> LoadedDataset:
    """One person a picture: each keypoint a disc of its own colour, which tells left from right."""
    rng = np.random.default_rng(seed)
    colours = np.random.default_rng(17).integers(60, 256, (17, 3))
    keypoints = np.full((people, 17, 3), 2.0)
    keypoints[..., :2] = rng.uniform(6, SIDE - 7, (people, 17, 2)).round()
    names = []
    for k in range(people):
        image = np.zeros((SIDE, SIDE, 3), np.uint8)
        for (x, y), colour in zip(keypoints[k, :, :2].astype(int), colours, strict=True):
            cv2.circle(image, (int(x), int(y)), 3, colour.tolist(), -1)
        names.append(f"{k}.png")
        cv2.imwrite(str(folder / names[-1]), image)
    ids = np.arange(1, people + 1)
    boxes = np.tile([0.0, 0.0, SIDE, SIDE], (people, 1))
    sizes = np.full(people, SIDE)
    return LoadedDataset(
        ImageTable.of(ids, names, sizes, sizes), Instances.of(ids, boxes, keypoints, id=ids), folder
    )


def training_data(spec: RecipeSpec, loaded: LoadedDataset, *, val: bool = False) -> TrainingData:
    """The people as source C, and as their own validation set."""
    sources = {"C": (loaded.people, loaded)}
    if any("H" in phase for phase in spec.training.phases):
        empty = loaded.people.with_(
            keypoints=np.zeros_like(loaded.people.keypoints), source=np.full(len(loaded.people), "H")
        )
        sources["H"] = (empty, loaded)
    return join_sources(spec, sources, validation_of(spec, loaded.people, loaded) if val else None)
