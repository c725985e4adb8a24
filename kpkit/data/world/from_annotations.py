"""Pictures after real annotations: everyone stands where, as large and posed as a COCO file says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kpkit.core.errors import InputError
from kpkit.core.instances import Instances
from kpkit.data.coco import read_annotations
from kpkit.data.world.bodies import WORLD19, assemble, sample_build
from kpkit.data.world.camera import Camera, Projected
from kpkit.data.world.lifting import lift
from kpkit.data.world.looks import sample_look
from kpkit.data.world.pictures import Picture, paint
from kpkit.data.world.poses import sample_pose
from kpkit.data.world.scenery import Scene, sample_light
from kpkit.data.world.staging import Actor, Stage, furnish_behind

LONG_SIDE = 400


@dataclass(frozen=True)
class Layouts:
    """Pictures' sizes and the people in each, scaled down.

    Attributes:
        sizes: (M, 2) width, height, long side at most LONG_SIDE.
        people: M sets of annotated people in those pixels; image_id is the real one.
        image_id: (M,) the real ids.
    """

    sizes: np.ndarray
    people: tuple[Instances, ...]
    image_id: np.ndarray

    def __len__(self) -> int:
        return len(self.sizes)


def read_layouts(path: str | Path) -> Layouts:
    """Layouts of all pictures of a COCO person-keypoints file (``.gz`` too).

    Raises InputError for a broken file, or one whose pictures have no sizes.
    """
    images, people = read_annotations(path)
    if len(images) == 0 or (images.width < 1).any() or (images.height < 1).any():
        raise InputError(
            "has no pictures with sizes to draw after", file=path, remedy="give a COCO keypoint file"
        )
    order = np.argsort(people.image_id, kind="stable")
    people = people[order]
    start = np.searchsorted(people.image_id, images.id, side="left")
    end = np.searchsorted(people.image_id, images.id, side="right")
    real = np.column_stack([images.width, images.height])
    factor = np.minimum(1.0, LONG_SIDE / real.max(axis=1))
    sets = []
    for row, scale in enumerate(factor):
        some = people[slice(int(start[row]), int(end[row]))]
        keypoints = some.keypoints * (scale, scale, 1)
        sets.append(some.with_(box=some.box * scale, keypoints=keypoints, area=some.area * scale**2))
    sizes = np.maximum(np.round(real * factor[:, None]).astype(np.int64), 16)
    return Layouts(sizes, tuple(sets), images.id)


def draw_layout(rng: np.random.Generator, layouts: Layouts, row: int) -> Picture:
    """One picture after the layout of a row."""
    width, height = (int(v) for v in layouts.sizes[row])
    people = layouts.people[row]
    unit = float(np.median(people.box[:, 3]) / 1.6) if len(people) else 60.0
    foot = float(np.median(people.box[:, 1] + people.box[:, 3])) if len(people) else 0.9 * height
    stand = float(rng.uniform(1.2, 2.2))
    focal = width * float(rng.uniform(1.0, 1.8))
    horizon = float(np.clip(foot - stand * max(unit, 8), -0.5 * height, 0.9 * height))
    camera = Camera(width, height, focal, stand, horizon)
    light, ambient, tint = sample_light(rng)
    far = focal / max(unit, 8)
    indoor = far < 9 and bool(rng.random() < 0.5)
    scene = Scene(camera, indoor, light, ambient, tint, 1.15 * far + rng.uniform(0.5, 4))
    stage = Stage(scene)
    for index in range(len(people)):
        stage.actors += _actors(rng, camera, people[index : index + 1])
    furnish_behind(rng, stage, far)
    return paint(rng, stage)


def _actors(rng: np.random.Generator, camera: Camera, one: Instances) -> list[Actor]:
    """The figures for one annotation: a posed person, someone unlabelled, or the members of a crowd."""
    if one.crowd[0]:
        return [_stranger(rng, camera, box, "member") for box in _members(rng, one.box[0])]
    if one.num_labelled[0] == 0:
        return [_stranger(rng, camera, one.box[0], "person")]
    build = sample_build(rng)
    figure = lift(rng, one.keypoints[0], one.box[0], build, camera.focal)
    given = np.zeros(len(WORLD19), int)
    given[: one.keypoints.shape[1]] = one.keypoints[0, :, 2]
    look = sample_look(rng, build.woman, build.age == "child")
    return [Actor(figure, look, "person", given)]


def _members(rng: np.random.Generator, region: np.ndarray) -> np.ndarray:
    """(N, 4) boxes of the people of a crowd region."""
    count = int(np.clip(region[2] / max(region[3], 1) * 3, 3, 14))
    tall = region[3] * rng.uniform(0.6, 1.0, count)
    x = region[0] + rng.uniform(0, 1, count) * region[2] * 0.95
    return np.column_stack([x - 0.17 * tall, region[1] + region[3] - tall, 0.34 * tall, tall])


def _stranger(rng: np.random.Generator, camera: Camera, box: np.ndarray, kind: str) -> Actor:
    """Someone of a sampled pose who about fills a box; without keypoints."""
    build = sample_build(rng)
    body = assemble(build, sample_pose(rng, "stand" if box[3] > 1.6 * box[2] else "sit"))
    figure = camera.place(body, rng.uniform(0, 360), camera.spot(camera.width / 2, 8.0))
    points = figure.body.points
    span = np.ptp(points[:, :2], axis=0)
    factor = float(box[3] / max(span[1], 1) * 0.94)
    middle = (points[:, :2].max(axis=0) + points[:, :2].min(axis=0)) / 2
    points[:, :2] = (points[:, :2] - middle) * factor + box[:2] + box[2:] / 2
    points[:, 2] *= factor
    unit = figure.unit * factor
    figure = Projected(figure.body, figure.scale * factor, unit, camera.focal / max(unit, 1e-3))
    return Actor(figure, sample_look(rng, build.woman, False), kind, np.zeros(len(WORLD19), int))
