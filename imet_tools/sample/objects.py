"""Arms, instruments, jewels and furniture of the sample collection, each in a unit frame."""

from __future__ import annotations

import numpy as np

from imet_tools.sample.arithmetic import cos, sin
from imet_tools.sample.pen import Frame, mix, moved, shift, sided


def sword(f: Frame) -> None:
    """Draw a sword, point up (width a quarter to a third of its height)."""
    steel = mix(shift(f.style.colour("stone"), 0.3), (205, 212, 220), 0.5)
    f.shape("36 78, 36 10, 50 0, 64 10, 64 78", steel, smooth=False, line=0.9)
    f.ink("50 6, 50 76", 0.6)
    f.stroke("0 79, 100 79", f.style.colour("metal"), 0.045, line=0.8)
    f.stroke("50 80, 50 95", f.style.colour("wood"), 0.05, line=0.7)
    f.oval(0.5, 0.97, 0.17, 0.03, f.style.colour("metal"), line=0.7)


def spear(f: Frame) -> None:
    """Draw a spear, point up."""
    f.stroke("50 12, 50 100", f.style.colour("wood"), 0.022, line=0.5)
    f.shape("50 0, 95 10, 50 16, 5 10", shift(f.style.colour("stone"), 0.2), smooth=False, line=0.8)


def dagger(f: Frame) -> None:
    """Draw a dagger, point down, with a jewelled hilt."""
    steel = mix(shift(f.style.colour("stone"), 0.3), (205, 212, 220), 0.5)
    f.shape("32 36, 68 36, 66 72, 50 100, 34 72", steel, smooth=False)
    f.ink("50 38, 50 92", 0.7)
    f.stroke("2 34, 98 34", f.style.colour("metal"), 0.055, line=0.9)
    f.stroke("50 8, 50 32", f.pick("cloth"), 0.10, line=0.9)
    f.oval(0.5, 0.06, 0.22, 0.055, f.style.colour("metal"))
    f.oval(0.5, 0.34, 0.12, 0.03, f.style.colour("bloom"), line=0.5)


def shield(f: Frame) -> None:
    """Draw a round shield with a device."""
    f.oval(0.5, 0.5, 0.49, 0.49, f.pick("cloth"), shade=0.5)
    f.oval(0.5, 0.5, 0.38, 0.38, f.style.colour("metal"), line=0.8)
    device = f.pick("bloom")
    t = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    star = 0.3 * (1 - 0.5 * (np.arange(16) % 2))
    f.shape(np.stack([0.5 + star * cos(t), 0.5 + star * sin(t)], 1), device, smooth=False)


def helmet(f: Frame) -> None:
    """Draw a helmet with visor and plume."""
    steel = mix(f.style.colour("metal"), (150, 156, 166), 0.55)
    f.stroke("20 34, 30 6, 60 2, 86 18", f.style.colour("bloom"), 0.16, 0.5, line=0.9)
    f.shape("10 62, 14 30, 40 14, 70 22, 86 46, 90 70, 66 80, 62 98, 16 98", steel, shade=0.9)
    f.shape("46 50, 84 44, 97 60, 74 74, 48 68", shift(steel, 0.15))
    for y in (0.55, 0.61):
        f.ink([(0.60, y + 0.02), (0.88, y)], 1.5)
    f.oval(0.44, 0.58, 0.05, 0.05, f.style.colour("metal"))


def flag(f: Frame) -> None:
    """Draw a flag on its staff."""
    first, second = f.pick("cloth"), f.pick("bloom")
    f.stroke("8 100, 8 2", f.style.colour("wood"), 0.028, line=0.5)
    wave = [(0.10, 0.04), (0.40, 0.10), (0.70, 0.02), (0.98, 0.08)]
    low = [(0.96, 0.48), (0.70, 0.40), (0.40, 0.50), (0.10, 0.44)]
    f.shape([*wave, *low], first)
    f.stroke("11 24, 40 30, 70 21, 95 28", second, 0.12)
    f.oval(0.08, 0.02, 0.04, 0.02, f.style.colour("metal"), line=0.5)


