"""From labelled points on a picture to a body with depth, guessed where the labels do not tell.

Labelled points stay where they are. Depth comes from how much shorter a bone appears than it is; which end
is nearer from anatomy (knees and elbows bend one way) and from visibility (a hidden wrist is behind). Where
a point is missing the bones are completed and the point stays unlabelled.
"""

from __future__ import annotations

import numpy as np

from kpkit.core.skeletons import COCO17
from kpkit.data.world.bodies import INDEX, POINTS, Body, Build, turn
from kpkit.data.world.camera import TO_CAMERA, Projected
from kpkit.data.world.poses import Pose

_FACE = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
_TEMPLATE = np.array([[0, -0.10, 0.50], [0.165, 0.05, 0.385], [-0.165, 0.05, 0.385],
                      [0.385, -0.02, -0.04], [-0.385, -0.02, -0.04]])  # fmt: skip
"""The face points in head heights from the head's centre, as bodies.assemble places them."""


def _candidates() -> tuple[np.ndarray, np.ndarray]:
    """(C, 3, 3) head rotations in the camera frame and (C,) how odd each is."""
    rotations, odd = [], []
    for yaw in range(-180, 180, 15):
        for pitch in (-30, -10, 10, 30):
            for roll in (-60, -30, -12, 0, 12, 30, 60):
                rotations.append(TO_CAMERA @ turn("z", roll) @ turn("y", yaw) @ turn("x", pitch))
                odd.append(abs(pitch) / 30 * 0.4 + abs(roll) / 60 * 0.5)
    return np.array(rotations), np.array(odd)


_HEADS, _ODD = _candidates()


class _Lifter:
    """One person's labels and what is worked out from them."""

    def __init__(
        self, rng: np.random.Generator, keypoints: np.ndarray, box: np.ndarray, build: Build
    ) -> None:
        self.rng, self.build, self.box = rng, build, box
        self.xy = keypoints[:, :2].astype(float)
        self.visibility = keypoints[:, 2].astype(int)
        self.points = np.zeros((len(POINTS), 3))
        self.known = np.zeros(len(POINTS), bool)
        self.known[: len(COCO17)] = self.visibility > 0
        self.points[: len(COCO17), :2] = self.xy
        self.unit = self._unit()

    def has(self, *names: str) -> bool:
        return all(self.known[INDEX[name]] for name in names)

    def at(self, name: str) -> np.ndarray:
        """(2,) labelled place."""
        return self.points[INDEX[name], :2]

    def _unit(self) -> float:
        """Pixels per metre: the longest-looking bones are those that lie in the picture plane."""
        b = self.build
        bones = [("shoulder", "elbow", b.upper_arm), ("elbow", "wrist", b.forearm), ("hip", "knee", b.thigh),
                 ("knee", "ankle", b.shin), ("shoulder", "hip", b.torso)]  # fmt: skip
        ratios = [
            float(np.linalg.norm(self.at(f"{side}_{start}") - self.at(f"{side}_{end}"))) / length
            for side in ("left", "right")
            for start, end, length in bones
            if self.has(f"{side}_{start}", f"{side}_{end}")
        ]
        for part, half in (("shoulder", b.shoulder), ("hip", b.hip * 1.3)):
            if self.has(f"left_{part}", f"right_{part}"):
                wide = np.linalg.norm(self.at(f"left_{part}") - self.at(f"right_{part}"))
                ratios.append(float(wide) / (2 * half) * 0.9)
        if self.has("left_eye", "right_eye"):
            wide = np.linalg.norm(self.at("left_eye") - self.at("right_eye"))
            ratios.append(float(wide) / (0.33 * b.head) * 0.9)
        whole = float(max(self.box[2:].max(), 4)) / b.height
        if not ratios:
            return whole
        return float(np.clip(np.percentile(ratios, 85) * 1.03, 0.5 * whole, 5 * whole))

    def put(self, name: str, where: np.ndarray) -> None:
        """Set a point's depth, and its place if it has no label."""
        row = INDEX[name]
        self.points[row, 2] = where[2]
        if not self.known[row]:
            self.points[row, :2] = where[:2]

    def get(self, name: str) -> np.ndarray:
        return self.points[INDEX[name]]


