"""Who and what is in a picture and where: camera, people, statues, crowds, furniture."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from kpkit.data.world.bodies import INDEX, assemble, sample_build
from kpkit.data.world.camera import Camera, Projected
from kpkit.data.world.furniture import Thing, make_thing
from kpkit.data.world.looks import Look, sample_look, statue_look
from kpkit.data.world.poses import sample_pose
from kpkit.data.world.scenery import Scene, sample_light

SIZES = (
    (400, 300), (384, 288), (360, 270), (320, 240), (300, 400), (288, 384), (270, 360), (400, 266),
    (340, 340),
)  # fmt: skip
CLUTTER = (
    "table", "chair", "sofa", "bench", "crate", "counter", "bin", "shelf", "car", "pillar", "fence", "sign",
    "plant", "hedge",
)  # fmt: skip
INSIDE = np.array([5, 5, 2, 1, 2, 2, 1, 2, 0, 1, 0, 0, 3, 0], float)
OUTSIDE = np.array([1, 1, 0, 2, 1, 0, 2, 0, 2, 2, 2, 3, 2, 3], float)


@dataclass
class Actor:
    """Someone to be painted.

    Attributes:
        figure: posed and projected.
        look: clothes.
        kind: ``"person"``, ``"member"`` (of a crowd region) or ``"statue"`` (never annotated).
        given: (19,) visibilities of the real labels it is drawn after, or None.
    """

    figure: Projected
    look: Look
    kind: str = "person"
    given: np.ndarray | None = None

    @property
    def distance(self) -> float:
        """Metres from the camera."""
        return self.figure.distance


@dataclass
class Stage:
    """A scene with all that stands in it."""

    scene: Scene
    actors: list[Actor] = field(default_factory=list)
    things: list[Thing] = field(default_factory=list)


def _count(rng: np.random.Generator) -> int:
    return int(rng.choice(7, p=[0.08, 0.38, 0.24, 0.14, 0.09, 0.04, 0.03]))


def _tall(rng: np.random.Generator) -> float:
    """Height in pixels of a standing adult at the main figure's place."""
    return float(np.clip(rng.lognormal(np.log(178), 0.4), 45, 420))


def arrange(rng: np.random.Generator) -> Stage:
    """Choose camera, light, people and props."""
    width, height = SIZES[rng.integers(len(SIZES))]
    people = _count(rng)
    tall = _tall(rng)
    low, high = [(0.5, 1.2), (1.3, 1.8), (2.0, 5.0)][rng.choice(3, p=[0.2, 0.65, 0.15])]
    stand = float(rng.uniform(low, high))
    focal = width * rng.uniform(0.95, 1.9)
    middle = height * rng.uniform(0.42, 0.60)
    if tall > height * 0.95:
        middle += (tall - height) * rng.uniform(0.1, 0.55)
    horizon = middle - tall * (stand - 0.86) / 1.72
    camera = Camera(width, height, focal, stand, float(np.clip(horizon, -0.7 * height, 1.1 * height)))
    light, ambient, tint = sample_light(rng)
    main = focal * 1.72 / tall
    indoor = bool(rng.random() < 0.42)
    wall = main + rng.uniform(0.8, 4.5)
    stage = Stage(Scene(camera, indoor, light, ambient, tint, wall))
    _people(rng, stage, people, main)
    _statues(rng, stage, main)
    if not indoor and rng.random() < 0.05:
        _crowd(rng, stage, main)
    _props(rng, stage, main)
    return stage


def _yaw(rng: np.random.Generator) -> float:
    """Facing the camera 69 %, away 17 %, sideways the rest."""
    kind = rng.random()
    if kind < 0.69:
        return float(rng.normal(0, 22))
    if kind < 0.86:
        return float(180 + rng.normal(0, 20))
    return float(rng.choice([90, -90]) + rng.normal(0, 25))