def book(f: Frame) -> None:
    """Draw an open book (twice as wide as high)."""
    page = shift(f.style.colour("paper"), 0.6)
    f.shape("0 14, 50 24, 100 14, 100 94, 50 100, 0 94", f.pick("cloth"), smooth=False)
    for side in (-1, 1):
        f.shape(sided(side, "0 12, 25 0, 47 8, 47 84, 25 78, 0 92"), page, line=0.8)
        for k in range(5):
            y = 0.18 + 0.13 * k
            f.ink(
                [
                    (0.5 + side * 0.08, y + 0.06),
                    (0.5 + side * 0.25, y),
                    (0.5 + side * 0.41, y + 0.03),
                ],
                0.6,
            )
    f.ink("50 12, 50 92", 1.0)


def fan(f: Frame) -> None:
    """Draw an open folding fan (width 1.6 of its height)."""
    colour, other = f.pick("cloth"), f.pick("bloom")
    t = np.linspace(np.pi * 1.06, np.pi * 1.94, 13)
    outer = np.stack([0.5 + 0.5 * cos(t), 0.95 + 0.93 * sin(t)], 1)
    inside = np.stack([0.5 + 0.2 * cos(t), 0.95 + 0.38 * sin(t)], 1)
    for k in range(12):
        f.shape(
            [inside[k], outer[k], outer[k + 1], inside[k + 1]],
            shift(colour, 0.12 * (k % 2)),
            smooth=False,
            line=0.6,
        )
    for point in inside[::2]:
        f.stroke([(0.5, 0.97), tuple(point)], f.style.colour("wood"), 0.025, line=0.3, smooth=False)
    band = np.stack([0.5 + 0.36 * cos(t), 0.95 + 0.68 * sin(t)], 1)
    for x, y in band[1:-1:3]:
        f.oval(x, y, 0.05, 0.08, other, line=0.5)
    f.oval(0.5, 0.96, 0.025, 0.035, f.style.colour("metal"), line=0.5)


def flute(f: Frame) -> None:
    """Draw a flute, held level."""
    f.stroke("0 70, 100 30", f.style.colour("wood"), 0.32, 0.9, line=0.7)
    for x in (0.5, 0.62, 0.74, 0.86):
        f.oval(x, 0.7 - 0.4 * x, 0.018, 0.09, f.style.colour("ink"), line=0)


def lute(f: Frame) -> None:
    """Draw a lute, neck up (half as wide as high)."""
    wood = f.style.colour("wood")
    f.stroke("50 55, 50 8", shift(wood, -0.3), 0.065, line=0.8)
    f.stroke("50 8, 78 3", shift(wood, -0.3), 0.05, 0.6, line=0.7)
    f.shape("50 42, 74 56, 94 80, 50 100, 6 80, 26 56", shift(wood, 0.25), shade=0.6)
    f.oval(0.5, 0.72, 0.15, 0.075, shift(wood, -0.5))
    f.stroke("34 89, 66 89", shift(wood, -0.5), 0.025)
    for dx in (-0.05, 0.0, 0.05):
        f.ink([(0.5 + dx * 0.7, 0.10), (0.5 + dx * 1.5, 0.89)], 0.5, fill=f.style.colour("paper"))


def violin(f: Frame) -> None:
    """Draw a violin, neck up."""
    wood = mix(f.style.colour("wood"), (150, 70, 30), 0.4)
    f.stroke("50 50, 50 4", shift(wood, -0.4), 0.05, line=0.7)
    f.oval(0.5, 0.04, 0.09, 0.035, shift(wood, -0.3))
    f.shape(
        "50 42, 80 45, 82 58, 66 68, 88 80, 86 95, 50 100, 14 95, 12 80, 34 68, 18 58, 20 45",
        wood,
        shade=0.6,
    )
    for side in (-1, 1):
        f.ink(sided(side, "17 64, 13 70, 18 77"), 1.3)
        f.ink(sided(side, "3 8, 5 84"), 0.5)
    f.stroke("36 80, 64 80", shift(wood, -0.5), 0.02)
    f.stroke("96 20, 98 96", shift(wood, -0.5), 0.022)


