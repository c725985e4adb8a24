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
        shape = _Shape.of(tube, self)
        window = shape.window(self.depth.shape)
        if window is None:
            return
        rows, columns = window
        ux, uy = np.float32(shape.axis[0]), np.float32(shape.axis[1])
        dx = np.arange(columns.start, columns.stop, dtype=np.float32)[None] - np.float32(shape.a[0])
        dy = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] - np.float32(shape.a[1])
        forth = dx * ux + dy * uy
        off = dy * ux - dx * uy
        inner = np.clip(forth, 0, np.float32(shape.length))
        over = forth - inner
        t = inner * np.float32(1 / max(shape.length, 1e-3))
        # A parabola through the three half-widths, rounded off at the ends.
        w0, wm, w1 = shape.width
        w = np.float32(w0) + t * (np.float32(4 * wm - 3 * w0 - w1) + t * np.float32(2 * w0 + 2 * w1 - 4 * wm))
        q = over * np.where(over < 0, np.float32(1 / shape.caps[0]), np.float32(1 / shape.caps[1]))
        w *= np.sqrt(np.maximum(1 - q * q, 1e-6))
        # Across the axis: c and s are cosine and sine of the angle round the section, from its widest point.
        c = off / (w * np.float32(shape.broad))
        s2 = 1 - c * c
        s = np.sqrt(np.maximum(s2, 0))
        k1, k2 = shape.deep
        depth = w * (c * np.float32(k1) - s * np.float32(max(abs(k2), 0.25 * tube.flat)))
        depth += np.float32(shape.a[2]) + t * np.float32(shape.b[2] - shape.a[2])
        view = self.depth[rows, columns]
        inside = (s2 > 0) & (depth < view)
        if not inside.any():
            return
        np.copyto(view, depth, where=inside)
        np.copyto(self.shade[rows, columns], self._shade(shape, c, s, q), where=inside)
        facing, place = shape.around(c, s)
        scale = 1 / (tube.metre * self.fine)
        stretch = np.float32(shape.true_length / max(shape.length, 1.0) * scale)
        np.copyto(self.along[rows, columns], forth * stretch, where=inside)
        np.copyto(self.around[rows, columns], place * w * np.float32(scale), where=inside)
        parts = self.part[rows, columns]
        parts[inside] = tube.part
        for start, end, face, half, part in tube.bands:
            low = -np.inf if start <= 0 else start * shape.length
            high = np.inf if end >= 1 else end * shape.length
            band = inside & (forth >= low) & (forth <= high)
            if face:
                band &= (facing * face > 0) & (np.abs(place) < half)
            parts[band] = part

    def _shade(self, shape: _Shape, c: np.ndarray, s: np.ndarray, q: np.ndarray) -> np.ndarray:
        """Brightness: the normal's share of the light is linear in cosine and sine."""
        m1, m2 = shape.lit(self.light)
        tip = np.float32(0.7 * float(shape.axis @ self.light[:2]))
        shade = np.maximum(c * np.float32(m1) + s * np.float32(m2) + q * tip, 0)
        shade *= np.float32(1 - self.ambient)
        # Less of the surroundings' light reaches the rim, where the limb's neighbours are: it sets a sleeve
        # off from a shirt of the same cloth.
        shade += np.float32(0.62 * self.ambient) + np.float32(0.5 * self.ambient) * s
        return shade


@dataclass
class _Shape:
    """A tube on a sheet: what is the same for all its sub-pixels.

    Attributes:
        a, b: (3,) ends in sub-pixels.
        axis: (2,) unit vector along it on the sheet.
        length, true_length: on the sheet, and with depth; sub-pixels.
        width, caps: half-widths and lengths of the round ends, sub-pixels.
        flat: of the tube.
        side, front: (3,) unit vectors of the cross-section, perpendicular to the true axis.
        broad: half the outline's breadth over the half-width.
        angle: (2,) cosine and sine of the widest visible point, round the section from ``side``.
        deep: (2,) depth over half-width for the cosine and sine from there.
    """

    a: np.ndarray
    b: np.ndarray
    axis: np.ndarray
    length: float
    true_length: float
    width: tuple[float, float, float]
    caps: tuple[float, float]
    flat: float
    side: np.ndarray
    front: np.ndarray
    broad: float
    angle: tuple[float, float]
    deep: tuple[float, float]

    @classmethod
    def of(cls, tube: Tube, sheet: Sheet) -> _Shape:
        """Place a tube on a sheet."""
        f = sheet.fine
        a = np.append(sheet.to_fine(tube.a[:2]), tube.a[2] * f)
        b = np.append(sheet.to_fine(tube.b[:2]), tube.b[2] * f)
        length, true_length = float(np.hypot(*(b - a)[:2])), float(np.linalg.norm(b - a)) + 1e-6
        axis = (b - a)[:2] / length if length > 1e-3 else np.array([0.0, 1.0])
        side, front = tube.section()
        across = np.array([-axis[1], axis[0]])
        rn, fn = float(side[:2] @ across), float(front[:2] @ across) * tube.flat
        broad = max(float(np.hypot(rn, fn)), 0.15)
        norm = max(float(np.hypot(rn, fn)), 1e-6)
        cosine, sine = rn / norm, fn / norm
        # A tube that points at the viewer shows its cross-section instead of its length; a ball has no axis.
        section = float(np.hypot(side[:2] @ axis, tube.flat * (front[:2] @ axis)))
        section = 1.0 if true_length < 1e-3 else section
        slant = length / true_length
        w0, wm, w1 = (w * f for w in tube.width)
        caps = (
            max(w0 * float(np.hypot(tube.caps[0] * slant, section)), 0.5),
            max(w1 * float(np.hypot(tube.caps[1] * slant, section)), 0.5),
        )
        sz, fz = float(side[2]), float(front[2]) * tube.flat
        deep = (sz * cosine + fz * sine, -sz * sine + fz * cosine)
        return cls(a, b, axis, length, true_length, (w0, wm, w1), caps, tube.flat, side, front, broad,
                   (cosine, sine), deep)  # fmt: skip

    def window(self, shape: tuple[int, ...]) -> tuple[slice, slice] | None:
        """Rows and columns of a sheet that the tube can touch."""
        pad = max(max(self.width) * max(self.broad, 1.0) * 1.02 + 1, *self.caps) + 1
        low = np.maximum(np.minimum(self.a, self.b)[:2] - pad, 0).astype(int)
        high = np.minimum((np.maximum(self.a, self.b)[:2] + pad).astype(int) + 1, (shape[1], shape[0]))
        if (low >= high).any():
            return None
        return slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))

    @property
    def turn(self) -> float:
        """Which of the two surface points under a sub-pixel is the nearer."""
        return -1.0 if self.deep[1] > 0 else 1.0

    def around(self, c: np.ndarray, s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """-1..1 towards the front, and -1..1 towards ``side``."""
        cosine, sine = np.float32(self.angle[0]), np.float32(self.angle[1])
        turn = np.float32(self.turn)
        return c * sine + s * (turn * cosine), c * cosine - s * (turn * sine)

    def lit(self, light: np.ndarray) -> tuple[float, float]:
        """Light on the surface per cosine and sine."""
        cosine, sine = self.angle
        ls, lf = float(self.side @ light) * self.flat, float(self.front @ light)
        return ls * cosine + lf * sine, self.turn * (-ls * sine + lf * cosine)
