"""Trees, flowers and fruit of the sample collection, each drawn into a unit frame."""

from __future__ import annotations

import numpy as np

from imet_tools.sample.arithmetic import cos, sin
from imet_tools.sample.pen import Colour, Frame, mix, moved, shift


def tree(f: Frame) -> None:
    """Draw one of the trees that grow where the style comes from."""
    kinds = f.style.trees
    _TREES[kinds[int(f.rng.integers(len(kinds)))]](f)


def _puff(
    f: Frame,
    x: float,
    y: float,
    rx: float,
    ry: float,
    colour: Colour,
    count: int = 14,
    start: float = 0.0,
    end: float = 2 * np.pi,
) -> None:
    """Draw a cloud of leaves with a scalloped edge."""
    t = np.linspace(start, end, count, endpoint=end < 6)
    bumps = 1 + 0.11 * (np.arange(count) % 2)
    f.shape(
        np.stack([x + rx * bumps * cos(t), y + ry * bumps * sin(t)], 1),
        colour,
        shade=0.5,
        line=0.7,
    )


def _round(f: Frame) -> None:
    bark, leafage = f.style.colour("wood"), f.pick("leaf")
    f.stroke("50 100, 48 70, 50 45", bark, 0.10, 0.6, line=0.8)
    for x, y in ((0.20, 0.36), (0.80, 0.34)):
        f.stroke([(0.49, 0.68), ((x + 0.5) / 2, 0.52), (x, y)], bark, 0.05, 0.3, line=0.5)
    for x, y, r in (
        (0.24, 0.42, 0.23),
        (0.76, 0.40, 0.23),
        (0.5, 0.42, 0.26),
        (0.34, 0.22, 0.24),
        (0.66, 0.21, 0.24),
        (0.5, 0.15, 0.2),
    ):
        x, y = x + f.rng.normal(0, 0.02), y + f.rng.normal(0, 0.015)
        _puff(f, x, y, r, r * 0.72, shift(leafage, float(f.rng.uniform(-0.14, 0.14))))
    for x, y in f.rng.uniform((0.2, 0.1), (0.8, 0.5), (9, 2)):
        f.ink(moved(x, y, "-3 0, 0 2, 3 0"), 0.6, fill=shift(leafage, 0.25))


def _poplar(f: Frame) -> None:
    leafage = f.pick("leaf")
    f.stroke("50 100, 50 70", f.style.colour("wood"), 0.05)
    for k in range(6):
        y = 0.80 - 0.13 * k
        _puff(
            f,
            0.5 + 0.03 * (-1) ** k,
            y,
            0.25 - 0.025 * k,
            0.12,
            shift(leafage, float(f.rng.uniform(-0.12, 0.12))),
            10,
        )


def _fir(f: Frame) -> None:
    leafage = f.pick("leaf")
    f.stroke("50 100, 50 80", f.style.colour("wood"), 0.07)
    for k in range(4):
        top, base, wide = 0.60 - 0.20 * k, 0.92 - 0.18 * k, 0.42 - 0.075 * k
        hem = [
            (0.5 - wide + 2 * wide * j / 6, base + (0.035 if j % 2 else -0.01)) for j in range(7)
        ]
        f.shape(
            [(0.5, max(0.0, top)), *hem[::-1]],
            shift(leafage, -0.1 + 0.05 * k),
            smooth=False,
            shade=0.6,
            line=0.8,
        )


def _cypress(f: Frame) -> None:
    f.stroke("50 85, 50 100", f.style.colour("wood"), 0.06)
    leafage = f.pick("leaf")
    f.shape("50 0, 64 30, 68 66, 50 94, 32 66, 36 30", leafage, shade=0.9)
    for y in (0.3, 0.45, 0.6, 0.75):
        f.ink(moved(0, y, "44 0, 50 -10, 54 -2"), 0.6, fill=shift(leafage, 0.2))


def _pine(f: Frame) -> None:
    bark, leafage = f.style.colour("wood"), f.pick("leaf")
    f.stroke("44 100, 56 74, 42 46, 54 14", bark, 0.085, 0.35, line=0.8)
    for x, y, r in (
        (0.22, 0.54, 0.25),
        (0.80, 0.40, 0.23),
        (0.26, 0.28, 0.24),
        (0.74, 0.64, 0.2),
        (0.60, 0.14, 0.28),
    ):
        f.stroke([(0.5, y + 0.10), (x, y + 0.03)], bark, 0.03, line=0.4)
        _puff(
            f,
            x,
            y + 0.05,
            r,
            0.12,
            shift(leafage, float(f.rng.uniform(-0.1, 0.1))),
            11,
            np.pi,
            2 * np.pi - 0.3,
        )