def harp(f: Frame) -> None:
    """Draw a harp."""
    gold = f.style.colour("metal")
    for k in range(9):
        x = 0.22 + 0.068 * k
        f.ink([(x, 0.14 + 0.10 * sin(k / 8 * np.pi)), (x, 0.90 - 0.078 * k)], 0.6)
    f.stroke("14 97, 90 20", shift(f.style.colour("wood"), 0.1), 0.13, 0.55, line=0.9)
    f.stroke("14 97, 12 50, 14 6", gold, 0.065, line=0.9)
    f.stroke("12 8, 36 22, 62 20, 92 22", gold, 0.08, line=0.9)
    f.oval(0.12, 0.06, 0.09, 0.055, gold)
    f.shape("2 100, 6 93, 34 93, 38 100", gold, smooth=False)


def drum(f: Frame) -> None:
    """Draw a drum with its cords."""
    body = f.pick("bloom")
    f.box(0.08, 0.22, 0.92, 0.82, body, shade=0.6)
    f.oval(0.5, 0.82, 0.42, 0.16, body, shade=0.6)
    for k in range(6):
        x = 0.10 + 0.80 * k / 6
        f.ink(
            moved(x, 0, "0 28, 6.7 88, 13.3 28"),
            0.9,
            smooth=False,
            fill=shift(f.style.colour("paper"), 0.4),
        )
    f.oval(0.5, 0.22, 0.44, 0.18, shift(f.style.colour("paper"), 0.4))
    f.stroke("40 22, 96 0", f.style.colour("wood"), 0.045, 0.6, line=0.6)
    f.stroke("58 20, 5 2", f.style.colour("wood"), 0.045, 0.6, line=0.6)


def mirror(f: Frame) -> None:
    """Draw a hand mirror."""
    gold = f.style.colour("metal")
    f.stroke("50 60, 50 98", gold, 0.075, 0.7, line=0.9)
    f.oval(0.5, 0.33, 0.48, 0.32, gold)
    f.oval(0.5, 0.33, 0.39, 0.26, mix(f.style.colour("water"), (225, 235, 240), 0.6), shade=0.5)
    f.stroke("32 40, 54 16", (245, 248, 250), 0.03)
    f.stroke("44 44, 64 22", (245, 248, 250), 0.02)


def clock(f: Frame) -> None:
    """Draw a standing clock."""
    wood, gold = f.style.colour("wood"), f.style.colour("metal")
    f.shape("6 98, 12 42, 20 16, 50 4, 80 16, 88 42, 94 98", wood, shade=0.6)
    f.oval(0.5, 0.42, 0.31, 0.26, gold)
    f.oval(0.5, 0.42, 0.26, 0.215, shift(f.style.colour("paper"), 0.6), line=0.6)
    for k in range(12):
        a = k * np.pi / 6
        f.ink(
            [
                (0.5 + 0.20 * cos(a), 0.42 + 0.165 * sin(a)),
                (0.5 + 0.24 * cos(a), 0.42 + 0.195 * sin(a)),
            ],
            1.0,
        )
    a, b = f.rng.uniform(0, 6.28, 2)
    f.ink([(0.5, 0.42), (0.5 + 0.12 * cos(a), 0.42 + 0.10 * sin(a))], 1.8)
    f.ink([(0.5, 0.42), (0.5 + 0.19 * cos(b), 0.42 + 0.16 * sin(b))], 1.2)
    f.box(0.34, 0.76, 0.66, 0.90, gold, line=0.7)


def mask(f: Frame) -> None:
    """Draw a mask."""
    face, ink = f.pick("bloom"), f.style.colour("ink")
    f.shape("50 2, 88 12, 95 45, 78 85, 50 99, 22 85, 5 45, 12 12", face, shade=0.6)
    for side in (-1, 1):
        f.shape(sided(side, "10 42, 24 34, 36 42, 24 47"), ink)
        f.stroke(sided(side, "8 30, 24 20, 38 28"), ink, 0.045, 0.5)
        f.oval(0.5 + side * 0.27, 0.60, 0.09, 0.07, f.pick("cloth"), line=0.6)
        f.oval(0.5 + side * 0.50, 0.50, 0.06, 0.10, f.style.colour("metal"))
    f.shape("46 40, 54 40, 60 62, 40 62", shift(face, -0.2))
    f.shape("28 72, 50 68, 72 72, 50 88", ink)
    f.stroke("32 74, 68 74", shift(f.style.colour("paper"), 0.6), 0.035)


