"""People of the sample collection at full length, riders, and who is in a scene."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial

import numpy as np

from imet_tools.sample.animals import horse
from imet_tools.sample.arithmetic import sin
from imet_tools.sample.heads import (
    HALOED,
    WHOLE_PERSON,
    Traits,
    bust,
    draw_halo,
    draw_wings,
    head_front,
    head_side,
    note,
)
from imet_tools.sample.objects import book, fan, flag, flute, lute, shield, spear, sword
from imet_tools.sample.pen import Colour, Frame, mix, moved, shift, sided
from imet_tools.sample.plants import flowers

Point = tuple[float, float]

WORN = HALOED | {"hats", "helmets", "earrings", "necklaces", "kings", "queens"}
WORN |= {"soldiers", "actresses", "actors"}

HELD: dict[str, tuple[Callable[[Frame], None], float, float, float]] = {
    # how to draw it, its width and height, and how far up it the hand is
    "swords": (sword, 0.14, 0.40, 0.86), "spears": (spear, 0.10, 1.0, 0.55),
    "shields": (shield, 0.52, 0.27, 0.5), "books": (book, 0.36, 0.13, 0.5),
    "fans": (fan, 0.34, 0.13, 0.5), "flowers": (flowers, 0.34, 0.24, 0.9),
    "flutes": (flute, 0.5, 0.08, 0.5), "flags": (flag, 0.5, 0.62, 0.9),
    "lutes": (lute, 0.42, 0.40, 0.5),
}  # fmt: skip

_MANTLE = "50 -1, 62 1, 66 8, 78 40, 68 44, 60 9, 50 3.5, 40 9, 32 44, 22 40, 34 8, 38 1"
_ROBED = HALOED | {"kings", "queens"}  # whatever others wear
_HIS = {"kings", "hats", "helmets", "soldiers", "swords", "spears", "shields", "flags", "actors"}

_HERS = {"queens", "earrings", "necklaces", "fans", "virgin mary", "actresses"}


@dataclass(frozen=True)
class Person:
    """Somebody in a scene: the label that names them, and what they wear and hold."""

    label: str
    woman: bool
    traits: frozenset[str]
    child: bool = False


def figure(
    f: Frame, woman: bool, traits: Traits = (), side: bool = False, child: bool = False
) -> None:
    """Draw a whole person (frame about half as wide as high), with what the traits name."""
    skin, cloth = f.pick("skin"), f.pick("cloth")
    robed = not _ROBED.isdisjoint(traits)
    fashion = "robe" if robed else f.style.dress
    sleeve = skin if fashion == "kilt" else cloth
    if "angels" in traits:
        draw_wings(f, 0.5, 0.30, 0.62, 0.34)
    size, top = (0.19, 0.02) if child else (0.145, 0.0)
    neck = top + size
    back, front = _pose(f, traits)
    f.stroke([(0.32, neck + 0.08), *back], shift(sleeve, -0.15), 0.066, 0.8, line=0.8)
    dress(f, fashion, woman, (cloth, skin), neck + 0.045, "dancing" in traits)
    if not HALOED.isdisjoint(traits):
        draw_halo(f, 0.5, top + size * 0.48, 0.235, 0.118)
    f.stroke([(0.5, neck - 0.03), (0.5, neck + 0.05)], shift(skin, -0.1), 0.055, line=0.5)
    elder = "kings" in traits or "saints" in traits
    beard = not woman and not child and f.rng.random() < (0.8 if elder else 0.3)
    head = f.inner(0.5 - size * 0.80, top, size * 1.6, size)
    (head_side if side else head_front)(head, woman, traits, beard)
    if "virgin mary" in traits:
        f.shape(_MANTLE, f.style.colours["cloth"][1 % len(f.style.colours["cloth"])], shade=0.4)
    _hold(f, traits, front[-1], back[-1])
    f.stroke([(0.68, neck + 0.08), *front], sleeve, 0.066, 0.8, line=0.8)
    for x, y in (front[-1], back[-1]):
        f.oval(x, y, 0.05, 0.026, skin, line=0.7)
    if "shields" in traits:
        part = f.inner(-0.02, 0.34, 0.52, 0.27)
        shield(part)
        note(part, "shields")
    for trait in (*WHOLE_PERSON, "dancing", "musicians"):
        if trait in traits:
            note(f, trait)


def _hold(f: Frame, traits: Traits, first: Point, second: Point) -> None:
    """Put up to two of the traits' things into the hands."""
    held = [name for name in HELD if name in traits and name != "shields"]
    for name, (x, y) in zip(held[:2], (first, second), strict=False):
        draw, width, height, lift = HELD[name]
        part = f.inner(
            x - width * (0.08 if name == "flags" else 0.5), y - height * lift, width, height
        )
        draw(part)
        note(part, name)


