"""Bodies in three dimensions: bone lengths by age and build, joints from joint angles.

Body frame in metres: x to the person's left, y up, z where the chest points; the ground is y = 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kpkit.core.skeletons import COCO17, Skeleton
from kpkit.data.world.poses import Pose

WORLD19 = Skeleton(
    name="world19",
    keypoints=(*COCO17.keypoints, "head_top", "neck"),
    oks_sigmas=(),
    limbs=(*COCO17.limbs, ("head_top", "neck")),
)
"""What the world knows of a person: COCO's 17 keypoints and the two that only AI Challenger labels."""

POINTS = (
    *WORLD19.keypoints,
    "pelvis", "waist", "chin", "head", "left_hand", "right_hand", "left_toe", "right_toe", "left_heel",
    "right_heel",
)  # fmt: skip
"""The keypoints, then what only the painter needs."""
INDEX = {name: k for k, name in enumerate(POINTS)}


@dataclass(frozen=True)
class Build:
    """Proportions of a body.

    Attributes:
        height: metres.
        age: ``"adult"`` or ``"child"``.
        woman: body shape.
        girth: factor on thickness, about 0.8 to 1.5.
        head: head height in metres.
        shoulder, hip: half distance of the joints, metres.
        torso, upper_arm, forearm, thigh, shin: bone lengths, metres.
    """

    height: float
    age: str
    woman: bool
    girth: float
    head: float
    shoulder: float
    hip: float
    torso: float
    upper_arm: float
    forearm: float
    thigh: float
    shin: float


def sample_build(rng: np.random.Generator) -> Build:
    """A random person: 12 % children, the rest adults."""
    child, woman = rng.random() < 0.12, rng.random() < 0.48
    height = rng.uniform(1.0, 1.45) if child else rng.normal(1.66 if woman else 1.78, 0.07)
    legs = rng.normal(1, 0.035) * (0.94 if child else 1)
    arms = rng.normal(1, 0.03)
    head = height * (0.165 - 0.03 * (height - 1.0) / 0.45) if child else 0.132 * height
    return Build(
        height=float(height),
        age="child" if child else "adult",
        woman=woman,
        girth=float(np.clip(rng.lognormal(0.10, 0.14), 0.82, 1.55)),
        head=float(head * rng.normal(1, 0.03)),
        shoulder=height * (0.098 if woman else 0.112) * rng.normal(1, 0.04),
        hip=height * (0.054 if woman else 0.051) * rng.normal(1, 0.05),
        torso=height * 0.29 * rng.normal(1, 0.03),
        upper_arm=height * 0.168 * arms,
        forearm=height * 0.145 * arms,
        thigh=height * 0.243 * legs,
        shin=height * 0.238 * legs,
    )


@dataclass
class Body:
    """A posed body.

    Attributes:
        points: (len(POINTS), 3) metres; in the body frame, or in the camera's after placing.
        pelvis, chest, head: (3, 3) rotations; columns are the part's left, up and front.
        build: its proportions.
        pose: its angles.
    """

    points: np.ndarray
    pelvis: np.ndarray
    chest: np.ndarray
    head: np.ndarray
    build: Build
    pose: Pose

    def __getitem__(self, name: str) -> np.ndarray:
        return self.points[INDEX[name]]

    def moved(self, rotation: np.ndarray, shift: np.ndarray) -> Body:
        """The body turned by (3, 3) and shifted by (3,)."""
        return Body(
            self.points @ rotation.T + shift,
            rotation @ self.pelvis,
            rotation @ self.chest,
            rotation @ self.head,
            self.build,
            self.pose,
        )


