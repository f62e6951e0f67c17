"""Buildings, boats, vessels and other things of the sample collection, each in a unit frame."""

from __future__ import annotations

import numpy as np

from imet_utils.sample_pen import Frame, mix, shift


def sword(f: Frame) -> None:
    """Draw a sword, point up (width a quarter to a third of its height)."""
    steel = mix(shift(f.style.colour("stone"), 0.3), (205, 212, 220), 0.5)
    f.shape([(0.36, 0.78), (0.36, 0.10), (0.5, 0.0), (0.64, 0.10), (0.64, 0.78)], steel, smooth=False,
            line=0.9)
    f.ink([(0.5, 0.06), (0.5, 0.76)], 0.6)
    f.stroke([(0.0, 0.79), (1.0, 0.79)], f.style.colour("metal"), 0.045, line=0.8)
    f.stroke([(0.5, 0.80), (0.5, 0.95)], f.style.colour("wood"), 0.05, line=0.7)
    f.oval(0.5, 0.97, 0.17, 0.03, f.style.colour("metal"), line=0.7)


def spear(f: Frame) -> None:
    """Draw a spear, point up."""
    f.stroke([(0.5, 0.12), (0.5, 1.0)], f.style.colour("wood"), 0.022, line=0.5)
    f.shape([(0.5, 0.0), (0.95, 0.10), (0.5, 0.16), (0.05, 0.10)], shift(f.style.colour("stone"), 0.2),
            smooth=False, line=0.8)


def shield(f: Frame) -> None:
    """Draw a round shield with a device."""
    f.oval(0.5, 0.5, 0.49, 0.49, f.pick("cloth"), shade=0.5)
    f.oval(0.5, 0.5, 0.38, 0.38, f.style.colour("metal"), line=0.8)
    device = f.pick("bloom")
    t = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    star = 0.3 * (1 - 0.5 * (np.arange(16) % 2))
    f.shape(np.stack([0.5 + star * np.cos(t), 0.5 + star * np.sin(t)], 1), device, smooth=False)


def book(f: Frame) -> None:
    """Draw an open book (twice as wide as high)."""
    page = shift(f.style.colour("paper"), 0.6)
    f.shape([(0.0, 0.14), (0.5, 0.24), (1.0, 0.14), (1.0, 0.94), (0.5, 1.0), (0.0, 0.94)],
            f.pick("cloth"), smooth=False)
    for side in (-1, 1):
        f.shape([(0.5, 0.12), (0.5 + side * 0.25, 0.0), (0.5 + side * 0.47, 0.08),
                 (0.5 + side * 0.47, 0.84), (0.5 + side * 0.25, 0.78), (0.5, 0.92)], page, line=0.8)
        for k in range(5):
            y = 0.18 + 0.13 * k
            f.ink([(0.5 + side * 0.08, y + 0.06), (0.5 + side * 0.25, y), (0.5 + side * 0.41, y + 0.03)],
                  0.6)
    f.ink([(0.5, 0.12), (0.5, 0.92)], 1.0)


def fan(f: Frame) -> None:
    """Draw an open folding fan (width 1.6 of its height)."""
    colour, other = f.pick("cloth"), f.pick("bloom")
    t = np.linspace(np.pi * 1.06, np.pi * 1.94, 13)
    outer = np.stack([0.5 + 0.5 * np.cos(t), 0.95 + 0.93 * np.sin(t)], 1)
    inside = np.stack([0.5 + 0.2 * np.cos(t), 0.95 + 0.38 * np.sin(t)], 1)
    for k in range(12):
        f.shape([inside[k], outer[k], outer[k + 1], inside[k + 1]],
                shift(colour, 0.12 * (k % 2)), smooth=False, line=0.6)
    for point in inside[::2]:
        f.stroke([(0.5, 0.97), tuple(point)], f.style.colour("wood"), 0.025, line=0.3, smooth=False)
    band = np.stack([0.5 + 0.36 * np.cos(t), 0.95 + 0.68 * np.sin(t)], 1)
    for x, y in band[1:-1:3]:
        f.oval(x, y, 0.05, 0.08, other, line=0.5)
    f.oval(0.5, 0.96, 0.025, 0.035, f.style.colour("metal"), line=0.5)


def flute(f: Frame) -> None:
    """Draw a flute, held level."""
    f.stroke([(0.0, 0.7), (1.0, 0.3)], f.style.colour("wood"), 0.32, 0.9, line=0.7)
    for x in (0.5, 0.62, 0.74, 0.86):
        f.oval(x, 0.7 - 0.4 * x, 0.018, 0.09, f.style.colour("ink"), line=0)


def flag(f: Frame) -> None:
    """Draw a flag on its staff."""
    first, second = f.pick("cloth"), f.pick("bloom")
    f.stroke([(0.08, 1.0), (0.08, 0.02)], f.style.colour("wood"), 0.028, line=0.5)
    wave = [(0.10, 0.04), (0.40, 0.10), (0.70, 0.02), (0.98, 0.08)]
    low = [(0.96, 0.48), (0.70, 0.40), (0.40, 0.50), (0.10, 0.44)]
    f.shape([*wave, *low], first)
    f.stroke([(0.11, 0.24), (0.40, 0.30), (0.70, 0.21), (0.95, 0.28)], second, 0.12)
    f.oval(0.08, 0.02, 0.04, 0.02, f.style.colour("metal"), line=0.5)


def lute(f: Frame) -> None:
    """Draw a lute, neck up (half as wide as high)."""
    wood = f.style.colour("wood")
    f.stroke([(0.5, 0.55), (0.5, 0.08)], shift(wood, -0.3), 0.065, line=0.8)
    f.stroke([(0.5, 0.08), (0.78, 0.03)], shift(wood, -0.3), 0.05, 0.6, line=0.7)
    f.shape([(0.5, 0.42), (0.74, 0.56), (0.94, 0.80), (0.5, 1.0), (0.06, 0.80), (0.26, 0.56)],
            shift(wood, 0.25), shade=0.6)
    f.oval(0.5, 0.72, 0.15, 0.075, shift(wood, -0.5))
    f.stroke([(0.34, 0.89), (0.66, 0.89)], shift(wood, -0.5), 0.025)
    for dx in (-0.05, 0.0, 0.05):
        f.ink([(0.5 + dx * 0.7, 0.10), (0.5 + dx * 1.5, 0.89)], 0.5, fill=f.style.colour("paper"))