def _palm(f: Frame) -> None:
    leafage = f.pick("leaf")
    f.stroke("42 100, 46 60, 54 28", f.style.colour("wood"), 0.065, 0.6, line=0.8)
    for y in np.linspace(0.4, 0.95, 8):
        f.ink([(0.43, y), (0.49, y - 0.015)], 0.6)
    for angle in np.linspace(-3.3, 0.16, 10):
        x, y = 0.54 + 0.45 * cos(angle), 0.26 + 0.24 * sin(angle)
        f.shape(
            [
                (0.54, 0.26),
                ((0.54 + x) / 2, y - 0.05),
                (x, y + 0.13),
                ((0.54 + x) / 2 - 0.01, y + 0.05),
            ],
            shift(leafage, float(f.rng.uniform(-0.12, 0.12))),
            line=0.7,
        )
    for dx in (-0.05, 0.0, 0.05):
        f.oval(0.54 + dx, 0.31, 0.035, 0.03, f.style.colour("metal"), line=0.5)


def _bare(f: Frame) -> None:
    """A tree in blossom: all branches."""
    bark, bloom = f.style.colour("wood"), f.pick("bloom")
    f.stroke("40 100, 52 74, 42 52, 54 30", bark, 0.11, 0.3, line=0.8)
    ends = [(0.10, 0.36), (0.92, 0.30), (0.28, 0.10), (0.74, 0.06), (0.88, 0.54)]
    for (x, y), base in zip(ends, (0.56, 0.48, 0.38, 0.34, 0.64), strict=True):
        middle = ((x + 0.48) / 2 + 0.04, (y + base) / 2 + 0.05)
        f.stroke([(0.48, base), middle, (x, y)], bark, 0.05, 0.25, line=0.6)
        for t in f.rng.uniform(0.2, 1.05, 7):
            bx = 0.48 + (x - 0.48) * t + f.rng.normal(0, 0.03)
            f.oval(
                bx,
                base + (y - base) * t + f.rng.normal(0, 0.025),
                0.036,
                0.027,
                shift(bloom, float(f.rng.uniform(0, 0.35))),
                line=0.4,
            )


_TREES = {"round": _round, "poplar": _poplar, "fir": _fir, "cypress": _cypress, "pine": _pine,
          "palm": _palm, "bare": _bare}  # fmt: skip


def blossom(f: Frame, x: float, y: float, size: float, colour: Colour, petals: int = 6) -> None:
    """Draw one flower head at (x, y); `size` is its radius in frame heights."""
    aspect = float(np.hypot(*f.down) / np.hypot(*f.across))
    turn = f.rng.uniform(0, 6)
    for k in range(petals):
        angle = turn + k * 2 * np.pi / petals
        cx, cy = x + 0.62 * size * aspect * cos(angle), y + 0.62 * size * sin(angle)
        t = np.linspace(0, 2 * np.pi, 10, endpoint=False)
        along, wide = 0.5 * size * cos(t), 0.33 * size * sin(t)
        petal = np.stack(
            [
                cx + aspect * (along * cos(angle) - wide * sin(angle)),
                cy + along * sin(angle) + wide * cos(angle),
            ],
            1,
        )
        f.shape(petal, colour, smooth=False, line=0.7)
    f.oval(x, y, 0.3 * size * aspect, 0.3 * size, f.style.colour("metal"), line=0.6)


def leaf(
    f: Frame, start: tuple[float, float], end: tuple[float, float], wide: float = 0.25
) -> None:
    """Draw one leaf from its stalk to its tip."""
    (x, y), (tx, ty) = start, end
    dx, dy = (tx - x) * wide, (ty - y) * wide
    colour = f.pick("leaf")
    f.shape(
        [
            (x, y),
            ((x + tx) / 2 - dy, (y + ty) / 2 + dx),
            (tx, ty),
            ((x + tx) / 2 + dy, (y + ty) / 2 - dx),
        ],
        colour,
        line=0.7,
    )
    f.ink([(x, y), (tx, ty)], 0.5, fill=shift(colour, -0.35))


def flowers(f: Frame) -> None:
    """Draw a spray of flowers on stalks."""
    count = int(f.rng.integers(3, 7))
    heads = [
        (0.5 + 0.40 * sin(a), 0.40 - 0.26 * cos(a) + f.rng.normal(0, 0.04))
        for a in np.linspace(-1.5, 1.5, count)
    ]
    for x, y in heads:
        f.stroke(
            [(0.5, 1.0), (0.5 + (x - 0.5) * 0.35, 0.72), (x, y)], f.pick("leaf"), 0.022, line=0.4
        )
        middle = (0.5 + (x - 0.5) * 0.45, 0.72)
        leaf(f, middle, (middle[0] + f.rng.choice([-0.2, 0.2]), 0.60), 0.3)
    colour = f.pick("bloom")
    for x, y in heads:
        tone = colour if f.rng.random() < 0.6 else f.pick("bloom")
        blossom(f, x, y, f.rng.uniform(0.13, 0.19), tone, int(f.rng.integers(5, 9)))


