"""The camera: a pinhole above the ground, looking up or down a little."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kpkit.data.world.bodies import Body, turn

TO_CAMERA = np.diag([1.0, -1.0, -1.0])
"""A body with yaw 0 faces the camera: its left is picture right, its front points at the viewer."""


@dataclass(frozen=True)
class Camera:
    """A pinhole camera. Camera frame: x right, y down, z away; the ground lies ``height`` below it.

    Attributes:
        width, height_px: picture size, pixels.
        focal: pixels.
        height: metres above the ground.
        horizon: picture row of the horizon; it sets the pitch.
    """

    width: int
    height_px: int
    focal: float
    height: float
    horizon: float

    @property
    def pitch(self) -> float:
        """Degrees the camera looks down."""
        return float(np.rad2deg(np.arctan2((self.height_px - 1) / 2 - self.horizon, self.focal)))

    def project(self, ground: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points of the level frame (x right, y down from the camera, z away along the ground).

        Args:
            ground: (..., 3) metres.

        Returns:
            (..., 3): x, y in pixels and depth in metres; and (...) pixels per metre there.
        """
        points = ground @ turn("x", self.pitch).T
        depth = np.maximum(points[..., 2], 0.15)
        scale = self.focal / depth
        x = (self.width - 1) / 2 + points[..., 0] * scale
        y = (self.height_px - 1) / 2 + points[..., 1] * scale
        return np.stack([x, y, depth], axis=-1), scale

    def spot(self, x: float, distance: float) -> np.ndarray:
        """The ground point ``distance`` metres away that appears at picture column ``x``."""
        tilt = np.deg2rad(self.pitch)
        depth = distance * np.cos(tilt) + self.height * np.sin(tilt)
        return np.array([(x - (self.width - 1) / 2) * depth / self.focal, self.height, distance])

    def place(self, body: Body, yaw: float, spot: np.ndarray) -> Projected:
        """Stand a body on a ground point, turned by ``yaw`` degrees (to its own left), and project it."""
        rotation = TO_CAMERA @ turn("y", yaw)
        level = body.moved(rotation, spot)
        points, scale = self.project(level.points)
        tilt = turn("x", self.pitch)
        middle = float(np.median(scale))
        depth = (points[:, 2] - np.median(points[:, 2])) * middle
        flat = np.column_stack([points[:, :2], depth])
        body = Body(flat, tilt @ level.pelvis, tilt @ level.chest, tilt @ level.head, body.build, body.pose)
        return Projected(body, scale, middle, float(np.linalg.norm(spot[[0, 2]])))


@dataclass
class Projected:
    """A body on the picture.

    Attributes:
        body: points are x, y and depth, all in pixels; rotations are in the camera frame.
        scale: (len(POINTS),) pixels per metre at each point.
        unit: pixels per metre of the body as a whole.
        distance: metres from the camera, for the painting order.
    """

    body: Body
    scale: np.ndarray
    unit: float
    distance: float