def violin(f: Frame) -> None:
    """Draw a violin, neck up."""
    wood = mix(f.style.colour("wood"), (150, 70, 30), 0.4)
    f.stroke([(0.5, 0.5), (0.5, 0.04)], shift(wood, -0.4), 0.05, line=0.7)
    f.oval(0.5, 0.04, 0.09, 0.035, shift(wood, -0.3))
    f.shape([(0.5, 0.42), (0.80, 0.45), (0.82, 0.58), (0.66, 0.68), (0.88, 0.80), (0.86, 0.95),
             (0.5, 1.0), (0.14, 0.95), (0.12, 0.80), (0.34, 0.68), (0.18, 0.58), (0.20, 0.45)], wood,
            shade=0.6)
    for side in (-1, 1):
        f.ink([(0.5 + side * 0.17, 0.64), (0.5 + side * 0.13, 0.70), (0.5 + side * 0.18, 0.77)], 1.3)
        f.ink([(0.5 + side * 0.03, 0.08), (0.5 + side * 0.05, 0.84)], 0.5)
    f.stroke([(0.36, 0.80), (0.64, 0.80)], shift(wood, -0.5), 0.02)
    f.stroke([(0.96, 0.20), (0.98, 0.96)], shift(wood, -0.5), 0.022)


def harp(f: Frame) -> None:
    """Draw a harp."""
    gold = f.style.colour("metal")
    for k in range(9):
        x = 0.22 + 0.068 * k
        f.ink([(x, 0.14 + 0.10 * np.sin(k / 8 * np.pi)), (x, 0.90 - 0.078 * k)], 0.6)
    f.stroke([(0.14, 0.97), (0.90, 0.20)], shift(f.style.colour("wood"), 0.1), 0.13, 0.55, line=0.9)
    f.stroke([(0.14, 0.97), (0.12, 0.5), (0.14, 0.06)], gold, 0.065, line=0.9)
    f.stroke([(0.12, 0.08), (0.36, 0.22), (0.62, 0.20), (0.92, 0.22)], gold, 0.08, line=0.9)
    f.oval(0.12, 0.06, 0.09, 0.055, gold)
    f.shape([(0.02, 1.0), (0.06, 0.93), (0.34, 0.93), (0.38, 1.0)], gold, smooth=False)


def drum(f: Frame) -> None:
    """Draw a drum with its cords."""
    body = f.pick("bloom")
    f.box(0.08, 0.22, 0.92, 0.82, body, shade=0.6)
    f.oval(0.5, 0.82, 0.42, 0.16, body, shade=0.6)
    for k in range(6):
        x = 0.10 + 0.80 * k / 6
        f.ink([(x, 0.28), (x + 0.067, 0.88), (x + 0.133, 0.28)], 0.9, smooth=False,
              fill=shift(f.style.colour("paper"), 0.4))
    f.oval(0.5, 0.22, 0.44, 0.18, shift(f.style.colour("paper"), 0.4))
    f.stroke([(0.40, 0.22), (0.96, 0.0)], f.style.colour("wood"), 0.045, 0.6, line=0.6)
    f.stroke([(0.58, 0.20), (0.05, 0.02)], f.style.colour("wood"), 0.045, 0.6, line=0.6)


def vase(f: Frame, profile: list[tuple[float, float]] | None = None, handles: bool | None = None) -> None:
    """Draw a vase with painted bands; `profile` lists (half width, height) from lip to foot."""
    shapes = (
        [(0.26, 0.02), (0.20, 0.10), (0.17, 0.20), (0.40, 0.38), (0.46, 0.54), (0.34, 0.78), (0.18, 0.92),
         (0.26, 0.99)],
        [(0.34, 0.02), (0.26, 0.08), (0.22, 0.18), (0.30, 0.32), (0.48, 0.50), (0.44, 0.72), (0.26, 0.94),
         (0.28, 0.99)],
        [(0.16, 0.01), (0.13, 0.14), (0.14, 0.34), (0.36, 0.56), (0.44, 0.76), (0.32, 0.94), (0.24, 0.99)],
        [(0.40, 0.01), (0.30, 0.10), (0.24, 0.30), (0.34, 0.55), (0.38, 0.70), (0.26, 0.90), (0.32, 0.99)],
    )
    side = np.array(profile or shapes[f.rng.integers(len(shapes))])
    outline = np.concatenate([np.stack([0.5 + side[:, 0], side[:, 1]], 1),
                              np.stack([0.5 - side[::-1, 0], side[::-1, 1]], 1)])
    body, paint = f.style.pick("vessel", f.rng), f.style.pick("glaze", f.rng)
    if handles if handles is not None else f.rng.random() < 0.45:
        for sign in (-1, 1):
            f.stroke([(0.5 + sign * 0.20, 0.14), (0.5 + sign * 0.44, 0.16), (0.5 + sign * 0.40, 0.42)],
                     body, 0.04, line=0.8)
    f.shape(outline, body, shade=1.0)
    half = lambda y: float(np.interp(y, side[:, 1], side[:, 0]))  # noqa: E731
    for y in (side[2, 1] + 0.02, 0.84):
        f.stroke([(0.5 - half(y), y), (0.5 + half(y), y)], paint, 0.022)
    _band(f, half, float(f.rng.uniform(0.50, 0.64)), paint)
    f.oval(0.5, 0.02, side[0, 0], 0.018, shift(body, -0.35), line=0.7)
    f.stroke([(0.5 - half(0.5) * 0.6, 0.42), (0.5 - half(0.6) * 0.66, 0.66)], shift(body, 0.5), 0.02,
             0.4)


def _band(f: Frame, half, y: float, paint: tuple) -> None:  # noqa: ANN001
    reach, kind = half(y) * 0.86, f.rng.integers(4)
    aspect = float(np.hypot(*f.down) / np.hypot(*f.across))
    for dy in (-0.085, 0.085):
        wide = half(y + dy) * 0.97
        f.stroke([(0.5 - wide, y + dy), (0.5 + wide, y + dy)], paint, 0.012)
    if kind == 0:  # meander
        step = 0.07 * aspect
        for x in np.arange(0.5 - reach, 0.5 + reach - step * 0.8, step):
            f.ink([(x, y + 0.05), (x, y - 0.05), (x + step * 0.8, y - 0.05), (x + step * 0.8, y + 0.02),
                   (x + step * 0.4, y + 0.02), (x + step * 0.4, y - 0.01)], 1.2, False, paint)
    elif kind == 1:  # petals
        for x in np.linspace(0.5 - reach, 0.5 + reach, 7):
            f.shape([(x, y - 0.07), (x + 0.05, y), (x, y + 0.07), (x - 0.05, y)], paint, line=0)
    elif kind == 2:  # waves
        x = np.linspace(0.5 - reach, 0.5 + reach, 40)
        for dy in (-0.03, 0.03):
            f.ink(np.stack([x, y + dy + 0.02 * np.sin((x - 0.5) * 45)], 1), 1.4, False, paint)
    else:  # roundels
        for x in np.linspace(0.5 - reach * 0.85, 0.5 + reach * 0.85, 4):
            f.oval(x, y, 0.045 * aspect, 0.045, paint, line=0)
            f.oval(x, y, 0.022 * aspect, 0.022, f.style.colour("metal"), line=0)


