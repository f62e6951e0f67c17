"""Scenes of the sample collection: which motif goes where, and the box of everything drawn."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import numpy as np

from imet_utils import sample_creatures as creatures
from imet_utils import sample_people as people
from imet_utils import sample_things as things
from imet_utils.sample_borders import background
from imet_utils.sample_pen import Canvas, Frame, mix, shift

Draw = Callable[[Frame], None]
MOTIFS: dict[str, tuple[Draw, float, float]] = {  # how to draw it, width / height, height of a man = 1
    "horses": (creatures.horse, 1.25, 0.85), "dogs": (creatures.dog, 1.2, 0.42),
    "lions": (creatures.lion, 1.3, 0.62), "deer": (creatures.deer, 1.05, 0.72),
    "cows": (creatures.cow, 1.45, 0.62), "bulls": (creatures.bull, 1.45, 0.66),
    "sheep": (creatures.sheep, 1.15, 0.45), "elephants": (creatures.elephant, 1.2, 1.05),
    "camels": (creatures.camel, 1.15, 0.95), "cats": (creatures.cat, 0.85, 0.4),
    "rabbits": (creatures.rabbit, 1.0, 0.34), "birds": (creatures.bird, 1.15, 0.42),
    "cranes": (creatures.crane, 0.62, 0.75), "ducks": (creatures.duck, 1.25, 0.32),
    "swans": (creatures.swan, 1.2, 0.42), "owls": (creatures.owl, 0.7, 0.5),
    "roosters": (creatures.rooster, 0.95, 0.5), "peacocks": (creatures.peacock, 1.1, 0.75),
    "eagles": (creatures.eagle, 1.1, 0.65), "fish": (creatures.fish, 1.8, 0.32),
    "butterflies": (creatures.butterfly, 1.15, 0.3), "snakes": (creatures.snake, 1.5, 0.42),
    "dragons": (creatures.dragon, 1.6, 0.8), "turtles": (creatures.turtle, 1.4, 0.34),
    "octopus": (creatures.octopus, 1.0, 0.55), "crabs": (creatures.crab, 1.25, 0.36),
    "snails": (creatures.snail, 1.3, 0.3), "trees": (creatures.tree, 0.85, 1.25),
    "flowers": (creatures.flowers, 0.9, 0.6), "leaves": (creatures.leaves, 1.0, 0.55),
    "lotuses": (creatures.lotus, 1.25, 0.4), "bamboo": (creatures.bamboo, 0.6, 1.2),
    "grapes": (creatures.grapes, 0.72, 0.42), "fruit": (creatures.fruit, 1.2, 0.38),
    "sunflowers": (creatures.sunflower, 0.8, 0.7), "vases": (things.vase, 0.62, 0.62),
    "bottles": (things.bottle, 0.45, 0.55), "jugs": (things.jug, 0.8, 0.52),
    "bowls": (things.bowl, 1.7, 0.3), "cups": (things.cup, 1.15, 0.28),
    "teapots": (things.teapot, 1.3, 0.4), "dishes": (things.dish, 1.0, 0.5),
    "candlesticks": (things.candlestick, 0.42, 0.6), "lamps": (things.lamp, 1.45, 0.34),
    "mirrors": (things.mirror, 0.58, 0.5), "clocks": (things.clock, 0.68, 0.55),
    "masks": (things.mask, 0.82, 0.5), "skulls": (things.skull, 0.9, 0.34),
    "helmets": (things.helmet, 1.0, 0.45), "daggers": (things.dagger, 0.3, 0.6),
    "swords": (things.sword, 0.24, 0.9), "shields": (things.shield, 1.0, 0.6),
    "spears": (things.spear, 0.1, 1.2), "flags": (things.flag, 0.9, 0.9),
    "coins": (things.coin, 1.0, 0.4), "chairs": (things.chair, 0.7, 0.7),
    "tables": (things.table, 1.8, 0.45), "scarabs": (things.scarab, 0.82, 0.45),
    "cross": (things.cross, 0.7, 0.7), "coat of arms": (things.arms, 0.95, 0.7),
    "necklaces": (things.necklace, 1.0, 0.5), "rings": (things.ring, 0.85, 0.34),
    "keys": (things.key, 0.4, 0.4), "books": (things.book, 1.7, 0.3),
    "fans": (things.fan, 1.6, 0.42), "lutes": (things.lute, 0.5, 0.7),
    "violins": (things.violin, 0.48, 0.66), "harps": (things.harp, 0.72, 0.85),
    "drums": (things.drum, 1.1, 0.45), "flutes": (things.flute, 3.0, 0.16),
    "houses": (things.house, 1.2, 0.9), "churches": (things.church, 0.95, 1.2),
    "castles": (things.castle, 1.2, 1.2), "temples": (things.temple, 1.45, 0.9),
    "pagodas": (things.pagoda, 0.75, 1.3), "mosques": (things.mosque, 1.2, 1.1),
    "towers": (things.tower, 0.45, 1.3), "ruins": (things.ruin, 1.25, 0.9),
    "pyramids": (things.pyramid, 2.0, 0.9), "windmills": (things.windmill, 0.85, 1.0),
    "columns": (things.column, 0.34, 1.2), "arches": (things.arch, 1.0, 1.0),
    "tents": (things.tent, 1.1, 0.8), "bridges": (things.bridge, 2.4, 0.6),
    "boats": (things.boat, 1.3, 0.6), "ships": (things.ship, 1.2, 1.1),
    "carriages": (things.carriage, 1.4, 0.75), "air transports": (things.balloon, 0.7, 0.8),
    "human figures": (people.small_person, 0.45, 0.4), "crowd": (people.crowd, 2.0, 0.6),
    "buddha": (people.buddha, 0.95, 0.95), "horse riding": (people.rider, 1.0, 1.3),
    "madonna and child": (people.madonna, 0.85, 1.0),
}  # fmt: skip

PORTRAIT = {"portraits", "profiles", "heads", "actresses"}
PEOPLE = {"men", "women", "boys", "girls", "children", "kings", "queens", "saints", "angels",
          "soldiers", "actors", "couples", "dancing", "musicians", "virgin mary", "reading"}  # fmt: skip
BUILDINGS = {"houses", "churches", "castles", "temples", "pagodas", "mosques", "towers", "ruins",
             "pyramids", "windmills", "tents"}  # fmt: skip
WATER = {"bodies of water", "rivers", "seas", "boats", "ships", "bridges", "swans", "ducks", "waves"}
SKY = {"moon", "sun", "stars", "clouds", "night", "snow", "rain", "air transports"}
LAND = (BUILDINGS | WATER | SKY | {"landscapes", "mountains", "hills", "waterfalls"}) - {"swans", "ducks"}
WRITING = {"hieroglyphs", "cuneiform", "arabic", "inscriptions", "writing systems", "seals"}
PATTERN = {"textile fragments", "textiles"}
VESSELS = {"vases", "bottles", "jugs", "bowls", "cups", "teapots", "dishes"}
INSTRUMENTS = {"lutes", "violins", "harps", "drums", "flutes"}
CREATURES = {"horses", "dogs", "lions", "deer", "cows", "bulls", "sheep", "elephants", "camels", "cats",
             "rabbits", "birds", "cranes", "ducks", "swans", "owls", "roosters", "peacocks", "eagles",
             "fish", "butterflies", "snakes", "turtles", "octopus", "crabs", "snails"}  # fmt: skip
SUPERSETS: dict[str, set[str]] = {  # a label that follows from others, and what it can be seen in
    "animals": CREATURES, "musical instruments": INSTRUMENTS, "buildings": BUILDINGS,
    "utilitarian objects": VESSELS | {"candlesticks", "lamps", "mirrors", "clocks", "keys"},
    "writing systems": {"hieroglyphs", "cuneiform", "arabic", "inscriptions"},
    "mythical creatures": {"dragons"}, "buddhism": {"buddha"}, "weapons": {"swords", "daggers", "spears"},
    "christian imagery": {"madonna and child", "saints", "angels", "cross", "virgin mary"},
    "jewelry": {"necklaces", "rings", "earrings"}, "architecture": BUILDINGS | {"columns", "arches"},
    "plants": {"trees", "flowers", "leaves", "bamboo", "lotuses"},
}  # fmt: skip
WHOLE = {"landscapes", "night", "snow", "rain", "still life", "battles", "textile fragments", "textiles",
         "winter"}  # fmt: skip


@dataclass
class Scene:
    """A scene in the making: the canvas, the tags asked for, and where each tag went."""

    canvas: Canvas
    tags: set[str]
    left: float
    top: float
    width: float
    height: float
    frames: list[tuple[str, Frame]] = field(default_factory=list)

    def put(
        self, tag: str, x: float, base: float, height: float, flip: bool | None = None,
        draw: Draw | None = None, aspect: float | None = None,
    ) -> Frame:
        """Draw a motif standing at (x, base), shares of the scene; height a share of its height."""
        rng = self.canvas.rng
        motif = MOTIFS.get(tag)
        if tag == "temples":
            motif = MOTIFS[self.canvas.style.temple]
        draw, aspect = draw or motif[0], aspect or motif[1]
        flip = rng.random() < 0.5 if flip is None else flip
        tall = height * self.height
        wide = tall * aspect * rng.uniform(0.92, 1.08)
        f = self.canvas.frame(self.left + x * self.width - wide / 2,
                              self.top + base * self.height - tall, wide, tall, flip,
                              float(rng.normal(0, 0.03)))
        draw(f)
        self.frames.append((tag, f))
        return f

    def region(self, tag: str, left: float, top: float, right: float, bottom: float) -> Frame:
        """Open a frame on a part of the scene (shares) and note it for a tag."""
        f = self.canvas.frame(self.left + left * self.width, self.top + top * self.height,
                              (right - left) * self.width, (bottom - top) * self.height)
        self.frames.append((tag, f))
        return f


def paint(canvas: Canvas, tags: Collection[str], inset: float) -> list[tuple[str, tuple]]:
    """Paint the tags on the canvas inside `inset` pixels of border; returns (tag, pixel box) pairs."""
    rng = canvas.rng
    wanted = set(tags)
    for general, members in SUPERSETS.items():
        if general in wanted and not wanted & members:
            wanted.add(sorted(members)[rng.integers(len(members))])
    scene = Scene(canvas, wanted, inset, inset, canvas.width - 2 * inset, canvas.height - 2 * inset)
    if wanted & PATTERN:
        _pattern(scene)
    elif wanted & PORTRAIT:
        _portrait(scene)
    elif wanted & LAND:
        _landscape(scene)
    elif wanted & (PEOPLE | {"horse riding", "madonna and child", "buddha", "crowd"}):
        _figures(scene)
    else:
        _objects(scene)
    _writing(scene)
    return _boxes(scene)


def _boxes(scene: Scene) -> list[tuple[str, tuple]]:
    width, height = scene.canvas.width, scene.canvas.height
    found = []
    for tag, f in scene.frames + scene.canvas.notes:
        low_x, low_y, high_x, high_y = f.extent
        box = (max(0, int(low_x)), max(0, int(low_y)), min(width, int(np.ceil(high_x))),
               min(height, int(np.ceil(high_y)))) if np.isfinite(low_x) else ()
        if box and box[2] - box[0] >= 4 and box[3] - box[1] >= 4:
            found.append((tag, box))
    whole = (round(scene.left), round(scene.top), round(scene.left + scene.width),
             round(scene.top + scene.height))
    for general, members in SUPERSETS.items():
        found += [(general, box) for tag, box in found if tag in members]
    found += [(tag, whole) for tag in sorted(WHOLE & scene.tags)]
    return found


# --- people -------------------------------------------------------------------------------------


def _cast(scene: Scene) -> list[tuple[str, bool, set[str], bool]]:
    """List the people to draw: (label, woman, traits, child)."""
    tags, rng = scene.tags, scene.canvas.rng
    traits = tags & (people.WORN | set(people.HELD) | {"dancing", "reading"})
    if "musicians" in tags and not traits & {"flutes", "lutes"}:
        traits = traits | {("flutes", "lutes")[rng.integers(2)]}
    if "reading" in tags:
        traits = traits | {"books"}
    if "soldiers" in tags:
        traits = traits | {"spears"}
    male = {"kings", "hats", "helmets", "soldiers", "swords", "spears", "shields", "flags", "actors"}
    female = {"queens", "earrings", "necklaces", "fans", "virgin mary", "actresses"}
    cast = []
    men = "men" in tags or bool(tags & {"kings", "soldiers", "actors", "couples"})
    women = "women" in tags or bool(tags & {"queens", "virgin mary", "couples", "actresses"})
    if not men and not women:
        women = bool(traits & female) or rng.random() < 0.4
        men = not women and not tags & {"boys", "girls", "children"}
    shared = traits - male - female
    if men:
        cast.append(("men", False, (traits & male) | (shared if not women or rng.random() < 0.5
                                                      else set()), False))
    if women:
        rest = shared if not men or not cast[0][2] & shared else set()
        cast.append(("women", True, (traits & female) | rest | (traits & male if not men else set()),
                     False))
    for tag in ("boys", "girls", "children"):
        if tag in tags:
            cast.append((tag, tag == "girls" or rng.random() < 0.4, set(), True))
    return cast


def _portrait(scene: Scene) -> None:
    canvas, rng = scene.canvas, scene.canvas.rng
    style = canvas.style
    side = style.profile or "profiles" in scene.tags
    kind = rng.integers(4)
    cloth = style.pick("cloth", rng)
    if style.profile or kind == 0:
        background(canvas, shift(style.colour("paper"), 0.1), shift(style.colour("paper"), -0.12))
    elif kind == 1:
        background(canvas, mix(cloth, style.colour("paper"), 0.55),
                   shift(mix(cloth, style.colour("paper"), 0.35), -0.3))
    elif kind == 2:
        _sky(scene, 0.7)
        _ground(scene, 0.7)
        if scene.tags & {"trees", "landscapes"} or rng.random() < 0.3:
            for x in (0.12, 0.88):
                scene.put("trees", x, 0.78, rng.uniform(0.25, 0.45))
    else:
        background(canvas, shift(style.colour("stone"), -0.25), shift(style.colour("stone"), -0.45))
        for x, flip in ((0.0, 1), (1.0, -1)):
            f = canvas.frame(scene.left + (x - 0.2) * scene.width, scene.top, 0.4 * scene.width,
                             scene.height)
            f.shape([(0.0, 0.0), (1.0, 0.0), (0.5 + 0.3 * flip, 0.5), (0.5 + 0.1 * flip, 1.0), (0.0, 1.0)],
                    cloth, shade=0.6)
    behind = [tag for tag in sorted(scene.tags & (BUILDINGS | {"trees", "mountains", "columns"}))]
    for tag in behind:
        if tag == "mountains":
            _mountains(scene, 0.72)
        elif kind != 2 or tag != "trees":
            scene.put(tag, rng.choice([0.16, 0.84]), 0.8, rng.uniform(0.4, 0.6))
    cast = [entry for entry in _cast(scene) if not entry[3]] or [("men", False, set(), False)]
    ratio = scene.height / scene.width
    span = min(rng.uniform(0.72, 0.98), 1.25 / max(ratio, 0.2))
    for number, (label, woman, traits, _) in enumerate(cast[:2]):
        middle = 0.5 + rng.normal(0, 0.05) if len(cast) == 1 else 0.3 + 0.4 * number
        size = span if len(cast) == 1 else min(span, 0.62 / ratio * 1.1, 0.9)
        wide = min(size * scene.height * 0.92, scene.width * (0.95 if len(cast) == 1 else 0.56))
        tall = wide / 0.92
        f = canvas.frame(scene.left + middle * scene.width - wide / 2,
                         scene.top + scene.height - tall, wide, tall,
                         bool(rng.random() < 0.5) if len(cast) == 1 else bool(number))
        people.bust(f, woman, traits - set(people.HELD), side)
        for tag in (label, "portraits", "profiles", "heads", "actresses"):
            scene.frames.append((tag, f))
    _attributes(scene, PEOPLE | PORTRAIT | people.WORN | set(behind) | LAND | {"trees"})


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
        floor = canvas.frame(scene.left, scene.top + 0.93 * scene.height, scene.width,
                             scene.height * 0.08)
        floor.box(0, 0, 1, 1, style.pick("cloth", rng))
        base = 0.94
    elif rng.random() < 0.5:
        horizon = rng.uniform(0.5, 0.75)
        _sky(scene, horizon)
        if rng.random() < 0.4:
            _mountains(scene, horizon)
        _ground(scene, horizon)
        base = 0.95
    else:
        paper = style.colour("paper")
        background(canvas, shift(paper, 0.06), shift(paper, -0.08))
        background(canvas, shift(style.pick("earth", rng), 0.05), shift(style.colour("earth"), -0.2),
                   rng.uniform(0.76, 0.86), 1.0)
        base = 0.95
    if "trees" in scene.tags:
        for x in rng.permutation([0.1, 0.9])[: rng.integers(1, 3)]:
            scene.put("trees", float(x), base - 0.08, rng.uniform(0.55, 0.85))
    _line_up(scene, base, skip={"trees"})


def _line_up(scene: Scene, base: float, skip: set[str], tallest: float = 0.86) -> None:
    """Stand people and things side by side on a line, as large as fits."""
    rng = scene.canvas.rng
    side = scene.canvas.style.profile or "profiles" in scene.tags or rng.random() < 0.15
    items: list[tuple[str, float, float, Draw, str]] = []
    held: set[str] = set()
    if scene.tags & PEOPLE or ("men" in scene.tags or "women" in scene.tags):
        cast = _cast(scene)
        if "horse riding" in scene.tags:
            cast = [entry for entry in cast if entry[0] != "men"]
        for label, woman, traits, child in cast:
            held |= traits

            def draw(f: Frame, woman: bool = woman, traits: set = traits, child: bool = child) -> None:
                people.figure(f, woman, traits, side, child)

            items.append((label, 0.5, 0.62 if child else 1.0, draw, label))
    for tag in sorted(scene.tags - skip - held):
        if tag in MOTIFS and not (tag == "horses" and "horse riding" in scene.tags):
            draw, aspect, size = MOTIFS[tag]
            count = 2 + int(rng.integers(3)) if tag in ("human figures", "sheep") else 1
            items += [(tag, aspect, size, draw, tag)] * count
    if not items:
        return
    order = rng.permutation(len(items))
    room = 1.18 * scene.width / scene.height
    scale = min(tallest / max(item[2] for item in items),
                room / sum(item[1] * item[2] for item in items), 1.9)
    total = sum(item[1] * item[2] for item in items) * scale * scene.height / scene.width
    gap = max(0.0, 0.94 - total) / (len(items) + 1)
    x = (1 - total) / 2 - gap * (len(items) - 1) / 2 if total < 0.94 else 0.5 - total / 2
    squeeze = 1.0 if total < 0.94 else 0.94 / total
    x = 0.03 + gap if total < 0.94 else 0.03
    for k in order:
        tag, aspect, size, draw, _ = items[k]
        wide = aspect * size * scale * scene.height / scene.width * squeeze
        tall = size * scale * rng.uniform(0.92, 1.02)
        scene.put(tag, x + wide / 2 + rng.normal(0, gap / 8), base + rng.normal(0, 0.008), tall, None,
                  draw, aspect)
        x += wide + gap


# --- things -------------------------------------------------------------------------------------


def _objects(scene: Scene) -> None:
    canvas, rng, style = scene.canvas, scene.canvas.rng, scene.canvas.style
    several = len([tag for tag in scene.tags if tag in MOTIFS]) > 1
    creature = bool(scene.tags & CREATURES) and not scene.tags & VESSELS
    kind = "open" if creature and not style.profile and rng.random() < 0.5 else (
        "table" if several and rng.random() < 0.7 else "studio")
    if kind == "open":
        horizon = rng.uniform(0.5, 0.72)
        _sky(scene, horizon)
        _ground(scene, horizon)
        base = 0.92
    elif kind == "table":
        wall = shift(mix(style.pick("cloth", rng), style.colour("paper"), rng.uniform(0.4, 0.9)), -0.1)
        background(canvas, shift(wall, 0.08), shift(wall, -0.2))
        background(canvas, style.pick("wood", rng), shift(style.colour("wood"), -0.4),
                   rng.uniform(0.68, 0.78), 1.0)
        base = 0.9
    else:
        grey = rng.uniform(90, 215)
        back = mix(style.colour("paper"), (int(grey), int(grey), int(grey + 4)), rng.uniform(0.2, 0.9))
        background(canvas, shift(back, 0.18), shift(back, -0.22))
        base = 0.88 if several else rng.uniform(0.84, 0.92)
    shadow = canvas.frame(scene.left + 0.15 * scene.width, scene.top + (base - 0.03) * scene.height,
                          0.7 * scene.width, 0.06 * scene.height)
    for grow in (0.5, 0.42, 0.32):
        shadow.oval(0.5, 0.5, grow, grow, (*shift(style.colour("ink"), -0.3), 40), line=0)
    _line_up(scene, base, skip=set(), tallest=rng.uniform(0.6, 0.82))


def _pattern(scene: Scene) -> None:
    """Repeat the motifs over a cloth."""
    canvas, rng, style = scene.canvas, scene.canvas.rng, scene.canvas.style
    ground = style.pick("cloth", rng)
    background(canvas, ground, ground)
    units = [tag for tag in sorted(scene.tags) if tag in MOTIFS] or ["flowers"]
    rows = int(rng.integers(3, 6))
    step = scene.height / rows
    columns = max(2, round(scene.width / step))
    wide = scene.width / columns
    for row in range(rows):
        for column in range(columns):
            tag = units[(row + column) % len(units)]
            draw, aspect, _ = MOTIFS[tag]
            tall = min(step, wide / aspect) * 0.86
            x = scene.left + (column + 0.5) * wide
            y = scene.top + (row + 0.5) * step
            diamond = canvas.frame(x - wide / 2, y - step / 2, wide, step)
            if (row + column) % 2 == 0:
                diamond.shape([(0.5, 0), (1, 0.5), (0.5, 1), (0, 0.5)], shift(ground, 0.22), smooth=False,
                              line=0.5)
            f = canvas.frame(x - tall * aspect / 2, y - tall / 2, tall * aspect, tall, bool(row % 2))
            draw(f)
            scene.frames.append((tag, f))


# --- landscape ----------------------------------------------------------------------------------


def _sky(scene: Scene, horizon: float) -> None:
    canvas, style, rng = scene.canvas, scene.canvas.style, scene.canvas.rng
    colours = style.colours["sky"]
    top, low = colours[0], colours[1 % len(colours)]
    if scene.tags & {"night", "stars", "moon"}:
        dark = mix(style.colour("ink"), (24, 34, 70), 0.6)
        top, low = mix(top, dark, 0.85), mix(low, dark, 0.5)
    elif rng.random() < 0.25:
        low = mix(low, style.colour("bloom"), 0.3)
    background(canvas, top, low, 0.0, (scene.top + horizon * scene.height) / canvas.height + 0.02)


def _ground(scene: Scene, horizon: float) -> None:
    canvas, style, rng = scene.canvas, scene.canvas.style, scene.canvas.rng
    near = style.pick("earth", rng)
    if "snow" in scene.tags or "winter" in scene.tags:
        near = mix(near, (240, 242, 246), 0.8)
    far = mix(near, style.colours["sky"][-1], 0.35)
    start = (scene.top + horizon * scene.height) / canvas.height
    background(canvas, far, shift(near, -0.12), start, 1.0)
    for _ in range(int(rng.integers(8, 22))):
        x, y = rng.uniform(0, 1), rng.uniform(horizon + 0.05, 1)
        f = canvas.frame(scene.left + x * scene.width, scene.top + y * scene.height,
                         0.05 * scene.width, 0.02 * scene.height)
        tuft = style.pick("leaf", rng)
        for dx in (0.0, 0.3, 0.6):
            f.ink([(0.3 + dx * 0.5, 1.0), (dx, -0.4)], 0.8, fill=tuft)


def _mountains(scene: Scene, horizon: float, tag: str = "mountains") -> None:
    canvas, style, rng = scene.canvas, scene.canvas.style, scene.canvas.rng
    sky = style.colours["sky"][-1]
    for layer, fade in ((0, 0.55), (1, 0.25)):
        count = int(rng.integers(2, 5))
        f = scene.region(tag, -0.05, horizon - rng.uniform(0.22, 0.36) / (1 + 0.5 * layer), 1.05,
                         horizon + 0.02)
        points = [(0.0, 1.0)]
        for k in range(count):
            x = (k + 0.5 + rng.normal(0, 0.12)) / count
            points += [((k + 0.02) / count, rng.uniform(0.55, 0.8)), (x - 0.05, 0.3),
                       (x, rng.uniform(0.0, 0.25)), (x + 0.06, 0.36)]
        stone = mix(mix(style.pick("stone", rng), style.colour("water"), 0.35), sky, fade)
        if tag == "hills":
            stone = mix(style.pick("leaf", rng), sky, fade * 0.8)
            points = [(0.0, 1.0)] + [((k + 0.5) / count, rng.uniform(0.3, 0.7)) for k in range(count)]
        f.shape([*points, (1.0, 0.7), (1.0, 1.0)], shift(stone, -0.1), smooth=tag == "hills", shade=0.3)
        if tag == "mountains" and rng.random() < 0.6:
            for x, y in points[3::4]:
                f.shape([(x - 0.035, y + 0.2), (x, y), (x + 0.04, y + 0.22), (x + 0.012, y + 0.16),
                         (x - 0.01, y + 0.24)], shift(sky, 0.7), smooth=False, line=0)


def _heavens(scene: Scene, horizon: float) -> None:
    """Sun, moon, stars and clouds."""
    rng, style, tags = scene.canvas.rng, scene.canvas.style, scene.tags
    square = scene.width / scene.height
    if "stars" in tags or ("night" in tags and rng.random() < 0.6):
        for x, y in rng.uniform((0.05, 0.04), (0.95, horizon * 0.7), (int(rng.integers(9, 18)), 2)):
            r = rng.uniform(0.012, 0.03)
            f = scene.region("stars", x - r / square / 1, y - r, x + r / square, y + r)
            t = np.linspace(0, 2 * np.pi, 10, endpoint=False)
            spikes = 0.5 * (1 - 0.6 * (np.arange(10) % 2))
            f.shape(np.stack([0.5 + spikes * np.cos(t), 0.5 + spikes * np.sin(t)], 1), (250, 240, 200),
                    smooth=False, line=0)
    for tag in ("sun", "moon"):
        if tag in tags:
            r = rng.uniform(0.06, 0.10) * min(1.0, square)
            x, y = rng.uniform(0.15, 0.85), rng.uniform(0.10, max(0.14, horizon * 0.45))
            f = scene.region(tag, x - r / square, y - r, x + r / square, y + r)
            (_sun if tag == "sun" else _moon)(f)
    if "clouds" in tags or rng.random() < 0.3:
        for _ in range(int(rng.integers(2, 5))):
            x, y, wide = rng.uniform(0.05, 0.8), rng.uniform(0.03, horizon * 0.5), rng.uniform(0.16, 0.34)
            f = scene.region("clouds", x, y, x + wide, y + 0.09)
            white = mix(style.colours["sky"][-1], (255, 255, 252), 0.65)
            f.shape([(0.0, 0.9), (0.1, 0.5), (0.26, 0.5), (0.36, 0.1), (0.58, 0.05), (0.68, 0.4), (0.86, 0.4),
                     (1.0, 0.9)], white, line=0.6)
    if "air transports" in tags:
        scene.put("air transports", rng.uniform(0.2, 0.8), horizon * 0.75, 0.26)


def _sun(f: Frame) -> None:
    for a in np.arange(12) * np.pi / 6:
        f.stroke([(0.5 + 0.36 * np.cos(a), 0.5 + 0.36 * np.sin(a)),
                  (0.5 + 0.62 * np.cos(a), 0.5 + 0.62 * np.sin(a))], (244, 200, 90), 0.09, 0.3)
    f.oval(0.5, 0.5, 0.33, 0.33, mix(f.style.colour("bloom"), (250, 190, 70), 0.65))


def _moon(f: Frame) -> None:
    pale = (246, 240, 214)
    if f.rng.random() < 0.5:
        f.oval(0.5, 0.5, 0.5, 0.5, pale, line=0.7)
        for x, y, r in ((0.36, 0.4, 0.08), (0.6, 0.6, 0.11), (0.62, 0.3, 0.06)):
            f.oval(x, y, r, r, shift(pale, -0.12), line=0)
    else:
        t = np.linspace(0.5 * np.pi, 1.5 * np.pi, 14)
        outer = np.stack([0.62 + 0.5 * np.cos(t), 0.5 + 0.5 * np.sin(t)], 1)
        inside = np.stack([0.62 + 0.22 * np.cos(t[::-1]), 0.5 + 0.5 * np.sin(t[::-1])], 1)
        f.shape([*map(tuple, outer), *map(tuple, inside)], pale, smooth=False, line=0.7)


def _landscape(scene: Scene) -> None:
    canvas, rng, tags = scene.canvas, scene.canvas.rng, scene.tags
    horizon = rng.uniform(0.40, 0.60)
    _sky(scene, horizon)
    _heavens(scene, horizon)
    if "mountains" in tags:
        _mountains(scene, horizon)
    if "hills" in tags:
        _mountains(scene, horizon, "hills")
    _ground(scene, horizon)
    square = min(1.0, scene.width / scene.height)
    if "waterfalls" in tags:
        _waterfall(scene, horizon)
    far = sorted(tags & BUILDINGS)
    spots = rng.permutation(np.linspace(0.16, 0.84, max(3, len(far))))
    for x, tag in zip(spots, far, strict=False):
        for k in range(int(rng.integers(1, 4)) if tag == "houses" else 1):
            scene.put(tag, float(x) + 0.12 * k, horizon + rng.uniform(0.02, 0.12),
                      rng.uniform(0.24, 0.40) * square * (0.75 if tag == "houses" else 1))
    if tags & WATER:
        _water(scene, horizon)
    grown = [tag for tag in ("trees", "bamboo") if tag in tags]
    for tag in grown:
        edges = rng.permutation([0.06, 0.94, 0.2, 0.8])[: rng.integers(2, 4)]
        for x in edges:
            scene.put(tag, float(x), rng.uniform(horizon + 0.12, 0.95), rng.uniform(0.4, 0.75) * square)
    rest = sorted(tag for tag in tags if tag in MOTIFS and tag not in
                  BUILDINGS | WATER | {"trees", "bamboo", "air transports"} | people.WORN)
    _staffage(scene, rest, horizon, square)
    if "snow" in tags or "rain" in tags:
        _weather(scene)


def _staffage(scene: Scene, rest: list[str], horizon: float, square: float) -> None:
    """Put people and animals on the ground of a landscape, larger the nearer they are."""
    rng, tags = scene.canvas.rng, scene.tags
    spots = iter(rng.permutation(np.linspace(0.12, 0.88, 9)))
    wet = bool(tags & WATER)
    for label, woman, traits, child in (_cast(scene) if tags & PEOPLE else []):
        for _ in range(int(rng.integers(1, 3))):
            def draw(f: Frame, woman: bool = woman, traits: set = traits, child: bool = child) -> None:
                people.figure(f, woman, traits, rng.random() < 0.5, child)

            scene.put(label, float(next(spots)), rng.uniform(0.86, 0.99),
                      rng.uniform(0.26, 0.42) * square * (0.7 if child else 1), None, draw, 0.5)
    for tag in rest:
        draw, aspect, size = MOTIFS[tag]
        if tag == "birds" and rng.random() < 0.6:
            _flock(scene, horizon)
            continue
        count = int(rng.integers(2, 5)) if tag in ("human figures", "sheep", "cows") else 1
        for _ in range(count):
            tall = (0.13 + 0.30 * size) * square * rng.uniform(0.7, 1.1)
            if tag == "human figures":
                tall = rng.uniform(0.09, 0.17) * square
            low = max(horizon + 0.1, 0.82) if wet and tag != "human figures" else horizon + 0.08
            scene.put(tag, float(next(spots, rng.uniform(0.1, 0.9))), rng.uniform(low, 0.98), tall)


def _flock(scene: Scene, horizon: float) -> None:
    rng = scene.canvas.rng
    dark = shift(scene.canvas.style.colour("ink"), 0.1)
    x, y = rng.uniform(0.15, 0.7), rng.uniform(0.08, horizon * 0.6)
    flock = scene.region("birds", x, y, x + 0.26, y + 0.16)
    for dx, dy in rng.uniform((0.0, 0.0), (0.8, 0.8), (int(rng.integers(4, 8)), 2)):
        part = flock.inner(dx, dy, 0.22, 0.22)
        part.stroke([(0.5, 0.7), (0.25, 0.2), (0.0, 0.4)], dark, 0.14, 0.3)
        part.stroke([(0.5, 0.7), (0.75, 0.2), (1.0, 0.4)], dark, 0.14, 0.3)


def _waterfall(scene: Scene, horizon: float) -> None:
    rng, style = scene.canvas.rng, scene.canvas.style
    x = rng.uniform(0.25, 0.75)
    f = scene.region("waterfalls", x - 0.12, max(0.06, horizon - 0.36), x + 0.12, horizon + 0.14)
    stone = shift(style.pick("stone", rng), -0.3)
    f.shape([(0.0, 1.0), (0.06, 0.3), (0.2, 0.05), (0.5, 0.0), (0.8, 0.06), (0.95, 0.34), (1.0, 1.0)], stone,
            shade=0.5)
    f.shape([(0.34, 0.02), (0.62, 0.02), (0.70, 0.96), (0.28, 0.96)],
            mix(style.colour("water"), (250, 252, 255), 0.7), smooth=False, line=0.6)
    for dx in (0.40, 0.48, 0.56):
        f.ink([(dx, 0.06), (dx + 0.02, 0.92)], 0.7, fill=style.colour("water"))


def _water(scene: Scene, horizon: float) -> None:
    """A sea to the horizon, or a river that winds towards us; with what floats on it."""
    rng, style, tags = scene.canvas.rng, scene.canvas.style, scene.tags
    blue = style.pick("water", rng)
    sea = bool(tags & {"seas", "ships", "waves"}) or ("rivers" not in tags and "bridges" not in tags
                                                     and rng.random() < 0.5)
    low = rng.uniform(0.84, 0.98) if sea else 1.0
    top = horizon if sea else horizon + 0.06
    f = scene.region("bodies of water", -0.02, top, 1.02, low)
    if sea:
        f.shape([(0, 0), (1, 0), (1, 0.94), (0.7, 1.0), (0.3, 0.92), (0, 1.0)], blue, smooth=False, line=0.6)
    else:
        at = rng.uniform(0.3, 0.7)
        f.shape([(at - 0.02, 0.0), (at + 0.08, 0.0), (at + 0.16, 0.24), (at + 0.02, 0.5), (at + 0.42, 1.04),
                 (at - 0.46, 1.04), (at - 0.2, 0.5), (at + 0.0, 0.24)], blue, line=0.7)
    scene.frames.append(("seas" if sea else "rivers", f))
    light = mix(blue, (255, 255, 255), 0.45)
    middle = 0.5 if sea else at
    for _ in range(26 if sea else 14):
        y = rng.uniform(0.05, 0.95)
        x = rng.uniform(0, 0.9) if sea else middle + rng.normal(0, 0.02 + 0.14 * y)
        wide = 0.04 + 0.06 * y
        f.ink([(x, y), (x + wide / 2, y + 0.012), (x + wide, y)], 0.8, fill=light)
    if "waves" in tags:
        _waves(scene, top, low)
    span = scene.width / scene.height
    if "bridges" in tags:
        wide = rng.uniform(0.55, 0.95) if not sea else rng.uniform(0.4, 0.6)
        scene.put("bridges", 0.5 + rng.normal(0, 0.06), top + (low - top) * rng.uniform(0.35, 0.6),
                  min(wide * span / 2.4, 0.34), None)
    for tag, low_size, high_size in (("ships", 0.34, 0.56), ("boats", 0.17, 0.30), ("swans", 0.12, 0.2),
                                     ("ducks", 0.1, 0.16)):
        if tag in tags:
            for _ in range(int(rng.integers(1, 3)) if tag == "ships" else int(rng.integers(1, 4))):
                deep = rng.uniform(0.12, 0.85)
                x = rng.uniform(0.15, 0.85) if sea else middle + rng.normal(0, 0.12)
                scene.put(tag, float(x), top + (low - top) * deep + 0.03,
                          rng.uniform(low_size, high_size) * (0.6 + 0.5 * deep) * min(1.0, span))


def _waves(scene: Scene, top: float, low: float) -> None:
    rng, style = scene.canvas.rng, scene.canvas.style
    for row in range(2):
        y = top + (low - top) * (0.35 + 0.4 * row)
        for x in np.arange(-0.1, 1.0, 0.34) + rng.uniform(0, 0.2):
            f = scene.region("waves", x, y - 0.10, x + 0.36, y + 0.08)
            f.shape([(0.0, 1.0), (0.2, 0.6), (0.42, 0.1), (0.72, 0.05), (0.92, 0.3), (0.86, 0.46), (0.7, 0.34),
                     (0.66, 0.6), (1.0, 1.0)], style.pick("water", rng))
            f.stroke([(0.34, 0.3), (0.5, 0.08), (0.74, 0.06), (0.93, 0.32), (0.84, 0.46)], (250, 250, 246),
                     0.1, 0.5)


def _weather(scene: Scene) -> None:
    rng, canvas = scene.canvas.rng, scene.canvas
    f = canvas.frame(scene.left, scene.top, scene.width, scene.height)
    for x, y in rng.uniform(0, 1, (170 if "snow" in scene.tags else 110, 2)):
        if "snow" in scene.tags:
            r = rng.uniform(0.003, 0.008)
            f.oval(x, y, r * scene.height / scene.width, r, (250, 251, 253), line=0)
        else:
            f.ink([(x, y), (x - 0.02, y + 0.06)], 0.6, smooth=False, fill=(120, 130, 145))


# --- writing ------------------------------------------------------------------------------------


def _writing(scene: Scene) -> None:
    rng, style = scene.canvas.rng, scene.canvas.style
    wide = scene.width / scene.height
    for tag in sorted(scene.tags & WRITING):
        if tag == "writing systems" and scene.tags & SUPERSETS[tag]:
            continue
        upright = tag in ("hieroglyphs", "writing systems")
        x = rng.choice([0.02, 0.78]) if upright else rng.uniform(0.04, 0.4)
        y = rng.choice([0.04, 0.86]) if not upright else rng.uniform(0.04, 0.2)
        if tag == "seals":
            f = scene.region(tag, x, y, x + 0.09 / min(1, wide), y + 0.09 * max(1, wide))
            f.box(0, 0, 1, 1, (176, 44, 36), line=0)
            for a, b in rng.uniform(0.12, 0.88, (6, 2)):
                f.ink([(a, 0.15), (a, b), (0.85, b)], 1.0, False, (240, 220, 200))
            continue
        if upright:
            f = scene.region(tag, x, y, x + rng.uniform(0.13, 0.20), y + rng.uniform(0.4, 0.72))
        else:
            f = scene.region(tag, x, y, x + rng.uniform(0.4, 0.56), y + rng.uniform(0.09, 0.13))
        f.box(0, 0, 1, 1, shift(style.colour("paper"), 0.3), line=0.8)
        _SCRIPTS[tag](f)


def _glyphs(f: Frame) -> None:
    rows = 8
    for row in range(rows):
        for column in range(2):
            g = f.inner(0.06 + 0.47 * column, (row + 0.12) / rows, 0.40, 0.76 / rows)
            ink, kind = f.style.colour("ink"), int(f.rng.integers(8))
            if kind == 0:
                t = np.linspace(0, 1, 9)
                g.ink(np.stack([t, 0.5 + 0.22 * (-1.0) ** np.arange(9)], 1), 1.4, False)
            elif kind == 1:
                g.shape([(0.1, 0.7), (0.4, 0.3), (0.7, 0.1), (0.9, 0.3), (0.6, 0.8)], ink, line=0)
                g.ink([(0.5, 0.7), (0.5, 1.0)], 1.2)
            elif kind == 2:
                g.oval(0.5, 0.5, 0.32, 0.32, ink, line=0)
                g.oval(0.5, 0.5, 0.16, 0.16, f.style.colour("paper"), line=0)
            elif kind == 3:
                g.shape([(0.0, 0.5), (0.5, 0.2), (1.0, 0.5), (0.5, 0.75)], f.style.colour("paper"), line=1)
                g.oval(0.5, 0.5, 0.13, 0.2, ink, line=0)
            elif kind == 4:
                g.stroke([(0.5, 1.0), (0.5, 0.2)], ink, 0.12)
                g.shape([(0.5, 0.3), (0.85, 0.0), (0.7, 0.5)], ink, line=0)
            elif kind == 5:
                g.oval(0.5, 0.25, 0.2, 0.22, f.style.colour("paper"), line=1.2)
                g.ink([(0.5, 0.5), (0.5, 1.0)], 1.6)
                g.ink([(0.2, 0.6), (0.8, 0.6)], 1.6)
            elif kind == 6:
                g.box(0.1, 0.25, 0.9, 0.75, f.pick("cloth"), line=0.8)
            else:
                g.shape([(0.1, 0.9), (0.3, 0.4), (0.5, 0.1), (0.7, 0.4), (0.9, 0.9)], ink, line=0)
    f.ink([(0.5, 0.02), (0.5, 0.98)], 0.8)


def _wedges(f: Frame) -> None:
    for row in range(4):
        for column in range(12):
            x, y = (column + 0.5) / 12.5, (row + 0.5) / 4
            a = (0.0, 1.57, 0.7)[int(f.rng.integers(3))]
            dx, dy = 0.03 * np.cos(a), 0.10 * np.sin(a)
            f.shape([(x, y - 0.05), (x + 0.018, y), (x, y + 0.05)], f.style.colour("ink"), line=0)
            f.ink([(x, y), (x + dx + 0.01, y + dy)], 1.0)


def _flowing(f: Frame) -> None:
    for row in (0.34, 0.74):
        x = 0.96
        while x > 0.08:
            wide = f.rng.uniform(0.05, 0.14)
            f.stroke([(x, row - f.rng.uniform(0.1, 0.35)), (x - wide * 0.2, row), (x - wide * 0.7, row + 0.06),
                      (x - wide, row - f.rng.uniform(-0.05, 0.2))], f.style.colour("ink"), 0.07, 0.4)
            for _ in range(int(f.rng.integers(0, 3))):
                f.oval(x - wide * f.rng.uniform(0.2, 0.8), row + f.rng.choice([-0.22, 0.17]), 0.007, 0.04,
                       f.style.colour("ink"), line=0)
            x -= wide * 1.06


def _lines(f: Frame) -> None:
    for row in (0.32, 0.72):
        x = 0.05
        while x < 0.93:
            kind = f.rng.integers(4)
            if kind == 0:
                path = [(x, row + 0.15), (x + 0.012, row - 0.15), (x + 0.024, row + 0.15)]
            elif kind == 1:
                path = [(x, row + 0.15), (x, row - 0.15), (x + 0.02, row - 0.15), (x + 0.02, row)]
            elif kind == 2:
                path = [(x + 0.02, row - 0.12), (x, row), (x + 0.02, row + 0.14)]
            else:
                path = [(x, row - 0.15), (x, row + 0.15), (x + 0.02, row + 0.15)]
            f.ink(path, 1.1, smooth=kind == 2)
            x += 0.036 + 0.03 * (f.rng.random() < 0.2)


def _characters(f: Frame) -> None:
    rows = int(f.rng.integers(4, 8))
    for row in range(rows):
        g = f.inner(0.18, (row + 0.15) / rows, 0.64, 0.7 / rows)
        ink = f.style.colour("ink")
        for _ in range(int(f.rng.integers(2, 4))):
            y = f.rng.uniform(0.05, 0.9)
            g.stroke([(f.rng.uniform(0, 0.3), y), (f.rng.uniform(0.7, 1.0), y - 0.05)], ink, 0.10, 0.6)
        x = f.rng.uniform(0.3, 0.7)
        g.stroke([(x, 0.0), (x, 1.0)], ink, 0.11, 0.5)
        g.stroke([(x, 0.4), (x - 0.4, 1.0)], ink, 0.09, 0.3)
        g.stroke([(x, 0.45), (x + 0.4, 0.95)], ink, 0.12, 0.4)


_SCRIPTS: dict[str, Draw] = {"hieroglyphs": _glyphs, "cuneiform": _wedges, "arabic": _flowing,
                             "inscriptions": _lines, "writing systems": _characters}
