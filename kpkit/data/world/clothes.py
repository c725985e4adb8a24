"""Trunk and limbs with what is worn on them."""

from __future__ import annotations

import numpy as np

from kpkit.data.world.fitting import Band, Fitting
from kpkit.data.world.looks import Part


def torso(fit: Fitting) -> None:
    """Chest, belly, hips, shoulders and what is printed on them."""
    body, look, g = fit.body, fit.look, fit.girth
    build, h = body.build, fit.height
    loose = look.loose
    shoulder = build.shoulder / h + 0.012
    waist = (0.068 if build.woman else 0.078) * g * loose
    hip = build.hip / h + 0.036 * g
    top_bands = front_bands(fit)
    chest_top = fit.offset(body["neck"], body.chest, 0, -0.10 * build.torso, 0)
    jacket = Part.JACKET if look.closure == "open" else Part.TOP
    fit.tube(chest_top, body["waist"], (shoulder * 0.93, (shoulder + waist) / 2 * 1.02, waist), jacket,
              body.chest, flat=0.58 + 0.1 * (g - 1), caps=(0.45, 0.6), bands=top_bands)  # fmt: skip
    fit.tube(body["waist"], fit.offset(body["pelvis"], body.pelvis, 0, 0.02 * h, 0),
              (waist, (waist + hip) / 2, hip * 0.98), jacket, body.pelvis, flat=0.70, caps=(0.6, 0.3),
              bands=tuple(b for b in top_bands if b[2] and b[4] != Part.EMBLEM))  # fmt: skip
    legwear = Part.LEGWEAR if look.legs or look.skirt else Part.SKIN
    fit.tube(fit.offset(body["pelvis"], body.pelvis, 0, 0.035 * h, 0),
              fit.offset(body["pelvis"], body.pelvis, 0, -0.022 * h, 0),
              (hip * 0.97, hip * 1.04, hip * 0.95), legwear, body.pelvis, flat=0.74, caps=(0.15, 0.55),
              bands=((0.0, 0.16, 0, 9.0, Part.BELT),))  # fmt: skip
    # Shoulders and neck.
    for side in ("left", "right"):
        inner = fit.offset(body["neck"], body.chest, 0, -0.05 * build.torso, 0)
        fit.tube(inner, body[f"{side}_shoulder"], (0.036, 0.038, 0.034), jacket, body.chest, flat=0.9)
    if build.woman and build.age == "adult":
        for sign in (1, -1):
            spot = fit.offset(body["neck"], body.chest, sign * 0.045 * h, -0.40 * build.torso, 0.047 * h)
            fit.tube(spot, spot, (0.038, 0.038, 0.038), jacket, body.chest)
    fit.tube(body["neck"], fit.offset(body["chin"], body.head, 0, 0.02 * h, 0),
              (0.034, 0.03, 0.029), Part.SKIN,
              body.chest, caps=(1, 0.5))  # fmt: skip
    collar = fit.offset(body["neck"], body.chest, 0, -0.004 * h, 0)
    fit.tube(collar, fit.offset(collar, body.chest, 0, -0.018 * h, 0), (0.036, 0.040, 0.046),
              Part.TOP_TRIM if look.closure in ("buttons", "zip", "tie") else Part.TOP, body.chest,
              caps=(0.1, 0.5))  # fmt: skip


def front_bands(fit: Fitting) -> tuple[Band, ...]:
    """What is on the front and the back of the top."""
    look = fit.look
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


def skirt(fit: Fitting) -> None:
    """A cone from the waist over the thighs."""
    body, build = fit.body, fit.body.build
    knees = (body["left_knee"] + body["right_knee"]) / 2
    down = knees - body["pelvis"]
    end = body["pelvis"] + down * min(fit.look.skirt, 1.6)
    spread = float(np.linalg.norm(body["left_knee"] - body["right_knee"])) / (fit.figure.unit * fit.height)
    hip = build.hip / fit.height + 0.044 * fit.girth
    wide = hip + 0.03 + 0.5 * spread * min(fit.look.skirt, 1.0)
    start = fit.offset(body["pelvis"], body.pelvis, 0, 0.05 * fit.height, 0)
    fit.tube(start, end, (hip * 0.86, (hip + wide) / 2, wide), Part.LEGWEAR, body.pelvis, flat=0.85,
              caps=(0.2, 0.12), bands=((0.93, 1.0, 0, 9.0, Part.LEG_TRIM),))  # fmt: skip


def rucksack(fit: Fitting) -> None:
    """On the back: seen from behind it covers the shirt."""
    body, t = fit.body, fit.body.build.torso
    top = fit.offset(body["neck"], body.chest, 0, -0.16 * t, -0.075 * fit.height)
    end = fit.offset(body["neck"], body.chest, 0, -0.66 * t, -0.085 * fit.height)
    fit.tube(top, end, (0.062, 0.078, 0.076), Part.BAG, body.chest, flat=0.62, caps=(0.6, 0.4),
              bands=((0.45, 0.9, -1, 0.6, Part.THING_TRIM),), foreign=True)  # fmt: skip


