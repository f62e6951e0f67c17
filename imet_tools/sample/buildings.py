"""Buildings and bridges of the sample collection, each drawn into a unit frame."""

from __future__ import annotations

import numpy as np

from imet_tools.sample.arithmetic import cos, sin
from imet_tools.sample.pen import Frame, mix, moved, shift


def house(f: Frame) -> None:
    """Draw a house with a gable, chimney, door and windows."""
    wall, roof = f.pick("stone"), f.pick("roof")
    f.box(0.66, 0.10, 0.76, 0.36, shift(roof, -0.25))
    f.box(0.08, 0.44, 0.92, 1.0, wall, shade=0.5)
    f.shape("0 48, 22 14, 80 14, 100 48", roof, smooth=False, shade=0.4)
    f.box(0.42, 0.68, 0.58, 1.0, f.style.colour("wood"))
    for x in (0.16, 0.70):
        f.box(x, 0.58, x + 0.14, 0.76, mix(f.style.colour("ink"), f.style.colour("sky"), 0.35))
        f.ink([(x + 0.07, 0.58), (x + 0.07, 0.76)], 0.6)
    for y in (0.25, 0.36):
        f.ink([(0.12, y + 0.04), (0.90, y + 0.04)], 0.4)


def church(f: Frame) -> None:
    """Draw a church with steeple and cross."""
    wall, roof = f.pick("stone"), f.pick("roof")
    f.box(0.34, 0.54, 1.0, 1.0, wall, shade=0.4)
    f.shape("30 56, 42 40, 94 40, 102 56", roof, smooth=False)
    f.box(0.08, 0.36, 0.38, 1.0, shift(wall, 0.1), shade=0.4)
    f.shape("4 37, 23 7, 42 37", roof, smooth=False)
    f.ink("23 8, 23 0", 1.2)
    f.ink("17 3, 29 3", 1.2)
    dark = mix(f.style.colour("ink"), f.style.colour("sky"), 0.3)
    for x in (0.50, 0.68, 0.86):
        f.shape(moved(x, 0, "-5 86, -5 70, 0 63, 5 70, 5 86"), dark, smooth=False, line=0.7)
    f.shape("16 100, 16 84, 23 77, 30 84, 30 100", f.style.colour("wood"), smooth=False)
    f.oval(0.23, 0.52, 0.06, 0.05, dark, line=0.7)


def castle(f: Frame) -> None:
    """Draw a castle with battlements, towers and a gate."""
    wall, roof = f.pick("stone"), f.pick("roof")
    dark = mix(f.style.colour("ink"), wall, 0.25)

    def tower(left: float, right: float, top: float, spire: bool) -> None:
        f.box(left, top, right, 1.0, wall, shade=0.6)
        wide = (right - left) / 5
        for k in (0, 2, 4):
            f.box(left + wide * k, top - 0.06, left + wide * (k + 1), top + 0.01, wall, line=0.7)
        if spire:
            f.shape(
                [
                    (left - 0.02, top - 0.04),
                    ((left + right) / 2, top - 0.28),
                    (right + 0.02, top - 0.04),
                ],
                roof,
                smooth=False,
            )
        f.box(
            (left + right) / 2 - 0.02,
            top + 0.12,
            (left + right) / 2 + 0.02,
            top + 0.24,
            dark,
            line=0,
        )

    tower(0.40, 0.64, 0.34, True)
    tower(0.20, 0.84, 0.58, False)
    tower(0.02, 0.22, 0.42, f.rng.random() < 0.6)
    tower(0.80, 0.98, 0.42, f.rng.random() < 0.6)
    f.shape("43 100, 43 82, 52 72, 61 82, 61 100", dark, smooth=False)
    f.ink("52 8, 52 0", 1.0)


def temple(f: Frame) -> None:
    """Draw a classical temple front with columns and pediment."""
    wall = f.pick("stone")
    f.box(0.10, 0.36, 0.90, 0.92, mix(f.style.colour("ink"), wall, 0.45))
    for x in np.linspace(0.10, 0.90, 6):
        f.box(x - 0.045, 0.38, x + 0.045, 0.90, wall, shade=0.6)
        f.box(x - 0.06, 0.36, x + 0.06, 0.41, wall, line=0.7)
    f.box(0.02, 0.29, 0.98, 0.37, wall)
    f.shape("0 30, 50 4, 100 30", f.pick("roof"), smooth=False)
    f.shape("13 27, 50 9, 87 27", wall, smooth=False, line=0.6)
    f.box(0.03, 0.90, 0.97, 0.95, wall)
    f.box(0.0, 0.95, 1.0, 1.0, shift(wall, -0.1))


