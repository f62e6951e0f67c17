"""Scenes of the sample collection: portraits, figures, still lifes and cloths."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

import numpy as np

from imet_tools.sample.arithmetic import sin
from imet_tools.sample.borders import background
from imet_tools.sample.heads import bust
from imet_tools.sample.landscapes import (
    paint_distance,
    paint_ground,
    paint_landscape,
    paint_mountains,
    paint_sky,
)
from imet_tools.sample.motifs import (
    BUILDINGS,
    CREATURES,
    LAND,
    MOTIFS,
    PEOPLE,
    PORTRAIT,
    SUPERSETS,
    VESSELS,
    WHOLE,
    WRITING,
    Draw,
    Scene,
)
from imet_tools.sample.pen import Canvas, mix, shift
from imet_tools.sample.people import HELD, WORN, Person, choose_cast, figure, person_drawer, rider
from imet_tools.sample.writing import add_writing, write_page

Item = tuple[str, float, float, Draw]  # label, width / height, height of a man = 1, how to draw

Box = tuple[int, int, int, int]


def paint(canvas: Canvas, tags: Collection[str], inset: float) -> list[tuple[str, Box]]:
    """Paint the tags on the canvas inside `inset` pixels of border.

    Returns a (tag, (left, top, right, bottom)) in pixels for everything that can be seen.
    """
    rng, style = canvas.rng, canvas.style
    wanted = set(tags)
    for general, members in SUPERSETS.items():
        if general in wanted and not wanted & members and general != "writing systems":
            wanted.add(sorted(members)[rng.integers(len(members))])
    scene = Scene(canvas, wanted, inset, inset, canvas.width - 2 * inset, canvas.height - 2 * inset)
    grove = "trees" in wanted and not wanted & (PEOPLE | VESSELS)
    if not wanted - WRITING:
        write_page(scene)
    elif "textile fragments" in wanted:
        _pattern(scene)
    elif wanted & PORTRAIT:
        _portrait(scene)
    elif wanted & LAND or (grove and (not style.profile or rng.random() < 0.3)):
        paint_landscape(scene)
    elif wanted & (PEOPLE | {"horse riding", "madonna and child", "buddha"}):
        _figures(scene)
    else:
        _objects(scene)
    if wanted - WRITING:
        add_writing(scene)
    return _boxes(scene)


def _boxes(scene: Scene) -> list[tuple[str, Box]]:
    """Turn the extents of all that was drawn into pixel boxes within the picture."""
    limit = np.array([scene.canvas.width, scene.canvas.height] * 2)
    found = []
    for tag, f in scene.frames + scene.canvas.notes:
        if np.isfinite(f.extent[0]):
            extent = np.concatenate([np.floor(f.extent[:2]), np.ceil(f.extent[2:])])
            left, top, right, bottom = np.clip(extent, 0, limit).astype(int).tolist()
            if right - left >= 4 and bottom - top >= 4:
                found.append((tag, (left, top, right, bottom)))
    whole = (round(scene.left), round(scene.top), round(scene.left + scene.width),
             round(scene.top + scene.height))  # fmt: skip
    for general, members in SUPERSETS.items():
        found += [(general, box) for tag, box in found if tag in members]
    return found + [(tag, whole) for tag in sorted(WHOLE & scene.tags)]


def _portrait(scene: Scene) -> None:
    """One or two people from near: busts, in a tall picture whole figures."""
    rng, style = scene.canvas.rng, scene.canvas.style
    side = style.profile or "profiles" in scene.tags
    behind = sorted(scene.tags & (BUILDINGS | {"trees", "mountains", "columns"}))
    outside = _behind_sitter(scene)
    for tag in behind:
        if tag == "mountains":
            paint_mountains(scene, 0.72)
        elif not (outside and tag == "trees"):
            scene.put(tag, rng.choice([0.16, 0.84]), 0.8, rng.uniform(0.4, 0.6))
    cast = [one for one in choose_cast(scene.tags, rng) if not one.child][:2]
    cast = cast or [Person("men", False, frozenset())]
    ratio = scene.height / scene.width
    alone, standing = len(cast) == 1, ratio > 1.5
    span = rng.uniform(0.72, 0.98)
    for number, one in enumerate(cast):
        middle = 0.5 + rng.normal(0, 0.05) if alone else 0.3 + 0.4 * number
        share = (0.72 if alone else 0.48) if standing else (0.95 if alone else 0.56)
        aspect = 0.5 if standing else 0.92
        wide = min(span * scene.height * aspect, scene.width * share)
        low = 0.97 if standing else 1.0
        f = scene.canvas.frame(
            scene.left + middle * scene.width - wide / 2,
            scene.top + low * scene.height - wide / aspect,
            wide,
            wide / aspect,
            bool(rng.random() < 0.5) if alone else bool(number),
        )
        if standing:
            figure(f, one.woman, one.traits, side)
        else:
            bust(f, one.woman, one.traits - set(HELD), side)
        scene.frames += [(tag, f) for tag in (one.label, *sorted(PORTRAIT))]
    worn = WORN | (set(HELD) if standing else set())
    _attributes(scene, PEOPLE | PORTRAIT | worn | set(behind) | LAND | {"trees"})


def _behind_sitter(scene: Scene) -> bool:
    """Paint what is behind a sitter; tells whether it is the open air."""
    canvas, rng, style = scene.canvas, scene.canvas.rng, scene.canvas.style
    kind = int(rng.integers(5))
    cloth, paper = style.pick("cloth", rng), style.colour("paper")
    if style.profile or kind == 0:
        background(canvas, shift(paper, 0.1), shift(paper, -0.12))
    elif kind == 1:
        background(canvas, mix(cloth, paper, 0.55), shift(mix(cloth, paper, 0.35), -0.3))
    elif kind == 2:
        paint_sky(scene, 0.7)
        paint_distance(scene, 0.7)
        paint_ground(scene, 0.7)
        if scene.tags & {"trees", "landscapes"} or rng.random() < 0.3:
            for x in (0.12, 0.88):
                scene.put("trees", x, 0.78, rng.uniform(0.25, 0.45))
    elif kind == 3:  # curtains
        stone = style.colour("stone")
        background(canvas, shift(stone, -0.2), shift(stone, -0.4))
        for x, flip in ((0.0, 1), (1.0, -1)):
            f = canvas.frame(
                scene.left + (x - 0.2) * scene.width, scene.top, 0.4 * scene.width, scene.height
            )
            f.shape(
                [
                    (0.0, 0.0),
                    (1.0, 0.0),
                    (0.5 + 0.3 * flip, 0.5),
                    (0.5 + 0.1 * flip, 1.0),
                    (0.0, 1.0),
                ],
                cloth,
                shade=0.6,
            )
            for k in range(3):
                f.ink([(0.3 + 0.2 * k, 0.0), (0.5 + 0.12 * k * flip, 0.5), (0.45, 1.0)], 0.7)
    else:  # a papered wall
        wall = shift(mix(cloth, paper, 0.4), -0.15)
        background(canvas, wall, shift(wall, -0.2))
        for x in np.arange(0.08, 1.0, 0.17):
            for y in np.arange(0.06, 1.0, 0.17 * scene.width / scene.height):
                f = canvas.frame(
                    scene.left + x * scene.width - 7, scene.top + y * scene.height - 9, 14, 18
                )
                f.shape("50 0, 80 40, 50 100, 20 40", shift(wall, 0.14), line=0)
    return kind == 2 and not style.profile


def _attributes(scene: Scene, done: set[str]) -> None:
    """Put the remaining motifs into the lower corners, in front of a portrait."""
    rng = scene.canvas.rng
    left = [tag for tag in sorted(scene.tags - done) if tag in MOTIFS]
    corners = rng.permutation([0.17, 0.83, 0.5])
    small = min(1.0, 1.1 * scene.width / scene.height)
    for x, tag in zip(corners, left, strict=False):
        _, aspect, size = MOTIFS[tag]
        tall = min(0.30 + 0.2 * size, 0.62) * small * rng.uniform(0.8, 1.05)
        tall = min(tall, 0.42 * scene.width / scene.height / aspect)
        scene.put(tag, float(x), 0.99 + rng.normal(0, 0.01), tall)


def _figures(scene: Scene) -> None:
    canvas, rng, style = scene.canvas, scene.canvas.rng, scene.canvas.style
    if style.profile:
        background(canvas, style.colour("paper"), shift(style.colour("paper"), -0.06))
        floor = canvas.frame(
            scene.left, scene.top + 0.93 * scene.height, scene.width, scene.height * 0.08
        )
        floor.box(0, 0, 1, 1, style.pick("cloth", rng))
        base = 0.94
    elif rng.random() < 0.5:
        horizon = rng.uniform(0.5, 0.75)
        paint_sky(scene, horizon)
        if rng.random() < 0.4:
            paint_mountains(scene, horizon)
        paint_ground(scene, horizon)
        base = 0.95
    else:
        paper = style.colour("paper")
        background(canvas, shift(paper, 0.06), shift(paper, -0.08))
        background(
            canvas,
            shift(style.pick("earth", rng), 0.05),
            shift(style.colour("earth"), -0.2),
            rng.uniform(0.76, 0.86),
            1.0,
        )
        base = 0.95
    if "trees" in scene.tags:
        for x in rng.permutation([0.1, 0.9])[: rng.integers(1, 3)]:
            scene.put("trees", float(x), base - 0.08, rng.uniform(0.55, 0.85))
    _line_up(scene, base, skip={"trees"})


def _line_up(scene: Scene, base: float, skip: set[str], tallest: float = 0.86) -> None:
    """Stand people and things side by side on a line, as large as fits."""
    rng = scene.canvas.rng
    side = scene.canvas.style.profile or "profiles" in scene.tags or rng.random() < 0.15
    riding = "horse riding" in scene.tags
    cast = choose_cast(scene.tags, rng) if scene.tags & PEOPLE else []
    rider_traits = frozenset().union(*(one.traits for one in cast if one.label == "men"))
    held = rider_traits if riding else frozenset()
    items: list[Item] = []
    for one in cast:
        if riding and one.label == "men":
            continue
        held |= one.traits
        items.append((one.label, 0.5, 0.62 if one.child else 1.0, person_drawer(one, side)))
    done = skip | held | ({"horses"} if riding else set())
    for tag in sorted(scene.tags - done):
        if tag in MOTIFS:
            draw, aspect, size = MOTIFS[tag]
            if tag == "horse riding":
                draw = partial(rider, traits=rider_traits)
            count = 2 + int(rng.integers(3)) if tag in ("human figures", "sheep") else 1
            items += [(tag, aspect, size, draw)] * count
    if not items:
        return
    items = _procession(items, scene)
    if scene.height > 1.45 * scene.width and len(items) > 1:
        _registers(scene, items, base, tallest)
    else:
        _stand(scene, items, base, tallest)


def _registers(scene: Scene, items: list[Item], base: float, tallest: float) -> None:
    """Stand items in two rows, one above the other."""
    half = (len(items) + 1) // 2
    for low, row in ((base - 0.46, items[:half]), (base, items[half:])):
        top = scene.top + low * scene.height
        f = scene.canvas.frame(scene.left, top, scene.width, 0.02 * scene.height)
        f.box(0, 0.2, 1, 0.9, shift(scene.canvas.style.colour("earth"), -0.2), line=0.7)
        _stand(scene, row, low, tallest * 0.5)


def _procession(items: list[Item], scene: Scene) -> list[Item]:
    """Fill a long frieze by repeating what walks in it."""
    rng = scene.canvas.rng
    room = 0.8 * scene.width / scene.height
    wide = sum(item[1] * item[2] for item in items) / max(item[2] for item in items) * 0.8
    if scene.width > 1.35 * scene.height and wide < 0.5 * room and rng.random() < 0.75:
        return items * min(4, int(room / wide))
    return items


def _stand(scene: Scene, items: list[Item], base: float, tallest: float) -> None:
    """Stand items beside each other, as large as fits."""
    rng = scene.canvas.rng
    ratio = scene.height / scene.width
    wide = sum(aspect * size for _, aspect, size, _ in items) * ratio
    scale = min(tallest / max(size for _, _, size, _ in items), 1.15 / wide)
    squeeze = min(1.0, 0.94 / (wide * scale))  # neighbours may overlap a little
    gap = max(0.0, 0.94 - wide * scale) / (len(items) + 1)
    x = 0.03 + gap
    for k in rng.permutation(len(items)):
        tag, aspect, size, draw = items[k]
        step = aspect * size * ratio * scale * squeeze
        scene.put(
            tag,
            x + step / 2 + rng.normal(0, gap / 8),
            base + rng.normal(0, 0.008),
            size * scale * rng.uniform(0.92, 1.02),
            None,
            draw,
            aspect,
        )
        x += step + gap


def _objects(scene: Scene) -> None:
    """Things and animals: in the open, under water, on a table or before a plain backdrop."""
    canvas, rng, style = scene.canvas, scene.canvas.rng, scene.canvas.style
    drawn = {tag for tag in scene.tags if tag in MOTIFS}
    creature = bool(drawn & CREATURES) and not drawn & VESSELS
    if drawn <= {"fish", "turtles", "crabs", "octopus"} and rng.random() < 0.75:
        _under_water(scene)
        _line_up(scene, rng.uniform(0.72, 0.88), skip=set(), tallest=rng.uniform(0.5, 0.7))
        return
    base = 0.9
    if creature and not style.profile and rng.random() < 0.5:
        horizon = rng.uniform(0.5, 0.72)
        paint_sky(scene, horizon)
        paint_distance(scene, horizon)
        paint_ground(scene, horizon)
        base = 0.92
    elif len(drawn) > 1 and rng.random() < 0.7:
        wall = shift(
            mix(style.pick("cloth", rng), style.colour("paper"), rng.uniform(0.4, 0.9)), -0.1
        )
        background(canvas, shift(wall, 0.08), shift(wall, -0.2))
        background(
            canvas,
            style.pick("wood", rng),
            shift(style.colour("wood"), -0.4),
            rng.uniform(0.68, 0.78),
            1.0,
        )
    else:
        grey = int(rng.uniform(90, 215))
        back = mix(style.colour("paper"), (grey, grey, grey + 4), rng.uniform(0.2, 0.9))
        background(canvas, shift(back, 0.18), shift(back, -0.22))
        base = rng.uniform(0.84, 0.92)
    shadow = canvas.frame(
        scene.left + 0.15 * scene.width,
        scene.top + (base - 0.03) * scene.height,
        0.7 * scene.width,
        0.06 * scene.height,
    )
    for grow in (0.5, 0.42, 0.32):
        shadow.oval(0.5, 0.5, grow, grow, (*shift(style.colour("ink"), -0.3), 40), line=0)
    _line_up(scene, base, skip=set(), tallest=rng.uniform(0.6, 0.82))


def _under_water(scene: Scene) -> None:
    """Water seen from within: light above, weeds and bubbles."""
    canvas, rng, style = scene.canvas, scene.canvas.rng, scene.canvas.style
    blue = style.pick("water", rng)
    background(canvas, mix(blue, style.colour("paper"), 0.5), shift(blue, -0.2))
    f = canvas.frame(scene.left, scene.top, scene.width, scene.height)
    for x in rng.uniform(0, 1, 9):
        top, sway = rng.uniform(0.45, 0.85), rng.normal(0, 0.05)
        f.stroke(
            [(x, 1.02), (x + sway, (1 + top) / 2), (x - sway, top)],
            style.pick("leaf", rng),
            0.03,
            0.2,
            line=0.4,
        )
    for x, y in rng.uniform((0.05, 0.05), (0.95, 0.8), (10, 2)):
        r = rng.uniform(0.006, 0.016)
        f.ink(
            [(x, y), (x + r, y - r), (x + 2 * r, y), (x + r, y + r), (x, y)],
            0.7,
            fill=mix(blue, (255, 255, 255), 0.6),
        )
    for y in (0.06, 0.1, 0.15):
        x = np.linspace(0, 1, 30)
        f.ink(
            np.stack([x, y + 0.012 * sin(x * 30 + 40 * y)], 1),
            0.7,
            False,
            mix(blue, (255, 255, 255), 0.5),
        )


def _pattern(scene: Scene) -> None:
    """Repeat the motifs over a cloth: in lozenges, stripes or roundels, every other row shifted."""
    canvas, rng, style = scene.canvas, scene.canvas.rng, scene.canvas.style
    ground, second = style.pick("cloth", rng), style.pick("cloth", rng)
    background(canvas, ground, ground)
    units = [tag for tag in sorted(scene.tags) if tag in MOTIFS] or ["flowers"]
    layout = ("lozenges", "stripes", "roundels", "plain")[rng.integers(4)]
    rows = int(rng.integers(2, 6))
    step = scene.height / rows
    columns = max(2, round(scene.width / step))
    wide = scene.width / columns
    soft = mix(ground, second, 0.45) if second != ground else shift(ground, 0.25)
    if layout == "stripes":
        for row in range(0, rows, 2):
            stripe = canvas.frame(scene.left, scene.top + row * step, scene.width, step)
            stripe.box(0, 0.0, 1, 1, soft, line=0)
            for y in (0.02, 0.98):
                stripe.stroke([(0, y), (1, y)], style.colour("metal"), 0.03)
    turn = rng.random() < 0.5
    for row in range(rows):
        shifted = bool(row % 2) and layout != "stripes" and turn
        for column in range(-1 if shifted else 0, columns):
            x = scene.left + (column + (1.0 if shifted else 0.5)) * wide
            cell = canvas.frame(x - wide / 2, scene.top + row * step, wide, step)
            if layout == "lozenges":
                cell.shape("50 0, 100 50, 50 100, 0 50", soft, smooth=False, line=0.5)
            elif layout == "roundels":
                radius = 0.48 * min(wide, step)
                cell.oval(0.5, 0.5, radius / wide, radius / step, style.colour("metal"), line=0.5)
                cell.oval(0.5, 0.5, radius * 0.88 / wide, radius * 0.88 / step, soft, line=0.4)
            tag = units[(row + column) % len(units)]
            draw, aspect, _ = MOTIFS[tag]
            tall = min(step, wide / aspect) * (0.62 if layout == "roundels" else 0.84)
            f = canvas.frame(
                x - tall * aspect / 2,
                scene.top + (row + 0.5) * step - tall / 2,
                tall * aspect,
                tall,
                bool((row + column) % 2) and turn,
            )
            draw(f)
            scene.frames.append((tag, f))
