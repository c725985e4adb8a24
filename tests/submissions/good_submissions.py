"""Good submissions to break: random pictures, poses inside them, scores of a real spread."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from kpkit.core.instances import ImageTable, Instances

NAME = "person_keypoints_test-dev2017_kpkit_results"


def pictures(seed: int, number: int = 12) -> ImageTable:
    rng = np.random.default_rng(seed)
    ids = rng.choice(580_000, number, replace=False) + 1
    return ImageTable.of(
        ids, [f"{i:012}.jpg" for i in ids], rng.integers(200, 641, number), rng.integers(200, 641, number)
    )


def rows(seed: int, table: ImageTable) -> list[dict[str, Any]]:
    """One to five poses a picture, in random order; here and there a keypoint beyond the border."""
    rng = np.random.default_rng(seed + 1)
    made = []
    for image, width, height in zip(table.id.tolist(), table.width, table.height, strict=True):
        for _ in range(rng.integers(1, 6)):
            size = np.array([width, height]) * rng.uniform(0.1, 0.6)
            low = rng.uniform(-0.05, 0.5, 2) * (width, height)
            points = np.round(low + size * rng.random((17, 2)), 2)
            flat = np.concatenate([points, np.ones((17, 1))], axis=1).ravel().tolist()
            made.append(
                {
                    "image_id": image,
                    "category_id": 1,
                    "keypoints": flat,
                    "score": round(float(rng.random()), 6),
                }
            )
    rng.shuffle(made)
    return made


def instances(seed: int, table: ImageTable) -> Instances:
    made = rows(seed, table)
    points = np.array([r["keypoints"] for r in made]).reshape(-1, 17, 3)
    return Instances.of(
        [r["image_id"] for r in made],
        np.zeros((len(made), 4)),
        points,
        score=[r["score"] for r in made],
        source="P",
    )


def pack(path: Path, entries: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def text(made: list[Any]) -> bytes:
    return json.dumps(made).encode()