def _spot(rng: np.random.Generator, stage: Stage, main: float) -> np.ndarray:
    """A ground point for a figure: next to another, or anywhere."""
    scene, camera = stage.scene, stage.scene.camera
    if stage.actors and rng.random() < 0.2:
        other = stage.actors[rng.integers(len(stage.actors))].figure
        distance = other.distance + rng.normal(0, 0.45)
        x = other.body["pelvis"][0] + rng.choice([-1, 1]) * rng.uniform(0.45, 1.05) * other.unit
    else:
        first = not stage.actors
        distance = main * (1.0 if first else float(np.exp(rng.normal(0.08, 0.3))))
        x = camera.width * (rng.uniform(0.2, 0.8) if first else rng.uniform(-0.02, 1.02))
    if scene.indoor:
        distance = min(distance, scene.wall - 0.35)
    return camera.spot(float(x), max(distance, 1.1))


def _free_spot(rng: np.random.Generator, stage: Stage, main: float) -> np.ndarray:
    """A ground point for a statue, mostly beside the people: the best of a few by its distance from them."""
    camera = stage.scene.camera
    others = [actor.figure.body["pelvis"][0] for actor in stage.actors]
    spots = [_spot(rng, stage, main) for _ in range(1 if rng.random() < 0.3 else 4)]
    columns = [float(camera.project(spot)[0][0]) for spot in spots]
    clear = [
        min((abs(column - other) for other in others), default=0.0) if 0 < column < camera.width else -1.0
        for column in columns
    ]
    spot = spots[int(np.argmax(clear))]
    nearest = min((actor.distance for actor in stage.actors), default=main)
    if float(np.hypot(spot[0], spot[2])) < nearest and rng.random() < 0.75:
        distance = nearest * rng.uniform(1.0, 1.3)
        if stage.scene.indoor:
            distance = min(distance, stage.scene.wall - 0.35)
        spot = camera.spot(columns[int(np.argmax(clear))], distance)
    return spot


def _people(rng: np.random.Generator, stage: Stage, count: int, main: float) -> None:
    team = sample_look(rng, False, False) if rng.random() < 0.12 else None
    for _ in range(count):
        build = sample_build(rng)
        pose = sample_pose(rng)
        spot, yaw = _spot(rng, stage, main), _yaw(rng)
        body = assemble(build, pose)
        look = sample_look(rng, build.woman, build.age == "child")
        if team is not None:
            for part in ("base", "second", "pattern", "period"):
                getattr(look, part)[7:16] = getattr(team, part)[7:16]
            look.sleeve, look.legs, look.skirt, look.closure = team.sleeve, team.legs, 0.0, team.closure
        look.things = _carried(rng, pose.family)
        stage.actors.append(Actor(stage.scene.camera.place(body, yaw, spot), look))
        if pose.seat:
            _seat(rng, stage, body.points[INDEX["pelvis"], 1], yaw, spot)


def _carried(rng: np.random.Generator, family: str) -> list[str]:
    if family == "swing":
        return [str(rng.choice(["racket", "bat"]))] if rng.random() < 0.8 else []
    if family in ("kick", "run", "jump"):
        return ["ball"] if rng.random() < 0.3 else []
    if family in ("stand", "walk", "sit", "raise") and rng.random() < 0.28:
        return [str(rng.choice(["phone", "bag", "cup", "umbrella", "ball"], p=[0.28, 0.32, 0.22, 0.08, 0.1]))]
    return []


def _seat(rng: np.random.Generator, stage: Stage, pelvis: float, yaw: float, spot: np.ndarray) -> None:
    """A seat under a sitter, and its back rest, which hides the sitter's back when seen from behind."""
    kind = str(rng.choice(["chair", "bench", "sofa"], p=[0.6, 0.25, 0.15]))
    seat = make_thing(rng, kind, spot, -yaw)
    factor = max(pelvis - 0.11, 0.1) / 0.47
    seat.boxes = [(x, b * factor, z, w, h * factor, d, c) for x, b, z, w, h, d, c in seat.boxes]
    stage.things.append(seat)
    if rng.random() < 0.75:
        toward = np.array([np.sin(np.deg2rad(yaw)), 0, -np.cos(np.deg2rad(yaw))])  # where the sitter looks
        back = make_thing(rng, "back", spot - toward * 0.25, -yaw)
        back.boxes = [(x, b * factor, z, w, h, d, seat.boxes[0][6]) for x, b, z, w, h, d, c in back.boxes]
        stage.things.append(back)


def _statues(rng: np.random.Generator, stage: Stage, main: float) -> None:
    """Statues and mannequins: human in shape, annotated as nothing."""
    if rng.random() < 0.36:
        for _ in range(int(rng.choice([1, 2, 3], p=[0.7, 0.2, 0.1]))):
            _statue(rng, stage, _free_spot(rng, stage, main))