def leaves(f: Frame) -> None:
    """Draw a leafy branch."""
    path = np.array([(0.04, 0.92), (0.30, 0.66), (0.60, 0.42), (0.96, 0.10)])
    f.stroke(path, f.style.colour("wood"), 0.035, 0.4, line=0.6)
    for t in np.linspace(0.1, 0.95, 7):
        x, y = 0.04 + 0.92 * t, 0.92 - 0.80 * t
        size = 0.30 - 0.10 * t
        leaf(f, (x, y), (x - size * 0.3, y - size), 0.28)
        leaf(f, (x, y), (x + size, y + size * 0.3), 0.28)


def lotus(f: Frame) -> None:
    """Draw an open lotus on its leaves."""
    pink = f.pick("bloom")
    f.stroke("50 60, 48 100", f.pick("leaf"), 0.045, line=0.6)
    for x in (0.22, 0.78):
        f.oval(x, 0.86, 0.22, 0.09, f.pick("leaf"))
    for angle in (-1.25, 1.25, -0.85, 0.85, -0.42, 0.42, 0.0):
        x, y = 0.5 + 0.46 * sin(angle), 0.70 - 0.62 * cos(angle)
        side = 0.10 * cos(angle)
        f.shape(
            [
                (0.5, 0.74),
                ((0.5 + x) / 2 - side - 0.02, (0.72 + y) / 2),
                (x, y),
                ((0.5 + x) / 2 + side + 0.02, (0.72 + y) / 2),
            ],
            shift(pink, f.rng.uniform(0, 0.25)),
        )


def bamboo(f: Frame) -> None:
    """Draw stems of bamboo."""
    for x in f.rng.uniform(0.15, 0.85, 3):
        green, lean = f.pick("leaf"), f.rng.normal(0, 0.06)
        for k in range(6):
            low, high = 1 - k / 6, 1 - (k + 0.93) / 6
            f.stroke(
                [(x + lean * k / 6, low), (x + lean * (k + 1) / 6, high)], green, 0.045, line=0.8
            )
        for _ in range(6):
            y, side = f.rng.uniform(0.05, 0.8), f.rng.choice([-1, 1])
            for k in range(3):
                leaf(f, (x, y), (x + side * (0.20 + 0.08 * k), y + 0.02 + 0.05 * k), 0.12)


def grapes(f: Frame) -> None:
    """Draw a bunch of grapes with a vine leaf."""
    colour = f.pick("cloth")
    f.stroke("50 24, 46 2", f.style.colour("wood"), 0.05, line=0.6)
    for row, count in enumerate((4, 5, 4, 3, 2, 1)):
        for k in range(count):
            x, y = 0.5 + (k - (count - 1) / 2) * 0.17, 0.32 + row * 0.115
            f.oval(x, y, 0.10, 0.075, shift(colour, f.rng.uniform(-0.15, 0.2)), line=0.8)
            f.oval(x - 0.03, y - 0.025, 0.02, 0.014, shift(colour, 0.6), line=0)
    f.shape("46 16, 70 0, 74 12, 96 12, 84 24, 90 38, 68 30, 56 34", f.pick("leaf"), smooth=False)


def fruit(f: Frame) -> None:
    """Draw a pile of apples, pears and peaches."""
    for x, y in (
        (0.20, 0.72),
        (0.80, 0.74),
        (0.50, 0.74),
        (0.36, 0.44),
        (0.66, 0.44),
        (0.52, 0.20),
    ):
        colour = f.pick("bloom") if f.rng.random() < 0.7 else f.style.colour("metal")
        x = x + f.rng.normal(0, 0.015)
        if f.rng.random() < 0.35:
            f.shape(moved(x, y, "0 -26, 8 -10, 15 12, 0 22, -15 12, -8 -10"), colour, shade=0.7)
        else:
            f.oval(x, y, 0.165, 0.20, colour, shade=0.7)
        f.ink([(x, y - 0.17), (x + 0.02, y - 0.27)], 1.2)
        f.oval(x - 0.06, y - 0.07, 0.025, 0.03, shift(colour, 0.55), line=0)


def sunflower(f: Frame) -> None:
    """Draw sunflowers."""
    for x, y in ((0.30, 0.30), (0.70, 0.36), (0.5, 0.14)):
        f.stroke([(0.5, 1.0), (x, y)], f.pick("leaf"), 0.035, line=0.6)
        leaf(f, ((0.5 + x) / 2, 0.66), ((0.5 + x) / 2 + 0.26 * np.sign(x - 0.49), 0.60), 0.35)
    gold = mix(f.style.colour("metal"), (245, 190, 30), 0.6)
    for x, y in ((0.5, 0.16), (0.28, 0.34), (0.72, 0.40)):
        blossom(f, x, y, 0.20, gold, 14)
        f.oval(x, y, 0.11, 0.09, (84, 52, 28))
