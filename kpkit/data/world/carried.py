"""Things carried in a hand; they hide the person but are not part of the person's segment."""

from __future__ import annotations

import numpy as np

from kpkit.data.world.fitting import Fitting
from kpkit.data.world.looks import Part

DOWN = np.array([0.0, 1.0, 0.0])


def thing(fit: Fitting, name: str) -> None:
    """Add a ``racket``, ``bat``, ``ball``, ``phone``, ``bag``, ``cup`` or ``umbrella`` to a hand."""
    body, unit, frame = fit.body, fit.figure.unit, fit.body.chest
    side = str(fit.rng.choice(["left", "right"]))
    hand, elbow, wrist = body[f"{side}_hand"], body[f"{side}_elbow"], body[f"{side}_wrist"]
    along = (wrist - elbow) / (np.linalg.norm(wrist - elbow) + 1e-6)
    aim = along * 0.7 + frame[:, 2] * 0.5 + frame[:, 1] * 0.5
    aim = aim / np.linalg.norm(aim) * unit

    def add(
        start: np.ndarray, end: np.ndarray, radii: tuple[float, float, float], part: int, flat: float = 1.0,
        caps: tuple[float, float] = (1.0, 1.0), axes: np.ndarray = frame,
    ) -> None:  # fmt: skip
        fit.tube(start, end, radii, part, axes, flat=flat, caps=caps, foreign=True)

    if name == "racket":
        add(hand, hand + aim * 0.42, (0.012, 0.010, 0.010), Part.THING_TRIM)
        add(hand + aim * 0.42, hand + aim * 0.66, (0.045, 0.075, 0.05), Part.THING, 0.12)
    elif name == "bat":
        add(hand, hand + aim * 0.8, (0.010, 0.018, 0.022), Part.THING)
    elif name == "ball":
        spot = hand + aim * fit.rng.uniform(0.1, 0.6)
        size = float(fit.rng.choice([0.025, 0.065, 0.07]))
        add(spot, spot, (size, size, size), Part.THING)
    elif name == "phone":
        up = body.head[:, 1] * unit
        add(hand - up * 0.02, hand + up * 0.09, (0.02, 0.02, 0.02), Part.GLASSES, 0.3)
    elif name == "bag":
        add(hand, hand + DOWN * 0.14 * unit, (0.006, 0.006, 0.006), Part.BAG)
        top, end = hand + DOWN * 0.16 * unit, hand + DOWN * 0.4 * unit
        add(top, end, (0.07, 0.085, 0.085), Part.BAG, 0.4, (0.2, 0.3))
    elif name == "cup":
        add(hand, hand + frame[:, 1] * 0.11 * unit, (0.018, 0.021, 0.023), Part.THING, 1.0, (0.2, 0.2))
    elif name == "umbrella":
        top = hand - DOWN * 0.85 * unit
        add(hand, top, (0.005, 0.005, 0.005), Part.THING_TRIM)
        dome = top - DOWN * 0.04 * unit
        add(top, dome, (0.28, 0.27, 0.24), Part.THING, 0.9, (0.15, 0.45), np.eye(3))
    else:
        raise ValueError(f"no carried thing named {name!r}")
