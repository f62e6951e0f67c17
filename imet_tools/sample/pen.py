"""A pen for the sample collection: smooth shapes in unit frames on a supersampled canvas."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from PIL import Image, ImageChops, ImageDraw

from imet_tools.sample.arithmetic import cos, product, sin
from imet_tools.sample.styles import Style

SUPERSAMPLE = 2  # canvas pixels per picture pixel, along one side
Colour = tuple[int, ...]
Points = str | Sequence[Sequence[float] | np.ndarray] | np.ndarray  # a string as in read_points

_ANGLES = np.linspace(0, 2 * np.pi, 22, endpoint=False)
_CIRCLE = np.stack([cos(_ANGLES), sin(_ANGLES)], 1)
_TIMES = np.arange(6)[:, None] ** np.arange(4) * [216, 36, 6, 1]  # 216 (1, t, t^2, t^3), t = k / 6
_SPLINE = _TIMES @ [[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]] / 432  # (6, 4)
_RAMP = Image.linear_gradient("L").transpose(Image.Transpose.ROTATE_90)  # dark left, light right


def shift(colour: Colour, amount: float) -> Colour:
    """Lighten (amount > 0) or darken (amount < 0) an RGB colour; amount in [-1, 1].

    >>> shift((100, 200, 40), -0.5)
    (50, 100, 20)
    """
    goal = 255 if amount > 0 else 0
    return tuple(round(c + (goal - c) * abs(amount)) for c in colour[:3])


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Blend two RGB colours; share 0 gives the first, 1 the second."""
    return tuple(round(a + (b - a) * share) for a, b in zip(first[:3], second[:3], strict=True))


@lru_cache(maxsize=4096)
def read_points(text: str) -> np.ndarray:
    """Read points (K, 2) written as hundredths of a frame: `x y, x y`.

    >>> read_points("0 0, 50 100").tolist()
    [[0.0, 0.0], [0.5, 1.0]]
    """
    return np.array([pair.split() for pair in text.split(",")], dtype=float) / 100


def as_points(points: Points) -> np.ndarray:
    """Return points (K, 2) as an array, whichever way they are written."""
    return read_points(points) if isinstance(points, str) else np.asarray(points, dtype=float)


def moved(x: float, y: float, text: str) -> np.ndarray:
    """Return points that are written as seen from (x, y)."""
    return read_points(text) + np.array([x, y])


def sided(side: int, text: str) -> np.ndarray:
    """Return points written as distances from the middle line: side 1 right of it, -1 left."""
    return read_points(text) * (side, 1) + np.array([0.5, 0.0])


def smooth_curve(points: Points, closed: bool = True) -> np.ndarray:
    """Run a Catmull-Rom spline through points (K, 2); gives about (6 K, 2)."""
    knots = as_points(points)
    if len(knots) < 3:
        return knots
    if closed:
        padded = np.concatenate([knots[-1:], knots, knots[:2]])
    else:
        padded = np.concatenate([2 * knots[:1] - knots[1:2], knots, 2 * knots[-1:] - knots[-2:-1]])
    before, start, end, after = padded[:-3], padded[1:-2], padded[2:-1], padded[3:]
    corners = np.stack([before, start, end, after], 1)  # (K, 4, 2)
    curve = product(_SPLINE, corners).reshape(-1, 2)  # (K * 6, 2)
    return curve if closed else np.concatenate([curve, knots[-1:]])


class Canvas:
    """The picture being drawn: an RGB image `SUPERSAMPLE` times its final size."""

    def __init__(self, width: int, height: int, style: Style, rng: np.random.Generator) -> None:
        self.width, self.height, self.style, self.rng = width, height, style, rng
        size = (width * SUPERSAMPLE, height * SUPERSAMPLE)
        self.image = Image.new("RGB", size, style.colour("paper"))
        self.draw = ImageDraw.Draw(self.image, "RGBA")
        self.notes: list[tuple[str, Frame]] = []  # what was drawn where

    def frame(
        self,
        left: float,
        top: float,
        width: float,
        height: float,
        flip: bool = False,
        tilt: float = 0.0,
    ) -> Frame:
        """Open a unit frame on a box in picture pixels, mirrored or tilted (radians) on demand."""
        across = np.array([cos(tilt), sin(tilt)]) * width
        down = np.array([-sin(tilt), cos(tilt)]) * height
        centre = np.array([left + width / 2, top + height / 2])
        across = -across if flip else across
        return Frame(self, centre - across / 2 - down / 2, across, down)