def lift(
    rng: np.random.Generator, keypoints: np.ndarray, box: np.ndarray, build: Build, focal: float
) -> Projected:
    """A figure through labelled keypoints.

    Args:
        rng: for what nothing tells.
        keypoints: (17, 3) picture x, y and visibility; at least one labelled.
        box: (4,) of the person.
        build: proportions.
        focal: pixels, to tell distance from size.

    Returns:
        the figure; every labelled point is exactly where its label is.
    """
    person = _Lifter(rng, keypoints, box, build)
    up, anchor = _spine(person)
    left = _left(person, up)
    chest = _frame(left, up)
    pelvis = _frame(_pair(person, "hip", build.hip, left), up)
    _trunk(person, chest, pelvis, anchor)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        _arm(person, side, sign, chest)
        _leg(person, side, sign, pelvis)
    head = _head(person, chest)
    scale = np.full(len(POINTS), person.unit)
    hidden = float((person.visibility == 1).sum()) / max(int((person.visibility > 0).sum()), 1)
    body = Body(person.points, pelvis, chest, head, build, Pose())
    return Projected(body, scale, person.unit, focal / person.unit * (1 + 0.25 * hidden))


def _frame(left: np.ndarray, up: np.ndarray) -> np.ndarray:
    """(3, 3) columns left, up, front, orthonormal, up kept."""
    front = np.cross(left, up)
    if np.linalg.norm(front) < 1e-3:
        front = np.cross(left + np.array([0.1, 0, -0.2]), up)
    front /= np.linalg.norm(front)
    return np.stack([np.cross(up, front), up, front], axis=1)


def _middle(person: _Lifter, part: str) -> np.ndarray | None:
    """(2,) middle of a labelled pair, or the one labelled."""
    sides = [person.at(f"{s}_{part}") for s in ("left", "right") if person.has(f"{s}_{part}")]
    return np.mean(sides, axis=0) if sides else None


def _spine(person: _Lifter) -> tuple[np.ndarray, np.ndarray]:
    """The trunk's up direction in the camera frame, and the (2,) place of the neck."""
    shoulders, hips = _middle(person, "shoulder"), _middle(person, "hip")
    long = person.build.torso * person.unit
    face = [person.at(name) for name in _FACE if person.has(name)]
    if shoulders is not None and hips is not None:
        flat = (shoulders - hips) / long
    elif shoulders is not None and face:
        flat = np.array([0.3, 1]) * (np.mean(face, axis=0) - shoulders) / long
    else:
        flat = np.array([0.0, -1.0])
    size = float(np.linalg.norm(flat))
    if size < 1e-3:
        flat, size = np.array([0.0, -1.0]), 1.0
    size, flat = min(size, 1.0), flat / size
    if shoulders is None or hips is None:
        size = 1.0
    up = np.array([*(flat * size), -np.sqrt(max(1 - size**2, 0)) * 0.8])
    up /= np.linalg.norm(up)
    if shoulders is not None:
        anchor = shoulders
    elif hips is not None:
        anchor = hips + up[:2] * long
    elif face:
        anchor = np.mean(face, axis=0) - up[:2] * 0.9 * person.build.head * person.unit
    else:
        anchor = person.box[:2] + person.box[2:] * (0.5, 0.25)
    return up, anchor + up[:2] * 0.05 * long


