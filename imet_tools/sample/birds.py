"""Birds, fish, insects and the dragon of the sample collection, each in a unit frame."""

from __future__ import annotations

import numpy as np

from imet_tools.sample.arithmetic import cos, sin
from imet_tools.sample.pen import Frame, mix, moved, shift, sided


def bird(f: Frame) -> None:
    """Draw a small bird on a twig."""
    body, wing = f.pick("cloth"), f.pick("bloom")
    f.stroke("0 90, 40 84, 100 92", f.style.colour("wood"), 0.045, 0.6, line=0.6)
    for x in (0.15, 0.85):
        f.shape(moved(x, 0, "0 88, 5 76, 14 80"), f.pick("leaf"), line=0.6)
    f.shape("30 56, 2 66, 0 76, 32 70", shift(wing, -0.3))
    for x in (0.46, 0.54):
        f.ink([(x, 0.70), (x + 0.01, 0.86)], 1.2)
    f.shape("22 60, 40 42, 60 34, 64 18, 78 14, 86 26, 80 52, 62 72, 38 74", body, shade=0.5)
    f.shape("84 22, 100 28, 84 32", f.style.colour("metal"), smooth=False)
    f.shape("26 52, 50 42, 64 50, 46 64, 10 70", wing)
    for k in range(3):
        f.ink([(0.30 + 0.08 * k, 0.52), (0.24 + 0.1 * k, 0.63)], 0.6)
    f.oval(0.77, 0.23, 0.022, 0.026, f.style.colour("ink"), line=0)


def crane(f: Frame) -> None:
    """Draw a standing crane (width 0.6 of its height)."""
    white, ink = shift(f.style.colour("paper"), 0.75), f.style.colour("ink")
    for x in (0.46, 0.58):
        f.ink(moved(x, 0, "0 62, 4 80, 0 98"), 1.4, smooth=False)
    f.shape("30 46, 4 56, 0 74, 20 70, 42 60", shift(ink, 0.08))
    f.stroke("66 46, 86 34, 62 22, 72 8", white, 0.055, 0.7, line=0.9)
    f.shape("14 56, 34 40, 66 40, 78 50, 60 66, 30 68", white, shade=0.3)
    f.shape("64 8, 72 4, 80 7, 76 11, 67 12", white)
    f.stroke("78 7.5, 100 10", f.style.colour("wood"), 0.022, 0.3, line=0.4)
    f.oval(0.72, 0.05, 0.06, 0.015, f.style.colour("bloom"), line=0)
    f.ink("68 12, 62 22, 70 27", 1.6)
    for k in range(3):
        f.ink([(0.24 + 0.1 * k, 0.50), (0.18 + 0.12 * k, 0.62)], 0.5)


def duck(f: Frame) -> None:
    """Draw a duck afloat."""
    body, head = f.pick("coat"), f.pick("leaf")
    f.shape("5 50, 24 58, 50 48, 66 56, 80 70, 66 90, 24 88", body, shade=0.4)
    f.shape("58 62, 62 36, 60 20, 72 10, 84 20, 80 40, 80 68", head)
    f.shape("82 20, 100 26, 98 32, 82 32", f.style.colour("metal"))
    f.shape("20 64, 44 56, 62 68, 38 80", shift(body, -0.3))
    f.stroke("62 54, 80 54", shift(f.style.colour("paper"), 0.6), 0.04)
    f.oval(0.75, 0.21, 0.02, 0.026, f.style.colour("paper"), line=0.6)
    f.ink("0 93, 30 89, 60 95, 98 90", 0.8)


