"""What the sample collection shows: cultures, genres, tastes, and what follows from what."""

from __future__ import annotations

from dataclasses import dataclass

Weights = dict[str, float]


def _weights(text: str) -> Weights:
    """Read `name weight, name weight`."""
    pairs = (part.strip().rsplit(" ", 1) for part in text.split(",") if part.strip())
    return {name: float(weight) for name, weight in pairs}


# How often each culture is shown; long-tailed as in the real collection.
CULTURES = _weights(
    "french 128, italian 112, american 96, japan 96, british 84, egyptian 84, "
    "china 76, german 60, islamic 56, greek 52, dutch 46, roman 42, iran 38, "
    "india 32, byzantine 24, mexican 22, indonesia 19, babylonian 19, korea 18, "
    "paracas 17"
)
# A narrower or second culture that goes with the first, and how often.
SECOND_CULTURES: dict[str, Weights] = {
    "french": _weights("paris 0.14, sevres 0.12"),
    "italian": _weights("venice 0.14, florence 0.13"),
    "greek": _weights("attic 0.55"),
    "british": _weights("london 0.2, staffordshire 0.16"),
    "german": _weights("meissen 0.25"),
    "dutch": _weights("delft 0.3"),
    "china": _weights("for european market 0.012"),
    "india": _weights("mughal 0.04"),
    "mexican": _weights("aztec 0.05"),
    "islamic": _weights("turkish 0.015"),
}
# Two manners of one culture: blue-and-white porcelain beside ink on silk.
MANNERS = {"china": "porcelain", "delft": "porcelain"}

GENRES: dict[str, Weights] = {
    "french": _weights(
        "portrait 4, figures 3, landscape 5, waterside 3, still life 4, vessel 3, "
        "ride 1, sea 1.2, animal 1.5, object 1, music 2, textile 1.1"
    ),
    "italian": _weights(
        "sacred 5.7, portrait 3.2, figures 3, landscape 2, ride 1, battle 1.3, object 1, "
        "vessel 1.5, textile 1.1, ruin 1.8, music 1.3"
    ),
    "american": _weights(
        "actress 4.5, portrait 2.4, landscape 3, ride 1, sea 2.3, animal 3, vessel 1.5, "
        "figures 1.5, textile 0.8, object 1, snow 2"
    ),
    "japan": _weights(
        "waterside 4, actor 2.6, figures 2, animal 6, landscape 3, object 3, vessel 2, "
        "sea 1.7, writing 1, textile 1.1, sacred 1, snow 2"
    ),
    "british": _weights(
        "landscape 4, portrait 3.2, ride 2, sea 3.4, vessel 2, animal 3, ruin 1.2, "
        "figures 1, object 1, satire 1"
    ),
    "egyptian": _weights(
        "writing 6, figures 3, scarab 2.1, animal 3.8, vessel 1.5, portrait 0.6, "
        "boat 1.5, pyramid 1.6, jewel 1.5"
    ),
    "china": _weights(
        "landscape 4, animal 5.2, vessel 4, figures 1.5, writing 2, sacred 1.9, "
        "textile 1.5, waterside 1, dragon 2"
    ),
    "german": _weights(
        "portrait 2.4, sacred 2.8, battle 3.2, object 3, landscape 1, vessel 2, ride 1, animal 1.5"
    ),
    "islamic": _weights("writing 4, vessel 4, textile 2.2, object 2.5, animal 2.2, figures 0.6"),
    "greek": _weights(
        "vessel 4, battle 3.2, figures 3, ride 1.5, portrait 0.8, object 1.5, music 2, animal 2.2"
    ),
    "dutch": _weights(
        "still life 4, sea 3.4, portrait 2.4, landscape 2.5, vessel 1.5, music 1.3, "
        "waterside 1, snow 2"
    ),
    "roman": _weights(
        "portrait 2.4, figures 1.5, object 2.5, animal 3, vessel 1.5, ruin 1.2, battle 1.3, sea 1.2"
    ),
    "iran": _weights(
        "figures 2, ride 3, battle 2, animal 2.2, writing 2.5, textile 1.1, vessel 1.5, music 1.3"
    ),
    "india": _weights(
        "figures 2, portrait 1.6, elephant 3, animal 3, object 1.5, textile 0.8, music 1.3"
    ),
    "byzantine": _weights("sacred 4.8, object 1.5, portrait 0.8, jewel 2, animal 1.5"),
    "mexican": _weights("object 3, vessel 2, animal 4.5, pyramid 2, figures 1, textile 0.8"),
    "indonesia": _weights("textile 3, object 2, animal 3, figures 1, dragon 1"),
    "babylonian": _weights("writing 6, lion 4, animal 1.5, dragon 1, figures 0.7"),
    "korea": _weights("vessel 5, animal 4.5, landscape 1, textile 0.4"),
    "paracas": _weights("textile 3.8, animal 2.2, figures 1, vessel 1"),
}


