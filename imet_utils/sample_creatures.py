"""Animals and plants of the sample collection, each drawn into a unit frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from imet_utils.sample_pen import Frame, mix, shift

Colour = tuple[int, ...]


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


def beast(f: Frame, coat: Colour, kind: Beast) -> None:
    """Draw the body, legs, neck and head of a four-legged animal."""
    dark = shift(coat, -0.25)
    middle = (kind.back + kind.belly) / 2
    stride = f.rng.uniform(-0.05, 0.07, 4)
    for at, step, colour in (
        (kind.chest - 0.10, stride[0], dark), (kind.rump + 0.12, stride[1], dark),
        (kind.chest - 0.03, stride[2], coat), (kind.rump + 0.05, stride[3], coat),
    ):
        knee = (at + step * 0.9 + 0.01, (kind.belly + 1) / 2)
        f.stroke([(at, middle + 0.05), knee, (at + step * 0.7, 0.97)], colour, kind.leg * 1.5, 0.5,
                 line=0.9)
        f.oval(at + step * 0.7 + 0.012, 0.975, kind.leg * 0.36, 0.02, shift(coat, -0.6), line=0.4)
    x, y = kind.head
    f.shape([(kind.chest - 0.13, kind.back + 0.04), (x - 0.10, y), (x - 0.01, y - 0.02),
             (x + 0.0, y + 0.06), (kind.chest + 0.03, middle + kind.neck),
             (kind.chest - 0.08, middle + 0.05)], coat)
    f.shape([(kind.rump - 0.03, middle - 0.02), (kind.rump + 0.06, kind.back),
             (0.5 * (kind.rump + kind.chest), kind.back + 0.025 - kind.hump),
             (kind.chest - 0.06, kind.back + 0.0), (kind.chest + 0.03, middle - 0.02),
             (kind.chest - 0.04, kind.belly), (0.45, kind.belly - 0.015),
             (kind.rump + 0.10, kind.belly - 0.02)], coat, shade=0.5)
    with_neck = [(kind.chest - 0.10, kind.back + 0.06), (x - 0.07, y + 0.02), (x - 0.02, y + 0.05),
                 (kind.chest - 0.01, middle)]
    f.shape(with_neck, coat, line=0)
    length, depth = kind.skull
    turn = np.array([[np.cos(kind.droop), np.sin(kind.droop)],
                     [-np.sin(kind.droop), np.cos(kind.droop)]])
    skull = np.array([(-0.8, -0.5), (-0.1, -1), (0.6, -0.65), (1, -0.35), (1.02, 0.35), (0.5, 0.55),
                      (-0.1, 0.95), (-0.8, 0.7)]) * [length, depth]
    f.shape(skull @ turn + [x + 0.01, y + 0.01], coat)
    eye = np.array([-0.05 * length, -0.3 * depth]) @ turn + [x + 0.01, y + 0.01]
    f.oval(*eye, 0.012, 0.014, shift(f.style.colour("ink"), -0.3), line=0)
    nose = np.array([0.9 * length, 0]) @ turn + [x + 0.01, y + 0.01]
    f.oval(*nose, 0.012, 0.014, shift(coat, -0.55), line=0)


def _ears(f: Frame, at: tuple[float, float], coat: Colour, height: float, lean: float = 0) -> None:
    x, y = at
    for dx, colour in ((0.0, shift(coat, -0.2)), (0.035, coat)):
        f.shape([(x + dx - 0.02, y), (x + dx + lean, y - height), (x + dx + 0.02, y + 0.005)],
                colour, smooth=False, line=0.7)


def horse(f: Frame) -> None:
    """Draw a horse facing right (width 1.25 of its height)."""
    coat = f.pick("coat")
    mane = shift(f.pick("hair"), 0.05)
    f.shape([(0.17, 0.38), (0.08, 0.42), (0.02, 0.60), (0.05, 0.80), (0.09, 0.62), (0.17, 0.48)],
            mane)
    beast(f, coat, Beast(back=0.36, belly=0.60, head=(0.84, 0.17), skull=(0.125, 0.07),
                         droop=-0.75))
    f.shape([(0.79, 0.05), (0.70, 0.14), (0.60, 0.30), (0.60, 0.40), (0.68, 0.30), (0.74, 0.20),
             (0.81, 0.11)], mane)
    _ears(f, (0.79, 0.10), coat, 0.09)


def dog(f: Frame) -> None:
    """Draw a dog facing right."""
    coat = f.pick("coat")
    f.stroke([(0.20, 0.45), (0.08, 0.36), (0.05, 0.16), (0.12, 0.08)], coat, 0.07, 0.3, line=0.8)
    beast(f, coat, Beast(back=0.40, belly=0.66, head=(0.80, 0.27), skull=(0.15, 0.105), droop=-0.25,
                         leg=0.075, rump=0.18, chest=0.70))
    ear = shift(coat, -0.35)
    if f.rng.random() < 0.6:
        f.shape([(0.72, 0.20), (0.66, 0.24), (0.64, 0.42), (0.70, 0.45), (0.76, 0.28)], ear)
    else:
        _ears(f, (0.73, 0.22), ear, 0.15, -0.01)
    f.stroke([(0.66, 0.40), (0.72, 0.47), (0.78, 0.44)], f.pick("cloth"), 0.045)


def lion(f: Frame) -> None:
    """Draw a lion with its mane, facing right."""
    coat = mix(f.style.colour("metal"), f.pick("coat"), 0.35)
    mane = shift(mix(coat, f.style.colour("ink"), 0.45), -0.05)
    tail = [(0.18, 0.45), (0.06, 0.50), (0.02, 0.30), (0.09, 0.16)]
    f.stroke(tail, coat, 0.05, 0.6, line=0.8)
    f.oval(0.09, 0.14, 0.035, 0.05, mane)
    beast(f, coat, Beast(back=0.38, belly=0.64, head=(0.80, 0.26), skull=(0.12, 0.10), droop=-0.2,
                         leg=0.085))
    t = np.linspace(0, 2 * np.pi, 22, endpoint=False)
    spikes = 1 + 0.14 * (np.arange(22) % 2)
    f.shape(np.stack([0.74 + 0.15 * spikes * np.cos(t), 0.29 + 0.22 * spikes * np.sin(t)], 1), mane)
    f.shape([(0.72, 0.18), (0.80, 0.15), (0.88, 0.20), (0.93, 0.31), (0.90, 0.38), (0.80, 0.40),
             (0.72, 0.34)], coat)
    f.oval(0.815, 0.245, 0.014, 0.016, f.style.colour("ink"), line=0)
    f.shape([(0.89, 0.27), (0.94, 0.29), (0.91, 0.33)], f.style.colour("ink"), line=0)
    f.ink([(0.91, 0.33), (0.88, 0.37), (0.83, 0.36)], 0.8)
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
    beast(f, coat, Beast(back=0.46, belly=0.66, head=(0.82, 0.29), skull=(0.105, 0.055), droop=-0.5,
                         leg=0.045, neck=0.06, chest=0.70))
    _ears(f, (0.76, 0.27), coat, 0.07, -0.03)
    for x, y in f.rng.uniform((0.25, 0.49), (0.62, 0.58), (7, 2)):
        f.oval(x, y, 0.012, 0.012, shift(coat, 0.6), line=0)


def cow(f: Frame, bull: bool = False) -> None:
    """Draw a cow, or a bull with a hump and long horns."""
    coat = f.pick("coat")
    horn = shift(f.style.colour("paper"), 0.3)
    f.stroke([(0.15, 0.38), (0.09, 0.50), (0.10, 0.74)], shift(coat, -0.2), 0.03, line=0.6)
    beast(f, coat, Beast(back=0.30, belly=0.68, head=(0.85, 0.30), skull=(0.105, 0.10), droop=-0.6,
                         leg=0.07, hump=0.03, chest=0.72, rump=0.14))
    if not bull:
        for x, y in f.rng.uniform((0.22, 0.36), (0.60, 0.54), (3, 2)):
            f.oval(x, y, 0.07, 0.07, shift(coat, -0.5 if sum(coat) > 330 else 0.7), line=0)
    else:
        f.shape([(0.56, 0.32), (0.64, 0.20), (0.73, 0.30)], coat)
    size = 0.17 if bull else 0.10
    f.stroke([(0.81, 0.22), (0.79, 0.21 - size * 0.6), (0.86, 0.20 - size)], horn, 0.035, 0.3,
             line=0.8)
    f.stroke([(0.85, 0.22), (0.90, 0.20 - size * 0.5), (0.97, 0.19 - size)], horn, 0.035, 0.3,
             line=0.8)


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
    f.shape(np.stack([0.46 + 0.32 * curl * np.cos(t), 0.50 + 0.25 * curl * np.sin(t)], 1), wool,
            shade=0.4)
    for x, y in f.rng.uniform((0.26, 0.36), (0.64, 0.62), (6, 2)):
        f.ink([(x - 0.03, y), (x, y + 0.03), (x + 0.03, y)], 0.5)
    f.shape([(0.72, 0.28), (0.82, 0.24), (0.90, 0.34), (0.91, 0.46), (0.84, 0.50), (0.75, 0.42)],
            face)
    f.shape([(0.74, 0.32), (0.66, 0.36), (0.68, 0.44), (0.76, 0.37)], face)
    f.oval(0.83, 0.34, 0.014, 0.018, wool, line=0)


def elephant(f: Frame) -> None:
    """Draw an elephant with trunk, tusk and saddle cloth."""
    grey = f.style.colour("coat") if max(f.style.colour("coat")) > 60 else f.style.colour("stone")
    for at, tone in ((0.30, -0.25), (0.60, -0.25), (0.22, 0), (0.52, 0)):
        f.stroke([(at, 0.5), (at, 0.97)], shift(grey, tone), 0.15, 0.9, line=0.9)
    f.stroke([(0.10, 0.42), (0.05, 0.55), (0.07, 0.72)], grey, 0.025, line=0.7)
    f.shape([(0.09, 0.48), (0.14, 0.24), (0.36, 0.14), (0.58, 0.18), (0.70, 0.34), (0.66, 0.62),
             (0.40, 0.68), (0.16, 0.66)], grey, shade=0.5)
    f.stroke([(0.82, 0.28), (0.92, 0.48), (0.91, 0.74), (0.98, 0.84)], grey, 0.15, 0.35, line=0.9)
    f.oval(0.74, 0.28, 0.15, 0.19, grey)
    f.stroke([(0.80, 0.46), (0.86, 0.60), (0.96, 0.60)], shift(f.style.colour("paper"), 0.5), 0.045,
             0.3, line=0.8)
    f.shape([(0.58, 0.16), (0.70, 0.14), (0.74, 0.32), (0.66, 0.50), (0.56, 0.40)],
            shift(grey, -0.15))
    f.oval(0.81, 0.25, 0.014, 0.018, f.style.colour("ink"), line=0)
    if f.rng.random() < 0.7:
        cloth = f.pick("cloth")
        f.shape([(0.24, 0.15), (0.48, 0.13), (0.50, 0.46), (0.22, 0.48)], cloth, smooth=False)
        f.stroke([(0.22, 0.44), (0.50, 0.42)], f.style.colour("metal"), 0.03)


def camel(f: Frame) -> None:
    """Draw a camel."""
    coat = mix(f.style.colour("earth"), f.pick("coat"), 0.4)
    f.stroke([(0.16, 0.42), (0.10, 0.60)], coat, 0.025, line=0.6)
    beast(f, coat, Beast(back=0.36, belly=0.58, head=(0.88, 0.15), skull=(0.085, 0.05), droop=-0.15,
                         leg=0.05, neck=0.07, chest=0.68))
    f.shape([(0.28, 0.38), (0.36, 0.18), (0.42, 0.14), (0.50, 0.20), (0.57, 0.38)], coat)
    _ears(f, (0.83, 0.12), coat, 0.05)


def cat(f: Frame) -> None:
    """Draw a sitting cat that looks at us (width 0.8 of its height)."""
    coat = f.pick("coat")
    f.stroke([(0.70, 0.90), (0.95, 0.84), (0.92, 0.60), (0.84, 0.52)], coat, 0.075, 0.6, line=0.9)
    f.shape([(0.36, 0.36), (0.64, 0.36), (0.80, 0.70), (0.78, 0.95), (0.22, 0.95), (0.22, 0.68)],
            coat, shade=0.5)
    for x in (0.38, 0.58):
        f.stroke([(x, 0.62), (x, 0.93)], coat, 0.11, 1.1, line=0.8)
    for x, lean in ((0.30, -0.04), (0.66, 0.04)):
        f.shape([(x - 0.10, 0.20), (x + lean, 0.0), (x + 0.14, 0.16)], coat, smooth=False)
    f.oval(0.49, 0.26, 0.28, 0.185, coat)
    for x in (0.38, 0.60):
        f.oval(x, 0.24, 0.055, 0.035, mix(f.style.colour("metal"), (230, 230, 120), 0.4), line=0.7)
        f.oval(x, 0.24, 0.015, 0.034, f.style.colour("ink"), line=0)
    f.shape([(0.46, 0.30), (0.53, 0.30), (0.495, 0.335)], f.style.colour("ink"), line=0)
    for side in (-1, 1):
        f.ink([(0.495 + side * 0.06, 0.335), (0.495 + side * 0.30, 0.31)], 0.5)
        f.ink([(0.495 + side * 0.06, 0.35), (0.495 + side * 0.29, 0.37)], 0.5)


def rabbit(f: Frame) -> None:
    """Draw a crouching rabbit."""
    coat = f.pick("coat")
    f.oval(0.10, 0.70, 0.08, 0.09, shift(coat, 0.5))
    for lean in (0.0, 0.09):
        f.shape([(0.66 + lean, 0.36), (0.54 + lean, 0.16), (0.56 + lean, 0.02), (0.66 + lean, 0.10),
                 (0.74 + lean, 0.34)], coat)
    f.shape([(0.12, 0.72), (0.20, 0.46), (0.44, 0.38), (0.66, 0.52), (0.74, 0.92), (0.22, 0.95)],
            coat, shade=0.4)
    f.oval(0.32, 0.76, 0.16, 0.17, coat)
    f.shape([(0.56, 0.46), (0.66, 0.32), (0.84, 0.34), (0.94, 0.48), (0.84, 0.60), (0.64, 0.60)],
            coat)
    f.oval(0.78, 0.43, 0.025, 0.028, f.style.colour("ink"), line=0)


def bird(f: Frame) -> None:
    """Draw a small bird on a twig."""
    body, wing = f.pick("cloth"), f.pick("bloom")
    f.stroke([(0.0, 0.90), (0.4, 0.84), (1.0, 0.92)], f.style.colour("wood"), 0.045, 0.6, line=0.6)
    for x in (0.15, 0.85):
        f.shape([(x, 0.88), (x + 0.05, 0.76), (x + 0.14, 0.80)], f.pick("leaf"), line=0.6)
    f.shape([(0.30, 0.56), (0.02, 0.66), (0.0, 0.76), (0.32, 0.70)], shift(wing, -0.3))
    for x in (0.46, 0.54):
        f.ink([(x, 0.70), (x + 0.01, 0.86)], 1.2)
    f.shape([(0.22, 0.60), (0.40, 0.42), (0.60, 0.34), (0.64, 0.18), (0.78, 0.14), (0.86, 0.26),
             (0.80, 0.52), (0.62, 0.72), (0.38, 0.74)], body, shade=0.5)
    f.shape([(0.84, 0.22), (1.0, 0.28), (0.84, 0.32)], f.style.colour("metal"), smooth=False)
    f.shape([(0.26, 0.52), (0.50, 0.42), (0.64, 0.50), (0.46, 0.64), (0.10, 0.70)], wing)
    for k in range(3):
        f.ink([(0.30 + 0.08 * k, 0.52), (0.24 + 0.1 * k, 0.63)], 0.6)
    f.oval(0.77, 0.23, 0.022, 0.026, f.style.colour("ink"), line=0)


def crane(f: Frame) -> None:
    """Draw a standing crane (width 0.6 of its height)."""
    white, ink = shift(f.style.colour("paper"), 0.75), f.style.colour("ink")
    for x in (0.46, 0.58):
        f.ink([(x, 0.62), (x + 0.04, 0.80), (x, 0.98)], 1.4, smooth=False)
    f.shape([(0.30, 0.46), (0.04, 0.56), (0.0, 0.74), (0.20, 0.70), (0.42, 0.60)], shift(ink, 0.08))
    f.stroke([(0.66, 0.46), (0.86, 0.34), (0.62, 0.22), (0.72, 0.08)], white, 0.055, 0.7, line=0.9)
    f.shape([(0.14, 0.56), (0.34, 0.40), (0.66, 0.40), (0.78, 0.50), (0.60, 0.66), (0.30, 0.68)],
            white, shade=0.3)
    f.shape([(0.64, 0.08), (0.72, 0.04), (0.80, 0.07), (0.76, 0.11), (0.67, 0.12)], white)
    f.stroke([(0.78, 0.075), (1.0, 0.10)], f.style.colour("wood"), 0.022, 0.3, line=0.4)
    f.oval(0.72, 0.05, 0.06, 0.015, f.style.colour("bloom"), line=0)
    f.ink([(0.68, 0.12), (0.62, 0.22), (0.70, 0.27)], 1.6)
    for k in range(3):
        f.ink([(0.24 + 0.1 * k, 0.50), (0.18 + 0.12 * k, 0.62)], 0.5)


def duck(f: Frame) -> None:
    """Draw a duck afloat."""
    body, head = f.pick("coat"), f.pick("leaf")
    f.shape([(0.05, 0.50), (0.24, 0.58), (0.50, 0.48), (0.66, 0.56), (0.80, 0.70), (0.66, 0.90),
             (0.24, 0.88)], body, shade=0.4)
    f.shape([(0.58, 0.62), (0.62, 0.36), (0.60, 0.20), (0.72, 0.10), (0.84, 0.20), (0.80, 0.40),
             (0.80, 0.68)], head)
    f.shape([(0.82, 0.20), (1.0, 0.26), (0.98, 0.32), (0.82, 0.32)], f.style.colour("metal"))
    f.shape([(0.20, 0.64), (0.44, 0.56), (0.62, 0.68), (0.38, 0.80)], shift(body, -0.3))
    f.stroke([(0.62, 0.54), (0.80, 0.54)], shift(f.style.colour("paper"), 0.6), 0.04)
    f.oval(0.75, 0.21, 0.02, 0.026, f.style.colour("paper"), line=0.6)
    f.ink([(0.0, 0.93), (0.3, 0.89), (0.6, 0.95), (0.98, 0.90)], 0.8)


def swan(f: Frame) -> None:
    """Draw a swan afloat."""
    white = shift(f.style.colour("paper"), 0.8)
    f.stroke([(0.68, 0.70), (0.90, 0.50), (0.70, 0.30), (0.70, 0.12), (0.80, 0.08)], white, 0.10,
             0.7, line=1)
    f.shape([(0.02, 0.46), (0.20, 0.52), (0.40, 0.44), (0.66, 0.56), (0.84, 0.72), (0.64, 0.92),
             (0.22, 0.88)], white, shade=0.35)
    f.shape([(0.08, 0.46), (0.36, 0.36), (0.62, 0.56), (0.44, 0.76), (0.20, 0.70)], white)
    for k in range(3):
        f.ink([(0.18 + 0.07 * k, 0.48), (0.30 + 0.08 * k, 0.70)], 0.5)
    f.shape([(0.74, 0.06), (0.84, 0.03), (0.90, 0.10), (0.80, 0.15)], white)
    f.shape([(0.88, 0.07), (1.0, 0.14), (0.88, 0.14)], f.style.colour("metal"), smooth=False)
    f.ink([(0.0, 0.95), (0.3, 0.91), (0.6, 0.96), (0.98, 0.92)], 0.8)


def owl(f: Frame) -> None:
    """Draw an owl that faces us."""
    coat = f.pick("coat")
    f.shape([(0.5, 0.06), (0.82, 0.10), (0.90, 0.40), (0.80, 0.80), (0.5, 0.94), (0.20, 0.80),
             (0.10, 0.40), (0.18, 0.10)], coat, shade=0.4)
    for side in (-1, 1):
        f.shape([(0.5 + side * 0.34, 0.36), (0.5 + side * 0.46, 0.60), (0.5 + side * 0.28, 0.86)],
                shift(coat, -0.3))
        f.shape([(0.5 + side * 0.18, 0.12), (0.5 + side * 0.40, 0.0), (0.5 + side * 0.36, 0.18)],
                coat, smooth=False)
        f.oval(0.5 + side * 0.19, 0.24, 0.17, 0.11, shift(coat, 0.55))
        f.oval(0.5 + side * 0.18, 0.24, 0.085, 0.055, f.style.colour("metal"))
        f.oval(0.5 + side * 0.18, 0.24, 0.045, 0.03, f.style.colour("ink"), line=0)
    f.shape([(0.44, 0.29), (0.56, 0.29), (0.5, 0.38)], f.style.colour("wood"), smooth=False)
    for x, y in [(0.4, 0.5), (0.6, 0.5), (0.5, 0.58), (0.36, 0.66), (0.62, 0.66), (0.5, 0.76)]:
        f.ink([(x - 0.05, y), (x, y + 0.035), (x + 0.05, y)], 0.8)
    for x in (0.4, 0.6):
        f.stroke([(x, 0.92), (x, 1.0)], f.style.colour("metal"), 0.05)


def rooster(f: Frame) -> None:
    """Draw a rooster with a great tail."""
    body, red = f.pick("coat"), f.style.colour("bloom")
    for k, (x, y) in enumerate([(0.0, 0.30), (0.04, 0.12), (0.14, 0.02), (0.26, 0.06)]):
        colour = f.style.colours["leaf"][k % len(f.style.colours["leaf"])]
        f.stroke([(0.34, 0.54), (x + 0.12, y + 0.10), (x, y + 0.12 + 0.06 * k)], shift(colour, -0.3),
                 0.085, 0.4, line=0.7)
    for x in (0.48, 0.58):
        f.stroke([(x, 0.74), (x + 0.01, 0.94), (x + 0.08, 0.97)], f.style.colour("metal"), 0.028,
                 smooth=False, line=0.4)
    f.shape([(0.26, 0.50), (0.46, 0.52), (0.62, 0.40), (0.66, 0.18), (0.80, 0.16), (0.84, 0.34),
             (0.80, 0.62), (0.60, 0.80), (0.36, 0.74)], body, shade=0.4)
    f.shape([(0.36, 0.54), (0.60, 0.52), (0.64, 0.62), (0.46, 0.72)], shift(body, -0.35))
    f.shape([(0.64, 0.18), (0.64, 0.06), (0.70, 0.10), (0.74, 0.02), (0.78, 0.10), (0.84, 0.06),
             (0.82, 0.18)], red, smooth=False)
    f.shape([(0.80, 0.18), (0.92, 0.22), (0.81, 0.26)], f.style.colour("metal"), smooth=False)
    f.oval(0.80, 0.32, 0.035, 0.06, red)
    f.oval(0.755, 0.20, 0.02, 0.022, f.style.colour("ink"), line=0)


def peacock(f: Frame) -> None:
    """Draw a peacock with its tail spread."""
    blue = f.style.colours["cloth"][1 % len(f.style.colours["cloth"])]
    green, gold = f.pick("leaf"), f.style.colour("metal")
    for row, radius in ((0, 0.50), (1, 0.38)):
        for angle in np.linspace(-1.45, 1.45, 11 - 2 * row):
            x, y = 0.5 + radius * 0.95 * np.sin(angle), 0.66 - radius * 1.15 * np.cos(angle)
            f.stroke([(0.5, 0.72), (x, y)], shift(green, -0.2), 0.05 + 0.02 * row, 1.3, line=0.3)
            f.oval(x, y, 0.052, 0.066, green, line=0.7)
            f.oval(x, y, 0.032, 0.042, gold, line=0)
            f.oval(x, y, 0.016, 0.022, blue, line=0)
    for x in (0.47, 0.54):
        f.ink([(x, 0.88), (x, 0.99)], 1.4)
    f.shape([(0.42, 0.60), (0.46, 0.34), (0.46, 0.24), (0.54, 0.20), (0.58, 0.28), (0.56, 0.44),
             (0.62, 0.70), (0.56, 0.90), (0.44, 0.90), (0.38, 0.74)], blue, shade=0.4)
    f.shape([(0.57, 0.23), (0.65, 0.27), (0.57, 0.29)], gold, smooth=False)
    f.oval(0.535, 0.25, 0.012, 0.016, shift(f.style.colour("paper"), 0.6), line=0)
    for lean in (-0.04, 0, 0.04):
        f.ink([(0.51, 0.20), (0.51 + lean, 0.11)], 0.6)


def eagle(f: Frame) -> None:
    """Draw an eagle displayed, wings spread (heraldic)."""
    body = shift(f.pick("hair"), 0.1)
    for side in (-1, 1):
        wing = [(0.5, 0.30), (0.5 + side * 0.20, 0.12), (0.5 + side * 0.42, 0.04)]
        wing += [(0.5 + side * (0.49 - 0.05 * k), 0.18 + 0.13 * k + 0.06 * (k % 2))
                 for k in range(6)]
        f.shape([*wing, (0.5, 0.66)], body, smooth=False)
        for k in range(4):
            f.ink([(0.5 + side * (0.18 + 0.06 * k), 0.22), (0.5 + side * (0.2 + 0.06 * k), 0.55)],
                  0.6, fill=shift(body, 0.35))
        f.stroke([(0.5 + side * 0.06, 0.70), (0.5 + side * 0.16, 0.88)], f.style.colour("metal"),
                 0.05, 0.5, line=0.6)
    f.shape([(0.44, 0.70), (0.36, 0.98), (0.5, 0.93), (0.64, 0.98), (0.56, 0.70)], body)
    f.shape([(0.42, 0.26), (0.58, 0.26), (0.62, 0.50), (0.5, 0.78), (0.38, 0.50)], body, shade=0.4)
    f.shape([(0.44, 0.30), (0.44, 0.12), (0.52, 0.05), (0.60, 0.10), (0.57, 0.30)], body)
    f.shape([(0.59, 0.10), (0.70, 0.14), (0.66, 0.20), (0.58, 0.17)], f.style.colour("metal"))
    f.oval(0.54, 0.12, 0.014, 0.02, f.style.colour("paper"), line=0)


def fish(f: Frame) -> None:
    """Draw a fish with scales (width 1.8 of its height)."""
    body = f.pick("bloom") if f.rng.random() < 0.6 else f.pick("water")
    fin = shift(body, -0.25)
    f.shape([(0.24, 0.50), (0.02, 0.14), (0.08, 0.50), (0.0, 0.88)], fin)
    f.shape([(0.42, 0.24), (0.50, 0.02), (0.72, 0.10), (0.70, 0.26)], fin)
    f.shape([(0.48, 0.76), (0.50, 0.96), (0.62, 0.78)], fin)
    f.shape([(0.18, 0.50), (0.36, 0.26), (0.62, 0.16), (0.86, 0.30), (0.99, 0.50), (0.86, 0.70),
             (0.62, 0.84), (0.36, 0.74)], body, shade=0.4)
    for row in range(3):
        for column in range(5 - row % 2):
            x, y = 0.36 + 0.085 * (column + 0.5 * (row % 2)), 0.38 + 0.12 * row
            f.ink([(x, y - 0.06), (x + 0.04, y), (x, y + 0.06)], 0.6)
    f.ink([(0.80, 0.28), (0.76, 0.50), (0.80, 0.72)], 0.9)
    f.oval(0.88, 0.42, 0.028, 0.05, shift(f.style.colour("paper"), 0.6), line=0.8)
    f.oval(0.885, 0.42, 0.014, 0.025, f.style.colour("ink"), line=0)


def butterfly(f: Frame) -> None:
    """Draw a butterfly with open wings."""
    upper, lower = f.pick("bloom"), f.pick("cloth")
    for side in (-1, 1):
        f.shape([(0.5, 0.50), (0.5 + side * 0.20, 0.52), (0.5 + side * 0.40, 0.70),
                 (0.5 + side * 0.30, 0.94), (0.5 + side * 0.12, 0.88)], lower)
        f.shape([(0.5, 0.46), (0.5 + side * 0.18, 0.16), (0.5 + side * 0.44, 0.04),
                 (0.5 + side * 0.49, 0.30), (0.5 + side * 0.32, 0.54)], upper)
        f.oval(0.5 + side * 0.34, 0.24, 0.06, 0.07, shift(upper, 0.5), line=0.7)
        f.oval(0.5 + side * 0.26, 0.74, 0.05, 0.06, shift(lower, -0.4), line=0)
        f.ink([(0.5, 0.28), (0.5 + side * 0.08, 0.12), (0.5 + side * 0.16, 0.05)], 0.8)
    f.oval(0.5, 0.52, 0.035, 0.26, f.style.colour("ink"), line=0)


def snake(f: Frame) -> None:
    """Draw a coiling snake."""
    skin = f.pick("leaf")
    t = np.linspace(0, 1, 20)
    path = np.stack([0.06 + 0.78 * t, 0.66 + 0.24 * np.sin(t * 11) * (1 - 0.4 * t)], 1)
    path = np.concatenate([path, [(0.92, 0.38), (0.86, 0.20), (0.90, 0.12)]])
    f.stroke(path[::-1], skin, 0.13, 0.25, line=1)
    for x, y in path[2:-2:2]:
        f.oval(x, y, 0.02, 0.03, f.pick("cloth"), line=0)
    f.shape([(0.80, 0.14), (0.88, 0.04), (0.98, 0.10), (0.99, 0.18), (0.88, 0.20)], skin)
    f.oval(0.92, 0.10, 0.016, 0.022, f.style.colour("paper"), line=0.6)
    f.ink([(0.98, 0.15), (1.0, 0.22)], 0.8, fill=f.style.colour("bloom"))


def dragon(f: Frame) -> None:
    """Draw a winding dragon with crest, claws and flame (width 1.5 of its height)."""
    skin, crest = f.pick("leaf"), f.style.colour("bloom")
    t = np.linspace(0, 1, 24)
    path = np.stack([0.04 + 0.72 * t, 0.58 + (0.10 + 0.16 * t) * np.sin(t * 9.5 + 0.4)], 1)
    path = np.concatenate([path, [(0.80, 0.36), (0.84, 0.26)]])
    ahead = np.gradient(path, axis=0)
    for at, lean in ((5, -1), (9, 1), (16, -1), (20, 1)):
        x, y = path[at]
        f.stroke([(x, y), (x + 0.04 * lean, y + 0.14), (x + 0.09, y + 0.20)], skin, 0.07, 0.6,
                 line=0.8)
        for spread in (-0.03, 0.01, 0.05):
            f.ink([(x + 0.08, y + 0.19), (x + 0.10 + spread, y + 0.26)], 1.1)
    for at in range(2, 25):
        x, y = path[at]
        nx, ny = ahead[at][1], -ahead[at][0]
        size = 0.13 / max(np.hypot(nx, ny), 1e-6)
        f.shape([(x - 0.022, y), (x + nx * size * 0.7, y + ny * size), (x + 0.022, y)], crest,
                smooth=False, line=0.6)
    f.stroke(path[::-1], skin, 0.17, 0.15, line=1)
    for x, y in path[3::2]:
        f.ink([(x - 0.012, y - 0.03), (x + 0.012, y), (x - 0.012, y + 0.03)], 0.7)
    f.shape([(0.76, 0.26), (0.80, 0.12), (0.92, 0.12), (1.0, 0.22), (0.98, 0.30), (0.90, 0.28),
             (0.96, 0.38), (0.86, 0.40), (0.78, 0.36)], skin)
    for lean in (0.0, 0.06):
        f.stroke([(0.81 + lean, 0.13), (0.74 + lean, 0.04), (0.70 + lean, 0.0)],
                 f.style.colour("metal"), 0.035, 0.4, line=0.7)
    f.oval(0.88, 0.18, 0.022, 0.032, shift(f.style.colour("paper"), 0.5), line=0.8)
    f.oval(0.885, 0.18, 0.01, 0.015, f.style.colour("ink"), line=0)
    f.ink([(0.98, 0.24), (1.0, 0.36), (0.96, 0.46)], 0.9)


def turtle(f: Frame) -> None:
    """Draw a turtle."""
    skin, shell = f.pick("leaf"), f.style.colour("wood")
    for x in (0.24, 0.66):
        f.stroke([(x, 0.66), (x - 0.06, 0.95)], skin, 0.17, 0.7, line=0.9)
    f.stroke([(0.14, 0.74), (0.0, 0.84)], skin, 0.08, 0.3, line=0.8)
    f.stroke([(0.76, 0.66), (0.90, 0.46)], skin, 0.18, 1.2, line=0.9)
    f.oval(0.91, 0.42, 0.09, 0.14, skin)
    f.oval(0.94, 0.38, 0.015, 0.025, f.style.colour("ink"), line=0)
    f.shape([(0.08, 0.74), (0.20, 0.34), (0.46, 0.16), (0.72, 0.34), (0.84, 0.72), (0.46, 0.80)],
            shell, shade=0.4)
    for x in (0.28, 0.46, 0.64):
        f.shape([(x - 0.08, 0.52), (x - 0.04, 0.38), (x + 0.04, 0.38), (x + 0.08, 0.52), (x, 0.64)],
                shift(shell, 0.25), smooth=False)


def octopus(f: Frame) -> None:
    """Draw an octopus."""
    skin = f.style.colour("bloom")
    for k, x in enumerate(np.linspace(0.08, 0.92, 8)):
        bend = 0.08 if k % 2 else -0.08
        f.stroke([(0.5 + (x - 0.5) * 0.35, 0.5), (x + bend, 0.72), (x, 0.86), (x - bend, 0.97)], skin,
                 0.10, 0.25, line=0.9)
    f.shape([(0.30, 0.54), (0.24, 0.24), (0.5, 0.04), (0.76, 0.24), (0.70, 0.54), (0.5, 0.60)], skin,
            shade=0.4)
    for x in (0.40, 0.60):
        f.oval(x, 0.42, 0.06, 0.07, shift(f.style.colour("paper"), 0.6))
        f.oval(x, 0.43, 0.025, 0.03, f.style.colour("ink"), line=0)


def crab(f: Frame) -> None:
    """Draw a crab."""
    shell = f.style.colour("bloom")
    for side in (-1, 1):
        for k in range(3):
            y = 0.62 + 0.1 * k
            f.stroke([(0.5 + side * 0.22, y - 0.06), (0.5 + side * 0.40, y), (0.5 + side * 0.42,
                     y + 0.12)], shell, 0.05, 0.4, line=0.8, smooth=False)
        f.stroke([(0.5 + side * 0.22, 0.50), (0.5 + side * 0.40, 0.38), (0.5 + side * 0.34, 0.20)],
                 shell, 0.08, line=0.8)
        f.shape([(0.5 + side * 0.26, 0.22), (0.5 + side * 0.24, 0.02), (0.5 + side * 0.34, 0.12),
                 (0.5 + side * 0.46, 0.04), (0.5 + side * 0.42, 0.24)], shell)
        f.ink([(0.5 + side * 0.07, 0.44), (0.5 + side * 0.08, 0.32)], 1.2)
        f.oval(0.5 + side * 0.08, 0.31, 0.03, 0.04, f.style.colour("ink"), line=0)
    f.oval(0.5, 0.58, 0.28, 0.20, shell, shade=0.4)


def snail(f: Frame) -> None:
    """Draw a snail."""
    skin, shell = f.style.colour("skin"), f.style.colour("wood")
    f.shape([(0.02, 0.94), (0.40, 0.78), (0.74, 0.72), (0.84, 0.44), (0.96, 0.46), (0.94, 0.78),
             (0.80, 0.95)], skin)
    for lean in (-0.02, 0.07):
        f.ink([(0.88, 0.46), (0.90 + lean, 0.26)], 1.2)
    f.oval(0.42, 0.50, 0.30, 0.36, shell, shade=0.4)
    t = np.linspace(0, 4.5 * np.pi, 40)
    f.ink(np.stack([0.42 + 0.018 * t * np.cos(t), 0.50 + 0.022 * t * np.sin(t)], 1), 1.2)


def tree(f: Frame, kind: str | None = None) -> None:
    """Draw a tree: round, pine, cypress, palm or bare."""
    kind = kind or ("round", "round", "pine", "cypress", "palm", "bare")[f.rng.integers(6)]
    bark, leaf = f.style.colour("wood"), f.pick("leaf")
    if kind == "cypress":
        f.stroke([(0.5, 0.85), (0.5, 1.0)], bark, 0.06)
        f.shape([(0.5, 0.0), (0.66, 0.30), (0.70, 0.66), (0.5, 0.92), (0.30, 0.66), (0.34, 0.30)],
                leaf, shade=0.7)
        return
    if kind == "pine":
        f.stroke([(0.46, 1.0), (0.54, 0.72), (0.44, 0.46), (0.54, 0.16)], bark, 0.085, 0.35, line=0.8)
        for x, y, r in ((0.24, 0.52, 0.26), (0.78, 0.40, 0.24), (0.30, 0.26, 0.24), (0.60, 0.12, 0.26),
                        (0.72, 0.62, 0.20)):
            f.stroke([(0.5, y + 0.10), (x, y + 0.03)], bark, 0.03, line=0.4)
            t = np.linspace(np.pi, 2 * np.pi, 9)
            puff = np.stack([x + r * np.cos(t) * (1 + 0.1 * (np.arange(9) % 2)),
                             y + 0.04 + 0.12 * np.sin(t)], 1)
            f.shape(puff, leaf, shade=0.5)
        return
    if kind == "palm":
        f.stroke([(0.42, 1.0), (0.46, 0.6), (0.54, 0.26)], bark, 0.065, 0.6, line=0.8)
        for angle in np.linspace(-2.9, -0.2, 8):
            x, y = 0.54 + 0.46 * np.cos(angle), 0.26 + 0.22 * np.sin(angle)
            f.shape([(0.54, 0.26), ((0.54 + x) / 2, y - 0.06), (x, y + 0.16),
                     ((0.54 + x) / 2 - 0.01, y + 0.06)], leaf, line=0.7)
        for dx in (-0.04, 0.04):
            f.oval(0.54 + dx, 0.30, 0.035, 0.03, f.style.colour("metal"), line=0.5)
        return
    f.stroke([(0.5, 1.0), (0.48, 0.7), (0.5, 0.45)], bark, 0.10, 0.6, line=0.8)
    for x, y in ((0.18, 0.30), (0.82, 0.26), (0.36, 0.12), (0.64, 0.08)):
        f.stroke([(0.49, 0.66), ((x + 0.5) / 2, (y + 0.5) / 2 + 0.02), (x, y)], bark, 0.05, 0.3,
                 line=0.5)
    if kind == "bare":
        for x, y in f.rng.uniform((0.05, 0.05), (0.95, 0.45), (16, 2)):
            f.oval(x, y, 0.035, 0.025, f.style.colour("bloom"), line=0.4)
        return
    for x, y, r in ((0.26, 0.40, 0.25), (0.74, 0.38, 0.25), (0.36, 0.22, 0.25), (0.66, 0.20, 0.24),
                    (0.5, 0.34, 0.28)):
        x, y = x + f.rng.normal(0, 0.02), y + f.rng.normal(0, 0.015)
        t = np.linspace(0, 2 * np.pi, 14, endpoint=False)
        bumps = 1 + 0.1 * (np.arange(14) % 2)
        f.shape(np.stack([x + r * bumps * np.cos(t), y + r * 0.78 * bumps * np.sin(t)], 1),
                shift(leaf, f.rng.uniform(-0.12, 0.12)), shade=0.4, line=0.7)


def blossom(f: Frame, x: float, y: float, size: float, colour: Colour, petals: int = 6) -> None:
    """Draw one flower head at (x, y); `size` is its radius in frame heights."""
    aspect = float(np.hypot(*f.down) / np.hypot(*f.across))
    turn = f.rng.uniform(0, 6)
    for k in range(petals):
        angle = turn + k * 2 * np.pi / petals
        cx, cy = x + 0.62 * size * aspect * np.cos(angle), y + 0.62 * size * np.sin(angle)
        t = np.linspace(0, 2 * np.pi, 10, endpoint=False)
        along, wide = 0.5 * size * np.cos(t), 0.33 * size * np.sin(t)
        petal = np.stack([cx + aspect * (along * np.cos(angle) - wide * np.sin(angle)),
                          cy + along * np.sin(angle) + wide * np.cos(angle)], 1)
        f.shape(petal, colour, smooth=False, line=0.7)
    f.oval(x, y, 0.3 * size * aspect, 0.3 * size, f.style.colour("metal"), line=0.6)


def leaf(f: Frame, start: tuple[float, float], end: tuple[float, float], wide: float = 0.25) -> None:
    """Draw one leaf from its stalk to its tip."""
    (x, y), (tx, ty) = start, end
    dx, dy = (tx - x) * wide, (ty - y) * wide
    colour = f.pick("leaf")
    f.shape([(x, y), ((x + tx) / 2 - dy, (y + ty) / 2 + dx), (tx, ty),
             ((x + tx) / 2 + dy, (y + ty) / 2 - dx)], colour, line=0.7)
    f.ink([(x, y), (tx, ty)], 0.5, fill=shift(colour, -0.35))


def flowers(f: Frame) -> None:
    """Draw a spray of flowers on stalks."""
    count = int(f.rng.integers(3, 7))
    heads = [(0.5 + 0.40 * np.sin(a), 0.40 - 0.26 * np.cos(a) + f.rng.normal(0, 0.04))
             for a in np.linspace(-1.5, 1.5, count)]
    for x, y in heads:
        f.stroke([(0.5, 1.0), (0.5 + (x - 0.5) * 0.35, 0.72), (x, y)], f.pick("leaf"), 0.022, line=0.4)
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
    f.stroke([(0.5, 0.6), (0.48, 1.0)], f.pick("leaf"), 0.045, line=0.6)
    for x in (0.22, 0.78):
        f.oval(x, 0.86, 0.22, 0.09, f.pick("leaf"))
    for angle in (-1.25, 1.25, -0.85, 0.85, -0.42, 0.42, 0.0):
        x, y = 0.5 + 0.46 * np.sin(angle), 0.70 - 0.62 * np.cos(angle)
        side = 0.10 * np.cos(angle)
        f.shape([(0.5, 0.74), ((0.5 + x) / 2 - side - 0.02, (0.72 + y) / 2), (x, y),
                 ((0.5 + x) / 2 + side + 0.02, (0.72 + y) / 2)], shift(pink, f.rng.uniform(0, 0.25)))


def bamboo(f: Frame) -> None:
    """Draw stems of bamboo."""
    for x in f.rng.uniform(0.15, 0.85, 3):
        green, lean = f.pick("leaf"), f.rng.normal(0, 0.06)
        for k in range(6):
            low, high = 1 - k / 6, 1 - (k + 0.93) / 6
            f.stroke([(x + lean * k / 6, low), (x + lean * (k + 1) / 6, high)], green, 0.045, line=0.8)
        for _ in range(6):
            y, side = f.rng.uniform(0.05, 0.8), f.rng.choice([-1, 1])
            for k in range(3):
                leaf(f, (x, y), (x + side * (0.20 + 0.08 * k), y + 0.02 + 0.05 * k), 0.12)


def grapes(f: Frame) -> None:
    """Draw a bunch of grapes with a vine leaf."""
    colour = f.pick("cloth")
    f.stroke([(0.5, 0.24), (0.46, 0.02)], f.style.colour("wood"), 0.05, line=0.6)
    for row, count in enumerate((4, 5, 4, 3, 2, 1)):
        for k in range(count):
            x, y = 0.5 + (k - (count - 1) / 2) * 0.17, 0.32 + row * 0.115
            f.oval(x, y, 0.10, 0.075, shift(colour, f.rng.uniform(-0.15, 0.2)), line=0.8)
            f.oval(x - 0.03, y - 0.025, 0.02, 0.014, shift(colour, 0.6), line=0)
    f.shape([(0.46, 0.16), (0.70, 0.0), (0.74, 0.12), (0.96, 0.12), (0.84, 0.24), (0.90, 0.38),
             (0.68, 0.30), (0.56, 0.34)], f.pick("leaf"), smooth=False)


def fruit(f: Frame) -> None:
    """Draw a pile of apples, pears and peaches."""
    for x, y in ((0.20, 0.72), (0.80, 0.74), (0.50, 0.74), (0.36, 0.44), (0.66, 0.44), (0.52, 0.20)):
        colour = f.pick("bloom") if f.rng.random() < 0.7 else f.style.colour("metal")
        x = x + f.rng.normal(0, 0.015)
        if f.rng.random() < 0.35:
            f.shape([(x, y - 0.26), (x + 0.08, y - 0.10), (x + 0.15, y + 0.12), (x, y + 0.22),
                     (x - 0.15, y + 0.12), (x - 0.08, y - 0.10)], colour, shade=0.7)
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