def swan(f: Frame) -> None:
    """Draw a swan afloat."""
    white = shift(f.style.colour("paper"), 0.8)
    f.stroke("68 70, 90 50, 70 30, 70 12, 80 8", white, 0.10, 0.7, line=1)
    f.shape("2 46, 20 52, 40 44, 66 56, 84 72, 64 92, 22 88", white, shade=0.35)
    f.shape("8 46, 36 36, 62 56, 44 76, 20 70", white)
    for k in range(3):
        f.ink([(0.18 + 0.07 * k, 0.48), (0.30 + 0.08 * k, 0.70)], 0.5)
    f.shape("74 6, 84 3, 90 10, 80 15", white)
    f.shape("88 7, 100 14, 88 14", f.style.colour("metal"), smooth=False)
    f.ink("0 95, 30 91, 60 96, 98 92", 0.8)


def owl(f: Frame) -> None:
    """Draw an owl that faces us."""
    coat = f.pick("coat")
    f.shape("50 6, 82 10, 90 40, 80 80, 50 94, 20 80, 10 40, 18 10", coat, shade=0.4)
    for side in (-1, 1):
        f.shape(sided(side, "34 36, 46 60, 28 86"), shift(coat, -0.3))
        f.shape(sided(side, "18 12, 40 0, 36 18"), coat, smooth=False)
        f.oval(0.5 + side * 0.19, 0.24, 0.17, 0.11, shift(coat, 0.55))
        f.oval(0.5 + side * 0.18, 0.24, 0.085, 0.055, f.style.colour("metal"))
        f.oval(0.5 + side * 0.18, 0.24, 0.045, 0.03, f.style.colour("ink"), line=0)
    f.shape("44 29, 56 29, 50 38", f.style.colour("wood"), smooth=False)
    for x, y in [(0.4, 0.5), (0.6, 0.5), (0.5, 0.58), (0.36, 0.66), (0.62, 0.66), (0.5, 0.76)]:
        f.ink(moved(x, y, "-5 0, 0 3.5, 5 0"), 0.8)
    for x in (0.4, 0.6):
        f.stroke([(x, 0.92), (x, 1.0)], f.style.colour("metal"), 0.05)


def rooster(f: Frame) -> None:
    """Draw a rooster with a great tail."""
    body, red = f.pick("coat"), f.style.colour("bloom")
    for k, (x, y) in enumerate([(0.0, 0.30), (0.04, 0.12), (0.14, 0.02), (0.26, 0.06)]):
        colour = f.style.colours["leaf"][k % len(f.style.colours["leaf"])]
        f.stroke(
            [(0.34, 0.54), (x + 0.12, y + 0.10), (x, y + 0.12 + 0.06 * k)],
            shift(colour, -0.3),
            0.085,
            0.4,
            line=0.7,
        )
    for x in (0.48, 0.58):
        f.stroke(
            moved(x, 0, "0 74, 1 94, 8 97"), f.style.colour("metal"), 0.028, smooth=False, line=0.4
        )
    f.shape("26 50, 46 52, 62 40, 66 18, 80 16, 84 34, 80 62, 60 80, 36 74", body, shade=0.4)
    f.shape("36 54, 60 52, 64 62, 46 72", shift(body, -0.35))
    f.shape("64 18, 64 6, 70 10, 74 2, 78 10, 84 6, 82 18", red, smooth=False)
    f.shape("80 18, 92 22, 81 26", f.style.colour("metal"), smooth=False)
    f.oval(0.80, 0.32, 0.035, 0.06, red)
    f.oval(0.755, 0.20, 0.02, 0.022, f.style.colour("ink"), line=0)