@dataclass(frozen=True)
class Genre:
    """Tags of a genre: one out of each `core` group, then `more` further ones on the average."""

    core: tuple[Weights, ...]
    extras: Weights
    more: float = 1.0


GENRE_TAGS: dict[str, Genre] = {
    "portrait": Genre(
        (_weights("men 56, women 42, men+women 4"),),
        _weights(
            "profiles 14, hats 9, earrings 8, necklaces 6, kings 7, books 5, flowers 6, "
            "dogs 4, fans 4, helmets 3, coat of arms 6, inscriptions 7, swords 2, lutes 2, "
            "birds 2, trees 3"
        ),
        0.95,
    ),
    "actress": Genre(
        (_weights("women 1"),),
        _weights("hats 6, earrings 4, necklaces 4, flowers 4, fans 3, inscriptions 5, dogs 1"),
        0.7,
    ),
    "actor": Genre(
        (_weights("men 7, women 2, men+women 2"),),
        _weights(
            "writing systems 8, swords 6, fans 6, seals 6, trees 2, flutes 2, dancing 2, masks 1"
        ),
        2.0,
    ),
    "figures": Genre(
        (_weights("men 50, women 40, men+women 24"),),
        _weights(
            "dogs 4, cats 1.5, flowers 5, trees 8, fans 3, books 4, swords 3, dancing 5, "
            "girls 5, boys 5, columns 4, hats 3, kings 3, horses 3, vases 3, chairs 3, "
            "fruit 2, birds 3, flutes 2, queens 3, fish 2, rabbits 1, drums 1.5"
        ),
        1.6,
    ),
    "music": Genre(
        (_weights("women 5, men 5"), _weights("lutes 6, harps 6, flutes 4, drums 5, violins 6")),
        _weights("musicians 6, dancing 4, trees 4, books 2, dogs 2, birds 2, flowers 2"),
        1.1,
    ),
    "ride": Genre(
        (_weights("horse riding 1"),),
        _weights(
            "horses 10, trees 6, dogs 4, swords 4, spears 3, flags 5, deer 3, hats 3, "
            "castles 2, birds 2, lions 1, soldiers 3, kings 2"
        ),
        1.7,
    ),
    "battle": Genre(
        (_weights("soldiers 1"),),
        _weights(
            "battles 12, swords 7, spears 5, shields 8, flags 5, helmets 4, horse riding 6, "
            "horses 3, castles 2, tents 3, lions 1"
        ),
        2.2,
    ),
    "sacred": Genre(
        (_weights("madonna and child 6, saints 8, angels 6, virgin mary 4, cross 3"),),
        _weights(
            "angels 4, saints 4, christian imagery 8, books 3, columns 2, flowers 2, "
            "lions 1.5, cross 2, churches 1, inscriptions 2, sheep 1.5, arches 1"
        ),
        1.4,
    ),
    "buddhist": Genre(
        (_weights("buddha 1"),),
        _weights("lotuses 8, flowers 2, candlesticks 1, clouds 2, writing systems 3, lions 1"),
        1.3,
    ),
    "landscape": Genre(
        (_weights("trees 1"),),
        _weights(
            "landscapes 13, mountains 10, houses 7, clouds 5, human figures 6, churches 5, "
            "castles 2, cows 4, sheep 4, hills 4, rivers 4, birds 4, moon 2.5, sun 2, "
            "dogs 2, waterfalls 5, temples 5, windmills 2.5, deer 3, women 2, men 3, "
            "carriages 3, towers 1.5, horses 2, rabbits 1, night 1, bamboo 1"
        ),
        2.3,
    ),
    "waterside": Genre(
        (_weights("bridges 8, boats 8"),),
        _weights(
            "trees 6, houses 5, mountains 4, human figures 5, rivers 4, moon 3, boats 5, "
            "temples 2, ducks 2, swans 2, towers 2, clouds 2, rain 2, women 2, men 2, "
            "birds 3, bamboo 1, night 2"
        ),
        2.0,
    ),
    "sea": Genre(
        (_weights("ships 8, boats 6, seas 2"),),
        _weights(
            "seas 6, clouds 4, birds 4, waves 7, mountains 3, moon 2.5, sun 3.5, flags 1, "
            "castles 1.5, fish 1, night 1.5, towers 1"
        ),
        1.6,
    ),
    "snow": Genre(
        (_weights("trees 6, houses 4"),),
        _weights("snow 24, human figures 4, mountains 4, birds 3, houses 4, dogs 2, bridges 2"),
        2.2,
    ),
    "ruin": Genre(
        (_weights("ruins 8, temples 2, columns 1"),),
        _weights(
            "trees 7, human figures 5, landscapes 3, columns 4, mountains 2, cows 1.5, "
            "birds 1.5, clouds 2, sheep 1, arches 1.5, columns 2"
        ),
        1.8,
    ),
    "satire": Genre(
        (_weights("men 3, men+women 2"),),
        _weights("hats 4, dogs 3, inscriptions 7, tables 3, chairs 4, bottles 2, cats 1, skulls 1"),
        2.2,
    ),
    "still life": Genre(
        (_weights("flowers 6, fruit 6, vases 3, books 2"),),
        _weights(
            "vases 7, fruit 6, grapes 6, skulls 8, books 3, candlesticks 3, fish 3, bowls 3, "
            "jugs 3, butterflies 3, still life 10, violins 3.5, lutes 2, cups 2, bottles 2, "
            "mirrors 1, rabbits 1, birds 2"
        ),
        2.2,
    ),
    "vessel": Genre(
        (_weights("vases 9, bowls 6, cups 5, bottles 4, jugs 4, teapots 6, dishes 7"),),
        _weights(
            "utilitarian objects 16, flowers 5, birds 2.5, leaves 3, cups 1.5, bowls 1, "
            "lamps 1, fish 1, coat of arms 0.7"
        ),
        0.75,
    ),
    "object": Genre(
        (
            _weights(
                "swords 4, daggers 5.5, masks 5, coins 5.5, fans 4, helmets 2, candlesticks 3, "
                "clocks 4, lamps 4, shields 1.5, cross 1.5, harps 1, chairs 3, necklaces 2"
            ),
        ),
        _weights(
            "utilitarian objects 9, weapons 4, lions 1.5, flowers 2, inscriptions 1.5, "
            "leaves 1.5, snakes 1, birds 1, eagles 1, coat of arms 3, keys 1, mirrors 1, "
            "rings 0.6"
        ),
        0.8,
    ),
    "jewel": Genre(
        (_weights("necklaces 6, coins 3, scarabs 2"),),
        _weights("jewelry 16, rings 2, birds 1, cross 2, flowers 1, lotuses 1"),
        0.9,
    ),
    "textile": Genre(
        (_weights("textile fragments 1"),),
        _weights(
            "flowers 10, leaves 8, birds 4, lions 2, peacocks 2.5, trees 1.5, deer 1, "
            "dragons 1, eagles 1.5, grapes 1.5, lotuses 1.5, butterflies 1, cats 1, fish 1"
        ),
        1.3,
    ),
    "animal": Genre(
        (
            _weights(
                "birds 9, horses 4, dogs 4, fish 5, deer 4, roosters 6, cats 4, owls 5, "
                "butterflies 4.5, cranes 4.5, ducks 4, peacocks 3.5, lions 3, bulls 3, snakes 4, "
                "eagles 3, cows 1.5, sheep 1.5, elephants 1"
            ),
        ),
        _weights(
            "animals 14, flowers 7, trees 5, leaves 5, bamboo 2.5, birds 3, moon 1, "
            "grapes 1, lotuses 1.5, seals 2, writing systems 1, rabbits 1, turtles 1.2, "
            "snails 0.15"
        ),
        1.3,
    ),
    "writing": Genre(
        (_weights("hieroglyphs 1"),),
        _weights(
            "writing systems 6, men 6, women 4, birds 4, snakes 2, scarabs 2, lotuses 2, "
            "cats 1.5, boats 1, bulls 1, inscriptions 3, profiles 2"
        ),
        1.6,
    ),
    "scarab": Genre(
        (_weights("scarabs 1"),),
        _weights("hieroglyphs 5, jewelry 2, inscriptions 2, lotuses 1.5, birds 1"),
        0.8,
    ),
    "boat": Genre(
        (_weights("boats 1"),),
        _weights(
            "men 5, rivers 3, human figures 5, birds 3, ducks 2, hieroglyphs 3, fish 2, lotuses 2"
        ),
        1.7,
    ),
    "pyramid": Genre(
        (_weights("pyramids 1"),),
        _weights(
            "sun 3, camels 4, trees 3, human figures 3, birds 2, stars 2, moon 1, landscapes 2"
        ),
        1.6,
    ),
    "elephant": Genre(
        (_weights("elephants 1"),),
        _weights(
            "men 6, trees 5, animals 5, birds 2, swords 1.5, flags 1.5, kings 2, peacocks 1.5"
        ),
        1.6,
    ),
    "lion": Genre(
        (_weights("lions 1"),),
        _weights("animals 4, flowers 4, trees 2, bulls 1.5, inscriptions 1, men 1"),
        0.9,
    ),
    "dragon": Genre(
        (_weights("dragons 1"),),
        _weights(
            "mythical creatures 8, clouds 5, waves 2, seals 1.5, flowers 1.5, "
            "writing systems 1.5, vases 1"
        ),
        1.3,
    ),
}

