"""Pose families: joint angles of people standing, walking, running, sitting, playing, lying."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

ARM = ("abduct", "flex", "twist", "elbow")
LEG = ("hip_flex", "hip_abduct", "hip_twist", "knee", "ankle")
LIMITS = {
    "abduct": (-12, 175), "flex": (-55, 175), "twist": (-70, 110), "elbow": (0, 148),
    "hip_flex": (-35, 128), "hip_abduct": (-12, 70), "hip_twist": (-35, 45), "knee": (0, 150),
    "ankle": (-35, 25),
}  # fmt: skip
"""Joint ranges in degrees, from healthy adults' ranges of motion, rounded."""


@dataclass
class Pose:
    """Joint angles in degrees. Left limb first in every pair.

    Attributes:
        lean, roll: of the pelvis: forward tilt, tilt to the person's right.
        bend, side, twist: of the spine: forward, sideways, about its length.
        head: yaw (to the person's left), pitch (down), roll.
        arms: two of (abduct, flex, twist, elbow): sideways, forward, turning the forearm inward, bending.
        legs: two of (hip_flex, hip_abduct, hip_twist, knee, ankle).
        lift: metres above the ground.
        family: its name.
        seat: sits on something.
    """

    lean: float = 0.0
    roll: float = 0.0
    bend: float = 3.0
    side: float = 0.0
    twist: float = 0.0
    head: tuple[float, float, float] = (0.0, 0.0, 0.0)
    arms: list[dict[str, float]] = field(default_factory=lambda: [_arm(), _arm()])
    legs: list[dict[str, float]] = field(default_factory=lambda: [_leg(), _leg()])
    lift: float = 0.0
    family: str = "stand"
    seat: bool = False


def _arm(abduct: float = 9, flex: float = 3, twist: float = 20, elbow: float = 14) -> dict[str, float]:
    return dict(zip(ARM, (abduct, flex, twist, elbow), strict=True))


def _leg(
    hip_flex: float = 2, hip_abduct: float = 4, hip_twist: float = 6, knee: float = 4, ankle: float = 0
) -> dict[str, float]:
    return dict(zip(LEG, (hip_flex, hip_abduct, hip_twist, knee, ankle), strict=True))


def _resting_arm(rng: np.random.Generator) -> dict[str, float]:
    kind = rng.choice(7, p=[0.56, 0.12, 0.07, 0.09, 0.06, 0.05, 0.05])
    return [
        _arm(),
        _arm(48, -12, 85, 92),  # hand on the hip
        _arm(8, 28, 75, 108),  # across the chest
        _arm(10, 18, 25, 88),  # carrying, holding
        _arm(12, 40, 35, 132),  # telephone, hand at the face
        _arm(10, -18, 40, 35),  # behind the back
        _arm(25, 60, 20, 25),  # pointing, offering
    ][kind]


def _stand(rng: np.random.Generator) -> Pose:
    shift = rng.normal(0, 4)
    legs = [_leg(2 + shift, 5, 8, 5), _leg(2 - shift, 5, 8, 5)]
    if rng.random() < 0.3:
        legs[rng.integers(2)] = _leg(14, 8, 14, 26)
    return Pose(side=rng.normal(0, 4), arms=[_resting_arm(rng), _resting_arm(rng)], legs=legs)


def _walk(rng: np.random.Generator) -> Pose:
    phase = np.sin(rng.uniform(0, 2 * np.pi)) * rng.uniform(0.6, 1.2)
    legs = [_leg(28 * s * phase, 3, 5, 8 + 30 * max(-s * phase, 0)) for s in (1, -1)]
    arms = [_arm(8, -24 * s * phase, 20, 22) for s in (1, -1)]
    if rng.random() < 0.3:
        arms[rng.integers(2)] = _resting_arm(rng)
    return Pose(lean=4, arms=arms, legs=legs)


def _run(rng: np.random.Generator) -> Pose:
    phase = np.sin(rng.uniform(0, 2 * np.pi))
    legs = [_leg(10 + 48 * s * phase, 4, 4, 35 + 55 * max(-s * phase, 0.1), -10) for s in (1, -1)]
    arms = [_arm(15, -48 * s * phase, 30, 88) for s in (1, -1)]
    return Pose(lean=13, bend=8, arms=arms, legs=legs, lift=rng.uniform(0, 0.12))