def bottle(f: Frame) -> None:
    """Draw a bottle (width under half of its height)."""
    vase(f, [(0.14, 0.01), (0.11, 0.06), (0.11, 0.34), (0.30, 0.48), (0.36, 0.60), (0.36, 0.92),
             (0.32, 0.99)], handles=False)


def jug(f: Frame) -> None:
    """Draw a jug with one handle and a lip."""
    body = f.style.pick("vessel", f.rng)
    f.stroke([(0.66, 0.14), (0.98, 0.20), (0.94, 0.52), (0.72, 0.64)], body, 0.06, line=0.9)
    f.shape([(0.06, 0.10), (0.24, 0.04), (0.20, 0.16)], body)
    vase(f.inner(-0.02, 0.02, 0.88, 0.97),
         [(0.28, 0.02), (0.22, 0.12), (0.20, 0.24), (0.42, 0.52), (0.44, 0.68), (0.28, 0.92),
          (0.32, 0.99)], handles=False)


def bowl(f: Frame) -> None:
    """Draw a bowl (width 1.7 of its height)."""
    body, paint = f.style.pick("vessel", f.rng), f.style.pick("glaze", f.rng)
    f.box(0.36, 0.88, 0.64, 0.99, shift(body, -0.2))
    f.shape([(0.0, 0.18), (0.10, 0.56), (0.34, 0.90), (0.66, 0.90), (0.90, 0.56), (1.0, 0.18)], body,
            shade=0.9)
    for k in range(8):
        x = 0.16 + 0.097 * k
        f.oval(x, 0.50 + 0.08 * np.sin((x - 0.5) * np.pi + np.pi / 2), 0.030, 0.085, paint, line=0)
    f.stroke([(0.05, 0.35), (0.5, 0.46), (0.95, 0.35)], paint, 0.035)
    f.oval(0.5, 0.18, 0.5, 0.17, body)
    f.oval(0.5, 0.18, 0.44, 0.13, shift(body, -0.3), line=0.6)


def cup(f: Frame) -> None:
    """Draw a cup with a handle on its saucer."""
    body, paint = f.style.pick("vessel", f.rng), f.style.pick("glaze", f.rng)
    f.oval(0.45, 0.92, 0.45, 0.08, body)
    f.stroke([(0.72, 0.32), (0.98, 0.30), (0.96, 0.60), (0.66, 0.70)], body, 0.07, line=0.9)
    f.shape([(0.10, 0.14), (0.80, 0.14), (0.76, 0.56), (0.58, 0.88), (0.32, 0.88), (0.14, 0.56)], body,
            shade=0.8)
    f.stroke([(0.13, 0.34), (0.45, 0.38), (0.77, 0.34)], paint, 0.03)
    for x in (0.26, 0.45, 0.64):
        f.oval(x, 0.56, 0.06, 0.08, paint, line=0)
    f.oval(0.45, 0.14, 0.36, 0.08, shift(body, -0.25))


def teapot(f: Frame) -> None:
    """Draw a teapot."""
    body, paint = f.style.pick("vessel", f.rng), f.style.pick("glaze", f.rng)
    f.stroke([(0.24, 0.40), (0.04, 0.36), (0.06, 0.70), (0.26, 0.74)], body, 0.075, line=0.9)
    f.stroke([(0.72, 0.70), (0.86, 0.58), (0.96, 0.30)], body, 0.14, 0.45, line=0.9)
    f.shape([(0.36, 0.32), (0.64, 0.32), (0.82, 0.60), (0.68, 0.94), (0.32, 0.94), (0.18, 0.60)], body,
            shade=0.9)
    f.shape([(0.34, 0.33), (0.5, 0.18), (0.66, 0.33)], body)
    f.oval(0.5, 0.15, 0.04, 0.06, paint)
    for x, y in ((0.34, 0.62), (0.5, 0.68), (0.66, 0.62)):
        for k in range(5):
            f.oval(x + 0.035 * np.cos(k * 1.26), y + 0.05 * np.sin(k * 1.26), 0.022, 0.03, paint, line=0)
    f.stroke([(0.24, 0.46), (0.5, 0.50), (0.76, 0.46)], paint, 0.022)


def dish(f: Frame) -> None:
    """Draw a painted dish seen from above."""
    body, paint = f.style.pick("vessel", f.rng), f.style.pick("glaze", f.rng)
    f.oval(0.5, 0.5, 0.5, 0.5, body, shade=0.5)
    f.oval(0.5, 0.5, 0.45, 0.45, shift(body, 0.1), line=0.5)
    count = int(f.rng.integers(8, 17))
    for k in range(count):
        a = k * 2 * np.pi / count
        f.oval(0.5 + 0.385 * np.cos(a), 0.5 + 0.385 * np.sin(a), 0.045, 0.028, paint, tilt=a, line=0)
    f.oval(0.5, 0.5, 0.32, 0.32, paint, line=0.5)
    f.oval(0.5, 0.5, 0.30, 0.30, shift(body, 0.1), line=0)
    petals, other = int(f.rng.integers(5, 9)), f.style.pick("glaze", f.rng)
    for k in range(petals):
        a = k * 2 * np.pi / petals
        f.oval(0.5 + 0.15 * np.cos(a), 0.5 + 0.15 * np.sin(a), 0.12, 0.05, other, tilt=a, line=0.6)
    f.oval(0.5, 0.5, 0.06, 0.06, f.style.colour("metal"), line=0.6)


def candlestick(f: Frame) -> None:
    """Draw a candlestick with its burning candle."""
    gold = f.style.colour("metal")
    f.box(0.40, 0.14, 0.60, 0.46, shift(f.style.colour("paper"), 0.6), shade=0.4)
    f.shape([(0.5, 0.0), (0.60, 0.09), (0.5, 0.145), (0.40, 0.09)], (250, 200, 90), line=0.6)
    f.shape([(0.24, 0.45), (0.76, 0.45), (0.60, 0.53), (0.40, 0.53)], gold)
    f.shape([(0.42, 0.52), (0.58, 0.52), (0.54, 0.62), (0.68, 0.68), (0.54, 0.74), (0.56, 0.88),
             (0.44, 0.88), (0.46, 0.74), (0.32, 0.68), (0.46, 0.62)], gold, shade=0.6)
    f.shape([(0.40, 0.87), (0.60, 0.87), (0.96, 0.97), (0.5, 1.0), (0.04, 0.97)], gold, shade=0.6)