# What a culture paints more (or less) often than others.
TASTES: dict[str, Weights] = {
    "japan": _weights(
        "cranes 4, fans 3, bamboo 4, moon 2, mountains 1.5, swords 2, fish 1.7, masks 3, "
        "waves 3, rain 2, temples 1.5, writing systems 3, butterflies 1.6, churches 0, "
        "castles 0.2, windmills 0, cows 0.2, violins 0, harps 0, teapots 2, cross 0, "
        "coat of arms 0, seals 2, ruins 0, trees 1, carriages 0.1"
    ),
    "china": _weights(
        "bamboo 5, cranes 2, mountains 2, dishes 2, vases 1.5, teapots 2, bowls 1.5, "
        "lotuses 3, seals 4, fish 1.5, butterflies 1.5, ducks 2, churches 0, castles 0, "
        "windmills 0, cows 0.4, waterfalls 4, temples 2, writing systems 3, "
        "coat of arms 0, carriages 0, hats 1.4, horses 1.6"
    ),
    "egyptian": _weights(
        "cats 4, lotuses 4, birds 1.5, snakes 2.5, bulls 2, ducks 2.5, trees 0.5, "
        "bottles 2, jugs 1.5, necklaces 3, kings 4, coat of arms 0, roosters 0, "
        "peacocks 0, fish 1.6, churches 0, owls 1.5, chairs 2, dogs 0.8, deer 0.3, "
        "rabbits 0.7, harps 4, violins 0, hats 0, columns 0.6, eagles 1"
    ),
    "greek": _weights(
        "vases 3, jugs 1.7, shields 2, spears 2, lutes 0.2, harps 2.5, flutes 3, owls 9, "
        "helmets 2, profiles 3, columns 3, teapots 0, clocks 0, hats 0.2, dishes 0.8, "
        "coat of arms 0, roosters 1.5, violins 0, coins 2.5, fans 0.2, books 0.1, "
        "grapes 2, keys 0, cross 0"
    ),
    "roman": _weights(
        "coins 6, profiles 2, columns 3, lamps 5, fish 2.5, ducks 2, helmets 2, "
        "teapots 0, clocks 0, dogs 1.5, bottles 3, grapes 2, lions 2, coat of arms 0, "
        "violins 0, books 0.3, fans 0.1, cross 0, masks 1.5"
    ),
    "islamic": _weights(
        "dishes 2.5, bowls 2, lamps 5, candlesticks 3, jugs 2, daggers 2.5, clocks 0, "
        "cross 0, masks 0, coat of arms 0, writing systems 4, bottles 1.5, peacocks 2, "
        "helmets 1.5, teapots 0.2, harps 0"
    ),
    "iran": _weights(
        "peacocks 2.5, deer 3, lions 2, trees 1.5, books 2, coat of arms 0, swords 1.6, "
        "writing systems 4, camels 4, birds 1.5, kings 2, lutes 2, churches 0, cross 0, "
        "teapots 0.2, castles 1, hats 2"
    ),
    "india": _weights(
        "peacocks 5, lotuses 3, daggers 3, necklaces 2.5, earrings 2.5, kings 2, "
        "coat of arms 0, churches 0, drums 3, flutes 3, cows 3, swords 1.5, columns 1, "
        "violins 0, cross 0, elephants 3, flowers 1.5"
    ),
    "italian": _weights(
        "columns 2, saints 1.5, books 1.2, coat of arms 1.5, profiles 2, lutes 2, "
        "dishes 3, jugs 2, hats 1.3"
    ),
    "french": _weights(
        "clocks 3, fans 2, fruit 1.4, chairs 2, harps 2, cups 2, churches 1.2, "
        "mirrors 2, cats 1.3, swans 2, girls 1.6, violins 1.5, candlesticks 1.5"
    ),
    "british": _weights(
        "teapots 3, cups 2, sheep 2, cows 1.6, ruins 2, castles 2.5, coat of arms 2, "
        "dogs 1.8, clocks 2, carriages 2.5, hats 1.5, horses 1.6, swans 1.5, keys 2, "
        "jugs 1.5"
    ),
    "american": _weights(
        "flags 3, ships 1.5, eagles 5, houses 1.6, hats 1.6, mountains 1.3, "
        "waterfalls 2, roosters 2, chairs 3, clocks 2, cows 1.5, boys 1.6, girls 1.6"
    ),
    "german": _weights(
        "helmets 3, coat of arms 3, castles 3, swords 1.7, skulls 3, deer 2.5, cross 3, "
        "teapots 1.6, cups 1.6, keys 2, books 1.6, lutes 1.5, dragons 1.5, eagles 3"
    ),
    "dutch": _weights(
        "windmills 16, skulls 2.5, fish 1.6, ships 1.6, candlesticks 2, lutes 2, "
        "cows 2.5, dishes 2, jugs 1.6, butterflies 1.6, books 1.3, hats 2.5, churches 2, "
        "grapes 1.3"
    ),
    "byzantine": _weights(
        "cross 6, books 2, saints 2.5, coins 3, peacocks 3, clocks 0, masks 0, fans 0, "
        "inscriptions 3, kings 2, christian imagery 1.3, queens 3"
    ),
    "mexican": _weights(
        "masks 6, snakes 5, eagles 4, jugs 2, bowls 2, owls 2, dogs 1.6, clocks 0, "
        "keys 0, cross 0.4, fans 0.5, peacocks 0, elephants 0, camels 0, bulls 0.3, "
        "teapots 0, cups 0.4, violins 0, sun 2"
    ),
    "indonesia": _weights(
        "masks 5, daggers 5, lotuses 2, peacocks 2.5, butterflies 2, drums 2, "
        "elephants 1.6, clocks 0, dragons 2, coat of arms 0, leaves 1.5, cross 0, "
        "keys 0, turtles 2.5, fans 2, dancing 3"
    ),
    "babylonian": _weights("bulls 4, inscriptions 2, kings 3, snakes 1.4"),
    "korea": _weights(
        "cranes 6, bottles 3, bowls 2.5, vases 1.6, lotuses 3, ducks 2, bamboo 3, "
        "coat of arms 0, turtles 2, mountains 2, churches 0, castles 0, windmills 0, "
        "cows 0.3, temples 2, clouds 2, dishes 0.6"
    ),
    "paracas": _weights(
        "birds 2, cats 4, fish 2, snakes 3, masks 3, peacocks 0, elephants 0, camels 0, "
        "lions 0, jugs 2, teapots 0, cups 0.3, eagles 0.4, grapes 0, dragons 0, bulls 0"
    ),
}

