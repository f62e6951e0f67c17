"""Painted vessels and lights of the sample collection, each drawn into a unit frame."""

from __future__ import annotations

import numpy as np

from imet_tools.sample.arithmetic import cos, sin
from imet_tools.sample.pen import Colour, Frame, moved, read_points, shift, sided

_VASES = (
    "26 2, 20 10, 17 20, 40 38, 46 54, 34 78, 18 92, 26 99",
    "34 2, 26 8, 22 18, 30 32, 48 50, 44 72, 26 94, 28 99",
    "16 1, 13 14, 14 34, 36 56, 44 76, 32 94, 24 99",
    "40 1, 30 10, 24 30, 34 55, 38 70, 26 90, 32 99",
)


def vase(f: Frame, profile: str | None = None, handles: bool | None = None) -> None:
    """Draw a vase with painted bands.

    `profile` lists half width and height from lip to foot; without it, a shape is chosen.
    """
    side = read_points(profile or _VASES[f.rng.integers(len(_VASES))])
    body, paint = f.style.pick("vessel", f.rng), f.style.pick("glaze", f.rng)
    if handles if handles is not None else f.rng.random() < 0.45:
        for sign in (-1, 1):
            f.stroke(sided(sign, "20 14, 44 16, 40 42"), body, 0.04, line=0.8)
    middle = np.array([0.5, 0])
    left, right = side[::-1] * (-1, 1) + middle, side + middle
    f.shape(np.concatenate([right, left]), body, shade=1.0)
    for y in (side[2, 1] + 0.02, 0.84):
        half = _half_width(side, y)
        f.stroke([(0.5 - half, y), (0.5 + half, y)], paint, 0.022)
    _band(f, side, float(f.rng.uniform(0.50, 0.64)), paint)
    f.oval(0.5, 0.02, side[0, 0], 0.018, shift(body, -0.35), line=0.7)
    glint = [
        (0.5 - _half_width(side, 0.5) * 0.6, 0.42),
        (0.5 - _half_width(side, 0.6) * 0.66, 0.66),
    ]
    f.stroke(glint, shift(body, 0.5), 0.02, 0.4)


def _half_width(side: np.ndarray, y: float) -> float:
    return float(np.interp(y, side[:, 1], side[:, 0]))


def _band(f: Frame, side: np.ndarray, y: float, paint: Colour) -> None:
    """Paint a meander, petals, waves or roundels around the belly."""
    reach, kind = _half_width(side, y) * 0.86, f.rng.integers(4)
    aspect = float(np.hypot(*f.down) / np.hypot(*f.across))
    for dy in (-0.085, 0.085):
        wide = _half_width(side, y + dy) * 0.97
        f.stroke([(0.5 - wide, y + dy), (0.5 + wide, y + dy)], paint, 0.012)
    if kind == 0:  # meander
        step = 0.07 * aspect
        for x in np.arange(0.5 - reach, 0.5 + reach - step * 0.8, step):
            hook = read_points("0 5, 0 -5, 80 -5, 80 2, 40 2, 40 -1") * (step, 1) + (x, y)
            f.ink(hook, 1.2, False, paint)
    elif kind == 1:  # petals
        for x in np.linspace(0.5 - reach, 0.5 + reach, 7):
            f.shape(moved(x, y, "0 -7, 5 0, 0 7, -5 0"), paint, line=0)
    elif kind == 2:  # waves
        x = np.linspace(0.5 - reach, 0.5 + reach, 40)
        for dy in (-0.03, 0.03):
            f.ink(np.stack([x, y + dy + 0.02 * sin((x - 0.5) * 45)], 1), 1.4, False, paint)
    else:  # roundels
        for x in np.linspace(0.5 - reach * 0.85, 0.5 + reach * 0.85, 4):
            f.oval(x, y, 0.045 * aspect, 0.045, paint, line=0)
            f.oval(x, y, 0.022 * aspect, 0.022, f.style.colour("metal"), line=0)


def bottle(f: Frame) -> None:
    """Draw a bottle (width under half of its height)."""
    vase(f, "14 1, 11 6, 11 34, 30 48, 36 60, 36 92, 32 99", handles=False)


def jug(f: Frame) -> None:
    """Draw a jug with one handle and a lip."""
    body = f.style.pick("vessel", f.rng)
    f.stroke("66 14, 98 20, 94 52, 72 64", body, 0.06, line=0.9)
    f.shape("6 10, 24 4, 20 16", body)
    part = f.inner(-0.02, 0.02, 0.88, 0.97)
    vase(part, "28 2, 22 12, 20 24, 42 52, 44 68, 28 92, 32 99", handles=False)