def _statue(rng: np.random.Generator, stage: Stage, spot: np.ndarray) -> None:
    build = sample_build(rng)
    mannequin = bool(rng.random() < 0.5)
    family = str(rng.choice(["stand", "stand", "raise", "dance", "sit", "walk"]))
    pose = sample_pose(rng, "stand" if mannequin and rng.random() < 0.8 else family)
    yaw, look = _yaw(rng), statue_look(rng, mannequin)
    foot = make_thing(rng, "plinth", spot, -yaw)
    if mannequin:
        metal = look.base[1] * 0.6
        foot.boxes = [(0, 0, 0, 0.45, 0.03, 0.4, metal), (0, 0, -0.12, 0.03, 0.9, 0.03, metal)]
    elif rng.random() < 0.85:
        spot = spot - np.array([0, foot.boxes[-1][1] + foot.boxes[-1][4], 0])
    else:
        foot.boxes = foot.boxes[:1]
    stage.things.append(foot)
    stage.actors.append(Actor(stage.scene.camera.place(assemble(build, pose), yaw, spot), look, "statue"))


def _crowd(rng: np.random.Generator, stage: Stage, main: float) -> None:
    """Far people close together, annotated as one region."""
    camera = stage.scene.camera
    distance = max(main * 1.8, camera.focal * 1.72 / rng.uniform(18, 34))
    centre = rng.uniform(0.15, 0.85) * camera.width
    for _ in range(int(rng.integers(8, 15))):
        build = sample_build(rng)
        spot = camera.spot(centre + rng.normal(0, 26), distance * rng.uniform(0.95, 1.1))
        figure = camera.place(assemble(build, sample_pose(rng, "stand")), _yaw(rng), spot)
        stage.actors.append(Actor(figure, sample_look(rng, build.woman, build.age == "child"), "member"))


def furnish_behind(rng: np.random.Generator, stage: Stage, main: float) -> None:
    """Furniture and now and then a statue behind everyone, for people whose places are given."""
    scene, camera = stage.scene, stage.scene.camera
    last = max((actor.distance for actor in stage.actors), default=main)
    share = INSIDE if scene.indoor else OUTSIDE
    for _ in range(int(rng.integers(0, 5))):
        kind = str(rng.choice(CLUTTER, p=share / share.sum()))
        spot = camera.spot(rng.uniform(0, 1) * camera.width, max(last * rng.uniform(1.1, 1.7), 1.2))
        stage.things.append(make_thing(rng, kind, spot, rng.uniform(0, 360)))
    if rng.random() < 0.3:
        _statue(rng, stage, camera.spot(rng.uniform(0.05, 0.95) * camera.width, max(last * 1.05, 1.5)))


def _props(rng: np.random.Generator, stage: Stage, main: float) -> None:
    """Furniture behind and around the people, now and then in front of them."""
    scene, camera = stage.scene, stage.scene.camera
    share = INSIDE if scene.indoor else OUTSIDE
    for _ in range(int(rng.integers(0, 5))):
        kind = str(rng.choice(CLUTTER, p=share / share.sum()))
        distance = main * max(float(np.exp(rng.normal(0.35, 0.35))), 0.85)
        if scene.indoor:
            distance = min(distance, scene.wall - 0.2)
        x = rng.uniform(0, 1) * camera.width
        stage.things.append(make_thing(rng, kind, camera.spot(x, max(distance, 1.2)), rng.uniform(0, 360)))
    people = [actor for actor in stage.actors if actor.kind == "person"]
    if people and rng.random() < 0.09:
        target = people[rng.integers(len(people))].figure
        kind = str(rng.choice([k for k in CLUTTER if k not in ("chair", "sofa", "bench", "shelf", "car")]))
        distance = max(target.distance - rng.uniform(0.5, 0.9), 0.9)
        x = target.body["pelvis"][0] + rng.normal(0, 0.3) * target.unit
        if kind == "pillar":
            x += rng.choice([-1, 1]) * 0.25 * target.unit
        stage.things.append(make_thing(rng, kind, camera.spot(float(x), distance), rng.normal(0, 20)))