def turn(axis: str, degrees: float) -> np.ndarray:
    """(3, 3) rotation about ``"x"``, ``"y"`` or ``"z"``, right-handed."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array(
        {
            "x": [[1, 0, 0], [0, c, -s], [0, s, c]],
            "y": [[c, 0, s], [0, 1, 0], [-s, 0, c]],
            "z": [[c, -s, 0], [s, c, 0], [0, 0, 1]],
        }[axis]
    )


MIRROR = np.array([-1.0, 1.0, 1.0])


def _arm_ends(angles: dict[str, float], build: Build) -> np.ndarray:
    """Offsets of elbow, wrist and hand from the shoulder of a left arm, (3, 3)."""
    upper = turn("x", -angles["flex"]) @ turn("z", angles["abduct"])
    lower = upper @ turn("y", -angles["twist"]) @ turn("x", -angles["elbow"])
    elbow = upper @ np.array([0, -build.upper_arm, 0])
    wrist = elbow + lower @ np.array([0, -build.forearm, 0])
    return np.stack([elbow, wrist, wrist + lower @ np.array([0, -0.062 * build.height, 0.006])])


def _leg_ends(angles: dict[str, float], build: Build) -> np.ndarray:
    """Offsets of knee, ankle, toe and heel from the hip of a left leg, (4, 3)."""
    upper = turn("x", -angles["hip_flex"]) @ turn("z", angles["hip_abduct"]) @ turn("y", angles["hip_twist"])
    lower = upper @ turn("x", angles["knee"])
    foot = lower @ turn("x", -angles["ankle"])
    knee = upper @ np.array([0, -build.thigh, 0])
    ankle = knee + lower @ np.array([0, -build.shin, 0])
    toe = ankle + foot @ np.array([0.008, -0.026, 0.092]) * build.height
    heel = ankle + foot @ np.array([0, -0.024, -0.022]) * build.height
    return np.stack([knee, ankle, toe, heel])


def assemble(build: Build, pose: Pose) -> Body:
    """Joints of a posed body, its lowest point ``pose.lift`` above the ground."""
    pelvis = turn("z", -pose.roll) @ turn("x", pose.lean)
    chest = pelvis @ turn("y", pose.twist) @ turn("z", -pose.side) @ turn("x", pose.bend)
    yaw, pitch, tilt = pose.head
    head = chest @ turn("y", yaw) @ turn("x", pitch) @ turn("z", tilt)
    points = np.zeros((len(POINTS), 3))

    def put(name: str, where: np.ndarray) -> None:
        points[INDEX[name]] = where

    waist = pelvis @ np.array([0, 0.36 * build.torso, 0])
    neck = waist + chest @ np.array([0, 0.70 * build.torso, 0])
    put("waist", waist)
    put("neck", neck)
    h = build.head
    chin = neck + chest @ np.array([0, 0.028 * build.height, 0.0])
    centre = chin + head @ np.array([0, 0.47 * h, 0.10 * h])
    put("chin", chin)
    put("head", centre)
    face = {
        "nose": (0, -0.10, 0.50), "left_eye": (0.165, 0.05, 0.385), "left_ear": (0.385, -0.02, -0.04),
        "head_top": (0, 0.52, -0.03),
    }  # fmt: skip
    for name, offset in face.items():
        put(name, centre + head @ (np.array(offset) * h))
        if name.startswith("left_"):
            put("right_" + name[5:], centre + head @ (np.array(offset) * h * MIRROR))
    for k, (side, mirror) in enumerate((("left", np.ones(3)), ("right", MIRROR))):
        lift = max(pose.arms[k]["abduct"] - 60, 0) / 120 * 0.10 * build.torso
        shoulder = neck + chest @ (np.array([build.shoulder, -0.055 * build.torso + lift, 0]) * mirror)
        put(f"{side}_shoulder", shoulder)
        arm = shoulder + (_arm_ends(pose.arms[k], build) * mirror) @ chest.T
        for name, where in zip(("elbow", "wrist", "hand"), arm, strict=True):
            put(f"{side}_{name}", where)
        hip = pelvis @ (np.array([build.hip, 0, 0]) * mirror)
        put(f"{side}_hip", hip)
        leg = hip + (_leg_ends(pose.legs[k], build) * mirror) @ pelvis.T
        for name, where in zip(("knee", "ankle", "toe", "heel"), leg, strict=True):
            put(f"{side}_{name}", where)
    thickness = np.full(len(POINTS), 0.015 * build.height)
    for name in ("pelvis", "left_hip", "right_hip", "waist", "head", "neck"):
        thickness[INDEX[name]] = 0.065 * build.height * build.girth
    points[:, 1] -= (points[:, 1] - thickness).min() - pose.lift
    return Body(points, pelvis, chest, head, build, pose)