def _sit(rng: np.random.Generator) -> Pose:
    legs = [_leg(84, 9, 3, 84), _leg(84, 9, 3, 84)]
    if rng.random() < 0.25:
        legs[rng.integers(2)] = _leg(98, -4, 0, 62)
    elif rng.random() < 0.3:
        legs = [_leg(80, 12, 5, 40), _leg(82, 12, 5, 60)]
    rest = [_arm(10, 32, 30, 42), _arm(10, 25, 45, 75), _arm(14, 45, 35, 60)]
    arms = [rest[rng.integers(3)] if rng.random() < 0.7 else _resting_arm(rng) for _ in range(2)]
    return Pose(lean=rng.normal(-2, 6), bend=rng.normal(12, 8), arms=arms, legs=legs, seat=True)


def _floor(rng: np.random.Generator) -> Pose:
    if rng.random() < 0.5:
        legs = [_leg(80, 28, 40, 105), _leg(80, 28, 40, 105)]
    else:
        legs = [_leg(84, 8, 5, 12), _leg(100, 8, 5, 70)]
    arms = [_arm(20, -30, 0, 8) if rng.random() < 0.4 else _arm(10, 30, 40, 50) for _ in range(2)]
    return Pose(lean=-8, bend=18, arms=arms, legs=legs)


def _squat(rng: np.random.Generator) -> Pose:
    legs = [_leg(108, 18, 15, 128, 18), _leg(104, 18, 15, 124, 18)]
    arms = [_arm(12, 45, 35, 45), _arm(12, 50, 30, 40)]
    return Pose(lean=rng.uniform(15, 32), bend=18, arms=arms, legs=legs)


def _kneel(rng: np.random.Generator) -> Pose:
    legs = [_leg(5, 8, 0, 95, -30), _leg(88, 8, 0, 92)]
    if rng.random() < 0.5:
        legs.reverse()
    return Pose(lean=6, bend=12, arms=[_resting_arm(rng), _arm(10, 35, 20, 50)], legs=legs)


def _bend(rng: np.random.Generator) -> Pose:
    depth = rng.uniform(25, 75)
    legs = [_leg(10 + depth * 0.3, 6, 5, 18), _leg(8 + depth * 0.3, 6, 5, 14)]
    arms = [_arm(8, 55 + 0.4 * depth, 10, 18), _arm(8, 50 + 0.4 * depth, 10, 25)]
    return Pose(lean=depth * 0.5, bend=depth * 0.6, arms=arms, legs=legs)


def _raise(rng: np.random.Generator) -> Pose:
    up = [_arm(rng.uniform(95, 168), rng.normal(0, 20), 10, rng.uniform(0, 70)) for _ in range(2)]
    if rng.random() < 0.5:
        up[rng.integers(2)] = _resting_arm(rng)
    pose = _walk(rng) if rng.random() < 0.3 else _stand(rng)
    pose.arms = up
    return pose


def _dance(rng: np.random.Generator) -> Pose:
    arms = [_arm(rng.uniform(20, 150), rng.uniform(-25, 60), rng.uniform(-30, 80), rng.uniform(10, 110))
            for _ in range(2)]  # fmt: skip
    legs = [_leg(rng.uniform(-15, 45), rng.uniform(2, 32), rng.uniform(0, 25), rng.uniform(5, 70))
            for _ in range(2)]  # fmt: skip
    return Pose(roll=rng.normal(0, 6), side=rng.normal(0, 10), twist=rng.normal(0, 16), arms=arms, legs=legs)


def _kick(rng: np.random.Generator) -> Pose:
    legs = [_leg(rng.uniform(40, 88), 12, 5, rng.uniform(5, 55), -15), _leg(-6, 8, 5, 16)]
    arms = [_arm(50, -25, 10, 30), _arm(58, 35, 10, 35)]
    if rng.random() < 0.5:
        legs.reverse()
        arms.reverse()
    return Pose(lean=-8, roll=rng.normal(0, 6), twist=rng.normal(0, 12), arms=arms, legs=legs)


