"""Four-legged animals of the sample collection, each drawn into a unit frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from imet_tools.sample.arithmetic import cos, product, sin
from imet_tools.sample.pen import Colour, Frame, mix, moved, read_points, shift


@dataclass(frozen=True)
class Beast:
    """Proportions of a four-legged animal that faces right, in frame units."""

    back: float = 0.34
    belly: float = 0.60
    rump: float = 0.16
    chest: float = 0.72
    head: tuple[float, float] = (0.86, 0.17)
    skull: tuple[float, float] = (0.12, 0.075)
    droop: float = 0.5
    neck: float = 0.10
    leg: float = 0.07
    hump: float = 0.0


_SKULL = "-80 -50, -10 -100, 60 -65, 100 -35, 102 35, 50 55, -10 95, -80 70"


def beast(f: Frame, coat: Colour, kind: Beast) -> None:
    """Draw the body, legs, neck and head of a four-legged animal."""
    middle = (kind.back + kind.belly) / 2
    _legs(f, coat, kind)
    x, y = kind.head
    behind = [(x - 0.10, y), (x - 0.01, y - 0.02), (x, y + 0.06)]
    throat = [(kind.chest + 0.03, middle + kind.neck), (kind.chest - 0.08, middle + 0.05)]
    f.shape([(kind.chest - 0.13, kind.back + 0.04), *behind, *throat], coat)
    top = [(0.5 * (kind.rump + kind.chest), kind.back + 0.025 - kind.hump)]
    top += [(kind.chest - 0.06, kind.back), (kind.chest + 0.03, middle - 0.02)]
    below = [(kind.chest - 0.04, kind.belly), (0.45, kind.belly - 0.015)]
    tail = [(kind.rump - 0.03, middle - 0.02), (kind.rump + 0.06, kind.back)]
    f.shape([*tail, *top, *below, (kind.rump + 0.10, kind.belly - 0.02)], coat, shade=0.5)
    seam = [(kind.chest - 0.10, kind.back + 0.06), (x - 0.07, y + 0.02), (x - 0.02, y + 0.05)]
    f.shape([*seam, (kind.chest - 0.01, middle)], coat, line=0)  # no line between neck and body
    c, s = cos(kind.droop), sin(kind.droop)
    turn = np.array(kind.skull)[:, None] * np.array([[c, s], [-s, c]])
    centre = np.array(kind.head) + 0.01
    f.shape(product(read_points(_SKULL), turn) + centre, coat)
    eye, nostril = centre + product(np.array([[-0.05, -0.3], [0.9, 0.0]]), turn)
    f.oval(eye[0], eye[1], 0.012, 0.014, shift(f.style.colour("ink"), -0.3), line=0)
    f.oval(nostril[0], nostril[1], 0.012, 0.014, shift(coat, -0.55), line=0)


def _legs(f: Frame, coat: Colour, kind: Beast) -> None:
    stride = f.rng.uniform(-0.05, 0.07, 4)
    hips = (kind.chest - 0.10, kind.rump + 0.12, kind.chest - 0.03, kind.rump + 0.05)
    for number, (at, step) in enumerate(zip(hips, stride, strict=True)):
        colour = coat if number > 1 else shift(coat, -0.25)  # the far legs are darker
        knee = (at + step * 0.9 + 0.01, (kind.belly + 1) / 2)
        leg = [(at, (kind.back + kind.belly) / 2 + 0.05), knee, (at + step * 0.7, 0.97)]
        f.stroke(leg, colour, kind.leg * 1.5, 0.5, line=0.9)
        f.oval(at + step * 0.7 + 0.012, 0.975, kind.leg * 0.36, 0.02, shift(coat, -0.6), line=0.4)


def _ears(f: Frame, at: tuple[float, float], coat: Colour, height: float, lean: float = 0) -> None:
    x, y = at
    for dx, colour in ((0.0, shift(coat, -0.2)), (0.035, coat)):
        f.shape(
            [(x + dx - 0.02, y), (x + dx + lean, y - height), (x + dx + 0.02, y + 0.005)],
            colour,
            smooth=False,
            line=0.7,
        )


def horse(f: Frame) -> None:
    """Draw a horse facing right (width 1.25 of its height)."""
    coat = f.pick("coat")
    mane = shift(f.pick("hair"), 0.05)
    f.shape("17 38, 8 42, 2 60, 5 80, 9 62, 17 48", mane)
    beast(
        f, coat, Beast(back=0.36, belly=0.60, head=(0.84, 0.17), skull=(0.125, 0.07), droop=-0.75)
    )
    f.shape("79 5, 70 14, 60 30, 60 40, 68 30, 74 20, 81 11", mane)
    _ears(f, (0.79, 0.10), coat, 0.09)


def dog(f: Frame) -> None:
    """Draw a dog facing right."""
    coat = f.pick("coat")
    f.stroke("20 45, 8 36, 5 16, 12 8", coat, 0.07, 0.3, line=0.8)
    beast(
        f,
        coat,
        Beast(
            back=0.40,
            belly=0.66,
            head=(0.80, 0.27),
            skull=(0.15, 0.105),
            droop=-0.25,
            leg=0.075,
            rump=0.18,
            chest=0.70,
        ),
    )
    ear = shift(coat, -0.35)
    if f.rng.random() < 0.6:
        f.shape("72 20, 66 24, 64 42, 70 45, 76 28", ear)
    else:
        _ears(f, (0.73, 0.22), ear, 0.15, -0.01)
    f.stroke("66 40, 72 47, 78 44", f.pick("cloth"), 0.045)


def lion(f: Frame) -> None:
    """Draw a lion with its mane, facing right."""
    coat = mix(f.style.colour("metal"), f.pick("coat"), 0.35)
    mane = shift(mix(coat, f.style.colour("ink"), 0.45), -0.05)
    tail = [(0.18, 0.45), (0.06, 0.50), (0.02, 0.30), (0.09, 0.16)]
    f.stroke(tail, coat, 0.05, 0.6, line=0.8)
    f.oval(0.09, 0.14, 0.035, 0.05, mane)
    beast(
        f,
        coat,
        Beast(back=0.38, belly=0.64, head=(0.80, 0.26), skull=(0.12, 0.10), droop=-0.2, leg=0.085),
    )
    t = np.linspace(0, 2 * np.pi, 22, endpoint=False)
    spikes = 1 + 0.14 * (np.arange(22) % 2)
    f.shape(np.stack([0.74 + 0.15 * spikes * cos(t), 0.29 + 0.22 * spikes * sin(t)], 1), mane)
    f.shape("72 18, 80 15, 88 20, 93 31, 90 38, 80 40, 72 34", coat)
    f.oval(0.815, 0.245, 0.014, 0.016, f.style.colour("ink"), line=0)
    f.shape("89 27, 94 29, 91 33", f.style.colour("ink"), line=0)
    f.ink("91 33, 88 37, 83 36", 0.8)
    f.oval(0.70, 0.15, 0.03, 0.035, coat)


def deer(f: Frame) -> None:
    """Draw a deer with antlers."""
    coat = mix(f.pick("coat"), f.style.colour("wood"), 0.4)
    f.oval(0.15, 0.50, 0.03, 0.04, shift(coat, 0.6))
    horn = shift(f.style.colour("wood"), -0.2)
    for lean in (-0.06, 0.05):
        stem = [(0.80, 0.24), (0.79 + lean, 0.14), (0.76 + lean * 2, 0.02)]
        f.stroke(stem, horn, 0.026, 0.5)
        f.stroke([(0.79 + lean, 0.14), (0.86 + lean, 0.06)], horn, 0.02, 0.5)
        f.stroke([(0.775 + lean * 1.5, 0.08), (0.70 + lean * 1.5, 0.03)], horn, 0.018, 0.5)
    beast(
        f,
        coat,
        Beast(
            back=0.46,
            belly=0.66,
            head=(0.82, 0.29),
            skull=(0.105, 0.055),
            droop=-0.5,
            leg=0.045,
            neck=0.06,
            chest=0.70,
        ),
    )
    _ears(f, (0.76, 0.27), coat, 0.07, -0.03)
    for x, y in f.rng.uniform((0.25, 0.49), (0.62, 0.58), (7, 2)):
        f.oval(x, y, 0.012, 0.012, shift(coat, 0.6), line=0)


def cow(f: Frame, bull: bool = False) -> None:
    """Draw a cow, or a bull with a hump and long horns."""
    coat = f.pick("coat") if not bull else mix(f.pick("hair"), f.style.colour("wood"), 0.35)
    horn = shift(f.style.colour("paper"), 0.3)
    f.stroke("15 38, 9 50, 10 74", shift(coat, -0.2), 0.03, line=0.6)
    beast(
        f,
        coat,
        Beast(
            back=0.30,
            belly=0.68,
            head=(0.85, 0.30),
            skull=(0.105, 0.10),
            droop=-0.6,
            leg=0.07,
            hump=0.03,
            chest=0.72,
            rump=0.14,
        ),
    )
    if not bull:
        for x, y in f.rng.uniform((0.22, 0.36), (0.60, 0.54), (3, 2)):
            f.oval(x, y, 0.07, 0.07, shift(coat, -0.5 if sum(coat) > 330 else 0.7), line=0)
    else:
        f.shape("48 34, 56 22, 66 17, 74 30, 70 46", coat)
        f.shape("66 46, 76 44, 78 62, 70 70", coat)
    size = 0.17 if bull else 0.10
    f.stroke(
        [(0.81, 0.22), (0.79, 0.21 - size * 0.6), (0.86, 0.20 - size)], horn, 0.035, 0.3, line=0.8
    )
    f.stroke(
        [(0.85, 0.22), (0.90, 0.20 - size * 0.5), (0.97, 0.19 - size)], horn, 0.035, 0.3, line=0.8
    )


def bull(f: Frame) -> None:
    """Draw a bull."""
    cow(f, bull=True)


def sheep(f: Frame) -> None:
    """Draw a woolly sheep."""
    wool = shift(f.style.colour("paper"), 0.55)
    face = shift(f.pick("hair"), 0.15)
    for at in (0.28, 0.38, 0.58, 0.68):
        f.stroke([(at, 0.62), (at, 0.97)], face, 0.065, 0.7, line=0.7)
    t = np.linspace(0, 2 * np.pi, 26, endpoint=False)
    curl = 1 + 0.09 * (np.arange(26) % 2)
    f.shape(
        np.stack([0.46 + 0.32 * curl * cos(t), 0.50 + 0.25 * curl * sin(t)], 1),
        wool,
        shade=0.4,
    )
    for x, y in f.rng.uniform((0.26, 0.36), (0.64, 0.62), (6, 2)):
        f.ink(moved(x, y, "-3 0, 0 3, 3 0"), 0.5)
    f.shape("72 28, 82 24, 90 34, 91 46, 84 50, 75 42", face)
    f.shape("74 32, 66 36, 68 44, 76 37", face)
    f.oval(0.83, 0.34, 0.014, 0.018, wool, line=0)


def elephant(f: Frame) -> None:
    """Draw an elephant with trunk, tusk and saddle cloth."""
    grey = f.style.colour("coat") if max(f.style.colour("coat")) > 60 else f.style.colour("stone")
    for at, tone in ((0.30, -0.25), (0.60, -0.25), (0.22, 0), (0.52, 0)):
        f.stroke([(at, 0.5), (at, 0.97)], shift(grey, tone), 0.15, 0.9, line=0.9)
    f.stroke("10 42, 5 55, 7 72", grey, 0.025, line=0.7)
    f.shape("9 48, 14 24, 36 14, 58 18, 70 34, 66 62, 40 68, 16 66", grey, shade=0.5)
    f.stroke("82 28, 92 48, 91 74, 98 84", grey, 0.15, 0.35, line=0.9)
    f.oval(0.74, 0.28, 0.15, 0.19, grey)
    f.stroke("80 46, 86 60, 96 60", shift(f.style.colour("paper"), 0.5), 0.045, 0.3, line=0.8)
    f.shape("58 16, 70 14, 74 32, 66 50, 56 40", shift(grey, -0.15))
    f.oval(0.81, 0.25, 0.014, 0.018, f.style.colour("ink"), line=0)
    if f.rng.random() < 0.7:
        cloth = f.pick("cloth")
        f.shape("24 15, 48 13, 50 46, 22 48", cloth, smooth=False)
        f.stroke("22 44, 50 42", f.style.colour("metal"), 0.03)


def camel(f: Frame) -> None:
    """Draw a camel."""
    coat = mix(f.style.colour("earth"), f.pick("coat"), 0.4)
    f.stroke("16 42, 10 60", coat, 0.025, line=0.6)
    beast(
        f,
        coat,
        Beast(
            back=0.36,
            belly=0.58,
            head=(0.88, 0.15),
            skull=(0.085, 0.05),
            droop=-0.15,
            leg=0.05,
            neck=0.07,
            chest=0.68,
        ),
    )
    f.shape("28 38, 36 18, 42 14, 50 20, 57 38", coat)
    _ears(f, (0.83, 0.12), coat, 0.05)


def cat(f: Frame) -> None:
    """Draw a sitting cat that looks at us (width 0.8 of its height)."""
    coat = f.pick("coat")
    f.stroke("70 90, 95 84, 92 60, 84 52", coat, 0.075, 0.6, line=0.9)
    f.shape("36 36, 64 36, 80 70, 78 95, 22 95, 22 68", coat, shade=0.5)
    for x in (0.38, 0.58):
        f.stroke([(x, 0.62), (x, 0.93)], coat, 0.11, 1.1, line=0.8)
    for x, lean in ((0.30, -0.04), (0.66, 0.04)):
        f.shape([(x - 0.10, 0.20), (x + lean, 0.0), (x + 0.14, 0.16)], coat, smooth=False)
    f.oval(0.49, 0.26, 0.28, 0.185, coat)
    for x in (0.38, 0.60):
        f.oval(x, 0.24, 0.055, 0.035, mix(f.style.colour("metal"), (230, 230, 120), 0.4), line=0.7)
        f.oval(x, 0.24, 0.015, 0.034, f.style.colour("ink"), line=0)
    f.shape("46 30, 53 30, 49.5 33.5", f.style.colour("ink"), line=0)
    for side in (-1, 1):
        f.ink([(0.495 + side * 0.06, 0.335), (0.495 + side * 0.30, 0.31)], 0.5)
        f.ink([(0.495 + side * 0.06, 0.35), (0.495 + side * 0.29, 0.37)], 0.5)


def rabbit(f: Frame) -> None:
    """Draw a crouching rabbit."""
    coat = f.pick("coat")
    f.oval(0.10, 0.70, 0.08, 0.09, shift(coat, 0.5))
    for lean in (0.0, 0.09):
        f.shape(
            [
                (0.66 + lean, 0.36),
                (0.54 + lean, 0.16),
                (0.56 + lean, 0.02),
                (0.66 + lean, 0.10),
                (0.74 + lean, 0.34),
            ],
            coat,
        )
    f.shape("12 72, 20 46, 44 38, 66 52, 74 92, 22 95", coat, shade=0.4)
    f.oval(0.32, 0.76, 0.16, 0.17, coat)
    f.shape("56 46, 66 32, 84 34, 94 48, 84 60, 64 60", coat)
    f.oval(0.78, 0.43, 0.025, 0.028, f.style.colour("ink"), line=0)