def _toward(person: _Lifter) -> float:
    """+1 when the person seems to look to picture right, -1 to the left; a coin where nothing tells."""
    ears = [person.at(f"{s}_ear") for s in ("left", "right") if person.has(f"{s}_ear")]
    if person.has("nose"):
        back = ears or [m for m in [_middle(person, "shoulder")] if m is not None]
        if back:
            gap = float(person.at("nose")[0] - np.mean(back, axis=0)[0])
            if abs(gap) > 0.01 * person.unit:
                return float(np.sign(gap))
    if len(ears) == 1:
        return -1.0 if person.has("left_ear") else 1.0
    for side in ("left", "right"):
        if person.has(f"{side}_hip", f"{side}_knee"):
            gap = float(person.at(f"{side}_knee")[0] - person.at(f"{side}_hip")[0])
            if abs(gap) > 0.06 * person.unit:
                return float(np.sign(gap))
    return float(person.rng.choice([-1, 1]))


def _pair(person: _Lifter, part: str, half: float, fallback: np.ndarray) -> np.ndarray:
    """From the right to the left joint of a pair, unit length; its depth by foreshortening."""
    if not person.has(f"left_{part}", f"right_{part}"):
        return fallback
    flat = (person.at(f"left_{part}") - person.at(f"right_{part}")) / (2 * half * person.unit)
    size = min(float(np.linalg.norm(flat)), 1.0)
    deep = np.sqrt(1 - size**2) * (np.sign(fallback[2]) or 1.0)
    flat = flat / max(float(np.linalg.norm(flat)), 1e-6) * size
    vector = np.array([*flat, deep])
    return vector / np.linalg.norm(vector)


def _left(person: _Lifter, up: np.ndarray) -> np.ndarray:
    """The direction of the person's left."""
    toward = _toward(person)
    seen = sum(person.has(name) for name in ("nose", "left_eye", "right_eye"))
    guess = np.array([0.8 if seen >= 2 else -0.8, 0.0, 0.6 * toward])
    if person.has("left_hip", "right_hip") and not person.has("left_shoulder", "right_shoulder"):
        return _pair(person, "hip", person.build.hip, guess)
    return _pair(person, "shoulder", person.build.shoulder, guess)


def _trunk(person: _Lifter, chest: np.ndarray, pelvis: np.ndarray, anchor: np.ndarray) -> None:
    unit, build = person.unit, person.build
    neck = np.array([*anchor, 0.0])
    hips = _middle(person, "hip")
    low = neck - chest[:, 1] * (build.torso * 1.05 * unit)
    base = np.array([*(hips if hips is not None else low[:2]), low[2]])
    person.put("neck", neck)
    person.put("pelvis", base)
    person.put("waist", base + (neck - base) * 0.36)
    shoulders = neck - chest[:, 1] * 0.055 * build.torso * unit
    for side, sign in (("left", 1), ("right", -1)):
        person.put(f"{side}_shoulder", shoulders + chest[:, 0] * sign * build.shoulder * unit)
        person.put(f"{side}_hip", base + pelvis[:, 0] * sign * build.hip * unit)


def _bone(person: _Lifter, start: str, end: str, length: float, rest: np.ndarray, deep: float) -> None:
    """Set the end of a bone: at its label with a guessed depth (sign ``deep``), else along ``rest``."""
    origin = person.get(start)
    row = INDEX[end]
    if not person.known[row]:
        person.put(end, origin + rest / np.linalg.norm(rest) * length)
        return
    flat = float(np.linalg.norm(person.points[row, :2] - origin[:2]))
    if row < len(COCO17) and person.visibility[row] == 1:
        deep = 1.0
    person.points[row, 2] = origin[2] + deep * np.sqrt(max(length**2 - flat**2, 0)) * 0.85