def lamp(f: Frame) -> None:
    """Draw an oil lamp with its flame."""
    body = f.style.pick("vessel", f.rng)
    f.shape([(0.93, 0.06), (1.0, 0.26), (0.93, 0.38), (0.87, 0.26)], (250, 190, 80), line=0.6)
    f.stroke([(0.16, 0.50), (0.0, 0.46), (0.04, 0.74), (0.20, 0.72)], body, 0.07, line=0.8)
    f.shape([(0.12, 0.52), (0.36, 0.40), (0.62, 0.44), (0.90, 0.36), (0.98, 0.44), (0.76, 0.70),
             (0.46, 0.86), (0.20, 0.74)], body, shade=0.7)
    f.oval(0.40, 0.46, 0.13, 0.07, shift(body, -0.3))
    f.shape([(0.34, 0.84), (0.56, 0.84), (0.64, 0.97), (0.28, 0.97)], body, smooth=False)


def mirror(f: Frame) -> None:
    """Draw a hand mirror."""
    gold = f.style.colour("metal")
    f.stroke([(0.5, 0.6), (0.5, 0.98)], gold, 0.075, 0.7, line=0.9)
    f.oval(0.5, 0.33, 0.48, 0.32, gold)
    f.oval(0.5, 0.33, 0.39, 0.26, mix(f.style.colour("water"), (225, 235, 240), 0.6), shade=0.5)
    f.stroke([(0.32, 0.40), (0.54, 0.16)], (245, 248, 250), 0.03)
    f.stroke([(0.44, 0.44), (0.64, 0.22)], (245, 248, 250), 0.02)


def clock(f: Frame) -> None:
    """Draw a standing clock."""
    wood, gold = f.style.colour("wood"), f.style.colour("metal")
    f.shape([(0.06, 0.98), (0.12, 0.42), (0.20, 0.16), (0.5, 0.04), (0.80, 0.16), (0.88, 0.42),
             (0.94, 0.98)], wood, shade=0.6)
    f.oval(0.5, 0.42, 0.31, 0.26, gold)
    f.oval(0.5, 0.42, 0.26, 0.215, shift(f.style.colour("paper"), 0.6), line=0.6)
    for k in range(12):
        a = k * np.pi / 6
        f.ink([(0.5 + 0.20 * np.cos(a), 0.42 + 0.165 * np.sin(a)),
               (0.5 + 0.24 * np.cos(a), 0.42 + 0.195 * np.sin(a))], 1.0)
    a, b = f.rng.uniform(0, 6.28, 2)
    f.ink([(0.5, 0.42), (0.5 + 0.12 * np.cos(a), 0.42 + 0.10 * np.sin(a))], 1.8)
    f.ink([(0.5, 0.42), (0.5 + 0.19 * np.cos(b), 0.42 + 0.16 * np.sin(b))], 1.2)
    f.box(0.34, 0.76, 0.66, 0.90, gold, line=0.7)


def mask(f: Frame) -> None:
    """Draw a mask."""
    face, ink = f.pick("bloom"), f.style.colour("ink")
    f.shape([(0.5, 0.02), (0.88, 0.12), (0.95, 0.45), (0.78, 0.85), (0.5, 0.99), (0.22, 0.85),
             (0.05, 0.45), (0.12, 0.12)], face, shade=0.6)
    for side in (-1, 1):
        f.shape([(0.5 + side * 0.10, 0.42), (0.5 + side * 0.24, 0.34), (0.5 + side * 0.36, 0.42),
                 (0.5 + side * 0.24, 0.47)], ink)
        f.stroke([(0.5 + side * 0.08, 0.30), (0.5 + side * 0.24, 0.20), (0.5 + side * 0.38, 0.28)], ink,
                 0.045, 0.5)
        f.oval(0.5 + side * 0.27, 0.60, 0.09, 0.07, f.pick("cloth"), line=0.6)
        f.oval(0.5 + side * 0.50, 0.50, 0.06, 0.10, f.style.colour("metal"))
    f.shape([(0.46, 0.40), (0.54, 0.40), (0.60, 0.62), (0.40, 0.62)], shift(face, -0.2))
    f.shape([(0.28, 0.72), (0.5, 0.68), (0.72, 0.72), (0.5, 0.88)], ink)
    f.stroke([(0.32, 0.74), (0.68, 0.74)], shift(f.style.colour("paper"), 0.6), 0.035)


def skull(f: Frame) -> None:
    """Draw a skull."""
    bone, ink = shift(f.style.colour("paper"), 0.35), f.style.colour("ink")
    f.shape([(0.5, 0.02), (0.88, 0.14), (0.95, 0.46), (0.78, 0.66), (0.72, 0.96), (0.28, 0.96),
             (0.22, 0.66), (0.05, 0.46), (0.12, 0.14)], bone, shade=0.7)
    for x in (0.31, 0.69):
        f.oval(x, 0.46, 0.13, 0.13, shift(ink, 0.05))
    f.shape([(0.5, 0.56), (0.57, 0.70), (0.43, 0.70)], shift(ink, 0.05), smooth=False)
    f.ink([(0.28, 0.80), (0.72, 0.80)], 1.0)
    for x in np.linspace(0.34, 0.66, 5):
        f.ink([(x, 0.75), (x, 0.93)], 0.9)


def helmet(f: Frame) -> None:
    """Draw a helmet with visor and plume."""
    steel = mix(f.style.colour("metal"), (150, 156, 166), 0.55)
    f.stroke([(0.20, 0.34), (0.30, 0.06), (0.60, 0.02), (0.86, 0.18)], f.style.colour("bloom"), 0.16, 0.5,
             line=0.9)
    f.shape([(0.10, 0.62), (0.14, 0.30), (0.40, 0.14), (0.70, 0.22), (0.86, 0.46), (0.90, 0.70),
             (0.66, 0.80), (0.62, 0.98), (0.16, 0.98)], steel, shade=0.9)
    f.shape([(0.46, 0.50), (0.84, 0.44), (0.97, 0.60), (0.74, 0.74), (0.48, 0.68)], shift(steel, 0.15))
    for y in (0.55, 0.61):
        f.ink([(0.60, y + 0.02), (0.88, y)], 1.5)
    f.oval(0.44, 0.58, 0.05, 0.05, f.style.colour("metal"))