def arm(fit: Fitting, side: str) -> None:
    """Upper arm, forearm and hand, bare as far as no sleeve covers them."""
    body, frame = fit.body, fit.body.chest
    thick = 0.58 + 0.5 * fit.girth
    p = [fit.joint_scale(f"{side}_{n}") for n in ("shoulder", "elbow", "wrist")]
    upper = np.array([0.036, 0.033, 0.028]) * thick * [p[0], (p[0] + p[1]) / 2, p[1]]
    fore = np.array([0.028, 0.026, 0.019]) * thick * [p[1], (p[1] + p[2]) / 2, p[2]]
    shoulder, elbow = body[f"{side}_shoulder"], body[f"{side}_elbow"]
    wrist, hand = body[f"{side}_wrist"], body[f"{side}_hand"]
    reach, loose = fit.look.sleeve, fit.look.loose
    if reach >= 1:
        fit.tube(shoulder, elbow, _three(upper * 1.12 * loose), Part.SLEEVE, frame)
    else:
        fit.tube(shoulder, elbow, _three(upper), Part.SKIN, frame)
    if 0 < reach < 1:
        end = shoulder + (elbow - shoulder) * reach
        width = upper * np.array([1.0, 1.12, 1.22]) * loose
        hem = ((0.86, 1.0, 0, 9.0, Part.TOP_TRIM),)
        fit.tube(shoulder, end, _three(width), Part.SLEEVE, frame, caps=(1, 0.1), bands=hem)
    if reach < 1.95:
        fit.tube(elbow, wrist, _three(fore), Part.SKIN, frame)
    if reach > 1:
        end = elbow + (wrist - elbow) * (reach - 1) * 0.95
        cuff = ((0.9, 1.0, 0, 9.0, Part.TOP_TRIM),)
        fit.tube(elbow, end, _three(fore * 1.16 * loose), Part.SLEEVE, frame, caps=(1, 0.15), bands=cuff)
    palm = (0.017 * p[2], 0.024 * p[2], 0.016 * p[2])
    fit.tube(wrist + (hand - wrist) * 0.1, hand, palm, Part.SKIN, frame, flat=0.7)
    inward = (
        frame @ np.array([-1.0 if side == "left" else 1.0, 0, 0.5]) * 0.024 * fit.figure.unit * fit.height
    )
    start, tip = wrist + (hand - wrist) * 0.35, wrist + (hand - wrist) * 0.85 + inward
    fit.tube(start, tip, (0.010, 0.009, 0.007), Part.SKIN, frame)


def leg(fit: Fitting, side: str) -> None:
    """Thigh, shin and shoe, with trousers, shorts or socks."""
    body, look, frame = fit.body, fit.look, fit.body.pelvis
    thick = 0.42 + 0.65 * fit.girth
    p = [fit.joint_scale(f"{side}_{n}") for n in ("hip", "knee", "ankle")]
    thigh = np.array([0.056, 0.052, 0.038]) * thick * [p[0], (p[0] + p[1]) / 2, p[1]]
    shin = np.array([0.037, 0.036, 0.023]) * thick * [p[1], (p[1] + p[2]) / 2, p[2]]
    hip, knee = body[f"{side}_hip"], body[f"{side}_knee"]
    ankle, toe, heel = body[f"{side}_ankle"], body[f"{side}_toe"], body[f"{side}_heel"]
    cover, loose = look.legs, look.loose
    if cover >= 1:
        fit.tube(hip, knee, _three(thigh * loose * np.array([1.03, 1.08, 1.12])), Part.LEGWEAR, frame)
    else:
        fit.tube(hip, knee, _three(thigh), Part.SKIN, frame)
    if 0 < cover < 1:
        width = thigh * loose * np.array([1.04, 1.16, 1.3])
        fit.tube(hip, hip + (knee - hip) * cover, _three(width), Part.LEGWEAR, frame, caps=(1, 0.1))
    if cover < 1.9:
        fit.tube(knee, ankle, _three(shin), Part.SKIN, frame)
    if cover > 1:
        end = knee + (ankle - knee) * (cover - 1)
        width = shin * loose * np.array([1.1, 1.12, 1.5 if loose > 1.15 else 1.25])
        fit.tube(knee, end, _three(width), Part.LEGWEAR, frame, caps=(1, 0.12))
    elif not look.statue:
        sock = (0.027 * p[2], 0.025 * p[2], 0.025 * p[2])
        fit.tube(ankle + (knee - ankle) * 0.25, ankle, sock, Part.SOCK, frame, caps=(0.2, 1))
    shoe = 0.026 * p[2]
    fit.tube(heel, toe, (shoe, shoe * 1.12, shoe * 0.8), Part.SHOE, frame, flat=0.9)
    fit.tube(ankle, heel, (shoe * 0.95, shoe, shoe), Part.SHOE, frame)


def _three(radii: np.ndarray) -> tuple[float, float, float]:
    return float(radii[0]), float(radii[1]), float(radii[2])