def peacock(f: Frame) -> None:
    """Draw a peacock with its tail spread."""
    blue = f.style.colours["cloth"][1 % len(f.style.colours["cloth"])]
    green, gold = f.pick("leaf"), f.style.colour("metal")
    for row, radius in ((0, 0.50), (1, 0.38)):
        for angle in np.linspace(-1.45, 1.45, 11 - 2 * row):
            x, y = 0.5 + radius * 0.95 * sin(angle), 0.66 - radius * 1.15 * cos(angle)
            f.stroke([(0.5, 0.72), (x, y)], shift(green, -0.2), 0.05 + 0.02 * row, 1.3, line=0.3)
            f.oval(x, y, 0.052, 0.066, green, line=0.7)
            f.oval(x, y, 0.032, 0.042, gold, line=0)
            f.oval(x, y, 0.016, 0.022, blue, line=0)
    for x in (0.47, 0.54):
        f.ink([(x, 0.88), (x, 0.99)], 1.4)
    f.shape("42 60, 46 34, 46 24, 54 20, 58 28, 56 44, 62 70, 56 90, 44 90, 38 74", blue, shade=0.4)
    f.shape("57 23, 65 27, 57 29", gold, smooth=False)
    f.oval(0.535, 0.25, 0.012, 0.016, shift(f.style.colour("paper"), 0.6), line=0)
    for lean in (-0.04, 0, 0.04):
        f.ink([(0.51, 0.20), (0.51 + lean, 0.11)], 0.6)


def eagle(f: Frame) -> None:
    """Draw an eagle displayed, wings spread (heraldic)."""
    body = mix(f.pick("hair"), f.style.colour("wood"), 0.5)
    for side in (-1, 1):
        for k in range(6):  # flight feathers, the outermost first
            tip = (0.5 + side * (0.49 - 0.055 * k), 0.40 + 0.09 * k)
            root = (0.5 + side * (0.40 - 0.055 * k), 0.10 + 0.04 * k)
            f.stroke(
                [root, (tip[0] + side * 0.0, (root[1] + tip[1]) / 2), tip],
                shift(body, 0.06 * (k % 2)),
                0.085,
                0.45,
                line=0.8,
            )
        f.shape(sided(side, "6 30, 20 10, 40 2, 47 10, 36 26, 20 46, 6 56"), shift(body, 0.12))
        for k in range(3):
            f.ink(
                [
                    (0.5 + side * (0.14 + 0.09 * k), 0.30 - 0.08 * k),
                    (0.5 + side * (0.20 + 0.09 * k), 0.36 - 0.08 * k),
                ],
                0.8,
            )
        f.stroke(sided(side, "7 70, 15 86"), f.style.colour("metal"), 0.05, 0.7, line=0.6)
        for toe in (-0.05, 0.0, 0.05):
            f.ink([(0.5 + side * 0.15, 0.85), (0.5 + side * 0.15 + toe, 0.92)], 1.3)
    for lean in (-0.13, -0.065, 0.0, 0.065, 0.13):
        f.stroke(
            [(0.5 + lean * 0.4, 0.68), (0.5 + lean, 0.97)],
            shift(body, 0.1 * (lean == 0)),
            0.075,
            0.6,
            line=0.7,
        )
    f.shape("42 26, 58 26, 62 50, 50 80, 38 50", body, shade=0.4)
    for x, y in ((0.46, 0.42), (0.54, 0.42), (0.5, 0.50), (0.46, 0.58), (0.54, 0.58)):
        f.ink(moved(x, y, "-2.5 0, 0 3, 2.5 0"), 0.8, fill=shift(body, 0.4))
    f.shape("43 30, 44 12, 52 5, 60 10, 58 30", shift(body, 0.2))
    f.shape("59 10, 70 14, 67 21, 58 17", f.style.colour("metal"))
    f.oval(0.54, 0.12, 0.016, 0.02, shift(f.style.colour("paper"), 0.6), line=0.7)


def fish(f: Frame) -> None:
    """Draw a fish with scales (width 1.8 of its height)."""
    body = f.pick("bloom") if f.rng.random() < 0.6 else f.pick("water")
    fin = shift(body, -0.25)
    f.shape("24 50, 2 14, 8 50, 0 88", fin)
    f.shape("42 24, 50 2, 72 10, 70 26", fin)
    f.shape("48 76, 50 96, 62 78", fin)
    f.shape("18 50, 36 26, 62 16, 86 30, 99 50, 86 70, 62 84, 36 74", body, shade=0.4)
    for row in range(3):
        for column in range(5 - row % 2):
            x, y = 0.36 + 0.085 * (column + 0.5 * (row % 2)), 0.38 + 0.12 * row
            f.ink(moved(x, y, "0 -6, 4 0, 0 6"), 0.6)
    f.ink("80 28, 76 50, 80 72", 0.9)
    f.oval(0.88, 0.42, 0.028, 0.05, shift(f.style.colour("paper"), 0.6), line=0.8)
    f.oval(0.885, 0.42, 0.014, 0.025, f.style.colour("ink"), line=0)