def _arm(person: _Lifter, side: str, sign: float, chest: np.ndarray) -> None:
    unit, build = person.unit, person.build
    front = float(np.sign(chest[2, 2]) or -1)
    hang = -chest[:, 1] + chest[:, 0] * sign * 0.25
    elbow, wrist = f"{side}_elbow", f"{side}_wrist"
    if person.has(wrist) and not person.has(elbow):
        gap = np.array([*person.at(wrist), person.get(f"{side}_shoulder")[2]]) - person.get(
            f"{side}_shoulder"
        )
        hang = gap + (chest[:, 0] * sign * 0.4 - chest[:, 1] * 0.4) * build.upper_arm * unit
    _bone(person, f"{side}_shoulder", elbow, build.upper_arm * unit, hang, -front * 0.5)
    _bone(person, elbow, wrist, build.forearm * unit, -chest[:, 1] + chest[:, 2] * 0.4, front)
    along = person.get(wrist) - person.get(elbow)
    along /= max(float(np.linalg.norm(along)), 1e-6)
    person.put(f"{side}_hand", person.get(wrist) + along * 0.062 * build.height * unit)


def _leg(person: _Lifter, side: str, sign: float, pelvis: np.ndarray) -> None:
    unit, build = person.unit, person.build
    front = float(np.sign(pelvis[2, 2]) or -1)
    rest = np.array([0.0, 1.0, 0.0]) * 0.7 - pelvis[:, 1] * 0.3 + pelvis[:, 0] * sign * 0.06
    knee, ankle = f"{side}_knee", f"{side}_ankle"
    _bone(person, f"{side}_hip", knee, build.thigh * unit, rest, front)
    _bone(person, knee, ankle, build.shin * unit, rest, -front)
    shin = person.get(ankle) - person.get(knee)
    shin /= max(float(np.linalg.norm(shin)), 1e-6)
    ahead = pelvis[:, 2] - shin * float(pelvis[:, 2] @ shin)
    ahead /= max(float(np.linalg.norm(ahead)), 1e-6)
    size = build.height * unit
    person.put(f"{side}_toe", person.get(ankle) + (ahead * 0.092 + shin * 0.026) * size)
    person.put(f"{side}_heel", person.get(ankle) + (ahead * -0.022 + shin * 0.024) * size)


def _head(person: _Lifter, chest: np.ndarray) -> np.ndarray:
    """Fit the head to its labelled face points; returns its frame."""
    size = person.build.head * person.unit
    rows = [k for k, name in enumerate(_FACE) if person.has(name)]
    neck = person.get("neck")
    centre = neck + chest[:, 1] * (0.028 * person.build.height * person.unit + 0.47 * size)
    frame = chest
    if rows:
        flat = _HEADS @ _TEMPLATE.T  # (C, 3, 5)
        labelled = person.points[rows, :2]
        model = flat[:, :2, rows].transpose(0, 2, 1) * size
        shift = labelled.mean(axis=0) - model.mean(axis=1)
        miss = np.linalg.norm(model + shift[:, None] - labelled, axis=2).mean(axis=1) / size
        stray = np.linalg.norm(shift - centre[:2], axis=1) / size
        turned = 1 - np.einsum("cij,ij->c", _HEADS, chest) / 3
        # A labelled point should face the viewer, an unlabelled one should not.
        facing = -flat[:, 2]
        blind = np.array([k for k in range(5) if k not in rows], int)
        odd = np.maximum(-facing[:, rows], 0).sum(axis=1) + np.maximum(facing[:, blind] - 0.1, 0).sum(axis=1)
        best = int(np.argmin(3 * miss + 0.35 * stray + 0.35 * turned + 0.5 * odd + 0.25 * _ODD))
        frame = _HEADS[best]
        centre = np.array(
            [*(shift[best] * 0.8 + centre[:2] * 0.2 if len(rows) < 2 else shift[best]), centre[2]]
        )
    person.put("head", centre)
    person.put("chin", centre + frame @ np.array([0, -0.47, -0.10]) * size)
    person.put("head_top", centre + frame @ np.array([0, 0.52, -0.03]) * size)
    for name, offset in zip(_FACE, _TEMPLATE, strict=True):
        person.put(name, centre + frame @ offset * size)
    return frame
