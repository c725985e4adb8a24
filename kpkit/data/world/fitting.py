"""Measures of one projected figure, and the tubes made to them."""

from __future__ import annotations

import numpy as np

from kpkit.data.world.bodies import INDEX, Body
from kpkit.data.world.camera import Projected
from kpkit.data.world.looks import Look
from kpkit.data.world.tubes import Tube

Band = tuple[float, float, int, float, int]


class Fitting:
    """The tubes of one figure as they come together, and the measures to make them.

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
        self.head_unit = figure.unit * self.body.build.head * self.joint_scale("nose")

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