def skull(f: Frame) -> None:
    """Draw a skull."""
    bone, ink = shift(f.style.colour("paper"), 0.35), f.style.colour("ink")
    f.shape("50 2, 88 14, 95 46, 78 66, 72 96, 28 96, 22 66, 5 46, 12 14", bone, shade=0.7)
    for x in (0.31, 0.69):
        f.oval(x, 0.46, 0.13, 0.13, shift(ink, 0.05))
    f.shape("50 56, 57 70, 43 70", shift(ink, 0.05), smooth=False)
    f.ink("28 80, 72 80", 1.0)
    for x in np.linspace(0.34, 0.66, 5):
        f.ink([(x, 0.75), (x, 0.93)], 0.9)


def coin(f: Frame) -> None:
    """Draw a struck coin with a head in profile."""
    metal = f.style.colour("metal")
    f.oval(0.5, 0.5, 0.49, 0.49, metal, shade=0.7)
    dark = shift(metal, -0.3)
    for k in range(36):
        a = k * np.pi / 18
        f.oval(0.5 + 0.43 * cos(a), 0.5 + 0.43 * sin(a), 0.016, 0.016, dark, line=0)
    f.shape(
        "42 22, 58 22, 64 34, 72 48, 65 51, 66 60, 60 66, 52 66, 58 80, 32 80, 36 62, 28 42",
        shift(metal, 0.25),
        shade=0.5,
    )
    f.shape("62 30, 52 18, 34 22, 27 42, 36 58, 44 40", dark)
    f.oval(0.60, 0.41, 0.015, 0.015, dark, line=0)


def chair(f: Frame) -> None:
    """Draw a chair."""
    wood, seat = f.style.colour("wood"), f.pick("cloth")
    for x, y in ((0.14, 0.62), (0.84, 0.62), (0.28, 0.56), (0.94, 0.56)):
        f.stroke(
            [(x, y), (x, 0.98 if y > 0.6 else 0.90)],
            shift(wood, 0 if y > 0.6 else -0.25),
            0.05,
            line=0.8,
        )
    f.shape("10 62, 22 5, 50 0, 78 5, 88 62", wood, smooth=False, shade=0.4)
    f.shape("22 54, 30 12, 50 8, 70 12, 76 54", seat, smooth=False)
    f.shape("6 66, 20 54, 94 54, 92 66", seat, smooth=False)


def table(f: Frame) -> None:
    """Draw a table with a cloth (width 1.8 of its height)."""
    wood = f.style.colour("wood")
    for x in (0.12, 0.88):
        f.stroke([(x, 0.2), (x, 0.98)], wood, 0.10, 0.7, line=0.9)
    f.shape("0 22, 10 4, 90 4, 100 22, 98 34, 2 34", wood, smooth=False)
    f.shape(
        "24 22, 30 4, 70 4, 76 22, 72 62, 50 56, 28 62", f.pick("cloth"), smooth=False, shade=0.4
    )


def scarab(f: Frame) -> None:
    """Draw a scarab beetle from above (width 0.8 of its height)."""
    body = f.style.colours["cloth"][1 % len(f.style.colours["cloth"])]
    for side in (-1, 1):
        for y, reach in ((0.30, 0.02), (0.52, 0.5), (0.70, 0.94)):
            f.stroke(
                [
                    (0.5 + side * 0.30, y),
                    (0.5 + side * 0.48, y + 0.1 * (reach - 0.5)),
                    (0.5 + side * 0.46, reach),
                ],
                f.style.colour("ink"),
                0.035,
                0.5,
            )
    f.oval(0.5, 0.64, 0.36, 0.34, body, shade=0.6)
    f.oval(0.5, 0.30, 0.32, 0.15, shift(body, -0.2))
    f.shape("30 16, 36 2, 50 7, 64 2, 70 16, 50 24", shift(body, 0.2), smooth=False)
    f.ink("50 44, 50 96", 1.2)
    for side in (-1, 1):
        f.ink(sided(side, "17 46, 22 90"), 0.7)