def butterfly(f: Frame) -> None:
    """Draw a butterfly with open wings."""
    upper, lower = f.pick("bloom"), f.pick("cloth")
    for side in (-1, 1):
        f.shape(sided(side, "0 50, 20 52, 40 70, 30 94, 12 88"), lower)
        f.shape(sided(side, "0 46, 18 16, 44 4, 49 30, 32 54"), upper)
        f.oval(0.5 + side * 0.34, 0.24, 0.06, 0.07, shift(upper, 0.5), line=0.7)
        f.oval(0.5 + side * 0.26, 0.74, 0.05, 0.06, shift(lower, -0.4), line=0)
        f.ink(sided(side, "0 28, 8 12, 16 5"), 0.8)
    f.oval(0.5, 0.52, 0.035, 0.26, f.style.colour("ink"), line=0)


def snake(f: Frame) -> None:
    """Draw a coiling snake."""
    skin = f.pick("leaf")
    t = np.linspace(0, 1, 20)
    path = np.stack([0.06 + 0.78 * t, 0.64 + 0.25 * sin(t * 11) * (1 - 0.3 * t)], 1)
    path = np.concatenate([path, [(0.92, 0.38), (0.86, 0.20), (0.90, 0.12)]])
    f.stroke(path[::-1], skin, 0.19, 0.3, line=1)
    spots = f.pick("bloom")
    for x, y in path[1:-2]:
        f.oval(x, y, 0.016, 0.03, spots, line=0)
    f.shape("78 14, 86 1, 98 8, 100 19, 87 24", skin)
    f.oval(0.92, 0.10, 0.016, 0.022, f.style.colour("paper"), line=0.6)
    f.ink("98 15, 100 22", 0.8, fill=f.style.colour("bloom"))


def dragon(f: Frame) -> None:
    """Draw a winding dragon with crest, claws and flame (width 1.5 of its height)."""
    skin, crest = f.pick("leaf"), f.style.colour("bloom")
    t = np.linspace(0, 1, 24)
    path = np.stack([0.04 + 0.72 * t, 0.58 + (0.10 + 0.16 * t) * sin(t * 9.5 + 0.4)], 1)
    path = np.concatenate([path, [(0.80, 0.36), (0.84, 0.26)]])
    ahead = np.gradient(path, axis=0)
    for at, lean in ((5, -1), (9, 1), (16, -1), (20, 1)):
        x, y = path[at]
        f.stroke(
            [(x, y), (x + 0.04 * lean, y + 0.14), (x + 0.09, y + 0.20)], skin, 0.07, 0.6, line=0.8
        )
        for spread in (-0.03, 0.01, 0.05):
            f.ink([(x + 0.08, y + 0.19), (x + 0.10 + spread, y + 0.26)], 1.1)
    for at in range(2, 25):
        x, y = path[at]
        nx, ny = ahead[at][1], -ahead[at][0]
        size = 0.19 / max(np.hypot(nx, ny), 1e-6)
        f.shape(
            [(x - 0.022, y), (x + nx * size * 0.7, y + ny * size), (x + 0.022, y)],
            crest,
            smooth=False,
            line=0.6,
        )
    f.stroke(path[::-1], skin, 0.24, 0.15, line=1)
    for x, y in path[3::2]:
        f.ink(moved(x, y, "-1.2 -3, 1.2 0, -1.2 3"), 0.7)
    f.shape("76 26, 80 12, 92 12, 100 22, 98 30, 90 28, 96 38, 86 40, 78 36", skin)
    for offset in (0.0, 0.06):
        f.stroke(
            [(0.81 + offset, 0.13), (0.74 + offset, 0.04), (0.70 + offset, 0.0)],
            f.style.colour("metal"),
            0.035,
            0.4,
            line=0.7,
        )
    f.oval(0.88, 0.18, 0.022, 0.032, shift(f.style.colour("paper"), 0.5), line=0.8)
    f.oval(0.885, 0.18, 0.01, 0.015, f.style.colour("ink"), line=0)
    f.ink("98 24, 100 36, 96 46", 0.9)