def pagoda(f: Frame) -> None:
    """Draw a pagoda with swept roofs."""
    wall, roof = f.pick("stone"), f.pick("roof")
    f.ink("50 14, 50 0", 2.0)
    for k in range(4):
        base, wide = 0.30 + 0.225 * k, 0.20 + 0.055 * k
        f.box(0.5 - wide * 0.8, base - 0.06, 0.5 + wide * 0.8, base + 0.09, wall)
        for x in np.linspace(-0.5, 0.5, 3):
            f.box(
                0.5 + x * wide - 0.03,
                base - 0.02,
                0.5 + x * wide + 0.03,
                base + 0.09,
                f.style.colour("wood"),
                line=0.4,
            )
        f.shape(
            [
                (0.5 - wide - 0.18, base - 0.09),
                (0.5 - wide * 0.8, base - 0.08),
                (0.5 - wide * 0.4, base - 0.18),
                (0.5 + wide * 0.4, base - 0.18),
                (0.5 + wide * 0.8, base - 0.08),
                (0.5 + wide + 0.18, base - 0.09),
                (0.5 + wide, base - 0.02),
                (0.5 - wide, base - 0.02),
            ],
            roof,
        )
    f.box(0.16, 0.97, 0.84, 1.0, shift(wall, -0.2))


def mosque(f: Frame) -> None:
    """Draw a domed hall between minarets."""
    wall, roof = f.pick("stone"), f.pick("roof")
    for x in (0.07, 0.93):
        f.box(x - 0.035, 0.26, x + 0.035, 1.0, wall, shade=0.5)
        f.shape(moved(x, 0, "-5 27, 0 10, 5 27"), roof, smooth=False)
        f.stroke([(x - 0.05, 0.42), (x + 0.05, 0.42)], shift(wall, -0.2), 0.03)
    f.shape("28 52, 24 36, 38 20, 50 10, 62 20, 76 36, 72 52", roof, shade=0.5)
    f.ink("50 11, 50 2", 1.4)
    f.box(0.14, 0.50, 0.86, 1.0, wall, shade=0.4)
    dark = mix(f.style.colour("ink"), roof, 0.3)
    for x, wide, top in ((0.5, 0.11, 0.60), (0.27, 0.06, 0.70), (0.73, 0.06, 0.70)):
        f.shape(
            [
                (x - wide, 1.0),
                (x - wide, top + 0.12),
                (x, top),
                (x + wide, top + 0.12),
                (x + wide, 1.0),
            ],
            dark,
            smooth=False,
        )


def tower(f: Frame) -> None:
    """Draw a tall tower."""
    wall, roof = f.pick("stone"), f.pick("roof")
    f.shape("22 100, 28 24, 72 24, 78 100", wall, smooth=False, shade=0.7)
    f.shape("12 26, 50 0, 88 26", roof, smooth=False)
    for y in (0.36, 0.56, 0.76):
        f.box(0.42, y, 0.58, y + 0.08, mix(f.style.colour("ink"), wall, 0.3), line=0.6)
        f.ink([(0.26, y + 0.13), (0.74, y + 0.13)], 0.7)


def ruin(f: Frame) -> None:
    """Draw broken columns and arches overgrown with leaves."""
    wall = f.pick("stone")
    f.shape("52 100, 52 28, 58 18, 66 24, 78 14, 98 30, 98 100", wall, smooth=False, shade=0.5)
    f.shape(
        "64 100, 64 62, 70 48, 80 46, 87 60, 87 100",
        mix(f.style.colour("sky"), f.style.colour("ink"), 0.35),
    )
    for x, top in ((0.08, 0.12), (0.26, 0.42), (0.40, 0.62)):
        f.shape(
            [
                (x - 0.055, 1.0),
                (x - 0.05, top + 0.04),
                (x - 0.01, top),
                (x + 0.03, top + 0.05),
                (x + 0.05, top + 0.02),
                (x + 0.055, 1.0),
            ],
            shift(wall, 0.1),
            smooth=False,
            shade=0.6,
        )
        f.ink([(x, top + 0.08), (x, 0.98)], 0.5)
    f.box(0.0, 0.08, 0.16, 0.15, wall)
    for x, y in f.rng.uniform((0.5, 0.15), (1.0, 0.35), (8, 2)):
        f.oval(x, y, 0.05, 0.05, f.pick("leaf"), line=0.4)
    f.box(0.14, 0.92, 0.34, 1.0, wall)


def pyramid(f: Frame) -> None:
    """Draw pyramids (twice as wide as high)."""
    stone = f.style.colour("stone")
    for x, wide, top in ((0.76, 0.24, 0.34), (0.40, 0.40, 0.02)):
        f.shape([(x - wide, 1.0), (x, top), (x + wide, 1.0)], stone, smooth=False)
        f.shape(
            [(x + wide * 0.2, 1.0), (x, top), (x + wide, 1.0)], shift(stone, -0.3), smooth=False
        )
        for k in range(1, 6):
            y = top + (1 - top) * k / 6
            f.ink([(x - wide * k / 6, y), (x + wide * k / 6, y)], 0.4)