def dagger(f: Frame) -> None:
    """Draw a dagger, point down, with a jewelled hilt."""
    steel = mix(shift(f.style.colour("stone"), 0.3), (205, 212, 220), 0.5)
    f.shape([(0.32, 0.36), (0.68, 0.36), (0.66, 0.72), (0.5, 1.0), (0.34, 0.72)], steel, smooth=False)
    f.ink([(0.5, 0.38), (0.5, 0.92)], 0.7)
    f.stroke([(0.02, 0.34), (0.98, 0.34)], f.style.colour("metal"), 0.055, line=0.9)
    f.stroke([(0.5, 0.08), (0.5, 0.32)], f.pick("cloth"), 0.10, line=0.9)
    f.oval(0.5, 0.06, 0.22, 0.055, f.style.colour("metal"))
    f.oval(0.5, 0.34, 0.12, 0.03, f.style.colour("bloom"), line=0.5)


def coin(f: Frame) -> None:
    """Draw a struck coin with a head in profile."""
    metal = f.style.colour("metal")
    f.oval(0.5, 0.5, 0.49, 0.49, metal, shade=0.7)
    dark = shift(metal, -0.3)
    for k in range(36):
        a = k * np.pi / 18
        f.oval(0.5 + 0.43 * np.cos(a), 0.5 + 0.43 * np.sin(a), 0.016, 0.016, dark, line=0)
    f.shape([(0.42, 0.22), (0.58, 0.22), (0.64, 0.34), (0.72, 0.48), (0.65, 0.51), (0.66, 0.60),
             (0.60, 0.66), (0.52, 0.66), (0.58, 0.80), (0.32, 0.80), (0.36, 0.62), (0.28, 0.42)],
            shift(metal, 0.25), shade=0.5)
    f.shape([(0.62, 0.30), (0.52, 0.18), (0.34, 0.22), (0.27, 0.42), (0.36, 0.58), (0.44, 0.40)], dark)
    f.oval(0.60, 0.41, 0.015, 0.015, dark, line=0)


def chair(f: Frame) -> None:
    """Draw a chair."""
    wood, seat = f.style.colour("wood"), f.pick("cloth")
    for x, y in ((0.14, 0.62), (0.84, 0.62), (0.28, 0.56), (0.94, 0.56)):
        f.stroke([(x, y), (x, 0.98 if y > 0.6 else 0.90)], shift(wood, 0 if y > 0.6 else -0.25), 0.05,
                 line=0.8)
    f.shape([(0.10, 0.62), (0.22, 0.05), (0.5, 0.0), (0.78, 0.05), (0.88, 0.62)], wood, smooth=False,
            shade=0.4)
    f.shape([(0.22, 0.54), (0.30, 0.12), (0.5, 0.08), (0.70, 0.12), (0.76, 0.54)], seat, smooth=False)
    f.shape([(0.06, 0.66), (0.20, 0.54), (0.94, 0.54), (0.92, 0.66)], seat, smooth=False)


def table(f: Frame) -> None:
    """Draw a table with a cloth (width 1.8 of its height)."""
    wood = f.style.colour("wood")
    for x in (0.12, 0.88):
        f.stroke([(x, 0.2), (x, 0.98)], wood, 0.10, 0.7, line=0.9)
    f.shape([(0.0, 0.22), (0.10, 0.04), (0.90, 0.04), (1.0, 0.22), (0.98, 0.34), (0.02, 0.34)], wood,
            smooth=False)
    f.shape([(0.24, 0.22), (0.30, 0.04), (0.70, 0.04), (0.76, 0.22), (0.72, 0.62), (0.5, 0.56),
             (0.28, 0.62)], f.pick("cloth"), smooth=False, shade=0.4)


def scarab(f: Frame) -> None:
    """Draw a scarab beetle from above (width 0.8 of its height)."""
    body = f.style.colours["cloth"][1 % len(f.style.colours["cloth"])]
    for side in (-1, 1):
        for y, reach in ((0.30, 0.02), (0.52, 0.5), (0.70, 0.94)):
            f.stroke([(0.5 + side * 0.30, y), (0.5 + side * 0.48, y + 0.1 * (reach - 0.5)),
                      (0.5 + side * 0.46, reach)], f.style.colour("ink"), 0.035, 0.5)
    f.oval(0.5, 0.64, 0.36, 0.34, body, shade=0.6)
    f.oval(0.5, 0.30, 0.32, 0.15, shift(body, -0.2))
    f.shape([(0.30, 0.16), (0.36, 0.02), (0.5, 0.07), (0.64, 0.02), (0.70, 0.16), (0.5, 0.24)],
            shift(body, 0.2), smooth=False)
    f.ink([(0.5, 0.44), (0.5, 0.96)], 1.2)
    for side in (-1, 1):
        f.ink([(0.5 + side * 0.17, 0.46), (0.5 + side * 0.22, 0.90)], 0.7)


def cross(f: Frame) -> None:
    """Draw a cross with jewels."""
    gold = f.style.colour("metal")
    f.shape([(0.40, 0.0), (0.60, 0.0), (0.58, 0.24), (0.96, 0.22), (0.96, 0.42), (0.58, 0.40), (0.60, 1.0),
             (0.40, 1.0), (0.42, 0.40), (0.04, 0.42), (0.04, 0.22), (0.42, 0.24)], gold, smooth=False,
            shade=0.6)
    for x, y in ((0.5, 0.08), (0.14, 0.32), (0.86, 0.32), (0.5, 0.32), (0.5, 0.60), (0.5, 0.90)):
        f.oval(x, y, 0.06, 0.04, f.pick("bloom"), line=0.7)


def arms(f: Frame) -> None:
    """Draw a coat of arms: a quartered shield under a crown."""
    first, second, gold = f.pick("cloth"), f.pick("bloom"), f.style.colour("metal")
    for side in (-1, 1):
        f.stroke([(0.5 + side * 0.40, 0.92), (0.5 + side * 0.52, 0.6), (0.5 + side * 0.44, 0.26)],
                 f.pick("leaf"), 0.06, 0.5, line=0.6)
    f.shape([(0.16, 0.24), (0.84, 0.24), (0.84, 0.56), (0.74, 0.80), (0.5, 0.98), (0.26, 0.80),
             (0.16, 0.56)], first, smooth=False)
    f.box(0.5, 0.24, 0.84, 0.58, second, line=0.6)
    f.shape([(0.16, 0.58), (0.5, 0.58), (0.5, 0.98), (0.26, 0.80)], second, smooth=False, line=0.6)
    for x, y in ((0.33, 0.41), (0.66, 0.70)):
        f.shape([(x, y - 0.10), (x + 0.08, y), (x, y + 0.10), (x - 0.08, y)], gold, smooth=False, line=0.6)
    f.stroke([(0.56, 0.52), (0.78, 0.30)], gold, 0.05)
    f.stroke([(0.24, 0.66), (0.46, 0.84)], gold, 0.04)
    points = [(0.24, 0.22)]
    for k in range(3):
        points += [(0.22 + 0.28 * k, 0.03), (0.36 + 0.28 * k, 0.13)]
    f.shape([*points[:-1], (0.76, 0.22)], gold, smooth=False)


