"""Boats, ships, carriages and balloons of the sample collection, each in a unit frame."""

from __future__ import annotations

import numpy as np

from imet_tools.sample.arithmetic import cos, sin
from imet_tools.sample.pen import Frame, mix, moved, shift, sided


def boat(f: Frame) -> None:
    """Draw a small boat, with a sail or a rower (width 1.3 of its height)."""
    wood = f.style.colour("wood")
    if f.rng.random() < 0.65:
        sail = shift(f.pick("cloth") if f.rng.random() < 0.4 else f.style.colour("paper"), 0.35)
        f.stroke("48 80, 48 2", wood, 0.03)
        f.shape("50 6, 86 44, 84 66, 50 68", sail, shade=0.4)
        f.shape("45 14, 18 62, 45 66", shift(sail, -0.1), smooth=False)
    else:
        for x in (0.36, 0.60):
            f.shape(moved(x, 0, "-7 80, -5 50, 5 50, 7 80"), f.pick("cloth"))
            f.oval(x, 0.43, 0.045, 0.06, f.pick("skin"), line=0.7)
        f.stroke("58 60, 90 97", wood, 0.03)
    f.shape("0 70, 16 78, 50 80, 84 78, 100 68, 86 93, 50 97, 16 94", wood, shade=0.6)
    f.stroke("4 77, 50 84, 96 76", f.pick("bloom"), 0.03)


def ship(f: Frame) -> None:
    """Draw a three-masted ship under sail."""
    wood, sail = f.style.colour("wood"), shift(f.style.colour("paper"), 0.45)
    for x, top in ((0.28, 0.16), (0.52, 0.03), (0.75, 0.14)):
        f.stroke([(x, 0.78), (x, top)], shift(wood, -0.2), 0.022)
        for k, (y, wide) in enumerate(
            ((top + 0.06, 0.09), (top + 0.22, 0.115), (top + 0.40, 0.13))
        ):
            if y > 0.60:
                continue
            f.shape(
                [
                    (x - wide, y),
                    (x + wide, y),
                    (x + wide * 1.15, y + 0.13),
                    (x + 0.02, y + 0.16),
                    (x - wide * 0.85, y + 0.13),
                ],
                shift(sail, -0.05 * k),
                shade=0.4,
                line=0.8,
            )
        f.shape(moved(x, top, "0 0, -10 2, 0 5"), f.pick("bloom"), smooth=False, line=0.5)
    f.stroke("90 74, 100 60", shift(wood, -0.2), 0.025)
    f.shape("2 60, 14 66, 20 76, 80 76, 96 70, 88 95, 50 98, 12 95", wood, shade=0.6)
    f.stroke("6 78, 50 86, 92 79", f.style.colour("metal"), 0.025)
    for x in np.linspace(0.24, 0.76, 6):
        f.box(x - 0.015, 0.875, x + 0.015, 0.91, f.style.colour("ink"), line=0)


def carriage(f: Frame) -> None:
    """Draw a closed carriage."""
    body = f.pick("cloth")
    f.stroke("10 66, 50 74, 94 62", f.style.colour("wood"), 0.05, line=0.7)
    f.shape("22 14, 76 14, 84 36, 72 68, 28 68, 16 36", body, shade=0.6)
    f.stroke("18 14, 80 14", shift(body, -0.4), 0.05)
    for x in (0.28, 0.54):
        f.box(x, 0.22, x + 0.18, 0.42, mix(f.style.colour("sky"), f.style.colour("ink"), 0.3))
    f.stroke("20 48, 80 48", f.style.colour("metal"), 0.02)
    for x, r in ((0.22, 0.19), (0.78, 0.16)):
        wheel(f, x, 0.99 - r, r * 0.6, r)


def wheel(f: Frame, x: float, y: float, rx: float, ry: float) -> None:
    """Draw a spoked wheel."""
    t = np.linspace(0, 2 * np.pi, 19)
    rim = np.stack([x + rx * cos(t), y + ry * sin(t)], 1)
    f.stroke(rim, f.style.colour("wood"), 0.05, smooth=False, line=0.6)
    for a in t[:-1:3]:
        f.ink([(x, y), (x + rx * cos(a), y + ry * sin(a))], 1.0)
    f.oval(x, y, rx * 0.2, ry * 0.2, f.style.colour("metal"), line=0.6)


def balloon(f: Frame) -> None:
    """Draw a hot-air balloon."""
    first, second = f.pick("cloth"), f.pick("bloom")
    f.oval(0.5, 0.36, 0.47, 0.36, first, shade=0.5)
    for x in (-0.24, 0.0, 0.24):
        f.shape(
            [
                (0.5 + x * 0.3, 0.01),
                (0.5 + x + 0.07, 0.36),
                (0.5 + x * 0.4 + 0.02, 0.71),
                (0.5 + x * 0.4 - 0.02, 0.71),
                (0.5 + x - 0.07, 0.36),
            ],
            second,
            line=0.6,
        )
    for side in (-1, 1):
        f.ink(sided(side, "22 68, 10 88"), 0.8)
    f.box(0.38, 0.87, 0.62, 1.0, f.style.colour("wood"))