def turtle(f: Frame) -> None:
    """Draw a turtle."""
    skin, shell = f.pick("leaf"), f.style.colour("wood")
    for x in (0.24, 0.66):
        f.stroke([(x, 0.66), (x - 0.06, 0.95)], skin, 0.17, 0.7, line=0.9)
    f.stroke("14 74, 0 84", skin, 0.08, 0.3, line=0.8)
    f.stroke("76 66, 90 46", skin, 0.18, 1.2, line=0.9)
    f.oval(0.91, 0.42, 0.09, 0.14, skin)
    f.oval(0.94, 0.38, 0.015, 0.025, f.style.colour("ink"), line=0)
    f.shape("8 74, 20 34, 46 16, 72 34, 84 72, 46 80", shell, shade=0.4)
    for x in (0.28, 0.46, 0.64):
        f.shape(moved(x, 0, "-8 52, -4 38, 4 38, 8 52, 0 64"), shift(shell, 0.25), smooth=False)


def octopus(f: Frame) -> None:
    """Draw an octopus."""
    skin = f.style.colour("bloom")
    for k, x in enumerate(np.linspace(0.08, 0.92, 8)):
        bend = 0.08 if k % 2 else -0.08
        f.stroke(
            [(0.5 + (x - 0.5) * 0.35, 0.5), (x + bend, 0.72), (x, 0.86), (x - bend, 0.97)],
            skin,
            0.10,
            0.25,
            line=0.9,
        )
    f.shape("30 54, 24 24, 50 4, 76 24, 70 54, 50 60", skin, shade=0.4)
    for x in (0.40, 0.60):
        f.oval(x, 0.42, 0.06, 0.07, shift(f.style.colour("paper"), 0.6))
        f.oval(x, 0.43, 0.025, 0.03, f.style.colour("ink"), line=0)


def crab(f: Frame) -> None:
    """Draw a crab."""
    shell = f.style.colour("bloom")
    for side in (-1, 1):
        for k in range(3):
            y = 0.62 + 0.1 * k
            f.stroke(
                [
                    (0.5 + side * 0.22, y - 0.06),
                    (0.5 + side * 0.40, y),
                    (0.5 + side * 0.42, y + 0.12),
                ],
                shell,
                0.05,
                0.4,
                line=0.8,
                smooth=False,
            )
        f.stroke(sided(side, "22 50, 40 38, 34 20"), shell, 0.08, line=0.8)
        f.shape(sided(side, "26 22, 24 2, 34 12, 46 4, 42 24"), shell)
        f.ink(sided(side, "7 44, 8 32"), 1.2)
        f.oval(0.5 + side * 0.08, 0.31, 0.03, 0.04, f.style.colour("ink"), line=0)
    f.oval(0.5, 0.58, 0.28, 0.20, shell, shade=0.4)


def snail(f: Frame) -> None:
    """Draw a snail."""
    skin, shell = f.style.colour("skin"), f.style.colour("wood")
    f.shape("2 94, 40 78, 74 72, 84 44, 96 46, 94 78, 80 95", skin)
    for lean in (-0.02, 0.07):
        f.ink([(0.88, 0.46), (0.90 + lean, 0.26)], 1.2)
    f.oval(0.42, 0.50, 0.30, 0.36, shell, shade=0.4)
    t = np.linspace(0, 4.5 * np.pi, 40)
    f.ink(np.stack([0.42 + 0.018 * t * cos(t), 0.50 + 0.022 * t * sin(t)], 1), 1.2)
