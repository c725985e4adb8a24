"""Pictures drawn, written and described one by one, over one process or several."""

from __future__ import annotations

import hashlib
import multiprocessing
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from kpkit.core.instances import Instances
from kpkit.core.seeds import generator
from kpkit.data.world.detector import detect
from kpkit.data.world.from_annotations import Layouts, draw_layout
from kpkit.data.world.pictures import draw_picture
from kpkit.data.world.splits import FOLDERS


@dataclass
class Drawn:
    """One picture's truth after its file is written; image_id is set."""

    image_id: int
    file_name: str
    width: int
    height: int
    people: Instances
    segmentation: list[object]
    detections: Instances


@dataclass(frozen=True)
class DrawOne:
    """Draws, writes and describes the picture of a job (split, index, image id)."""

    work: Path
    seed: int
    layouts: Layouts | None

    def __call__(self, job: tuple[str, int, int]) -> Drawn:
        split, index, image_id = job
        seed, layouts = self.seed, self.layouts
        rng = generator(seed, split, index)
        if layouts is None:
            picture = draw_picture(rng)
        else:
            order = generator(seed, split, "layouts").permutation(len(layouts))
            picture = draw_layout(rng, layouts, int(order[index % len(layouts)]))
        name = f"{image_id:012d}.jpg"
        if split == "aic":
            name = hashlib.sha1(f"kpkit world {seed} {index}".encode()).hexdigest() + ".jpg"
        (self.work / FOLDERS[split] / name).write_bytes(picture.jpeg)
        people = picture.instances
        people = replace(people, image_id=np.full(len(people), image_id))
        found = detect(generator(seed, split, index, "detector"), people, picture.share, picture.dummies,
                       picture.width, picture.height)  # fmt: skip
        found = replace(found, image_id=np.full(len(found), image_id))
        return Drawn(image_id, name, picture.width, picture.height, people, picture.segmentation, found)


class Spread:
    """Drawn pictures of jobs in order, over processes if more than one is asked for."""

    def __init__(self, draw: DrawOne, jobs: list[tuple[str, int, int]], workers: int) -> None:
        self.draw, self.jobs, self.workers = draw, jobs, workers
        self.pool: Any = None

    def __enter__(self) -> Iterator[Drawn]:
        if self.workers <= 1:
            cv2.setNumThreads(1)
            return map(self.draw, self.jobs)
        # Spawned, not forked: the caller may hold threads (torch, Ray).
        context = multiprocessing.get_context("spawn")
        self.pool = context.Pool(self.workers, initializer=_start_worker, initargs=(self.draw,))
        return iter(self.pool.imap(_in_worker, self.jobs, chunksize=8))

    def __exit__(self, *error: object) -> None:
        if self.pool is not None:
            self.pool.terminate()
            self.pool.join()


_worker_draw: list[DrawOne] = []
"""What a worker process draws with: sent once, as a large poses file would be slow to send with each job."""


def _start_worker(draw: DrawOne) -> None:
    cv2.setNumThreads(1)
    _worker_draw[:] = [draw]


def _in_worker(job: tuple[str, int, int]) -> Drawn:
    return _worker_draw[0](job)