def cross(f: Frame) -> None:
    """Draw a cross with jewels."""
    gold = f.style.colour("metal")
    f.shape(
        "40 0, 60 0, 58 24, 96 22, 96 42, 58 40, 60 100, 40 100, 42 40, 4 42, 4 22, 42 24",
        gold,
        smooth=False,
        shade=0.6,
    )
    for x, y in ((0.5, 0.08), (0.14, 0.32), (0.86, 0.32), (0.5, 0.32), (0.5, 0.60), (0.5, 0.90)):
        f.oval(x, y, 0.06, 0.04, f.pick("bloom"), line=0.7)


def arms(f: Frame) -> None:
    """Draw a coat of arms: a quartered shield under a crown."""
    first, second, gold = f.pick("cloth"), f.pick("bloom"), f.style.colour("metal")
    for side in (-1, 1):
        f.stroke(sided(side, "40 92, 52 60, 44 26"), f.pick("leaf"), 0.06, 0.5, line=0.6)
    f.shape("16 24, 84 24, 84 56, 74 80, 50 98, 26 80, 16 56", first, smooth=False)
    f.box(0.5, 0.24, 0.84, 0.58, second, line=0.6)
    f.shape("16 58, 50 58, 50 98, 26 80", second, smooth=False, line=0.6)
    for x, y in ((0.33, 0.41), (0.66, 0.70)):
        f.shape(moved(x, y, "0 -10, 8 0, 0 10, -8 0"), gold, smooth=False, line=0.6)
    f.stroke("56 52, 78 30", gold, 0.05)
    f.stroke("24 66, 46 84", gold, 0.04)
    points = [(0.24, 0.22)]
    for k in range(3):
        points += [(0.22 + 0.28 * k, 0.03), (0.36 + 0.28 * k, 0.13)]
    f.shape([*points[:-1], (0.76, 0.22)], gold, smooth=False)


def necklace(f: Frame) -> None:
    """Draw a necklace with a pendant, laid out flat."""
    t = np.linspace(-0.35, np.pi + 0.35, 23)
    for k, angle in enumerate(t):
        x, y = 0.5 - 0.44 * cos(angle), 0.24 + 0.46 * sin(angle)
        size = 0.030 + 0.018 * sin(max(0.0, angle))
        f.oval(
            x,
            y,
            size,
            size,
            f.style.colour("metal")
            if k % 2
            else f.style.colours["cloth"][1 % len(f.style.colours["cloth"])],
            line=0.7,
        )
    f.shape("50 72, 60 84, 50 99, 40 84", f.style.colour("bloom"), shade=0.5)


def ring(f: Frame) -> None:
    """Draw a finger ring with a stone."""
    t = np.linspace(-1.2, 4.34, 26)
    f.stroke(
        np.stack([0.5 + 0.36 * cos(t), 0.63 + 0.31 * sin(t)], 1),
        f.style.colour("metal"),
        0.10,
        line=0.9,
        smooth=False,
    )
    f.shape("24 22, 36 3, 64 3, 76 22, 50 44", f.pick("bloom"), smooth=False, shade=0.5)
    for points in (((0.24, 0.22), (0.76, 0.22)), ((0.42, 0.04), (0.5, 0.42), (0.58, 0.04))):
        f.ink(points, 0.6, smooth=False)


def key(f: Frame) -> None:
    """Draw a key."""
    iron = mix(f.style.colour("metal"), f.style.colour("ink"), 0.3)
    f.oval(0.5, 0.18, 0.42, 0.17, iron)
    f.oval(0.5, 0.18, 0.22, 0.09, f.style.colour("paper"))
    f.stroke("50 34, 50 98", iron, 0.055, line=0.8)
    f.box(0.54, 0.78, 0.92, 0.84, iron)
    f.box(0.54, 0.90, 0.84, 0.96, iron)