def _swing(rng: np.random.Generator) -> Pose:
    """Bat, club and racket sports: both hands or one, trunk turned, knees bent."""
    arms = [_arm(15, rng.uniform(30, 80), 60, 55), _arm(30, rng.uniform(30, 85), 55, 65)]
    if rng.random() < 0.5:
        arms[0] = _arm(rng.uniform(60, 135), rng.uniform(-20, 40), -10, 65)
    if rng.random() < 0.5:
        arms.reverse()
    legs = [_leg(22, 18, 12, 32), _leg(12, 20, 12, 26)]
    return Pose(lean=10, bend=14, twist=rng.normal(0, 24), arms=arms, legs=legs)


def _board(rng: np.random.Generator) -> Pose:
    """Skiing, surfing, skating: knees and hips bent, arms out."""
    legs = [_leg(48, 16, 10, 62, 14), _leg(42, 18, 10, 58, 14)]
    arms = [_arm(48, 22, 15, 38), _arm(52, 10, 15, 32)]
    return Pose(lean=20, bend=14, twist=rng.normal(0, 12), arms=arms, legs=legs)


def _jump(rng: np.random.Generator) -> Pose:
    pose = _dance(rng)
    pose.arms = [_arm(rng.uniform(70, 160), 10, 10, 30) for _ in range(2)]
    pose.legs = [_leg(rng.uniform(5, 60), 12, 8, rng.uniform(25, 100), -25) for _ in range(2)]
    pose.lift = rng.uniform(0.1, 0.5)
    return pose


def _lie(rng: np.random.Generator) -> Pose:
    lean = float(rng.choice([-84, 82]))
    pose = Pose(lean=lean, roll=rng.choice([0, 0, 70, -70]) + rng.normal(0, 8))
    pose.arms = [_arm(rng.uniform(10, 120), 10, 20, rng.uniform(5, 80)) for _ in range(2)]
    pose.legs = [_leg(rng.uniform(0, 35), 7, 5, rng.uniform(0, 60)) for _ in range(2)]
    return pose


FAMILIES: dict[str, tuple[float, Callable[[np.random.Generator], Pose]]] = {
    "stand": (0.40, _stand), "walk": (0.19, _walk), "run": (0.05, _run), "sit": (0.11, _sit),
    "floor": (0.02, _floor), "squat": (0.02, _squat), "kneel": (0.02, _kneel), "bend": (0.03, _bend),
    "raise": (0.06, _raise), "dance": (0.02, _dance), "kick": (0.02, _kick), "swing": (0.03, _swing),
    "board": (0.02, _board), "jump": (0.02, _jump), "lie": (0.01, _lie),
}  # fmt: skip
"""Family name -> (share, maker)."""


def sample_pose(rng: np.random.Generator, family: str | None = None) -> Pose:
    """A random pose of one family (any, by its share, when not named), inside the joint limits."""
    names = list(FAMILIES)
    if family is None:
        share = np.array([FAMILIES[n][0] for n in names])
        family = names[int(rng.choice(len(names), p=share / share.sum()))]
    pose = FAMILIES[family][1](rng)
    pose.family = family
    spread = rng.uniform(0.5, 1.3)
    for limb in (*pose.arms, *pose.legs):
        noise = rng.normal(0, spread, len(limb))
        for (name, angle), jitter in zip(list(limb.items()), noise, strict=True):
            sd = 9.0 if name in ARM else 5.0
            limb[name] = float(np.clip(angle + sd * jitter, *LIMITS[name]))
    pose.bend += rng.normal(0, 4)
    pose.side += rng.normal(0, 3)
    pose.twist += rng.normal(0, 6)
    pose.lean += rng.normal(0, 2)
    pose.head = (
        float(np.clip(rng.normal(0, 16), -60, 60)),
        float(np.clip(rng.normal(5 - 0.25 * (pose.bend + pose.lean if family != "lie" else 0), 9), -40, 45)),
        float(rng.normal(0, 7)),
    )
    return pose