def necklace(f: Frame) -> None:
    """Draw a necklace with a pendant, laid out flat."""
    t = np.linspace(-0.35, np.pi + 0.35, 23)
    for k, angle in enumerate(t):
        x, y = 0.5 - 0.44 * np.cos(angle), 0.24 + 0.46 * np.sin(angle)
        size = 0.030 + 0.018 * np.sin(max(0.0, angle))
        f.oval(x, y, size, size, f.style.colour("metal") if k % 2 else f.style.colours["cloth"][1 % len(
            f.style.colours["cloth"])], line=0.7)
    f.shape([(0.5, 0.72), (0.60, 0.84), (0.5, 0.99), (0.40, 0.84)], f.style.colour("bloom"), shade=0.5)


def ring(f: Frame) -> None:
    """Draw a finger ring with a stone."""
    gold = f.style.colour("metal")
    f.oval(0.5, 0.62, 0.42, 0.37, gold, shade=0.7)
    f.oval(0.5, 0.64, 0.31, 0.27, f.style.colour("paper"))
    f.shape([(0.28, 0.20), (0.38, 0.04), (0.62, 0.04), (0.72, 0.20), (0.5, 0.36)], f.pick("cloth"),
            smooth=False, shade=0.5)


def key(f: Frame) -> None:
    """Draw a key."""
    iron = mix(f.style.colour("metal"), f.style.colour("ink"), 0.3)
    f.oval(0.5, 0.18, 0.42, 0.17, iron)
    f.oval(0.5, 0.18, 0.22, 0.09, f.style.colour("paper"))
    f.stroke([(0.5, 0.34), (0.5, 0.98)], iron, 0.055, line=0.8)
    f.box(0.54, 0.78, 0.92, 0.84, iron)
    f.box(0.54, 0.90, 0.84, 0.96, iron)


def house(f: Frame) -> None:
    """Draw a house with a gable, chimney, door and windows."""
    wall, roof = f.pick("stone"), f.pick("roof")
    f.box(0.66, 0.10, 0.76, 0.36, shift(roof, -0.25))
    f.box(0.08, 0.44, 0.92, 1.0, wall, shade=0.5)
    f.shape([(0.0, 0.48), (0.22, 0.14), (0.80, 0.14), (1.0, 0.48)], roof, smooth=False, shade=0.4)
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
    f.shape([(0.30, 0.56), (0.42, 0.40), (0.94, 0.40), (1.02, 0.56)], roof, smooth=False)
    f.box(0.08, 0.36, 0.38, 1.0, shift(wall, 0.1), shade=0.4)
    f.shape([(0.04, 0.37), (0.23, 0.07), (0.42, 0.37)], roof, smooth=False)
    f.ink([(0.23, 0.08), (0.23, 0.0)], 1.2)
    f.ink([(0.17, 0.03), (0.29, 0.03)], 1.2)
    dark = mix(f.style.colour("ink"), f.style.colour("sky"), 0.3)
    for x in (0.50, 0.68, 0.86):
        f.shape([(x - 0.05, 0.86), (x - 0.05, 0.70), (x, 0.63), (x + 0.05, 0.70), (x + 0.05, 0.86)], dark,
                smooth=False, line=0.7)
    f.shape([(0.16, 1.0), (0.16, 0.84), (0.23, 0.77), (0.30, 0.84), (0.30, 1.0)], f.style.colour("wood"),
            smooth=False)
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
            f.shape([(left - 0.02, top - 0.04), ((left + right) / 2, top - 0.28), (right + 0.02,
                    top - 0.04)], roof, smooth=False)
        f.box((left + right) / 2 - 0.02, top + 0.12, (left + right) / 2 + 0.02, top + 0.24, dark, line=0)

    tower(0.40, 0.64, 0.34, True)
    tower(0.20, 0.84, 0.58, False)
    tower(0.02, 0.22, 0.42, f.rng.random() < 0.6)
    tower(0.80, 0.98, 0.42, f.rng.random() < 0.6)
    f.shape([(0.43, 1.0), (0.43, 0.82), (0.52, 0.72), (0.61, 0.82), (0.61, 1.0)], dark, smooth=False)
    f.ink([(0.52, 0.08), (0.52, 0.0)], 1.0)


def temple(f: Frame) -> None:
    """Draw a classical temple front with columns and pediment."""
    wall = f.pick("stone")
    f.box(0.10, 0.36, 0.90, 0.92, mix(f.style.colour("ink"), wall, 0.45))
    for x in np.linspace(0.10, 0.90, 6):
        f.box(x - 0.045, 0.38, x + 0.045, 0.90, wall, shade=0.6)
        f.box(x - 0.06, 0.36, x + 0.06, 0.41, wall, line=0.7)
    f.box(0.02, 0.29, 0.98, 0.37, wall)
    f.shape([(0.0, 0.30), (0.5, 0.04), (1.0, 0.30)], f.pick("roof"), smooth=False)
    f.shape([(0.13, 0.27), (0.5, 0.09), (0.87, 0.27)], wall, smooth=False, line=0.6)
    f.box(0.03, 0.90, 0.97, 0.95, wall)
    f.box(0.0, 0.95, 1.0, 1.0, shift(wall, -0.1))


def pagoda(f: Frame) -> None:
    """Draw a pagoda with swept roofs."""
    wall, roof = f.pick("stone"), f.pick("roof")
    f.ink([(0.5, 0.14), (0.5, 0.0)], 2.0)
    for k in range(4):
        base, wide = 0.30 + 0.225 * k, 0.20 + 0.055 * k
        f.box(0.5 - wide * 0.8, base - 0.06, 0.5 + wide * 0.8, base + 0.09, wall)
        for x in np.linspace(-0.5, 0.5, 3):
            f.box(0.5 + x * wide - 0.03, base - 0.02, 0.5 + x * wide + 0.03, base + 0.09,
                  f.style.colour("wood"), line=0.4)
        f.shape([(0.5 - wide - 0.18, base - 0.09), (0.5 - wide * 0.8, base - 0.08), (0.5 - wide * 0.4,
                base - 0.18), (0.5 + wide * 0.4, base - 0.18), (0.5 + wide * 0.8, base - 0.08),
                (0.5 + wide + 0.18, base - 0.09), (0.5 + wide, base - 0.02), (0.5 - wide, base - 0.02)],
                roof)
    f.box(0.16, 0.97, 0.84, 1.0, shift(wall, -0.2))