# What follows from what is there: tag -> further tags with their probability.
FOLLOWS: dict[str, Weights] = {
    "bridges": _weights("bodies of water 0.95, boats 0.3, human figures 0.3"),
    "boats": _weights("bodies of water 0.8"),
    "ships": _weights("bodies of water 0.45, seas 0.4"),
    "rivers": _weights("bodies of water 0.4"),
    "swans": _weights("bodies of water 0.4"),
    "horse riding": _weights("men 0.95, horses 0.3"),
    "soldiers": _weights("men 0.8, helmets 0.2, battles 0.15"),
    "kings": _weights("men 0.95"),
    "queens": _weights("women 0.95"),
    "actors": _weights("men 0.9"),
    "battles": _weights("swords 0.4, horse riding 0.3"),
    "virgin mary": _weights("women 0.3"),
    "saints": _weights("men 0.75"),
    "angels": _weights("women 0.15"),
    "moon": _weights("night 0.25"),
    "cows": _weights("animals 0.35"),
    "sheep": _weights("animals 0.35"),
    "lions": _weights("animals 0.2"),
    "dragons": _weights("mythical creatures 0.85"),
    "buddha": _weights("buddhism 0.9"),
    "hieroglyphs": _weights("writing systems 0.3"),
    "cuneiform": _weights("writing systems 0.3"),
    "arabic": _weights("writing systems 0.35, inscriptions 0.3"),
    "lutes": _weights("musical instruments 0.75"),
    "harps": _weights("musical instruments 0.75"),
    "violins": _weights("musical instruments 0.75"),
    "drums": _weights("musical instruments 0.8"),
    "flutes": _weights("musical instruments 0.65"),
    "musicians": _weights("musical instruments 0.4"),
    "necklaces": _weights("jewelry 0.3"),
    "churches": _weights("buildings 0.4"),
    "castles": _weights("buildings 0.5"),
    "towers": _weights("buildings 0.6"),
    "houses": _weights("buildings 0.25"),
    "madonna and child": _weights("christian imagery 0.5, virgin mary 0.5"),
    "swords": _weights("weapons 0.12"),
    "daggers": _weights("weapons 0.4"),
}
# One annotator notes most of what is there, less so what is small or everywhere.
OVERLOOKED = _weights(
    "trees 0.2, leaves 0.18, human figures 0.22, birds 0.14, hats 0.25, "
    "flowers 0.12, clouds 0.25, dogs 0.1, earrings 0.2, necklaces 0.15, books 0.12, "
    "columns 0.15, horses 0.15, seals 0.2, stars 0.2, helmets 0.2, spears 0.2, "
    "houses 0.12, men 0.07, women 0.06, fruit 0.12, moon 0.08"
)
RARE = ("octopus", "sunflowers", "air transports", "crabs", "snails")
# Drawn now and then, but never noted: nobody was asked to look for them.
UNNOTED = {
    "rabbits",
    "turtles",
    "keys",
    "mirrors",
    "rings",
    "tables",
    "carriages",
    "arches",
    "stars",
    "tents",
    "rain",
    "swans",
    "camels",
    "boys",
    "towers",
    "queens",
    "musicians",
    "earrings",
    "hills",
    "girls",
    "spears",
    "clocks",
    "jewelry",
    "still life",
}


def _vocabulary() -> tuple[str, ...]:
    tags = set(RARE) | {"portraits", "actresses", "actors", "cuneiform", "arabic"}
    for kind in GENRE_TAGS.values():
        tags |= {
            tag for group in (*kind.core, kind.extras) for name in group for tag in name.split("+")
        }
    for further in FOLLOWS.values():
        tags |= set(further)
    tags -= UNNOTED
    cultures = set(CULTURES) | {name for further in SECOND_CULTURES.values() for name in further}
    return (
        *sorted(f"culture::{name}" for name in cultures),
        *sorted(f"tag::{tag}" for tag in tags),
    )


VOCABULARY = _vocabulary()  # in the order of attribute ids: cultures first, as in the competition