def bowl(f: Frame) -> None:
    """Draw a bowl (width 1.7 of its height)."""
    body, paint = f.style.pick("vessel", f.rng), f.style.pick("glaze", f.rng)
    f.box(0.36, 0.88, 0.64, 0.99, shift(body, -0.2))
    f.shape("0 18, 10 56, 34 90, 66 90, 90 56, 100 18", body, shade=0.9)
    for k in range(8):
        x = 0.16 + 0.097 * k
        f.oval(x, 0.50 + 0.08 * sin((x - 0.5) * np.pi + np.pi / 2), 0.030, 0.085, paint, line=0)
    f.stroke("5 35, 50 46, 95 35", paint, 0.035)
    f.oval(0.5, 0.18, 0.5, 0.17, body)
    f.oval(0.5, 0.18, 0.44, 0.13, shift(body, -0.3), line=0.6)


def cup(f: Frame) -> None:
    """Draw a cup with a handle on its saucer."""
    body, paint = f.style.pick("vessel", f.rng), f.style.pick("glaze", f.rng)
    f.oval(0.45, 0.92, 0.45, 0.08, body)
    f.stroke("72 32, 98 30, 96 60, 66 70", body, 0.07, line=0.9)
    f.shape("10 14, 80 14, 76 56, 58 88, 32 88, 14 56", body, shade=0.8)
    f.stroke("13 34, 45 38, 77 34", paint, 0.03)
    for x in (0.26, 0.45, 0.64):
        f.oval(x, 0.56, 0.06, 0.08, paint, line=0)
    f.oval(0.45, 0.14, 0.36, 0.08, shift(body, -0.25))


def teapot(f: Frame) -> None:
    """Draw a teapot."""
    body, paint = f.style.pick("vessel", f.rng), f.style.pick("glaze", f.rng)
    f.stroke("24 40, 4 36, 6 70, 26 74", body, 0.075, line=0.9)
    f.stroke("72 70, 86 58, 96 30", body, 0.14, 0.45, line=0.9)
    f.shape("36 32, 64 32, 82 60, 68 94, 32 94, 18 60", body, shade=0.9)
    f.shape("34 33, 50 18, 66 33", body)
    f.oval(0.5, 0.15, 0.04, 0.06, paint)
    for x, y in ((0.34, 0.62), (0.5, 0.68), (0.66, 0.62)):
        for k in range(5):
            f.oval(
                x + 0.035 * cos(k * 1.26),
                y + 0.05 * sin(k * 1.26),
                0.022,
                0.03,
                paint,
                line=0,
            )
    f.stroke("24 46, 50 50, 76 46", paint, 0.022)


def dish(f: Frame) -> None:
    """Draw a painted dish seen from above."""
    body, paint = f.style.pick("vessel", f.rng), f.style.pick("glaze", f.rng)
    f.oval(0.5, 0.5, 0.5, 0.5, body, shade=0.5)
    f.oval(0.5, 0.5, 0.45, 0.45, shift(body, 0.1), line=0.5)
    count = int(f.rng.integers(8, 17))
    for k in range(count):
        a = k * 2 * np.pi / count
        f.oval(0.5 + 0.385 * cos(a), 0.5 + 0.385 * sin(a), 0.045, 0.028, paint, tilt=a, line=0)
    f.oval(0.5, 0.5, 0.32, 0.32, paint, line=0.5)
    f.oval(0.5, 0.5, 0.30, 0.30, shift(body, 0.1), line=0)
    petals, other = int(f.rng.integers(5, 9)), f.style.pick("glaze", f.rng)
    for k in range(petals):
        a = k * 2 * np.pi / petals
        f.oval(0.5 + 0.15 * cos(a), 0.5 + 0.15 * sin(a), 0.12, 0.05, other, tilt=a, line=0.6)
    f.oval(0.5, 0.5, 0.06, 0.06, f.style.colour("metal"), line=0.6)


def candlestick(f: Frame) -> None:
    """Draw a candlestick with its burning candle."""
    gold = f.style.colour("metal")
    f.box(0.40, 0.14, 0.60, 0.46, shift(f.style.colour("paper"), 0.6), shade=0.4)
    f.shape("50 0, 60 9, 50 14.5, 40 9", (250, 200, 90), line=0.6)
    f.shape("24 45, 76 45, 60 53, 40 53", gold)
    f.shape("42 52, 58 52, 54 62, 68 68, 54 74, 56 88, 44 88, 46 74, 32 68, 46 62", gold, shade=0.6)
    f.shape("40 87, 60 87, 96 97, 50 100, 4 97", gold, shade=0.6)


def lamp(f: Frame) -> None:
    """Draw an oil lamp with its flame."""
    body = f.style.pick("vessel", f.rng)
    f.shape("93 6, 100 26, 93 38, 87 26", (250, 190, 80), line=0.6)
    f.stroke("16 50, 0 46, 4 74, 20 72", body, 0.07, line=0.8)
    f.shape("12 52, 36 40, 62 44, 90 36, 98 44, 76 70, 46 86, 20 74", body, shade=0.7)
    f.oval(0.40, 0.46, 0.13, 0.07, shift(body, -0.3))
    f.shape("34 84, 56 84, 64 97, 28 97", body, smooth=False)
