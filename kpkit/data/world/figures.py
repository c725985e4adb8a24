"""From a projected body and a look to the tubes that the painter draws."""

from __future__ import annotations

import numpy as np

from kpkit.data.world.bodies import INDEX, Body
from kpkit.data.world.camera import Projected
from kpkit.data.world.looks import Look, Part
from kpkit.data.world.tubes import Tube

Band = tuple[float, float, int, float, int]


class Dresser:
    """Collects the tubes of one figure.

    Args:
        figure: where its joints are.
        look: what it wears.
        rng: for the small choices (which hand holds the thing).
    """

    def __init__(self, figure: Projected, look: Look, rng: np.random.Generator) -> None:
        self.figure, self.look, self.rng = figure, look, rng
        self.body: Body = figure.body
        self.tubes: list[Tube] = []
        self.height = self.body.build.height
        self.girth = self.body.build.girth

    def all(self) -> list[Tube]:
        """Every tube of the figure."""
        self.torso()
        for side in ("left", "right"):
            self.arm(side)
            self.leg(side)
        if self.look.skirt:
            self.skirt()
        if not self.look.headless:
            self.head()
            self.hair()
            if self.look.hat:
                self.hat()
        else:
            self.tube(self.body["neck"], self.body["chin"], (0.034, 0.03, 0.03), Part.SKIN, self.body.chest)
        if self.look.back == "rucksack":
            self.rucksack()
        for thing in self.look.things:
            self.thing(thing)
        return self.tubes

    def tube(
        self,
        a: np.ndarray,
        b: np.ndarray,
        radii: tuple[float, float, float],
        part: int,
        frame: np.ndarray,
        *,
        flat: float = 1.0,
        caps: tuple[float, float] = (1.0, 1.0),
        bands: tuple[Band, ...] = (),
        foreign: bool = False,
        relative: float | None = None,
    ) -> None:
        """Add a tube between two picture points; radii in units of the body's height (or ``relative`` px)."""
        unit = self.figure.unit * self.height if relative is None else relative
        self.tubes.append(
            Tube(
                np.asarray(a, float), np.asarray(b, float),
                (radii[0] * unit, radii[1] * unit, radii[2] * unit), int(part), flat,
                frame[:, 0], frame[:, 2], caps, self.figure.unit, bands, foreign,
            )
        )  # fmt: skip

    def offset(self, point: np.ndarray, frame: np.ndarray, *metres: float) -> np.ndarray:
        """A point moved by (left, up, front) metres of a part's frame."""
        return point + frame @ (np.array(metres) * self.figure.unit)

    def joint_scale(self, name: str) -> float:
        """How much nearer than the body's middle a joint is (perspective), about 0.7 to 1.5."""
        return float(np.clip(self.figure.scale[INDEX[name]] / self.figure.unit, 0.6, 1.8))

    # ---- trunk ---------------------------------------------------------------------------------------
    def torso(self) -> None:
        """Chest, belly, hips, shoulders and what is printed on them."""
        body, look, g = self.body, self.look, self.girth
        build, h = body.build, self.height
        loose = look.loose
        shoulder = build.shoulder / h + 0.012
        waist = (0.068 if build.woman else 0.078) * g * loose
        hip = build.hip / h + 0.036 * g
        top_bands = self.front_bands()
        chest_top = self.offset(body["neck"], body.chest, 0, -0.10 * build.torso, 0)
        jacket = Part.JACKET if look.closure == "open" else Part.TOP
        self.tube(chest_top, body["waist"], (shoulder * 0.93, (shoulder + waist) / 2 * 1.02, waist), jacket,
                  body.chest, flat=0.58 + 0.1 * (g - 1), caps=(0.45, 0.6), bands=top_bands)  # fmt: skip
        self.tube(body["waist"], self.offset(body["pelvis"], body.pelvis, 0, 0.02 * h, 0),
                  (waist, (waist + hip) / 2, hip * 0.98), jacket, body.pelvis, flat=0.70, caps=(0.6, 0.3),
                  bands=tuple(b for b in top_bands if b[2] and b[4] != Part.EMBLEM))  # fmt: skip
        legwear = Part.LEGWEAR if look.legs or look.skirt else Part.SKIN
        self.tube(self.offset(body["pelvis"], body.pelvis, 0, 0.035 * h, 0),
                  self.offset(body["pelvis"], body.pelvis, 0, -0.022 * h, 0),
                  (hip * 0.97, hip * 1.04, hip * 0.95), legwear, body.pelvis, flat=0.74, caps=(0.15, 0.55),
                  bands=((0.0, 0.16, 0, 9.0, Part.BELT),))  # fmt: skip
        # Shoulders and neck.
        for side in ("left", "right"):
            inner = self.offset(body["neck"], body.chest, 0, -0.05 * build.torso, 0)
            self.tube(inner, body[f"{side}_shoulder"], (0.036, 0.038, 0.034), jacket, body.chest, flat=0.9)
        if build.woman and build.age == "adult":
            for sign in (1, -1):
                spot = self.offset(body["neck"], body.chest, sign * 0.045 * h, -0.40 * build.torso, 0.047 * h)
                self.tube(spot, spot, (0.038, 0.038, 0.038), jacket, body.chest)
        self.tube(body["neck"], self.offset(body["chin"], body.head, 0, 0.02 * h, 0), (0.034, 0.03, 0.029), Part.SKIN,
                  body.chest, caps=(1, 0.5))  # fmt: skip
        collar = self.offset(body["neck"], body.chest, 0, -0.004 * h, 0)
        self.tube(collar, self.offset(collar, body.chest, 0, -0.018 * h, 0), (0.036, 0.040, 0.046),
                  Part.TOP_TRIM if look.closure in ("buttons", "zip", "tie") else Part.TOP, body.chest,
                  caps=(0.1, 0.5))  # fmt: skip

    def front_bands(self) -> tuple[Band, ...]:
        """What is on the front and the back of the top."""
        look = self.look
        bands: list[Band] = []
        if look.closure == "open":
            bands.append((0.0, 1.0, 1, 0.36, Part.TOP))
        elif look.closure == "emblem":
            bands.append((0.30, 0.62, 1, 0.42, Part.EMBLEM))
        elif look.closure in ("zip", "buttons"):
            bands.append((0.0, 1.0, 1, 0.055, Part.TOP_TRIM))
        elif look.closure == "tie":
            bands += [(0.0, 0.3, 1, 0.30, Part.TOP_TRIM), (0.0, 1.0, 1, 0.10, Part.EMBLEM)]
        if look.back == "print":
            bands.append((0.25, 0.75, -1, 0.55, Part.BACK_PRINT))
        if look.back in ("straps", "rucksack"):
            bands.append((0.0, 0.75, 1, 0.62, Part.BAG))
            bands.append((0.0, 1.0, 1, 0.44, Part.JACKET if look.closure == "open" else Part.TOP))
            if look.closure == "emblem":
                bands.append((0.30, 0.62, 1, 0.40, Part.EMBLEM))
        return tuple(bands)

    def skirt(self) -> None:
        """A cone from the waist over the thighs."""
        body, build = self.body, self.body.build
        knees = (body["left_knee"] + body["right_knee"]) / 2
        down = knees - body["pelvis"]
        end = body["pelvis"] + down * min(self.look.skirt, 1.6)
        spread = float(np.linalg.norm(body["left_knee"] - body["right_knee"])) / (self.figure.unit * self.height)
        hip = build.hip / self.height + 0.044 * self.girth
        wide = hip + 0.03 + 0.5 * spread * min(self.look.skirt, 1.0)
        start = self.offset(body["pelvis"], body.pelvis, 0, 0.05 * self.height, 0)
        self.tube(start, end, (hip * 0.86, (hip + wide) / 2, wide), Part.LEGWEAR, body.pelvis, flat=0.85,
                  caps=(0.2, 0.12), bands=((0.93, 1.0, 0, 9.0, Part.LEG_TRIM),))  # fmt: skip

    def rucksack(self) -> None:
        """On the back: seen from behind it covers the shirt."""
        body, t = self.body, self.body.build.torso
        top = self.offset(body["neck"], body.chest, 0, -0.16 * t, -0.075 * self.height)
        end = self.offset(body["neck"], body.chest, 0, -0.66 * t, -0.085 * self.height)
        self.tube(top, end, (0.062, 0.078, 0.076), Part.BAG, body.chest, flat=0.62, caps=(0.6, 0.4),
                  bands=((0.45, 0.9, -1, 0.6, Part.THING_TRIM),), foreign=True)  # fmt: skip

    # ---- limbs ---------------------------------------------------------------------------------------
    def arm(self, side: str) -> None:
        """Upper arm, forearm and hand, with sleeves."""
        body, look = self.body, self.look
        g = 0.5 + 0.5 * self.girth
        p = [self.joint_scale(f"{side}_{n}") for n in ("shoulder", "elbow", "wrist")]
        cloth = look.loose
        reach = look.sleeve
        frame = body.chest
        upper = np.array([0.036, 0.033, 0.028]) * g * [p[0], (p[0] + p[1]) / 2, p[1]]
        fore = np.array([0.028, 0.026, 0.019]) * g * [p[1], (p[1] + p[2]) / 2, p[2]]
        shoulder, elbow = body[f"{side}_shoulder"], body[f"{side}_elbow"]
        wrist, hand = body[f"{side}_wrist"], body[f"{side}_hand"]
        self.tube(shoulder, elbow, tuple(upper), Part.SLEEVE if reach >= 1 else Part.SKIN, frame)
        if 0 < reach < 1:
            end = shoulder + (elbow - shoulder) * reach
            self.tube(shoulder, end, tuple(upper * np.array([1.0, 1.12, 1.22]) * cloth), Part.SLEEVE, frame,
                      caps=(1, 0.1), bands=((0.86, 1.0, 0, 9.0, Part.TOP_TRIM),))  # fmt: skip
        elif reach >= 1:
            self.tube(shoulder, elbow, tuple(upper * 1.12 * cloth), Part.SLEEVE, frame)
        self.tube(elbow, wrist, tuple(fore), Part.SKIN, frame)
        if reach > 1:
            end = elbow + (wrist - elbow) * (reach - 1) * 0.95
            self.tube(elbow, end, tuple(fore * 1.16 * cloth), Part.SLEEVE, frame, caps=(1, 0.15),
                      bands=((0.9, 1.0, 0, 9.0, Part.TOP_TRIM),))  # fmt: skip
        self.tube(wrist + (hand - wrist) * 0.2, hand, (0.017 * p[2], 0.024 * p[2], 0.016 * p[2]), Part.SKIN, frame,
                  flat=0.7)  # fmt: skip
        thumb = wrist + (hand - wrist) * 0.85
        inward = body.chest @ np.array([-1.0 if side == "left" else 1.0, 0, 0.5])
        self.tube(wrist + (hand - wrist) * 0.35, thumb + inward * 0.024 * self.figure.unit * self.height,
                  (0.010, 0.009, 0.007), Part.SKIN, frame)  # fmt: skip

    def leg(self, side: str) -> None:
        """Thigh, shin and shoe, with trousers, shorts or socks."""
        body, look = self.body, self.look
        g = 0.35 + 0.65 * self.girth
        p = [self.joint_scale(f"{side}_{n}") for n in ("hip", "knee", "ankle")]
        thigh = np.array([0.056, 0.052, 0.038]) * g * [p[0], (p[0] + p[1]) / 2, p[1]]
        shin = np.array([0.037, 0.036, 0.023]) * g * [p[1], (p[1] + p[2]) / 2, p[2]]
        hip, knee = body[f"{side}_hip"], body[f"{side}_knee"]
        ankle, toe, heel = body[f"{side}_ankle"], body[f"{side}_toe"], body[f"{side}_heel"]
        frame, cover, loose = body.pelvis, look.legs, look.loose
        self.tube(hip, knee, tuple(thigh), Part.LEGWEAR if cover >= 1 else Part.SKIN, frame)
        if cover > 0:
            end = hip + (knee - hip) * min(cover, 1.0)
            width = thigh * loose * (np.array([1.03, 1.08, 1.12]) if cover >= 1 else np.array([1.04, 1.16, 1.3]))
            stripe = ((0.0, 1.0, 0, 9.0, Part.LEGWEAR),)
            self.tube(hip, end, tuple(width), Part.LEGWEAR, frame, caps=(1, 1 if cover >= 1 else 0.1), bands=stripe)
        self.tube(knee, ankle, tuple(shin), Part.SKIN if look.skirt or cover < 1.3 else Part.LEGWEAR, frame)
        if cover > 1:
            end = knee + (ankle - knee) * (cover - 1)
            flare = 1.45 if self.look.period[Part.SHOE] > 0.1 else 1.25
            self.tube(knee, end, tuple(shin * loose * np.array([1.1, 1.12, flare])), Part.LEGWEAR, frame,
                      caps=(1, 0.12))  # fmt: skip
        elif not look.statue:
            low = ankle + (knee - ankle) * 0.25
            self.tube(low, ankle, (0.027 * p[2], 0.025 * p[2], 0.025 * p[2]), Part.SOCK, frame, caps=(0.2, 1))
        shoe = 0.026 * p[2]
        self.tube(heel, toe, (shoe, shoe * 1.12, shoe * 0.8), Part.SHOE, frame, flat=0.9)
        self.tube(ankle, heel, (shoe * 0.95, shoe, shoe), Part.SHOE, frame)

    # ---- head ----------------------------------------------------------------------------------------
    def face_point(self, x: float, y: float, z: float) -> np.ndarray:
        """A point of the head in head heights from its centre."""
        unit = self.figure.unit * self.body.build.head * self.joint_scale("nose")
        return self.body["head"] + self.body.head @ (np.array([x, y, z]) * unit)

    def blob(self, point: np.ndarray, size: float, part: int, flat: float = 1.0, wide: float = 0.0) -> None:
        """A small ellipsoid on the head; sizes in head heights."""
        unit = self.figure.unit * self.body.build.head * self.joint_scale("nose")
        frame = self.body.head
        reach = frame[:, 0] * wide * unit
        turned = frame[:, [1, 0, 2]]
        self.tube(point - reach, point + reach, (size, size, size), part, turned, flat=flat, relative=unit)

    def head(self) -> None:
        """Skull, jaw and face. The face points sit where the keypoints are."""
        body, look = self.body, self.look
        unit = self.figure.unit * body.build.head * self.joint_scale("nose")
        frame = body.head
        self.tube(self.face_point(0, -0.27, 0.10), self.face_point(0, 0.17, -0.01), (0.24, 0.365, 0.375), Part.SKIN, frame,
                  flat=1.10, caps=(0.85, 0.82), relative=unit)  # fmt: skip
        for side in ("left", "right"):
            self.blob(body[f"{side}_ear"], 0.085, Part.SKIN, flat=0.9)
        nose = body["nose"]
        bridge = (body["left_eye"] + body["right_eye"]) / 2
        self.tube(bridge + (nose - bridge) * 0.2, nose, (0.035, 0.05, 0.075), Part.SKIN, frame, relative=unit)
        if look.statue:
            return
        for side, sign in (("left", 1), ("right", -1)):
            eye = body[f"{side}_eye"]
            self.blob(eye, 0.042, Part.WHITE, flat=0.9, wide=0.045)
            self.blob(eye + frame[:, 2] * 0.022 * unit, 0.036, Part.IRIS)
            brow = eye + frame @ (np.array([0.0, 0.105, 0.02]) * unit)
            self.blob(brow + frame[:, 0] * sign * 0.01 * unit, 0.024, Part.BROW, wide=0.075)
            if look.glasses:
                self.blob(eye + frame[:, 2] * 0.05 * unit, 0.095, Part.GLASSES, flat=0.4, wide=0.02)
        if look.glasses:
            self.blob(bridge + frame[:, 2] * 0.06 * unit, 0.02, Part.GLASSES, wide=0.14)
        mouth = nose + frame @ (np.array([0.0, -0.145, -0.055]) * unit)
        self.blob(mouth, 0.028, Part.LIPS, wide=0.085)
        if look.beard:
            self.tube(self.face_point(0, -0.37, 0.2), self.face_point(0, -0.26, 0.19), (0.2, 0.25, 0.245), Part.HAIR, frame,
                      flat=0.86, caps=(0.6, 0.3), relative=unit)  # fmt: skip

    def hair(self) -> None:
        """A cap of hair behind and above the face; long styles fall down the back."""
        look, frame = self.look, self.body.head
        unit = self.figure.unit * self.body.build.head * self.joint_scale("nose")
        if look.hair == "bald":
            return
        self.tube(self.face_point(0, -0.08, -0.095), self.face_point(0, 0.19, -0.055), (0.375, 0.42, 0.40),
                  Part.HAIR, frame, flat=1.03, caps=(0.6, 0.85), relative=unit)  # fmt: skip
        if look.hair == "long":
            fall = self.offset(self.body["neck"], self.body.chest, 0, -0.10 * self.height, -0.055 * self.height)
            self.tube(self.face_point(0, 0.0, -0.17), fall, (0.40, 0.43, 0.34), Part.HAIR, frame, flat=0.55,
                      caps=(0.8, 0.4), relative=unit)  # fmt: skip
            for sign in (1, -1):
                self.tube(self.face_point(sign * 0.34, 0.1, 0.02), self.face_point(sign * 0.36, -0.55, 0.0),
                          (0.10, 0.12, 0.09), Part.HAIR, frame, relative=unit)  # fmt: skip
        elif look.hair == "bun":
            self.blob(self.face_point(0, 0.36, -0.36), 0.20, Part.HAIR)
        elif look.hair == "tail":
            self.tube(self.face_point(0, 0.2, -0.47), self.face_point(0, -0.45, -0.58), (0.10, 0.13, 0.06),
                      Part.HAIR, frame, relative=unit)  # fmt: skip

    def hat(self) -> None:
        """A cap with a peak in front, a brimmed hat, a helmet or a hood."""
        look, frame = self.look, self.body.head
        unit = self.figure.unit * self.body.build.head * self.joint_scale("nose")
        kind = look.hat
        low = {"cap": 0.20, "brim": 0.22, "helmet": 0.02, "hood": -0.2}[kind]
        self.tube(self.face_point(0, low, -0.05), self.face_point(0, 0.24, -0.04), (0.43, 0.44, 0.42), Part.HAT, frame,
                  flat=1.08, caps=(0.2 if kind != "hood" else 0.7, 0.85), relative=unit)  # fmt: skip
        if kind == "cap":
            self.tube(self.face_point(0, 0.21, 0.34), self.face_point(0, 0.17, 0.68), (0.30, 0.31, 0.24), Part.HAT,
                      np.stack([frame[:, 0], -frame[:, 2], frame[:, 1]], axis=1), flat=0.14, caps=(0.3, 0.5),
                      relative=unit)  # fmt: skip
        elif kind == "brim":
            self.tube(self.face_point(0, 0.20, -0.5), self.face_point(0, 0.20, 0.5), (0.5, 0.72, 0.5), Part.HAT,
                      np.stack([frame[:, 0], -frame[:, 2], frame[:, 1]], axis=1), flat=0.09, caps=(0.4, 0.4),
                      relative=unit)  # fmt: skip

    # ---- things --------------------------------------------------------------------------------------
    def thing(self, name: str) -> None:
        """Something carried in a hand."""
        body = self.body
        side = str(self.rng.choice(["left", "right"]))
        hand, elbow, wrist = body[f"{side}_hand"], body[f"{side}_elbow"], body[f"{side}_wrist"]
        forward = body.chest[:, 2]
        along = (wrist - elbow) / (np.linalg.norm(wrist - elbow) + 1e-6)
        unit = self.figure.unit
        aim = along * 0.7 + forward * 0.5 + body.chest[:, 1] * 0.5
        aim = aim / np.linalg.norm(aim)
        frame = body.chest
        if name == "racket":
            head = hand + aim * 0.42 * unit
            self.tube(hand, head, (0.012, 0.010, 0.010), Part.THING_TRIM, frame, foreign=True)
            self.tube(head, head + aim * 0.24 * unit, (0.045, 0.075, 0.05), Part.THING, frame, flat=0.12, foreign=True)
        elif name == "bat":
            self.tube(hand, hand + aim * 0.8 * unit, (0.010, 0.018, 0.022), Part.THING, frame, foreign=True)
        elif name == "ball":
            spot = hand + aim * self.rng.uniform(0.1, 0.6) * unit
            size = float(self.rng.choice([0.025, 0.065, 0.07]))
            self.tube(spot, spot, (size, size, size), Part.THING, frame, foreign=True)
        elif name == "phone":
            up = body.head[:, 1]
            self.tube(hand - up * 0.02 * unit, hand + up * 0.09 * unit, (0.02, 0.02, 0.02), Part.GLASSES, frame, flat=0.3,
                      foreign=True)  # fmt: skip
        elif name == "bag":
            down = np.array([0, 1.0, 0])
            self.tube(hand, hand + down * 0.14 * unit, (0.006, 0.006, 0.006), Part.BAG, frame, foreign=True)
            self.tube(hand + down * 0.16 * unit, hand + down * 0.4 * unit, (0.07, 0.085, 0.085), Part.BAG, frame, flat=0.4,
                      caps=(0.2, 0.3), foreign=True)  # fmt: skip
        elif name == "cup":
            self.tube(hand, hand + body.chest[:, 1] * 0.11 * unit, (0.018, 0.021, 0.023), Part.THING, frame, caps=(0.2, 0.2),
                      foreign=True)  # fmt: skip
        elif name == "umbrella":
            up = np.array([0, -1.0, 0])
            top = hand + up * 0.85 * unit
            self.tube(hand, top, (0.005, 0.005, 0.005), Part.THING_TRIM, frame, foreign=True)
            self.tube(top + up * 0.02 * unit, top + up * 0.04 * unit, (0.28, 0.27, 0.24), Part.THING, np.eye(3), flat=0.9,
                      caps=(0.15, 0.45), foreign=True)  # fmt: skip


def dress(figure: Projected, look: Look, rng: np.random.Generator) -> list[Tube]:
    """All tubes of a figure, in any order: the depth buffer sorts them."""
    return Dresser(figure, look, rng).all()
