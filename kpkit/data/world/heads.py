"""Heads: skull, face in front, hair behind and above, hats. Sizes are in head heights."""

from __future__ import annotations

import numpy as np

from kpkit.data.world.fitting import Fitting
from kpkit.data.world.looks import Part

Spot = tuple[float, float, float]
SMALL_FACE = 6.5
"""Below this many pixels a head shows no single features, only its sides."""


def _point(fit: Fitting, spot: Spot) -> np.ndarray:
    """A point of the head (left, up, front from its centre) on the picture."""
    return fit.body["head"] + fit.body.head @ (np.array(spot) * fit.head_unit)


def _lump(
    fit: Fitting,
    start: Spot,
    end: Spot,
    radii: Spot,
    part: int,
    flat: float = 1.0,
    caps: tuple[float, float] = (1.0, 1.0),
    level: bool = False,
) -> None:
    """A tube fixed to the head; ``level`` turns its flat side up (brims)."""
    frame = fit.body.head
    if level:
        frame = np.stack([frame[:, 0], -frame[:, 2], frame[:, 1]], axis=1)
    fit.tube(
        _point(fit, start), _point(fit, end), radii, part, frame, flat=flat, caps=caps, relative=fit.head_unit
    )


def _feature(
    fit: Fitting, place: np.ndarray, size: float, part: int, wide: float = 0.0, flat: float = 1.0
) -> None:
    """A small ellipsoid on the face, ``wide`` to either side of a picture point."""
    frame = fit.body.head
    reach = frame[:, 0] * wide * fit.head_unit
    fit.tube(
        place - reach, place + reach, (size, size, size), part, frame[:, [1, 0, 2]], flat=flat,
        relative=fit.head_unit,
    )  # fmt: skip


def head(fit: Fitting) -> None:
    """Skull, jaw, ears and face. The face points sit where the keypoints are."""
    body, look = fit.body, fit.look
    _lump(fit, (0, 0.12, -0.06), (0, 0.15, -0.02), (0.375, 0.375, 0.37), Part.SKIN, 1.12, (1.0, 0.95))
    _lump(fit, (0, -0.30, 0.13), (0, 0.10, 0.06), (0.21, 0.335, 0.355), Part.SKIN, 1.05, (0.85, 0.8))
    for side in ("left", "right"):
        _feature(fit, body[f"{side}_ear"], 0.085, Part.SKIN, flat=0.9)
    nose, bridge = body["nose"], (body["left_eye"] + body["right_eye"]) / 2
    if fit.head_unit >= SMALL_FACE:
        start = bridge + (nose - bridge) * 0.2
        fit.tube(start, nose, (0.035, 0.05, 0.075), Part.SKIN, body.head, relative=fit.head_unit)
    if not look.statue:
        _face(fit, nose, bridge)


def _face(fit: Fitting, nose: np.ndarray, bridge: np.ndarray) -> None:
    """Eyes, brows, mouth, glasses and beard."""
    body, look, unit = fit.body, fit.look, fit.head_unit
    frame = body.head
    fine = unit >= SMALL_FACE
    for side, sign in (("left", 1), ("right", -1)):
        eye = body[f"{side}_eye"]
        if fine:
            _feature(fit, eye, 0.040, Part.WHITE, wide=0.05, flat=0.9)
        _feature(fit, eye + frame[:, 2] * 0.022 * unit, 0.042 if fine else 0.06, Part.IRIS)
        if fine:
            brow = eye + frame @ (np.array([sign * 0.01, 0.105, 0.02]) * unit)
            _feature(fit, brow, 0.024, Part.BROW, wide=0.08)
        if look.glasses:
            _feature(fit, eye + frame[:, 2] * 0.05 * unit, 0.095, Part.GLASSES, wide=0.02, flat=0.4)
    if look.glasses:
        _feature(fit, bridge + frame[:, 2] * 0.06 * unit, 0.02, Part.GLASSES, wide=0.14)
    if fine:
        mouth = nose + frame @ (np.array([0.0, -0.155, -0.055]) * unit)
        _feature(fit, mouth, 0.032, Part.LIPS, wide=0.09)
    if look.beard:
        _lump(fit, (0, -0.37, 0.2), (0, -0.26, 0.19), (0.2, 0.25, 0.245), Part.HAIR, 0.86, (0.6, 0.3))


def stump(fit: Fitting) -> None:
    """The neck of a mannequin without head."""
    fit.tube(
        fit.body["neck"], fit.body["chin"], (0.034, 0.03, 0.03), Part.SKIN, fit.body.chest, caps=(1, 0.3)
    )


def hair(fit: Fitting) -> None:
    """A cap of hair behind and above the face; long styles fall down the back and beside the face."""
    style = fit.look.hair
    if style == "bald":
        return
    _lump(fit, (0, -0.08, -0.105), (0, 0.19, -0.065), (0.375, 0.42, 0.405), Part.HAIR, 1.04, (0.6, 0.85))
    if fit.head_unit >= SMALL_FACE and style != "short":
        for sign in (1, -1):  # a fringe parted in the middle
            _lump(fit, (sign * 0.03, 0.40, 0.22), (sign * 0.33, 0.16, 0.14), (0.08, 0.11, 0.07), Part.HAIR)
    if style == "long":
        fall = fit.offset(fit.body["neck"], fit.body.chest, 0, -0.10 * fit.height, -0.055 * fit.height)
        fit.tube(
            _point(fit, (0, 0.0, -0.17)), fall, (0.40, 0.43, 0.34), Part.HAIR, fit.body.head, flat=0.55,
            caps=(0.8, 0.4), relative=fit.head_unit,
        )  # fmt: skip
        for sign in (1, -1):
            _lump(fit, (sign * 0.34, 0.1, 0.02), (sign * 0.36, -0.55, 0.0), (0.10, 0.12, 0.09), Part.HAIR)
    elif style == "bun":
        _lump(fit, (0, 0.34, -0.40), (0, 0.36, -0.42), (0.2, 0.2, 0.2), Part.HAIR)
    elif style == "tail":
        _lump(fit, (0, 0.2, -0.47), (0, -0.45, -0.58), (0.10, 0.13, 0.06), Part.HAIR)


def hat(fit: Fitting) -> None:
    """A cap with a peak in front, a brimmed hat, a helmet or a hood."""
    kind = fit.look.hat
    if not kind:
        return
    low = {"cap": 0.20, "brim": 0.22, "helmet": 0.05, "hood": -0.2}[kind]
    start = 0.7 if kind == "hood" else 0.2
    _lump(fit, (0, low, -0.05), (0, 0.24, -0.04), (0.43, 0.44, 0.42), Part.HAT, 1.08, (start, 0.85))
    if kind == "cap":
        _lump(
            fit, (0, 0.21, 0.34), (0, 0.17, 0.68), (0.30, 0.31, 0.24), Part.HAT, 0.14, (0.3, 0.5), level=True
        )
    elif kind == "brim":
        _lump(fit, (0, 0.2, -0.5), (0, 0.2, 0.5), (0.5, 0.72, 0.5), Part.HAT, 0.09, (0.4, 0.4), level=True)