def windmill(f: Frame) -> None:
    """Draw a windmill."""
    f.shape("24 100, 36 40, 64 40, 76 100", f.pick("stone"), smooth=False, shade=0.7)
    f.shape("32 42, 50 24, 68 42", f.pick("roof"))
    f.box(0.44, 0.80, 0.56, 1.0, f.style.colour("wood"))
    turn = f.rng.uniform(0.2, 1.2)
    for k in range(4):
        a = turn + k * np.pi / 2
        across, down = (
            np.array([cos(a), sin(a) * 0.78]),
            np.array([-sin(a), cos(a) * 0.78]),
        )
        hub = np.array([0.5, 0.37])
        f.stroke([hub, hub + 0.46 * across], f.style.colour("wood"), 0.022)
        f.shape(
            [
                hub + 0.12 * across,
                hub + 0.46 * across,
                hub + 0.46 * across + 0.13 * down,
                hub + 0.12 * across + 0.13 * down,
            ],
            shift(f.style.colour("paper"), 0.4),
            smooth=False,
            line=0.7,
        )


def column(f: Frame) -> None:
    """Draw a fluted column with base and capital."""
    stone = f.pick("stone")
    f.box(0.24, 0.12, 0.76, 0.92, stone, shade=0.7)
    for x in (0.34, 0.45, 0.56, 0.67):
        f.ink([(x, 0.14), (x, 0.90)], 0.7)
    f.box(0.04, 0.0, 0.96, 0.06, stone)
    for x in (0.14, 0.86):
        f.oval(x, 0.09, 0.13, 0.035, stone)
    f.box(0.14, 0.90, 0.86, 0.95, stone)
    f.box(0.04, 0.95, 0.96, 1.0, stone)


def arch(f: Frame) -> None:
    """Draw a triumphal arch."""
    stone = f.pick("stone")
    f.box(0.04, 0.14, 0.96, 1.0, stone, shade=0.5)
    f.box(0.0, 0.08, 1.0, 0.18, shift(stone, 0.1))
    f.box(0.10, 0.0, 0.90, 0.09, stone)
    t = np.linspace(np.pi, 2 * np.pi, 12)
    opening = np.stack([0.5 + 0.22 * cos(t), 0.52 + 0.22 * sin(t)], 1)
    f.shape(
        [(0.28, 1.0), *map(tuple, opening), (0.72, 1.0)],
        mix(f.style.colour("sky"), f.style.colour("ink"), 0.2),
        smooth=False,
    )
    for x in (0.14, 0.86):
        f.box(x - 0.04, 0.28, x + 0.04, 0.96, shift(stone, 0.15), line=0.7)


def tent(f: Frame) -> None:
    """Draw a striped tent."""
    first, second = f.pick("cloth"), shift(f.style.colour("paper"), 0.4)
    edges = np.linspace(0.04, 0.96, 7)
    for k in range(6):
        f.shape(
            [(0.5, 0.14), (edges[k], 0.98), (edges[k + 1], 0.98)],
            first if k % 2 else second,
            smooth=False,
            line=0.7,
        )
    f.shape("50 40, 40 98, 60 98", shift(f.style.colour("ink"), 0.1), smooth=False)
    f.ink("50 14, 50 0", 1.2)
    f.shape("50 0, 66 4, 50 8", f.pick("bloom"), smooth=False, line=0.6)


def bridge(f: Frame) -> None:
    """Draw a bridge: stone arches or an arched wooden one (width 2.4 of its height)."""
    if f.style.dress == "robe" or f.rng.random() < 0.3:
        wood = f.pick("roof")
        t = np.linspace(0, 1, 13)
        deck = np.stack([t, 0.74 - 0.44 * sin(t * np.pi)], 1)
        for x, y in deck[2:-2:2]:
            f.stroke([(x, y), (x, 1.0)], shift(wood, -0.25), 0.06, line=0.7)
        f.stroke(deck, wood, 0.13, line=0.9)
        f.stroke(deck - [0, 0.20], wood, 0.045, line=0.7)
        for x, y in deck:
            f.stroke([(x, y), (x, y - 0.24)], wood, 0.035, line=0.5)
        return
    stone, count = f.pick("stone"), int(f.rng.integers(2, 5))
    f.shape("0 40, 50 16, 100 40, 100 100, 0 100", stone, smooth=False, shade=0.4)
    hole, wide = mix(f.style.colour("water"), f.style.colour("ink"), 0.3), 1 / count
    t = np.linspace(np.pi, 2 * np.pi, 11)
    for k in range(count):
        x = (k + 0.5) * wide
        top = 0.80 - 0.12 * (1 - abs(x - 0.5))
        ring = np.stack([x + wide * 0.38 * cos(t), top + 0.30 * sin(t)], 1)
        f.shape(
            [(x - wide * 0.38, 1.0), *map(tuple, ring), (x + wide * 0.38, 1.0)], hole, smooth=False
        )
    f.stroke("0 40, 50 16, 100 40", shift(stone, 0.2), 0.08, line=0.8, smooth=False)
