"""Heads and busts of the sample collection, and what is worn on them."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from imet_tools.sample.arithmetic import cos, sin
from imet_tools.sample.pen import Colour, Frame, mix, moved, read_points, shift, sided

Traits = Collection[str]

HALOED = {"saints", "angels", "virgin mary"}

# Traits that the whole person shows
WHOLE_PERSON = ("saints", "angels", "virgin mary", "soldiers", "actors", "actresses")

_PROFILE = (
    "30 20, 60 10, 76 20, 79 36, 80 44, 92 58.5, 90 62.5, 82 63.5, 85.5 69, 81 73.5, 85 78, "
    "80 83, 80 92, 68 97, 52 88, 44 105, 20 105, 20 55"
)

_VEIL = "50 6, 70 12, 76 36, 86 72, 70 80, 66 30, 50 17, 34 30, 30 80, 14 72, 24 36, 30 12"


def note(f: Frame, label: str) -> None:
    """Tell the canvas that a frame shows what a label names."""
    f.canvas.notes.append((label, f))


def draw_halo(f: Frame, x: float, y: float, rx: float, ry: float) -> None:
    """Draw a golden halo behind a head."""
    gold = shift(f.style.colour("metal"), 0.2)
    f.oval(x, y, rx, ry, gold)
    f.oval(x, y, rx * 0.86, ry * 0.86, shift(gold, 0.18), line=0.4)


def draw_wings(f: Frame, x: float, y: float, span: float, height: float) -> None:
    """Draw a pair of feathered wings that grow from (x, y)."""
    outline = read_points("0 0, 50 -50, 95 -62, 100 -20, 86 16, 62 50, 20 40")
    for side in (-1, 1):
        size = np.array([side * span, height])
        f.shape(outline * size + (x, y), shift(f.style.colour("paper"), 0.55), shade=0.4)
        for k in range(4):
            quill = np.array([(0.25 + 0.1 * k, -0.2), (0.4 + 0.15 * k, 0.42 - 0.12 * k)])
            f.ink(quill * size + (x, y), 0.6)


def _crown(f: Frame) -> None:
    f.shape(
        "0 100, -7 6, 12 62, 21 6, 38 62, 50 6, 62 62, 79 6, 88 62, 107 6, 100 100",
        f.style.colour("metal"),
        smooth=False,
    )
    for x in (-0.07, 0.21, 0.5, 0.79, 1.07):
        f.oval(x, 0.06, 0.055, 0.12, f.pick("bloom"), line=0.5)


def _hat(f: Frame) -> None:
    """Draw a broad-brimmed hat, a turban or a tricorn with a plume."""
    cloth, kind = f.pick("hair"), f.rng.integers(3)
    if kind == 0:
        f.shape("16 100, 20 5, 80 5, 84 100", cloth)
        f.oval(0.5, 1.0, 0.74, 0.2, cloth)
    elif kind == 1:
        white = shift(f.style.colour("paper"), 0.4)
        for x, y, rx in ((0.5, 1.0, 0.6), (0.5, 0.7, 0.5), (0.5, 0.4, 0.38)):
            f.oval(x, y, rx, 0.28, white)
        f.oval(0.5, 0.85, 0.1, 0.16, f.pick("bloom"))
    else:
        f.shape("-24 80, 50 2, 124 80, 50 106", cloth)
        f.stroke("96 70, 108 0, 78 -28", f.pick("bloom"), 0.3, 0.3)


def _helmet(f: Frame) -> None:
    metal = mix(f.style.colour("metal"), (150, 155, 165), 0.5)
    f.stroke("-8 80, 22 -34, 90 -20", f.style.colour("bloom"), 0.4, 0.6, line=0.8)
    f.shape("-4 102, 0 42, 50 2, 100 42, 104 102", metal, shade=0.6)
    f.stroke("-9 100, 109 100", shift(metal, -0.2), 0.18, line=0.7)


def head_front(f: Frame, woman: bool, traits: Traits = (), beard: bool = False) -> None:
    """Draw a head seen from the front; the frame is its box, hair included."""
    skin, hair, ink = f.pick("skin"), f.pick("hair"), f.style.colour("ink")
    _hair_behind(f, woman, hair)
    for x in (0.14, 0.86):
        f.oval(x, 0.54, 0.055, 0.085, shift(skin, -0.08), line=0.8)
    face = read_points(
        "50 13, 80 24, 84 50, 75 80, 58 95, 50 98, 42 95, 25 80, 16 50, 20 24"
    ).copy()
    jaw = 0.0 if woman else 0.05
    face[[3, 7], 0] += (jaw, -jaw)
    face[[4, 6], 0] += (jaw / 2, -jaw / 2)
    f.shape(face, skin, shade=0.45)
    if beard and not woman:
        f.shape("18 56, 30 72, 50 70, 70 72, 82 56, 76 88, 50 116, 24 88", hair, line=0.8)
    fringe = read_points("13 46, 18 16, 50 2, 82 16, 87 46, 76 30, 50 19, 26 30").copy()
    fringe[6, 0] = f.rng.uniform(0.35, 0.65)  # where the hair is parted
    f.shape(fringe, hair, line=0.9)
    _features(f, woman, skin, hair, ink)
    if "earrings" in traits:
        for x in (0.12, 0.88):
            f.oval(x, 0.70, 0.035, 0.055, f.style.colour("metal"), line=0.7)
    _headwear(f, traits, 0.12, 0.88, 0.22)


def _hair_behind(f: Frame, woman: bool, hair: Colour) -> None:
    if woman and f.style.dress == "robe" and f.rng.random() < 0.7:  # put up, with pins
        for x, y, rx in ((0.5, -0.08, 0.24), (0.22, 0.16, 0.22), (0.78, 0.16, 0.22)):
            f.oval(x, y, rx, 0.2, hair, line=0.9)
        f.shape("50 0, 90 14, 94 50, 80 74, 20 74, 6 50, 10 14", hair, line=0.9)
        f.stroke("12 -10, 88 -4", f.style.colour("metal"), 0.025)
        f.oval(0.86, 0.02, 0.07, 0.06, f.pick("bloom"), line=0.6)
    elif woman:
        long = f.rng.uniform(0.75, 1.12)
        ends = [(0.90, long), (0.5, long * 0.9), (0.10, long)]
        crown = read_points("5 50, 12 12, 50 0, 88 12, 95 50").tolist()
        f.shape([*crown, *ends], hair, line=0.9)
    else:
        f.shape("50 2, 84 12, 90 46, 80 62, 20 62, 10 46, 16 12", hair, line=0.9)


def _features(f: Frame, woman: bool, skin: Colour, hair: Colour, ink: Colour) -> None:
    """Eyes, brows, cheeks, nose and mouth."""
    gaze, pout = f.rng.uniform(-0.018, 0.018), f.rng.uniform(-0.01, 0.025)
    white, bloom = shift(f.style.colour("paper"), 0.7), f.style.colour("bloom")
    for side, x in ((-1, 0.345), (1, 0.655)):
        f.shape(moved(x, 0, "-8.5 50.5, 0 46.5, 8.5 50.5, 0 54"), white, line=0.7)
        f.oval(x + gaze, 0.502, 0.034, 0.036, shift(ink, 0.05), line=0)
        f.ink(moved(x, 0, "-10 49.5, 0 45.8, 10 49.5"), 1.0)
        f.ink(moved(x, 0, "-11 41.5, 0 37.5, 11 41"), 1.0 if woman else 1.7, fill=hair)
        if woman:
            f.oval(x + 0.06 * side, 0.66, 0.075, 0.05, mix(skin, bloom, 0.22), line=0)
    f.ink("50 46, 53 62, 50 66.5, 45.5 65", 0.8)
    lips, wide = mix(skin, bloom, 0.75 if woman else 0.4), 0.10 if woman else 0.13
    left, right = (0.5 - wide, 0.78), (0.5 + wide, 0.78)
    f.shape(
        [left, (0.46, 0.755), (0.5, 0.765), (0.54, 0.755), right, (0.5, 0.815 + pout)],
        lips,
        line=0.4,
    )
    f.ink([left, (0.5, 0.785 + pout), right], 0.7)


def head_side(f: Frame, woman: bool, traits: Traits = (), beard: bool = False) -> None:
    """Draw a head in profile, facing right."""
    skin, hair, ink = f.pick("skin"), f.pick("hair"), f.style.colour("ink")
    f.shape(_PROFILE, skin)
    if beard and not woman:
        f.shape("44 62, 54 72, 76 70, 85 77, 83 94, 70 106, 52 94", hair)
    back = "8 56, 20 72"
    if woman:
        back = "4 46, -8 60, 6 70" if f.rng.random() < 0.5 else "2 70, 6 110, 30 112, 36 80"
    f.shape(f"74 30, 72 12, 46 0, 16 12, 5 40, {back}, 40 66, 44 48, 60 36", hair, line=0.9)
    f.oval(0.45, 0.56, 0.05, 0.075, shift(skin, -0.12), line=0.8)
    f.shape("62 47, 70 42.5, 77.5 47, 70 50", shift(f.style.colour("paper"), 0.7), line=0.8)
    f.oval(0.71, 0.463, 0.03, 0.033, ink if sum(skin) > 200 else f.style.colour("bloom"), line=0)
    f.ink("58 49, 69 41.5, 79 46", 1.1)
    f.ink("60 38.5, 70 34, 78 37", 1.3, fill=hair if sum(hair) < 500 else ink)
    f.ink("86 69, 74 70", 0.8)
    f.ink("84 60, 79 61", 0.6)
    if "earrings" in traits:
        f.oval(0.45, 0.70, 0.045, 0.065, f.style.colour("metal"), line=0.7)
    _headwear(f, traits, 0.10, 0.78, 0.24)


def _headwear(f: Frame, traits: Traits, left: float, right: float, base: float) -> None:
    """Put a crown, helmet or hat on a head whose top is at `base`."""
    part = f.inner(left, base - 0.36, right - left, 0.36)
    if "kings" in traits or "queens" in traits:
        _crown(part)
        note(f, "kings" if "kings" in traits else "queens")
    elif "helmets" in traits or "soldiers" in traits:
        _helmet(part)
        note(part, "helmets")
    elif "hats" in traits:
        _hat(part)
        note(part, "hats")


def bust(f: Frame, woman: bool, traits: Traits = (), side: bool = False) -> None:
    """Draw head and shoulders (frame about as wide as high)."""
    cloth, trim, skin = f.pick("cloth"), f.pick("cloth"), f.pick("skin")
    if "angels" in traits:
        draw_wings(f, 0.5, 0.62, 0.48, 0.5)
    if not HALOED.isdisjoint(traits):
        draw_halo(f, 0.5, 0.34, 0.33, 0.33)
    f.shape("38 54, 62 54, 64 80, 36 80", shift(skin, -0.1), smooth=False)
    neckline = f.rng.uniform(0.74, 0.84) if woman else 0.70
    shoulders = read_points("40 66, 20 72, 6 82, 0 102, 100 102, 94 82, 80 72, 60 66").tolist()
    f.shape([*shoulders, (0.5, neckline)], cloth, shade=0.7)
    if woman:
        f.stroke([(0.36, 0.67), (0.5, neckline + 0.01), (0.64, 0.67)], trim, 0.035, line=0.7)
        f.ink([(0.5, neckline), (0.5, 1.0)], 0.8)
    else:
        _collar(f, cloth, trim)
    head = f.inner(0.29, 0.10, 0.42, 0.54)
    elder = "kings" in traits or "saints" in traits
    beard = not woman and f.rng.random() < (0.75 if elder else 0.35)
    if side:
        head_side(head, woman, traits, beard)
    else:
        head_front(head.inner(0, 0, 1, 1, tilt=float(f.rng.normal(0, 0.05))), woman, traits, beard)
    if "virgin mary" in traits:
        f.shape(_VEIL, f.style.colours["cloth"][1 % len(f.style.colours["cloth"])])
    if "necklaces" in traits:
        _beads(f.inner(0.34, 0.64, 0.32, 0.24))
    if "earrings" in traits:
        note(head, "earrings")
    for trait in WHOLE_PERSON:
        if trait in traits:
            note(f, trait)


def _beads(f: Frame) -> None:
    t = np.linspace(0.15, np.pi - 0.15, 9)
    for x, y in np.stack([0.5 - 0.46 * cos(t), 0.1 + 0.55 * sin(t)], 1):
        f.oval(x, y, 0.06, 0.07, f.style.colour("metal"), line=0.6)
    f.oval(0.5, 0.80, 0.09, 0.12, f.style.colour("bloom"), line=0.7)
    note(f, "necklaces")


def _collar(f: Frame, cloth: tuple, trim: tuple) -> None:
    """What men wear at the neck: beads, a pinned cloak, a crossed robe, lapels or a ruff."""
    dress = f.style.dress
    if dress == "kilt":
        for k, radius in enumerate((0.30, 0.25, 0.20, 0.15)):
            t = np.linspace(0.1, np.pi - 0.1, 12)
            band = np.stack([0.5 - radius * cos(t), 0.66 + radius * 0.62 * sin(t)], 1)
            f.stroke(
                band, f.style.colours["cloth"][k % len(f.style.colours["cloth"])], 0.04, line=0.5
            )
    elif dress == "tunic":
        for x in (0.26, 0.38, 0.5, 0.62):
            f.ink([(0.74, 0.72), (x + 0.12, 0.84), (x, 1.0)], 0.9)
        f.oval(0.74, 0.72, 0.035, 0.035, f.style.colour("metal"))
    elif dress == "robe":
        f.stroke("38 66, 56 100", trim, 0.05, line=0.7)
        f.stroke("62 66, 46 88", trim, 0.05, line=0.7)
    elif f.rng.random() < 0.65:
        f.shape("40 66, 50 90, 60 66", shift(f.style.colour("paper"), 0.5), smooth=False)
        f.shape("45 67, 55 67, 54 84, 46 84", trim, line=0.6)
        for side in (-1, 1):
            f.shape(sided(side, "10 65, 22 74, 2 100"), shift(cloth, -0.25), smooth=False, line=0.7)
    else:
        for angle in np.linspace(-1.4, 1.4, 9):
            f.oval(
                0.5 + 0.24 * sin(angle),
                0.66 + 0.07 * cos(angle),
                0.05,
                0.045,
                shift(f.style.colour("paper"), 0.6),
                line=0.7,
            )
