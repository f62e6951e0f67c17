"""People of the sample collection: busts, full figures, riders and the things they wear and hold."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from imet_utils.sample_creatures import flowers, horse
from imet_utils.sample_pen import Frame, mix, shift
from imet_utils.sample_things import book, fan, flag, flute, lute, shield, spear, sword

Traits = Collection[str]
WORN = {"hats", "helmets", "earrings", "necklaces", "kings", "queens", "saints", "angels",
        "soldiers", "actresses", "actors", "virgin mary"}  # fmt: skip
HELD = {"swords": sword, "spears": spear, "shields": shield, "books": book, "fans": fan,
        "flowers": flowers, "flutes": flute, "flags": flag, "lutes": lute}  # fmt: skip


def note(f: Frame, label: str) -> None:
    """Tell the canvas that a frame shows what a label names."""
    f.canvas.notes.append((label, f))


def _halo(f: Frame, x: float, y: float, rx: float, ry: float) -> None:
    gold = shift(f.style.colour("metal"), 0.2)
    f.oval(x, y, rx, ry, gold)
    f.oval(x, y, rx * 0.86, ry * 0.86, shift(gold, 0.18), line=0.4)


def _crown(f: Frame, left: float, right: float, base: float, height: float) -> None:
    gold, wide = f.style.colour("metal"), right - left
    points = [(left, base)]
    for k in range(5):
        points.append((left + wide * (k / 4) - (0.5 - k / 4) * wide * 0.15, base - height))
        if k < 4:
            points.append((left + wide * (k + 0.5) / 4, base - height * 0.4))
    f.shape([*points, (right, base)], gold, smooth=False)
    for k in range(5):
        f.oval(left + wide * (k / 4) - (0.5 - k / 4) * wide * 0.15, base - height, wide * 0.05,
               height * 0.13, f.pick("bloom"), line=0.5)


def _hat(f: Frame, left: float, right: float, base: float, height: float) -> None:
    cloth, wide, kind = f.pick("hair"), right - left, f.rng.integers(3)
    if kind == 0:  # a broad brim
        f.shape([(left + wide * 0.18, base), (left + wide * 0.22, base - height),
                 (right - wide * 0.22, base - height), (right - wide * 0.18, base)], cloth)
        f.oval((left + right) / 2, base, wide * 0.72, height * 0.2, cloth)
    elif kind == 1:  # a turban
        for k in range(3):
            f.oval((left + right) / 2, base - height * 0.28 * k, wide * (0.58 - 0.1 * k),
                   height * 0.27, shift(f.style.colour("paper"), 0.4))
        f.oval((left + right) / 2, base - height * 0.1, wide * 0.1, height * 0.16, f.pick("bloom"))
    else:  # a tricorn with a plume
        f.shape([(left - wide * 0.25, base - height * 0.2), ((left + right) / 2, base - height),
                 (right + wide * 0.25, base - height * 0.2), ((left + right) / 2, base + 0.02)], cloth)
        f.stroke([(right, base - height * 0.3), (right + wide * 0.1, base - height),
                  (right - wide * 0.2, base - height * 1.3)], f.pick("bloom"), height * 0.3, 0.3)


def _helmet(f: Frame, left: float, right: float, base: float, height: float) -> None:
    metal, wide = mix(f.style.colour("metal"), (150, 155, 165), 0.5), right - left
    f.stroke([(left - wide * 0.1, base - height * 0.2), (left + wide * 0.2, base - height * 1.35),
              (right - wide * 0.1, base - height * 1.2)], f.style.colour("bloom"), height * 0.4, 0.6,
             line=0.8)
    f.shape([(left - wide * 0.04, base), (left, base - height * 0.6),
             ((left + right) / 2, base - height), (right, base - height * 0.6),
             (right + wide * 0.04, base)], metal, shade=0.6)
    f.stroke([(left - wide * 0.1, base), (right + wide * 0.1, base)], shift(metal, -0.2),
             height * 0.18, line=0.7, smooth=False)


def head_front(f: Frame, woman: bool, traits: Traits = (), beard: bool = False) -> None:
    """Draw a head seen from the front; the frame is its box, hair included."""
    skin, hair, ink = f.pick("skin"), f.pick("hair"), f.style.colour("ink")
    if woman:
        long = f.rng.uniform(0.75, 1.12)
        f.shape([(0.5, 0.0), (0.88, 0.12), (0.95, 0.5), (0.90, long), (0.5, long * 0.9), (0.10, long),
                 (0.05, 0.5), (0.12, 0.12)], hair, line=0.9)
    else:
        f.shape([(0.5, 0.02), (0.84, 0.12), (0.90, 0.46), (0.80, 0.62), (0.20, 0.62), (0.10, 0.46),
                 (0.16, 0.12)], hair, line=0.9)
    for x in (0.14, 0.86):
        f.oval(x, 0.54, 0.055, 0.085, shift(skin, -0.08), line=0.8)
    jaw = 0.16 if woman else 0.21
    f.shape([(0.5, 0.13), (0.80, 0.24), (0.84, 0.50), (0.5 + jaw + 0.09, 0.80), (0.5 + jaw * 0.5, 0.95),
             (0.5, 0.98), (0.5 - jaw * 0.5, 0.95), (0.5 - jaw - 0.09, 0.80), (0.16, 0.50),
             (0.20, 0.24)], skin, shade=0.45)
    if beard and not woman:
        f.shape([(0.18, 0.56), (0.30, 0.72), (0.5, 0.70), (0.70, 0.72), (0.82, 0.56), (0.76, 0.88),
                 (0.5, 1.16), (0.24, 0.88)], hair, line=0.8)
    part = f.rng.uniform(0.35, 0.65)
    f.shape([(0.13, 0.46), (0.18, 0.16), (0.5, 0.02), (0.82, 0.16), (0.87, 0.46), (0.76, 0.30),
             (part, 0.19), (0.26, 0.30)], hair, line=0.9)
    _features(f, woman, skin, hair, ink)
    if "earrings" in traits:
        for x in (0.12, 0.88):
            f.oval(x, 0.70, 0.035, 0.055, f.style.colour("metal"), line=0.7)
    _headwear(f, traits, 0.12, 0.88, 0.22)


def _features(f: Frame, woman: bool, skin: tuple, hair: tuple, ink: tuple) -> None:
    gaze, pout = f.rng.uniform(-0.018, 0.018), f.rng.uniform(-0.01, 0.025)
    for x in (0.345, 0.655):
        f.shape([(x - 0.085, 0.505), (x, 0.465), (x + 0.085, 0.505), (x, 0.54)],
                shift(f.style.colour("paper"), 0.7), line=0.7)
        f.oval(x + gaze, 0.502, 0.034, 0.036, shift(ink, 0.05), line=0)
        f.ink([(x - 0.10, 0.495), (x, 0.458), (x + 0.10, 0.495)], 1.0)
        f.ink([(x - 0.11, 0.415), (x, 0.375), (x + 0.11, 0.41)], 1.0 if woman else 1.7, fill=hair)
        if woman:
            f.oval(x + (0.06 if x > 0.5 else -0.06), 0.66, 0.075, 0.05,
                   mix(skin, f.style.colour("bloom"), 0.22), line=0)
    f.ink([(0.5, 0.46), (0.53, 0.62), (0.50, 0.665), (0.455, 0.65)], 0.8)
    lips = mix(skin, f.style.colour("bloom"), 0.75 if woman else 0.4)
    wide = 0.10 if woman else 0.13
    f.shape([(0.5 - wide, 0.78), (0.46, 0.755), (0.5, 0.765), (0.54, 0.755), (0.5 + wide, 0.78),
             (0.5, 0.815 + pout)], lips, line=0.4)
    f.ink([(0.5 - wide, 0.78), (0.5, 0.785 + pout), (0.5 + wide, 0.78)], 0.7)


def head_side(f: Frame, woman: bool, traits: Traits = (), beard: bool = False) -> None:
    """Draw a head in profile, facing right."""
    skin, hair, ink = f.pick("skin"), f.pick("hair"), f.style.colour("ink")
    f.shape([(0.30, 0.20), (0.60, 0.10), (0.76, 0.20), (0.79, 0.36), (0.80, 0.44), (0.92, 0.585),
             (0.90, 0.625), (0.82, 0.635), (0.855, 0.69), (0.81, 0.735), (0.85, 0.78), (0.80, 0.83),
             (0.80, 0.92), (0.68, 0.97), (0.52, 0.88), (0.44, 1.05), (0.20, 1.05), (0.20, 0.55)],
            skin, shade=-0.0)
    if beard and not woman:
        f.shape([(0.50, 0.60), (0.56, 0.74), (0.78, 0.72), (0.84, 0.80), (0.80, 1.02), (0.68, 1.22),
                 (0.54, 0.98)], hair)
    if woman:
        bun = f.rng.random() < 0.5
        back = [(0.04, 0.46), (-0.08, 0.60), (0.06, 0.70)] if bun else [(0.02, 0.7), (0.06, 1.10),
                                                                      (0.30, 1.12), (0.36, 0.8)]
    else:
        back = [(0.08, 0.56), (0.20, 0.72)]
    f.shape([(0.74, 0.30), (0.72, 0.12), (0.46, 0.0), (0.16, 0.12), (0.05, 0.40), *back, (0.40, 0.66),
             (0.44, 0.48), (0.60, 0.36)], hair, line=0.9)
    f.oval(0.45, 0.56, 0.05, 0.075, shift(skin, -0.12), line=0.8)
    f.shape([(0.62, 0.47), (0.70, 0.425), (0.775, 0.47), (0.70, 0.50)],
            shift(f.style.colour("paper"), 0.7), line=0.8)
    f.oval(0.71, 0.463, 0.03, 0.033, ink if sum(skin) > 200 else f.style.colour("bloom"), line=0)
    f.ink([(0.58, 0.49), (0.69, 0.415), (0.79, 0.46)], 1.1)
    f.ink([(0.60, 0.385), (0.70, 0.34), (0.78, 0.37)], 1.3, fill=hair if sum(hair) < 500 else ink)
    f.ink([(0.86, 0.69), (0.74, 0.70)], 0.8)
    f.ink([(0.84, 0.60), (0.79, 0.61)], 0.6)
    if "earrings" in traits:
        f.oval(0.45, 0.70, 0.045, 0.065, f.style.colour("metal"), line=0.7)
    _headwear(f, traits, 0.10, 0.78, 0.24)


def _headwear(f: Frame, traits: Traits, left: float, right: float, base: float) -> None:
    if "kings" in traits or "queens" in traits:
        _crown(f, left, right, base, 0.34)
        note(f, "kings" if "kings" in traits else "queens")
    elif "helmets" in traits or "soldiers" in traits:
        part = f.inner(left - 0.05, base - 0.45, right - left + 0.1, 0.5)
        _helmet(part, 0.05, 0.95, 0.95, 0.75)
        note(part, "helmets")
    elif "hats" in traits:
        part = f.inner(left - 0.05, base - 0.45, right - left + 0.1, 0.5)
        _hat(part, 0.05, 0.95, 1.0, 0.75)
        note(part, "hats")


def _wings(f: Frame, x: float, y: float, span: float, height: float) -> None:
    for side in (-1, 1):
        pale = shift(f.style.colour("paper"), 0.55)
        points = [(x, y)] + [(x + side * span * a, y + height * b) for a, b in (
            (0.5, -0.5), (0.95, -0.62), (1.0, -0.2), (0.86, 0.16), (0.62, 0.5), (0.2, 0.4))]
        f.shape(points, pale, shade=0.4)
        for k in range(4):
            f.ink([(x + side * span * (0.25 + 0.1 * k), y - height * 0.2),
                   (x + side * span * (0.4 + 0.15 * k), y + height * (0.42 - 0.12 * k))], 0.6)


def bust(f: Frame, woman: bool, traits: Traits = (), side: bool = False) -> None:
    """Draw head and shoulders (frame about as wide as high)."""
    cloth, trim, skin = f.pick("cloth"), f.pick("cloth"), f.pick("skin")
    mark = f.inner(0, 0, 1, 1)
    if "angels" in traits:
        _wings(f, 0.5, 0.62, 0.48, 0.5)
    if "saints" in traits or "virgin mary" in traits or "angels" in traits:
        _halo(f, 0.5, 0.34, 0.33, 0.33)
    f.shape([(0.38, 0.54), (0.62, 0.54), (0.64, 0.80), (0.36, 0.80)], shift(skin, -0.1), smooth=False)
    neckline = f.rng.uniform(0.74, 0.84) if woman else 0.70
    f.shape([(0.40, 0.66), (0.20, 0.72), (0.06, 0.82), (0.0, 1.02), (1.0, 1.02), (0.94, 0.82),
             (0.80, 0.72), (0.60, 0.66), (0.5, neckline)], cloth, shade=0.7)
    if woman:
        f.stroke([(0.36, 0.67), (0.5, neckline + 0.01), (0.64, 0.67)], trim, 0.035, line=0.7)
        f.ink([(0.5, neckline), (0.5, 1.0)], 0.8)
    else:
        _collar(f, cloth, trim)
    size = f.inner(0.29, 0.10, 0.42, 0.54)
    beard = not woman and f.rng.random() < (0.75 if "kings" in traits or "saints" in traits else 0.35)
    if side:
        head_side(size, woman, traits, beard)
    else:
        head_front(size.inner(0, 0, 1, 1, tilt=float(f.rng.normal(0, 0.05))), woman, traits, beard)
    if "virgin mary" in traits:
        veil = f.style.colours["cloth"][1 % len(f.style.colours["cloth"])]
        f.shape([(0.5, 0.06), (0.70, 0.12), (0.76, 0.36), (0.86, 0.72), (0.70, 0.80), (0.66, 0.30),
                 (0.5, 0.17), (0.34, 0.30), (0.30, 0.80), (0.14, 0.72), (0.24, 0.36), (0.30, 0.12)],
                veil)
    if "necklaces" in traits:
        part = f.inner(0.34, 0.64, 0.32, 0.24)
        t = np.linspace(0.15, np.pi - 0.15, 9)
        for x, y in np.stack([0.5 - 0.46 * np.cos(t), 0.1 + 0.55 * np.sin(t)], 1):
            part.oval(x, y, 0.06, 0.07, f.style.colour("metal"), line=0.6)
        part.oval(0.5, 0.80, 0.09, 0.12, f.style.colour("bloom"), line=0.7)
        note(part, "necklaces")
    if "earrings" in traits:
        note(size, "earrings")
    for trait in ("saints", "angels", "virgin mary", "soldiers", "actresses", "actors"):
        if trait in traits:
            note(mark.outer or f, trait)


def _collar(f: Frame, cloth: tuple, trim: tuple) -> None:
    kind = f.rng.integers(3)
    if kind == 0:  # lapels and a cravat
        f.shape([(0.40, 0.66), (0.50, 0.90), (0.60, 0.66)], shift(f.style.colour("paper"), 0.5),
                smooth=False)
        for side in (-1, 1):
            f.shape([(0.5 + side * 0.10, 0.65), (0.5 + side * 0.20, 0.74), (0.5 + side * 0.02, 1.0)],
                    shift(cloth, -0.25), smooth=False, line=0.7)
    elif kind == 1:  # a ruff
        for angle in np.linspace(-1.4, 1.4, 9):
            f.oval(0.5 + 0.24 * np.sin(angle), 0.66 + 0.07 * np.cos(angle), 0.05, 0.045,
                   shift(f.style.colour("paper"), 0.6), line=0.7)
    else:  # crossed robe
        f.stroke([(0.38, 0.66), (0.56, 1.0)], trim, 0.05, line=0.7)
        f.stroke([(0.62, 0.66), (0.46, 0.88)], trim, 0.05, line=0.7)


def figure(f: Frame, woman: bool, traits: Traits = (), side: bool = False, child: bool = False) -> None:
    """Draw a whole person (frame about half as wide as high), with what the traits name."""
    skin, cloth, dress = f.pick("skin"), f.pick("cloth"), f.style.dress
    mark = f.inner(0, 0, 1, 1)
    if "angels" in traits:
        _wings(f, 0.5, 0.30, 0.62, 0.34)
    size = 0.19 if child else 0.145
    top = 0.0 if not child else 0.02
    neck = top + size
    pose = _pose(f, traits)
    back, front = pose
    f.stroke([(0.32, neck + 0.08), *back], shift(skin if dress == "kilt" else cloth, -0.15), 0.058,
             0.8, line=0.8)
    _clothes(f, woman, cloth, skin, neck, "dancing" in traits)
    if "saints" in traits or "angels" in traits or "virgin mary" in traits:
        _halo(f, 0.5, top + size * 0.48, 0.235, 0.118)
    f.stroke([(0.5, neck - 0.03), (0.5, neck + 0.05)], shift(skin, -0.1), 0.055, line=0.5)
    head = f.inner(0.5 - size * 0.80, top, size * 1.6, size)
    beard = not woman and not child and f.rng.random() < (
        0.8 if "kings" in traits or "saints" in traits else 0.3)
    (head_side if side else head_front)(head, woman, traits, beard)
    held = [name for name in HELD if name in traits and name != "shields"]
    for name in held[:2]:
        x, y = front[-1] if name == held[0] else back[-1]
        width, height = {"spears": (0.10, 1.0), "swords": (0.14, 0.40), "books": (0.36, 0.13),
                         "fans": (0.34, 0.13), "flowers": (0.34, 0.24), "flutes": (0.5, 0.08),
                         "flags": (0.5, 0.62), "lutes": (0.36, 0.34)}[name]
        lift = {"spears": 0.55, "swords": 0.86, "flags": 0.9, "flowers": 0.9}.get(name, 0.5)
        start = x - width * (0.08 if name == "flags" else 0.5)
        part = f.inner(start, y - height * lift, width, height)
        HELD[name](part)
        note(part, name)
    f.stroke([(0.68, neck + 0.08), *front], skin if dress == "kilt" else cloth, 0.058, 0.8, line=0.8)
    for x, y in (front[-1], back[-1]):
        f.oval(x, y, 0.05, 0.026, skin, line=0.7)
    if "shields" in traits:
        part = f.inner(-0.02, 0.34, 0.52, 0.27)
        shield(part)
        note(part, "shields")
    for trait in ("saints", "angels", "virgin mary", "soldiers", "actors", "actresses", "dancing"):
        if trait in traits:
            note(mark.outer or f, trait)


def _pose(f: Frame, traits: Traits) -> tuple[list, list]:
    """Choose elbows and hands: (left arm, right arm)."""
    if "flutes" in traits:
        return [(0.26, 0.32), (0.50, 0.17)], [(0.80, 0.30), (0.62, 0.17)]
    if "lutes" in traits:
        return [(0.20, 0.36), (0.42, 0.42)], [(0.86, 0.36), (0.62, 0.40)]
    if "books" in traits or "reading" in traits:
        return [(0.22, 0.36), (0.42, 0.38)], [(0.80, 0.38), (0.58, 0.36)]
    if "dancing" in traits:
        return [(0.10, 0.20), (0.05, 0.04)], [(0.92, 0.30), (0.98, 0.14)]
    hands = ([(0.18, 0.36), (0.24, 0.52)], [(0.20, 0.34), (0.40, 0.42)], [(0.08, 0.30), (0.04, 0.42)])
    right = ([(0.84, 0.34), (0.94, 0.26)], [(0.84, 0.38), (0.90, 0.44)], [(0.80, 0.38), (0.74, 0.52)])
    if any(name in traits for name in HELD):
        return hands[f.rng.integers(3)], right[f.rng.integers(2)]
    return hands[f.rng.integers(3)], right[f.rng.integers(3)]


def _clothes(f: Frame, woman: bool, cloth: tuple, skin: tuple, neck: float, swing: bool) -> None:
    dress, trim = f.style.dress, f.pick("cloth")
    hem = 0.96 if woman or dress in ("robe",) else 0.80
    legs = dress in ("kilt", "tunic", "coat") and not woman
    if legs:
        step = 0.10 if not swing else 0.2
        tone = skin if dress != "coat" else shift(f.style.colour("paper"), 0.2)
        for x, d, dark in ((0.42, -step, -0.15), (0.58, step, 0.0)):
            f.stroke([(x, 0.52), (x + d * 0.5, 0.74), (x + d, 0.97)], shift(tone, dark), 0.085, 0.6,
                     line=0.8)
            f.shape([(x + d - 0.06, 0.995), (x + d - 0.04, 0.95), (x + d + 0.07, 0.965),
                     (x + d + 0.13, 0.995)], f.style.colour("hair"), line=0.5)
    top = neck + 0.045
    if dress == "kilt" and not woman:
        f.shape([(0.26, top + 0.02), (0.5, top), (0.74, top + 0.02), (0.64, 0.46), (0.36, 0.46)], skin,
                shade=0.4)
        f.shape([(0.36, 0.45), (0.64, 0.45), (0.76, 0.70), (0.26, 0.70)],
                shift(f.style.colour("paper"), 0.45), smooth=False)
        f.stroke([(0.35, 0.455), (0.65, 0.455)], trim, 0.03)
        f.stroke([(0.30, top + 0.03), (0.5, top + 0.07), (0.70, top + 0.03)], trim, 0.04)
        return
    if woman and dress == "coat":  # bodice and a wide skirt
        f.shape([(0.38, 0.44), (0.62, 0.44), (0.90, 0.72), (1.0, 0.97), (0.5, 1.0), (0.0, 0.97),
                 (0.10, 0.72)], cloth, shade=0.7)
        f.shape([(0.30, top + 0.01), (0.5, top + 0.05), (0.70, top + 0.01), (0.63, 0.46), (0.37, 0.46)],
                shift(cloth, -0.12), shade=0.5)
        for x in (0.30, 0.5, 0.70):
            f.ink([(0.5 + (x - 0.5) * 0.4, 0.48), (x, 0.96)], 0.6)
        f.stroke([(0.37, 0.455), (0.63, 0.455)], trim, 0.025)
        return
    bottom = {"tunic": 0.66, "coat": 0.64, "kilt": 0.9}.get(dress, hem) if legs else 0.97
    flare = 0.36 if bottom > 0.8 else 0.28
    lean = 0.08 if swing else 0.0
    f.shape([(0.28, top + 0.02), (0.5, top), (0.72, top + 0.02), (0.68, 0.46),
             (0.5 + flare + lean, bottom), (0.5, bottom + 0.02), (0.5 - flare + lean, bottom),
             (0.32, 0.46)], cloth, shade=0.7)
    for x in (0.38, 0.5, 0.62):
        f.ink([(x, 0.50), (0.5 + (x - 0.5) * 2 + lean, bottom - 0.02)], 0.6)
    f.stroke([(0.33, 0.45), (0.67, 0.45)], trim, 0.045 if dress == "robe" else 0.028, line=0.5)
    if dress == "robe":
        f.stroke([(0.36, top), (0.56, 0.40)], trim, 0.025)
        f.stroke([(0.64, top), (0.48, 0.28)], trim, 0.025)
    if bottom > 0.8:
        f.stroke([(0.5 - flare + lean + 0.02, bottom - 0.03), (0.5 + flare + lean - 0.02,
                 bottom - 0.03)], trim, 0.022)


def madonna(f: Frame) -> None:
    """Draw a mother with a haloed child on her arm."""
    bust(f.inner(0.0, 0.0, 1.0, 1.0), True, ("virgin mary",))
    baby = f.inner(0.50, 0.50, 0.40, 0.48)
    _halo(baby, 0.45, 0.22, 0.42, 0.30)
    baby.shape([(0.30, 0.40), (0.70, 0.40), (0.85, 0.80), (0.60, 1.0), (0.2, 0.95)],
               shift(f.style.colour("paper"), 0.5), shade=0.4)
    head_front(baby.inner(0.20, 0.02, 0.5, 0.42), False)
    baby.stroke([(0.66, 0.50), (0.84, 0.40), (0.92, 0.24)], f.pick("skin"), 0.10, 0.8, line=0.8)
    f.stroke([(0.10, 0.92), (0.45, 0.98), (0.80, 0.90)], f.pick("cloth"), 0.10, 0.9, line=0.9)
    f.oval(0.80, 0.90, 0.05, 0.035, f.pick("skin"), line=0.8)


def rider(f: Frame, traits: Traits = ()) -> None:
    """Draw a man on horseback (as wide as high)."""
    mount = f.inner(0.0, 0.28, 1.0, 0.72)
    horse(mount)
    note(mount, "horses")
    man = f.inner(0.30, 0.0, 0.34, 0.72)
    figure(man, False, traits, side=f.style.profile)
    mount.stroke([(0.42, 0.40), (0.44, 0.60), (0.50, 0.68)], f.pick("cloth"), 0.08, 0.8, line=0.8)
    mount.shape([(0.36, 0.36), (0.52, 0.36), (0.54, 0.50), (0.36, 0.52)], f.pick("cloth"))
    mount.ink([(0.92, 0.28), (0.72, 0.32), (0.56, 0.20)], 1.0)
    note(man, "men")


def buddha(f: Frame) -> None:
    """Draw the Buddha seated on a lotus throne."""
    skin, robe = mix(f.style.colour("metal"), f.pick("skin"), 0.4), f.pick("cloth")
    _halo(f, 0.5, 0.40, 0.42, 0.40)
    for angle in np.linspace(-1.3, 1.3, 9):
        x = 0.5 + 0.40 * np.sin(angle)
        f.shape([(x - 0.08, 0.90), (x, 0.80), (x + 0.08, 0.90), (x, 1.0)], f.style.colour("bloom"))
    f.shape([(0.5, 0.66), (0.84, 0.70), (0.98, 0.82), (0.80, 0.90), (0.20, 0.90), (0.02, 0.82),
             (0.16, 0.70)], robe, shade=0.4)
    f.shape([(0.28, 0.38), (0.5, 0.35), (0.72, 0.38), (0.70, 0.74), (0.30, 0.74)], skin, shade=0.4)
    f.shape([(0.28, 0.38), (0.40, 0.36), (0.66, 0.72), (0.30, 0.76)], robe)
    for side in (-1, 1):
        f.stroke([(0.5 + side * 0.21, 0.43), (0.5 + side * 0.30, 0.60), (0.5 + side * 0.05, 0.73)],
                 robe if side < 0 else skin, 0.085, 0.8, line=0.9)
    f.oval(0.5, 0.74, 0.10, 0.035, skin)
    head = f.inner(0.37, 0.08, 0.26, 0.29)
    for x in (0.05, 0.95):
        head.oval(x, 0.65, 0.07, 0.20, skin)
    head.oval(0.5, 0.05, 0.20, 0.15, f.style.colour("hair"))
    head.oval(0.5, 0.34, 0.46, 0.32, f.style.colour("hair"))
    head.oval(0.5, 0.58, 0.43, 0.42, skin)
    for x in (0.32, 0.68):
        head.ink([(x - 0.12, 0.55), (x, 0.60), (x + 0.12, 0.55)], 1.0)
    head.ink([(0.5, 0.52), (0.53, 0.70), (0.46, 0.71)], 0.8)
    head.ink([(0.38, 0.82), (0.5, 0.85), (0.62, 0.82)], 1.0, fill=f.style.colour("bloom"))


def crowd(f: Frame) -> None:
    """Draw many people close together (twice as wide as high)."""
    for row in range(2):
        for x in np.linspace(0.0, 0.86, 7) + 0.06 * row:
            part = f.inner(x, 0.02 + 0.16 * row + f.rng.uniform(0, 0.06), 0.20, 0.80)
            small_person(part)


def small_person(f: Frame) -> None:
    """Draw a tiny person far away."""
    cloth, skin = f.pick("cloth"), f.pick("skin")
    f.shape([(0.30, 0.24), (0.70, 0.24), (0.88, 0.98), (0.12, 0.98)], cloth, smooth=False, line=0.7)
    reach = f.rng.uniform(-0.1, 0.3)
    f.stroke([(0.66, 0.30), (0.95, 0.30 + reach)], cloth, 0.09)
    f.oval(0.5, 0.13, 0.22, 0.12, skin, line=0.7)
    if f.rng.random() < 0.5:
        f.shape([(0.16, 0.10), (0.5, -0.06), (0.84, 0.10)], f.pick("hair"), smooth=False, line=0.5)
    else:
        f.shape([(0.28, 0.10), (0.5, -0.01), (0.72, 0.10)], f.pick("hair"), line=0)