def _pose(f: Frame, traits: Traits) -> tuple[list[Point], list[Point]]:
    """Choose elbows and hands: (left arm, right arm)."""
    if "flutes" in traits:
        return [(0.26, 0.32), (0.50, 0.17)], [(0.80, 0.30), (0.62, 0.17)]
    if "lutes" in traits:
        return [(0.20, 0.36), (0.42, 0.42)], [(0.86, 0.36), (0.62, 0.40)]
    if "books" in traits:
        return [(0.22, 0.36), (0.42, 0.38)], [(0.80, 0.38), (0.58, 0.36)]
    if "dancing" in traits:
        return [(0.10, 0.20), (0.05, 0.04)], [(0.92, 0.30), (0.98, 0.14)]
    left = (
        [(0.18, 0.36), (0.24, 0.52)],
        [(0.20, 0.34), (0.40, 0.42)],
        [(0.08, 0.30), (0.04, 0.42)],
    )
    right = (
        [(0.84, 0.34), (0.94, 0.26)],
        [(0.84, 0.38), (0.90, 0.44)],
        [(0.80, 0.38), (0.74, 0.52)],
    )
    busy = any(name in traits for name in HELD)
    return left[f.rng.integers(3)], right[f.rng.integers(2 if busy else 3)]


def dress(
    f: Frame, fashion: str, woman: bool, colours: tuple[Colour, Colour], top: float, swing: bool
) -> None:
    """Dress a standing figure from its shoulders (at `top`) down; colours of cloth and skin."""
    (cloth, skin), trim = colours, f.pick("cloth")
    if fashion != "robe" and not woman:
        stockings = skin if fashion != "coat" else shift(f.style.colour("paper"), 0.2)
        _stockings(f, stockings, 0.2 if swing else 0.10)
    if fashion == "kilt" and not woman:
        _kilt(f, skin, trim, top)
    elif fashion == "coat" and not woman:
        _coat(f, cloth, trim, top, 0.06 if swing else 0.0)
    elif fashion == "coat":
        _gown(f, cloth, trim, top)
    else:
        bottom = 0.66 if fashion == "tunic" and not woman else 0.97
        _robe(f, cloth, trim, top, bottom, 0.08 if swing else 0.0)


def _stockings(f: Frame, colour: Colour, step: float) -> None:
    for x, d, tone in ((0.42, -step, -0.15), (0.58, step, 0.0)):
        f.stroke(
            [(x, 0.52), (x + d * 0.5, 0.74), (x + d, 0.97)],
            shift(colour, tone),
            0.085,
            0.6,
            line=0.8,
        )
        shoe = moved(x + d, 0, "-6 99.5, -4 95, 7 96.5, 13 99.5")
        f.shape(shoe, f.style.colour("hair"), line=0.5)


def _kilt(f: Frame, skin: Colour, trim: Colour, top: float) -> None:
    chest = [(0.26, top + 0.02), (0.5, top), (0.74, top + 0.02), (0.64, 0.46), (0.36, 0.46)]
    f.shape(chest, skin, shade=0.4)
    f.shape("36 45, 64 45, 76 70, 26 70", shift(f.style.colour("paper"), 0.45), smooth=False)
    f.stroke("35 45.5, 65 45.5", trim, 0.03)
    f.stroke(moved(0, top, "30 3, 50 7, 70 3"), trim, 0.04)


def _gown(f: Frame, cloth: Colour, trim: Colour, top: float) -> None:
    """A bodice and a wide skirt."""
    f.shape("38 44, 62 44, 90 72, 100 97, 50 100, 0 97, 10 72", cloth, shade=0.7)
    bodice = [(0.30, top + 0.01), (0.5, top + 0.05), (0.70, top + 0.01), (0.63, 0.46), (0.37, 0.46)]
    f.shape(bodice, shift(cloth, -0.12), shade=0.5)
    for x in (0.30, 0.5, 0.70):
        f.ink([(0.5 + (x - 0.5) * 0.4, 0.48), (x, 0.96)], 0.6)
    f.stroke("37 45.5, 63 45.5", trim, 0.025)