def mosque(f: Frame) -> None:
    """Draw a domed hall between minarets."""
    wall, roof = f.pick("stone"), f.pick("roof")
    for x in (0.07, 0.93):
        f.box(x - 0.035, 0.26, x + 0.035, 1.0, wall, shade=0.5)
        f.shape([(x - 0.05, 0.27), (x, 0.10), (x + 0.05, 0.27)], roof, smooth=False)
        f.stroke([(x - 0.05, 0.42), (x + 0.05, 0.42)], shift(wall, -0.2), 0.03)
    f.shape([(0.28, 0.52), (0.24, 0.36), (0.38, 0.20), (0.5, 0.10), (0.62, 0.20), (0.76, 0.36),
             (0.72, 0.52)], roof, shade=0.5)
    f.ink([(0.5, 0.11), (0.5, 0.02)], 1.4)
    f.box(0.14, 0.50, 0.86, 1.0, wall, shade=0.4)
    dark = mix(f.style.colour("ink"), roof, 0.3)
    for x, wide, top in ((0.5, 0.11, 0.60), (0.27, 0.06, 0.70), (0.73, 0.06, 0.70)):
        f.shape([(x - wide, 1.0), (x - wide, top + 0.12), (x, top), (x + wide, top + 0.12), (x + wide, 1.0)],
                dark, smooth=False)


def tower(f: Frame) -> None:
    """Draw a tall tower."""
    wall, roof = f.pick("stone"), f.pick("roof")
    f.shape([(0.22, 1.0), (0.28, 0.24), (0.72, 0.24), (0.78, 1.0)], wall, smooth=False, shade=0.7)
    f.shape([(0.12, 0.26), (0.5, 0.0), (0.88, 0.26)], roof, smooth=False)
    for y in (0.36, 0.56, 0.76):
        f.box(0.42, y, 0.58, y + 0.08, mix(f.style.colour("ink"), wall, 0.3), line=0.6)
        f.ink([(0.26, y + 0.13), (0.74, y + 0.13)], 0.7)


def ruin(f: Frame) -> None:
    """Draw broken columns and arches overgrown with leaves."""
    wall = f.pick("stone")
    f.shape([(0.52, 1.0), (0.52, 0.28), (0.58, 0.18), (0.66, 0.24), (0.78, 0.14), (0.98, 0.30), (0.98, 1.0)],
            wall, smooth=False, shade=0.5)
    f.shape([(0.64, 1.0), (0.64, 0.62), (0.70, 0.48), (0.80, 0.46), (0.87, 0.60), (0.87, 1.0)],
            mix(f.style.colour("sky"), f.style.colour("ink"), 0.35))
    for x, top in ((0.08, 0.12), (0.26, 0.42), (0.40, 0.62)):
        f.shape([(x - 0.055, 1.0), (x - 0.05, top + 0.04), (x - 0.01, top), (x + 0.03, top + 0.05),
                 (x + 0.05, top + 0.02), (x + 0.055, 1.0)], shift(wall, 0.1), smooth=False, shade=0.6)
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
        f.shape([(x + wide * 0.2, 1.0), (x, top), (x + wide, 1.0)], shift(stone, -0.3), smooth=False)
        for k in range(1, 6):
            y = top + (1 - top) * k / 6
            f.ink([(x - wide * k / 6, y), (x + wide * k / 6, y)], 0.4)


def windmill(f: Frame) -> None:
    """Draw a windmill."""
    f.shape([(0.24, 1.0), (0.36, 0.40), (0.64, 0.40), (0.76, 1.0)], f.pick("stone"), smooth=False, shade=0.7)
    f.shape([(0.32, 0.42), (0.5, 0.24), (0.68, 0.42)], f.pick("roof"))
    f.box(0.44, 0.80, 0.56, 1.0, f.style.colour("wood"))
    turn = f.rng.uniform(0.2, 1.2)
    for k in range(4):
        a = turn + k * np.pi / 2
        across, down = np.array([np.cos(a), np.sin(a) * 0.78]), np.array([-np.sin(a), np.cos(a) * 0.78])
        hub = np.array([0.5, 0.37])
        f.stroke([hub, hub + 0.46 * across], f.style.colour("wood"), 0.022)
        f.shape([hub + 0.12 * across, hub + 0.46 * across, hub + 0.46 * across + 0.13 * down,
                 hub + 0.12 * across + 0.13 * down], shift(f.style.colour("paper"), 0.4), smooth=False,
                line=0.7)


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
    opening = np.stack([0.5 + 0.22 * np.cos(t), 0.52 + 0.22 * np.sin(t)], 1)
    f.shape([(0.28, 1.0), *map(tuple, opening), (0.72, 1.0)], mix(f.style.colour("sky"),
            f.style.colour("ink"), 0.2), smooth=False)
    for x in (0.14, 0.86):
        f.box(x - 0.04, 0.28, x + 0.04, 0.96, shift(stone, 0.15), line=0.7)


def tent(f: Frame) -> None:
    """Draw a striped tent."""
    first, second = f.pick("cloth"), shift(f.style.colour("paper"), 0.4)
    edges = np.linspace(0.04, 0.96, 7)
    for k in range(6):
        f.shape([(0.5, 0.14), (edges[k], 0.98), (edges[k + 1], 0.98)], first if k % 2 else second,
                smooth=False, line=0.7)
    f.shape([(0.5, 0.40), (0.40, 0.98), (0.60, 0.98)], shift(f.style.colour("ink"), 0.1), smooth=False)
    f.ink([(0.5, 0.14), (0.5, 0.0)], 1.2)
    f.shape([(0.5, 0.0), (0.66, 0.04), (0.5, 0.08)], f.pick("bloom"), smooth=False, line=0.6)


