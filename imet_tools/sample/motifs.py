"""All motifs of the sample collection by tag, and the scene that they are put into."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from imet_tools.sample.animals import (
    bull,
    camel,
    cat,
    cow,
    deer,
    dog,
    elephant,
    horse,
    lion,
    rabbit,
    sheep,
)
from imet_tools.sample.birds import (
    bird,
    butterfly,
    crab,
    crane,
    dragon,
    duck,
    eagle,
    fish,
    octopus,
    owl,
    peacock,
    rooster,
    snail,
    snake,
    swan,
    turtle,
)
from imet_tools.sample.buildings import (
    arch,
    bridge,
    castle,
    church,
    column,
    house,
    mosque,
    pagoda,
    pyramid,
    ruin,
    temple,
    tent,
    tower,
    windmill,
)
from imet_tools.sample.objects import (
    arms,
    book,
    chair,
    clock,
    coin,
    cross,
    dagger,
    drum,
    fan,
    flag,
    flute,
    harp,
    helmet,
    key,
    lute,
    mask,
    mirror,
    necklace,
    ring,
    scarab,
    shield,
    skull,
    spear,
    sword,
    table,
    violin,
)
from imet_tools.sample.pen import Canvas, Frame
from imet_tools.sample.people import buddha, madonna, rider, small_person
from imet_tools.sample.plants import bamboo, flowers, fruit, grapes, leaves, lotus, sunflower, tree
from imet_tools.sample.vehicles import balloon, boat, carriage, ship
from imet_tools.sample.vessels import bottle, bowl, candlestick, cup, dish, jug, lamp, teapot, vase

Draw = Callable[[Frame], None]
# How to draw it, width / height, and its height where a man is 1 high
MOTIFS: dict[str, tuple[Draw, float, float]] = {
    "horses": (horse, 1.25, 0.85), "dogs": (dog, 1.2, 0.42),
    "lions": (lion, 1.3, 0.62), "deer": (deer, 1.05, 0.72),
    "cows": (cow, 1.45, 0.62), "bulls": (bull, 1.45, 0.66),
    "sheep": (sheep, 1.15, 0.45), "elephants": (elephant, 1.2, 1.05),
    "camels": (camel, 1.15, 0.95), "cats": (cat, 0.85, 0.4),
    "rabbits": (rabbit, 1.0, 0.34), "birds": (bird, 1.15, 0.42),
    "cranes": (crane, 0.62, 0.75), "ducks": (duck, 1.25, 0.32),
    "swans": (swan, 1.2, 0.42), "owls": (owl, 0.7, 0.5),
    "roosters": (rooster, 0.95, 0.5), "peacocks": (peacock, 1.1, 0.75),
    "eagles": (eagle, 1.1, 0.65), "fish": (fish, 1.8, 0.32),
    "butterflies": (butterfly, 1.15, 0.3), "snakes": (snake, 1.5, 0.42),
    "dragons": (dragon, 1.6, 0.8), "turtles": (turtle, 1.4, 0.34),
    "octopus": (octopus, 1.0, 0.55), "crabs": (crab, 1.25, 0.36),
    "snails": (snail, 1.3, 0.3), "trees": (tree, 0.85, 1.25),
    "flowers": (flowers, 0.9, 0.6), "leaves": (leaves, 1.0, 0.55),
    "lotuses": (lotus, 1.25, 0.4), "bamboo": (bamboo, 0.6, 1.2),
    "grapes": (grapes, 0.72, 0.42), "fruit": (fruit, 1.2, 0.38),
    "sunflowers": (sunflower, 0.8, 0.7), "vases": (vase, 0.62, 0.62),
    "bottles": (bottle, 0.45, 0.55), "jugs": (jug, 0.8, 0.52),
    "bowls": (bowl, 1.7, 0.3), "cups": (cup, 1.15, 0.28),
    "teapots": (teapot, 1.3, 0.4), "dishes": (dish, 1.0, 0.5),
    "candlesticks": (candlestick, 0.42, 0.6), "lamps": (lamp, 1.45, 0.34),
    "mirrors": (mirror, 0.58, 0.5), "clocks": (clock, 0.68, 0.55),
    "masks": (mask, 0.82, 0.5), "skulls": (skull, 0.9, 0.34),
    "helmets": (helmet, 1.0, 0.45), "daggers": (dagger, 0.3, 0.6),
    "swords": (sword, 0.24, 0.9), "shields": (shield, 1.0, 0.6),
    "spears": (spear, 0.1, 1.2), "flags": (flag, 0.9, 0.9),
    "coins": (coin, 1.0, 0.4), "chairs": (chair, 0.7, 0.7),
    "tables": (table, 1.8, 0.45), "scarabs": (scarab, 0.82, 0.45),
    "cross": (cross, 0.7, 0.7), "coat of arms": (arms, 0.95, 0.7),
    "necklaces": (necklace, 1.0, 0.5), "rings": (ring, 0.85, 0.34),
    "keys": (key, 0.4, 0.4), "books": (book, 1.7, 0.3),
    "fans": (fan, 1.6, 0.42), "lutes": (lute, 0.5, 0.7),
    "violins": (violin, 0.48, 0.66), "harps": (harp, 0.72, 0.85),
    "drums": (drum, 1.1, 0.45), "flutes": (flute, 3.0, 0.16),
    "houses": (house, 1.2, 0.9), "churches": (church, 0.95, 1.2),
    "castles": (castle, 1.2, 1.2), "temples": (temple, 1.45, 0.9),
    "pagodas": (pagoda, 0.75, 1.3), "mosques": (mosque, 1.2, 1.1),
    "towers": (tower, 0.45, 1.3), "ruins": (ruin, 1.25, 0.9),
    "pyramids": (pyramid, 2.0, 0.9), "windmills": (windmill, 0.85, 1.0),
    "columns": (column, 0.34, 1.2), "arches": (arch, 1.0, 1.0),
    "tents": (tent, 1.1, 0.8), "bridges": (bridge, 2.4, 0.6),
    "boats": (boat, 1.3, 0.6), "ships": (ship, 1.2, 1.1),
    "carriages": (carriage, 1.4, 0.75), "air transports": (balloon, 0.7, 0.8),
    "human figures": (small_person, 0.45, 0.4),
    "buddha": (buddha, 0.95, 0.95), "horse riding": (rider, 1.0, 1.3),
    "madonna and child": (madonna, 0.85, 1.0),
}  # fmt: skip

PORTRAIT = {"portraits", "profiles", "actresses"}
PEOPLE = {  # a tag that needs somebody to be seen on
    *("men", "women", "boys", "girls", "kings", "queens", "saints", "angels", "soldiers"),
    *("actors", "dancing", "musicians", "virgin mary", "hats", "earrings"),
}
BUILDINGS = {
    *("houses", "churches", "castles", "temples", "pagodas", "mosques", "towers", "ruins"),
    *("pyramids", "windmills", "tents"),
}
WATER = {
    "bodies of water",
    "rivers",
    "seas",
    "boats",
    "ships",
    "bridges",
    "swans",
    "ducks",
    "waves",
}
SKY = {"moon", "sun", "stars", "clouds", "night", "snow", "rain", "air transports"}
LAND = BUILDINGS | WATER | SKY | {"landscapes", "mountains", "hills", "waterfalls"}
LAND -= {"swans", "ducks"}  # these are also drawn by themselves
WRITING = {"hieroglyphs", "cuneiform", "arabic", "inscriptions", "writing systems", "seals"}
VESSELS = {"vases", "bottles", "jugs", "bowls", "cups", "teapots", "dishes"}
INSTRUMENTS = {"lutes", "violins", "harps", "drums", "flutes"}
CREATURES = {
    *("horses", "dogs", "lions", "deer", "cows", "bulls", "sheep", "elephants", "camels", "cats"),
    *("rabbits", "birds", "cranes", "ducks", "swans", "owls", "roosters", "peacocks", "eagles"),
    *("fish", "butterflies", "snakes", "turtles", "octopus", "crabs", "snails"),
}
SUPERSETS: dict[str, set[str]] = {  # a label that follows from others, and what it can be seen in
    "animals": CREATURES,
    "musical instruments": INSTRUMENTS,
    "buildings": BUILDINGS,
    "utilitarian objects": VESSELS
    | {"candlesticks", "lamps", "mirrors", "clocks", "keys"}
    | {"swords", "daggers", "masks", "coins", "fans", "helmets", "shields", "chairs", "necklaces"},
    "writing systems": {"hieroglyphs", "cuneiform", "arabic", "inscriptions"},
    "mythical creatures": {"dragons"},
    "buddhism": {"buddha"},
    "weapons": {"swords", "daggers", "spears"},
    "christian imagery": {"madonna and child", "saints", "angels", "cross", "virgin mary"},
    "jewelry": {"necklaces", "rings", "earrings"},
}
# Labels of the picture as a whole
WHOLE = {"landscapes", "night", "snow", "rain", "still life", "battles", "textile fragments"}


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
        self,
        tag: str,
        x: float,
        base: float,
        height: float,
        flip: bool | None = None,
        draw: Draw | None = None,
        aspect: float | None = None,
    ) -> Frame:
        """Draw a motif standing at (x, base), shares of the scene; height a share of its height."""
        rng = self.canvas.rng
        if draw is None or aspect is None:
            motif = MOTIFS[self.canvas.style.temple if tag == "temples" else tag]
            draw, aspect = draw or motif[0], aspect or motif[1]
        flip = rng.random() < 0.5 if flip is None else flip
        tall = height * self.height
        wide = tall * aspect * rng.uniform(0.92, 1.08)
        f = self.canvas.frame(
            self.left + x * self.width - wide / 2,
            self.top + base * self.height - tall,
            wide,
            tall,
            flip,
            float(rng.normal(0, 0.03)),
        )
        draw(f)
        self.frames.append((tag, f))
        return f

    def region(self, tag: str, left: float, top: float, right: float, bottom: float) -> Frame:
        """Open a frame on a part of the scene (shares) and note it for a tag."""
        f = self.canvas.frame(
            self.left + left * self.width,
            self.top + top * self.height,
            (right - left) * self.width,
            (bottom - top) * self.height,
        )
        self.frames.append((tag, f))
        return f