def _robe(f: Frame, cloth: Colour, trim: Colour, top: float, bottom: float, lean: float) -> None:
    """A robe to the feet, or a tunic to the knee."""
    flare = 0.36 if bottom > 0.8 else 0.28
    left, right = 0.5 - flare + lean, 0.5 + flare + lean
    upper = [(0.32, 0.46), (0.28, top + 0.02), (0.5, top), (0.72, top + 0.02), (0.68, 0.46)]
    f.shape([*upper, (right, bottom), (0.5, bottom + 0.02), (left, bottom)], cloth, shade=0.7)
    for x in (0.38, 0.5, 0.62):
        f.ink([(x, 0.50), (0.5 + (x - 0.5) * 2 + lean, bottom - 0.02)], 0.6)
    f.stroke("33 45, 67 45", trim, 0.045 if f.style.dress == "robe" else 0.028, line=0.5)
    if f.style.dress == "robe":
        f.stroke([(0.36, top), (0.56, 0.40)], trim, 0.025)
        f.stroke([(0.64, top), (0.48, 0.28)], trim, 0.025)
    if bottom > 0.8:
        f.stroke([(left + 0.02, bottom - 0.03), (right - 0.02, bottom - 0.03)], trim, 0.022)


def _coat(f: Frame, cloth: Colour, trim: Colour, top: float, lean: float) -> None:
    """A coat over a waistcoat, with lapels, buttons and a scarf at the neck."""
    vest = trim if trim != cloth else shift(cloth, 0.4)
    f.shape([(0.36, top), (0.64, top), (0.64, 0.50), (0.36, 0.50)], vest, smooth=False, line=0.7)
    for y in (0.30, 0.36, 0.42, 0.47):
        f.oval(0.5, y, 0.022, 0.009, f.style.colour("metal"), line=0)
    for side in (-1, 1):
        half = sided(side, "10 0, 22 2, 19 44, 30 68, 10 70, 5 45").copy()
        half[:2, 1] += top
        half[3:5, 0] += lean
        f.shape(half, cloth, smooth=False, shade=0.6)
        lapel = sided(side, "10 0, 19 5, 5 38")
        lapel[:2, 1] += top
        f.shape(lapel, shift(cloth, -0.25), smooth=False, line=0.6)
    scarf = moved(0, top, "42 -2, 58 -2, 55 7, 45 7")
    f.shape(scarf, shift(f.style.colour("paper"), 0.6), line=0.6)


def madonna(f: Frame) -> None:
    """Draw a mother with a haloed child on her arm."""
    bust(f.inner(0.0, 0.0, 1.0, 1.0), True, ("virgin mary",))
    baby = f.inner(0.50, 0.50, 0.40, 0.48)
    draw_halo(baby, 0.45, 0.22, 0.42, 0.30)
    baby.shape("30 40, 70 40, 85 80, 60 100, 20 95", shift(f.style.colour("paper"), 0.5), shade=0.4)
    head_front(baby.inner(0.20, 0.02, 0.5, 0.42), False)
    baby.stroke("66 50, 84 40, 92 24", f.pick("skin"), 0.10, 0.8, line=0.8)
    f.stroke("10 92, 45 98, 80 90", f.pick("cloth"), 0.10, 0.9, line=0.9)
    f.oval(0.80, 0.90, 0.05, 0.035, f.pick("skin"), line=0.8)


def rider(f: Frame, traits: Traits = ()) -> None:
    """Draw a man on horseback (as wide as high)."""
    mount = f.inner(0.0, 0.28, 1.0, 0.72)
    horse(mount)
    note(mount, "horses")
    man = f.inner(0.30, 0.0, 0.34, 0.72)
    figure(man, False, traits, side=f.style.profile)
    mount.stroke("42 40, 44 60, 50 68", f.pick("cloth"), 0.08, 0.8, line=0.8)
    mount.shape("36 36, 52 36, 54 50, 36 52", f.pick("cloth"))
    mount.ink("92 28, 72 32, 56 20", 1.0)
    note(man, "men")


