"""The painter's only solid: a tube of elliptic cross-section with rounded ends, drawn with a depth buffer.

A limb, a torso, a skull, an eye and a shoe are all tubes; so what hides what is decided per pixel. The
screen outline of a tube from a to b is swept along its projected axis; across it the surface is solved from
the ellipse, which gives depth, shade and the place on the cloth.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

FAR = np.float32(1e9)


@dataclass
class Tube:
    """One solid.

    Attributes:
        a, b: (3,) ends of the axis: x, y, depth in pixels.
        width: half-width along ``side`` at the start, the middle and the end, pixels.
        part: index into the palette.
        flat: thickness along ``front`` over width along ``side``.
        side, front: (3,) unit vectors of the cross-section in the camera frame.
        caps: length of the two round ends over the half-width there.
        metre: pixels per metre, for the scale of patterns.
        bands: (from, to, facing, half_across, part): repaint where the place along the tube is in
            from..to, and, if ``facing`` is +1 / -1, only on the front / back within ``half_across`` of its
            middle.
        foreign: not part of the person (a racket); kept out of the segment.
    """

    a: np.ndarray
    b: np.ndarray
    width: tuple[float, float, float]
    part: int
    flat: float = 1.0
    side: np.ndarray = field(default_factory=lambda: np.array([1.0, 0, 0]))
    front: np.ndarray = field(default_factory=lambda: np.array([0, 0, -1.0]))
    caps: tuple[float, float] = (1.0, 1.0)
    metre: float = 100.0
    bands: tuple[tuple[float, float, int, float, int], ...] = ()
    foreign: bool = False

    def section(self) -> tuple[np.ndarray, np.ndarray]:
        """``side`` and ``front`` made perpendicular to the axis: an arm held sideways keeps its width."""
        axis = self.b - self.a
        length = float(np.linalg.norm(axis))
        if length < 1e-3:
            return self.side, self.front
        axis = axis / length
        front = self.front - (self.front @ axis) * axis
        if np.linalg.norm(front) < 0.35:
            front = np.cross(self.side, axis)
        front = front / max(float(np.linalg.norm(front)), 1e-6)
        side = self.side - (self.side @ axis) * axis - (self.side @ front) * front
        if np.linalg.norm(side) < 0.2:
            side = np.cross(axis, front)
        return side / np.linalg.norm(side), front

    def reach(self) -> np.ndarray:
        """(4,) left, top, right, bottom that it can cover."""
        r = max(self.width) * max(1.0, self.flat, *self.caps) + 1
        low, high = np.minimum(self.a, self.b)[:2] - r, np.maximum(self.a, self.b)[:2] + r
        return np.concatenate([low, high])


class Sheet:
    """Buffers of one figure: depth, part, shade and place on the cloth, ``fine`` times the picture's grid.

    Args:
        x, y: picture position of its left top corner (pixel corner, not centre).
        width, height: picture pixels.
        fine: sub-pixels per pixel.
        light: (3,) unit vector from the surface towards the light, camera frame.
        ambient: 0..1, the light from everywhere.
    """

    def __init__(
        self, x: int, y: int, width: int, height: int, fine: int, light: np.ndarray, ambient: float
    ) -> None:
        self.x, self.y, self.width, self.height, self.fine = x, y, width, height, fine
        shape = (height * fine, width * fine)
        self.depth = np.full(shape, FAR, np.float32)
        self.part = np.zeros(shape, np.uint8)
        self.shade = np.zeros(shape, np.float32)
        self.along = np.zeros(shape, np.float32)
        self.around = np.zeros(shape, np.float32)
        self.light, self.ambient = light, ambient

    def to_fine(self, points: np.ndarray) -> np.ndarray:
        """Picture x, y (pixel centres at integers) -> this sheet's sub-pixel indices."""
        return (points + 0.5 - (self.x, self.y)) * self.fine - 0.5

    def draw(self, tube: Tube) -> None:
        """Add a tube; nearer surfaces win."""
        f = self.fine
        a, b = tube.a.copy(), tube.b.copy()
        a[:2], b[:2] = self.to_fine(a[:2]), self.to_fine(b[:2])
        a[2], b[2] = a[2] * f, b[2] * f
        axis = b[:2] - a[:2]
        length = float(np.hypot(*axis))
        ux, uy = axis / length if length > 1e-3 else (0.0, 1.0)
        true_length = float(np.linalg.norm(b - a)) + 1e-6
        w0, wm, w1 = (w * f for w in tube.width)
        across = np.array([-uy, ux])
        side, front = tube.section()
        rn, fn = float(side[:2] @ across), float(front[:2] @ across) * tube.flat
        alpha = max(np.hypot(rn, fn), 0.15)
        slant = length / true_length
        # A tube that points at the viewer shows its cross-section instead of its length.
        section = np.hypot(side[:2] @ (ux, uy), tube.flat * (front[:2] @ (ux, uy)))
        if true_length < 1e-3:
            section = 1.0  # a ball has no axis
        cap_a = max(w0 * float(np.hypot(tube.caps[0] * slant, section)), 0.5)
        cap_b = max(w1 * float(np.hypot(tube.caps[1] * slant, section)), 0.5)
        reach = max(w0, wm, w1) * max(alpha, 1.0) * 1.02 + 1
        pad = max(reach, cap_a, cap_b) + 1
        height, width = self.depth.shape
        x0, x1 = max(int(min(a[0], b[0]) - pad), 0), min(int(max(a[0], b[0]) + pad) + 1, width)
        y0, y1 = max(int(min(a[1], b[1]) - pad), 0), min(int(max(a[1], b[1]) + pad) + 1, height)
        if x0 >= x1 or y0 >= y1:
            return
        dx = np.arange(x0, x1, dtype=np.float32)[None] - np.float32(a[0])
        dy = np.arange(y0, y1, dtype=np.float32)[:, None] - np.float32(a[1])
        forth = dx * np.float32(ux) + dy * np.float32(uy)
        off = dx * np.float32(across[0]) + dy * np.float32(across[1])
        inner = np.clip(forth, 0, np.float32(length))
        over = forth - inner
        t = inner * np.float32(1 / max(length, 1e-3))
        # A parabola through the three half-widths.
        w = np.float32(w0) + t * (np.float32(4 * wm - 3 * w0 - w1) + t * np.float32(2 * w0 + 2 * w1 - 4 * wm))
        q = over * np.where(over < 0, np.float32(1 / cap_a), np.float32(1 / cap_b))
        w *= np.sqrt(np.maximum(1 - q * q, 1e-6))
        c = off / (w * np.float32(alpha))
        s2 = 1 - c * c
        inside = s2 > 0
        sn = np.sqrt(np.maximum(s2, 0))
        cosp, sinp = rn / alpha, fn / alpha
        norm = max(np.hypot(cosp, sinp), 1e-6)
        cosp, sinp = cosp / norm, sinp / norm
        sz, fz = float(side[2]), float(front[2]) * tube.flat
        k1, k2 = sz * cosp + fz * sinp, -sz * sinp + fz * cosp
        sign = -1.0 if k2 > 0 else 1.0
        depth = w * (c * np.float32(k1) - sn * np.float32(max(abs(k2), 0.25 * tube.flat)))
        depth += np.float32(a[2]) + t * np.float32(b[2] - a[2])
        view = self.depth[y0:y1, x0:x1]
        inside &= depth < view
        if not inside.any():
            return
        # The normal's share of the light: linear in (c, sn).
        light = self.light
        ls, lf = float(side @ light) * tube.flat, float(front @ light)
        m1, m2 = ls * cosp + lf * sinp, sign * (-ls * sinp + lf * cosp)
        tip = float(ux * light[0] + uy * light[1])
        bright = c * np.float32(m1) + sn * np.float32(m2)
        bright += q * np.float32(0.7 * tip)
        shade = np.maximum(bright, 0)
        shade *= np.float32(1 - self.ambient)
        shade += np.float32(self.ambient) + np.float32(0.12 * self.ambient) * sn
        np.copyto(view, depth, where=inside)
        np.copyto(self.shade[y0:y1, x0:x1], shade, where=inside)
        facing = c * np.float32(sinp) + sn * np.float32(sign * cosp)
        place = c * np.float32(cosp) - sn * np.float32(sign * sinp)
        scale = np.float32(1 / (tube.metre * f))
        np.copyto(self.along[y0:y1, x0:x1], forth * np.float32(true_length / max(length, 1.0)) * scale,
                  where=inside)  # fmt: skip
        np.copyto(self.around[y0:y1, x0:x1], place * w * scale, where=inside)
        parts = self.part[y0:y1, x0:x1]
        parts[inside] = tube.part
        for start, end, face, half, part in tube.bands:
            low = -np.inf if start <= 0 else start * length
            high = np.inf if end >= 1 else end * length
            band = inside & (forth >= low) & (forth <= high)
            if face:
                band &= (facing * face > 0) & (np.abs(place) < half)
            parts[band] = part