class Frame:
    """Unit coordinates, (0, 0) top left and (1, 1) bottom right, anywhere on a canvas.

    It remembers the extent of all that was drawn through it and through its inner frames.
    """

    def __init__(
        self,
        canvas: Canvas,
        origin: np.ndarray,
        across: np.ndarray,
        down: np.ndarray,
        outer: Frame | None = None,
    ) -> None:
        self.canvas, self.style, self.rng = canvas, canvas.style, canvas.rng
        self.origin, self.across, self.down, self.outer = origin, across, down, outer
        self.extent = [np.inf, np.inf, -np.inf, -np.inf]
        self.basis = np.array([across, down])
        self.unit = math.hypot(*down.tolist())  # picture pixels of the frame's height

    def inner(
        self, left: float, top: float, width: float, height: float, tilt: float = 0.0
    ) -> Frame:
        """Open a frame inside this one, at a box in this one's coordinates."""
        aspect = math.hypot(*self.across.tolist()) / self.unit
        c, s = cos(tilt), sin(tilt)
        across = width * (c * self.across + s * aspect * self.down)
        down = height * (c * self.down - s / aspect * self.across)
        centre = self.origin + (left + width / 2) * self.across + (top + height / 2) * self.down
        return Frame(self.canvas, centre - across / 2 - down / 2, across, down, self)

    def pick(self, role: str) -> Colour:
        """Choose one of the style's colours of a role, such as `cloth` or `leaf`."""
        return self.style.pick(role, self.rng)

    def place(self, points: Points) -> np.ndarray:
        """Map unit points (K, 2) to canvas pixels and take them into the extent."""
        placed = self.origin + product(as_points(points), self.basis)
        (left, top), (right, bottom) = placed.min(0).tolist(), placed.max(0).tolist()
        frame: Frame | None = self
        while frame is not None:
            box = frame.extent
            frame.extent = [
                min(box[0], left),
                min(box[1], top),
                max(box[2], right),
                max(box[3], bottom),
            ]
            frame = frame.outer
        return placed * SUPERSAMPLE

    def shape(
        self,
        points: Points,
        fill: Colour,
        shade: float = 0.0,
        line: float = 1.0,
        smooth: bool = True,
        ink: Colour | None = None,
    ) -> None:
        """Fill a closed outline; `shade` darkens its right side, `line` scales its ink line."""
        curve = smooth_curve(points) if smooth else as_points(points)
        if self.style.wobble and self.unit > 40:
            curve = curve + self.rng.normal(0, self.style.wobble / self.unit, curve.shape)
        placed = self.place(curve)
        corners = placed.ravel().tolist()
        self.canvas.draw.polygon(corners, fill=fill)
        if shade and self.style.shading:
            self._shade(placed, shade * self.style.shading)
        width = self._width(line)
        if width:
            ink = ink or self.style.colour("ink")
            self.canvas.draw.line(corners + corners[:4], fill=ink, width=width, joint="curve")

    def oval(
        self,
        x: float,
        y: float,
        rx: float,
        ry: float,
        fill: Colour,
        tilt: float = 0.0,
        shade: float = 0.0,
        line: float = 1.0,
        ink: Colour | None = None,
    ) -> None:
        """Fill an ellipse with centre (x, y) and radii in frame units (rx in widths)."""
        c, s = cos(tilt), sin(tilt)
        points = product(_CIRCLE, np.array([[rx * c, rx * s], [-ry * s, ry * c]])) + np.array(
            [x, y]
        )
        self.shape(points, fill, shade, line, smooth=False, ink=ink)

    def box(
        self,
        left: float,
        top: float,
        right: float,
        bottom: float,
        fill: Colour,
        shade: float = 0.0,
        line: float = 1.0,
        ink: Colour | None = None,
    ) -> None:
        """Fill a rectangle given by its corners."""
        corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
        self.shape(corners, fill, shade, line, smooth=False, ink=ink)

    def stroke(
        self,
        points: Points,
        fill: Colour,
        width: float,
        taper: float = 1.0,
        line: float = 0.0,
        smooth: bool = True,
    ) -> None:
        """Draw a band along points; width in frame heights, `taper` times that at its end."""
        curve = smooth_curve(points, closed=False) if smooth else as_points(points)
        placed = self.place(curve)
        ahead = (
            placed[np.minimum(np.arange(len(placed)) + 1, len(placed) - 1)]
            - placed[np.maximum(np.arange(len(placed)) - 1, 0)]
        )
        normal = np.stack([-ahead[:, 1], ahead[:, 0]], 1)
        normal /= np.maximum(np.hypot(*normal.T), 1e-6)[:, None]
        half = np.linspace(1, taper, len(placed))[:, None] * width * self.unit * SUPERSAMPLE / 2
        half = np.maximum(half, 0.6)
        band = np.concatenate([placed + normal * half, (placed - normal * half)[::-1]])
        corners = band.ravel().tolist()
        self.canvas.draw.polygon(corners, fill=fill)
        pixels = self._width(line)
        if pixels:
            ink = self.style.colour("ink")
            self.canvas.draw.line(corners + corners[:2], fill=ink, width=pixels, joint="curve")

    def ink(
        self, points: Points, line: float = 1.0, smooth: bool = True, fill: Colour | None = None
    ) -> None:
        """Draw a thin line of the style's ink (or `fill`) along points."""
        curve = smooth_curve(points, closed=False) if smooth else as_points(points)
        corners = self.place(curve).ravel().tolist()
        width = max(1, round(max(self.style.line, 0.8) * line * SUPERSAMPLE))
        self.canvas.draw.line(
            corners, fill=fill or self.style.colour("ink"), width=width, joint="curve"
        )

    def _width(self, line: float) -> int:
        size = min(1.0, 0.35 + self.unit / 160)  # small things get thinner lines
        return round(self.style.line * line * size * SUPERSAMPLE)

    def _shade(self, placed: np.ndarray, amount: float) -> None:
        low = np.floor(placed.min(0)).astype(int)
        high = np.ceil(placed.max(0)).astype(int) + 1
        width, height = (high - low).tolist()
        if width < 8 or height < 8:
            return
        mask = Image.new("L", (width, height))
        ImageDraw.Draw(mask).polygon((placed - low).ravel().tolist(), fill=255)
        ramp = _RAMP.resize((width, height)).point(lambda v: int(amount * max(0, v - 90) * 1.5))
        dark = Image.new("RGB", (width, height), mix(self.style.colour("ink"), (20, 10, 30), 0.5))
        self.canvas.image.paste(dark, tuple(low.tolist()), ImageChops.multiply(mask, ramp))