def bridge(f: Frame) -> None:
    """Draw a bridge: stone arches or an arched wooden one (width 2.4 of its height)."""
    if f.style.dress == "robe" or f.rng.random() < 0.3:
        wood = f.pick("roof")
        t = np.linspace(0, 1, 13)
        deck = np.stack([t, 0.74 - 0.44 * np.sin(t * np.pi)], 1)
        for x, y in deck[2:-2:2]:
            f.stroke([(x, y), (x, 1.0)], shift(wood, -0.25), 0.06, line=0.7)
        f.stroke(deck, wood, 0.13, line=0.9)
        f.stroke(deck - [0, 0.20], wood, 0.045, line=0.7)
        for x, y in deck:
            f.stroke([(x, y), (x, y - 0.24)], wood, 0.035, line=0.5)
        return
    stone, count = f.pick("stone"), int(f.rng.integers(2, 5))
    f.shape([(0.0, 0.40), (0.5, 0.16), (1.0, 0.40), (1.0, 1.0), (0.0, 1.0)], stone, smooth=False, shade=0.4)
    hole, wide = mix(f.style.colour("water"), f.style.colour("ink"), 0.3), 1 / count
    t = np.linspace(np.pi, 2 * np.pi, 11)
    for k in range(count):
        x = (k + 0.5) * wide
        top = 0.80 - 0.12 * (1 - abs(x - 0.5))
        ring = np.stack([x + wide * 0.38 * np.cos(t), top + 0.30 * np.sin(t)], 1)
        f.shape([(x - wide * 0.38, 1.0), *map(tuple, ring), (x + wide * 0.38, 1.0)], hole, smooth=False)
    f.stroke([(0.0, 0.40), (0.5, 0.16), (1.0, 0.40)], shift(stone, 0.2), 0.08, line=0.8, smooth=False)


def boat(f: Frame) -> None:
    """Draw a small boat, with a sail or a rower (width 1.3 of its height)."""
    wood = f.style.colour("wood")
    if f.rng.random() < 0.65:
        sail = shift(f.pick("cloth") if f.rng.random() < 0.4 else f.style.colour("paper"), 0.35)
        f.stroke([(0.48, 0.80), (0.48, 0.02)], wood, 0.03)
        f.shape([(0.50, 0.06), (0.86, 0.44), (0.84, 0.66), (0.50, 0.68)], sail, shade=0.4)
        f.shape([(0.45, 0.14), (0.18, 0.62), (0.45, 0.66)], shift(sail, -0.1), smooth=False)
    else:
        for x in (0.36, 0.60):
            f.shape([(x - 0.07, 0.80), (x - 0.05, 0.50), (x + 0.05, 0.50), (x + 0.07, 0.80)], f.pick("cloth"))
            f.oval(x, 0.43, 0.045, 0.06, f.pick("skin"), line=0.7)
        f.stroke([(0.58, 0.60), (0.90, 0.97)], wood, 0.03)
    f.shape([(0.0, 0.70), (0.16, 0.78), (0.5, 0.80), (0.84, 0.78), (1.0, 0.68), (0.86, 0.93), (0.5, 0.97),
             (0.16, 0.94)], wood, shade=0.6)
    f.stroke([(0.04, 0.77), (0.5, 0.84), (0.96, 0.76)], f.pick("bloom"), 0.03)


def ship(f: Frame) -> None:
    """Draw a three-masted ship under sail."""
    wood, sail = f.style.colour("wood"), shift(f.style.colour("paper"), 0.45)
    for x, top in ((0.28, 0.16), (0.52, 0.03), (0.75, 0.14)):
        f.stroke([(x, 0.78), (x, top)], shift(wood, -0.2), 0.022)
        for k, (y, wide) in enumerate(((top + 0.06, 0.09), (top + 0.22, 0.115), (top + 0.40, 0.13))):
            if y > 0.60:
                continue
            f.shape([(x - wide, y), (x + wide, y), (x + wide * 1.15, y + 0.13), (x + 0.02, y + 0.16),
                     (x - wide * 0.85, y + 0.13)], shift(sail, -0.05 * k), shade=0.4, line=0.8)
        f.shape([(x, top), (x - 0.10, top + 0.02), (x, top + 0.05)], f.pick("bloom"), smooth=False, line=0.5)
    f.stroke([(0.90, 0.74), (1.0, 0.60)], shift(wood, -0.2), 0.025)
    f.shape([(0.02, 0.60), (0.14, 0.66), (0.20, 0.76), (0.80, 0.76), (0.96, 0.70), (0.88, 0.95), (0.5, 0.98),
             (0.12, 0.95)], wood, shade=0.6)
    f.stroke([(0.06, 0.78), (0.5, 0.86), (0.92, 0.79)], f.style.colour("metal"), 0.025)
    for x in np.linspace(0.24, 0.76, 6):
        f.box(x - 0.015, 0.875, x + 0.015, 0.91, f.style.colour("ink"), line=0)


def carriage(f: Frame) -> None:
    """Draw a closed carriage."""
    body = f.pick("cloth")
    f.stroke([(0.10, 0.66), (0.5, 0.74), (0.94, 0.62)], f.style.colour("wood"), 0.05, line=0.7)
    f.shape([(0.22, 0.14), (0.76, 0.14), (0.84, 0.36), (0.72, 0.68), (0.28, 0.68), (0.16, 0.36)], body,
            shade=0.6)
    f.stroke([(0.18, 0.14), (0.80, 0.14)], shift(body, -0.4), 0.05)
    for x in (0.28, 0.54):
        f.box(x, 0.22, x + 0.18, 0.42, mix(f.style.colour("sky"), f.style.colour("ink"), 0.3))
    f.stroke([(0.20, 0.48), (0.80, 0.48)], f.style.colour("metal"), 0.02)
    for x, r in ((0.22, 0.19), (0.78, 0.16)):
        wheel(f, x, 0.99 - r, r * 0.6, r)


def wheel(f: Frame, x: float, y: float, rx: float, ry: float) -> None:
    """Draw a spoked wheel."""
    t = np.linspace(0, 2 * np.pi, 19)
    rim = np.stack([x + rx * np.cos(t), y + ry * np.sin(t)], 1)
    f.stroke(rim, f.style.colour("wood"), 0.05, smooth=False, line=0.6)
    for a in t[:-1:3]:
        f.ink([(x, y), (x + rx * np.cos(a), y + ry * np.sin(a))], 1.0)
    f.oval(x, y, rx * 0.2, ry * 0.2, f.style.colour("metal"), line=0.6)


def balloon(f: Frame) -> None:
    """Draw a hot-air balloon."""
    first, second = f.pick("cloth"), f.pick("bloom")
    f.oval(0.5, 0.36, 0.47, 0.36, first, shade=0.5)
    for x in (-0.24, 0.0, 0.24):
        f.shape([(0.5 + x * 0.3, 0.01), (0.5 + x + 0.07, 0.36), (0.5 + x * 0.4 + 0.02, 0.71),
                 (0.5 + x * 0.4 - 0.02, 0.71), (0.5 + x - 0.07, 0.36)], second, line=0.6)
    for side in (-1, 1):
        f.ink([(0.5 + side * 0.22, 0.68), (0.5 + side * 0.10, 0.88)], 0.8)
    f.box(0.38, 0.87, 0.62, 1.0, f.style.colour("wood"))