def buddha(f: Frame) -> None:
    """Draw the Buddha seated on a lotus throne."""
    skin, robe = mix(f.style.colour("metal"), f.pick("skin"), 0.4), f.pick("cloth")
    draw_halo(f, 0.5, 0.40, 0.42, 0.40)
    for angle in np.linspace(-1.3, 1.3, 9):
        x = 0.5 + 0.40 * sin(angle)
        f.shape(moved(x, 0, "-8 90, 0 80, 8 90, 0 100"), f.style.colour("bloom"))
    f.shape("50 66, 84 70, 98 82, 80 90, 20 90, 2 82, 16 70", robe, shade=0.4)
    f.shape("28 38, 50 35, 72 38, 70 74, 30 74", skin, shade=0.4)
    f.shape("28 38, 40 36, 66 72, 30 76", robe)
    for side in (-1, 1):
        f.stroke(
            sided(side, "21 43, 30 60, 5 73"), robe if side < 0 else skin, 0.085, 0.8, line=0.9
        )
    f.oval(0.5, 0.74, 0.10, 0.035, skin)
    head = f.inner(0.37, 0.08, 0.26, 0.29)
    for x in (0.05, 0.95):
        head.oval(x, 0.65, 0.07, 0.20, skin)
    head.oval(0.5, 0.05, 0.20, 0.15, f.style.colour("hair"))
    head.oval(0.5, 0.34, 0.46, 0.32, f.style.colour("hair"))
    head.oval(0.5, 0.58, 0.43, 0.42, skin)
    for x in (0.32, 0.68):
        head.ink(moved(x, 0, "-12 55, 0 60, 12 55"), 1.0)
    head.ink("50 52, 53 70, 46 71", 0.8)
    head.ink("38 82, 50 85, 62 82", 1.0, fill=f.style.colour("bloom"))


def person_drawer(one: Person, side: bool) -> Callable[[Frame], None]:
    """Return what draws a person at full length into a frame, on demand from the side."""
    return partial(figure, woman=one.woman, traits=one.traits, side=side, child=one.child)


def small_person(f: Frame) -> None:
    """Draw a tiny person far away."""
    cloth, skin = f.pick("cloth"), f.pick("skin")
    f.shape("30 24, 70 24, 88 98, 12 98", cloth, smooth=False, line=0.7)
    reach = f.rng.uniform(-0.1, 0.3)
    f.stroke([(0.66, 0.30), (0.95, 0.30 + reach)], cloth, 0.09)
    f.oval(0.5, 0.13, 0.22, 0.12, skin, line=0.7)
    if f.rng.random() < 0.5:
        f.shape("16 10, 50 -6, 84 10", f.pick("hair"), smooth=False, line=0.5)
    else:
        f.shape("28 10, 50 -1, 72 10", f.pick("hair"), line=0)


def choose_cast(tags: Collection[str], rng: np.random.Generator) -> list[Person]:
    """List the people that tags speak of, each with what they wear and hold."""
    tags = set(tags)
    if "madonna and child" in tags:
        tags.discard("virgin mary")  # she is there already
    traits = tags & (WORN | set(HELD) | {"dancing", "musicians"})
    if "musicians" in tags and not traits & {"flutes", "lutes"}:
        traits.add(("flutes", "lutes")[rng.integers(2)])
    if "soldiers" in tags:
        traits.add("spears")
    men = bool(tags & {"men", "kings", "soldiers", "actors"})
    women = bool(tags & {"women", "queens", "virgin mary", "actresses"})
    if not men and not women:
        women = bool(traits & _HERS) or rng.random() < 0.4
        men = not women and not tags & {"boys", "girls"}
    shared = traits - _HIS - _HERS
    cast = []
    if men:
        mine = shared if not women or rng.random() < 0.5 else set()
        cast.append(Person("men", False, frozenset(traits & _HIS | mine)))
    if women:
        rest = shared if not men or not cast[0].traits & shared else set()
        alone = set() if men else traits & _HIS
        cast.append(Person("women", True, frozenset(traits & _HERS | rest | alone)))
    for tag in ("boys", "girls"):
        if tag in tags:
            cast.append(Person(tag, tag == "girls", frozenset(), child=True))
    return cast
